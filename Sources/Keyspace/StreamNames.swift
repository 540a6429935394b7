// SPDX-License-Identifier: BSD-3-Clause
//
// A stream's groups, a group's consumers: blocks found by name, in the order of the names' bytes. Few
// and long-lived, so a sorted array of their addresses does. Its record of 16 bytes lies in the
// owner's block:
//
//     0   8  the array, 0 none       8   4  blocks       12  4  room
//
// A block says at offset 0 (4 bytes) how long its name is and at 4 (4 bytes) where in it the name is.

import Memory

@safe
struct StreamNames {
    let record: Address

    @inline(__always)
    init(_ record: Address) { self.record = record }

    static func name(of block: Address) -> Bytes {
        Bytes(
            start: block + Int(block.load(UInt32.self, at: 4)), count: Int(block.load(UInt32.self)))
    }

    /// Bytes of a block whose fields take `fields`.
    static func size(of block: Address, fields: Int) -> Int {
        fields + Int(block.load(UInt32.self))
    }

    /// A block of zeros with a name behind its fields.
    static func make(_ name: Bytes, fields: Int, in heap: Heap) -> Address {
        let block = heap.allocate(fields + name.count)
        block.fill(0, count: fields)
        block.store(UInt32(name.count))
        block.store(UInt32(fields), at: 4)
        (block + fields).copy(from: name)
        return block
    }

    var count: Int { Int(record.load(UInt32.self, at: 8)) }
    private var room: Int { Int(record.load(UInt32.self, at: 12)) }
    private var array: Address { record.address(at: 0) }

    subscript(index: Int) -> Address { array.address(at: index * 8) }

    /// The first whose name is not less than `name`.
    private func lowerBound(_ name: Bytes) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if Self.name(of: self[middle]) < name { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The index of `name`, or nil.
    func index(of name: Bytes) -> Int? {
        let i = lowerBound(name)
        return i < count && Self.name(of: self[i]) == name ? i : nil
    }

    func find(_ name: Bytes) -> Address { index(of: name).map { self[$0] } ?? .null }

    /// Adds a block, whose name is new.
    func insert(_ block: Address, in heap: Heap) {
        insert(block, at: lowerBound(Self.name(of: block)), heap)
    }

    /// Adds a block whose name is behind all others.
    func append(_ block: Address, in heap: Heap) { insert(block, at: count, heap) }

    private func insert(_ block: Address, at i: Int, _ heap: Heap) {
        let n = count
        if n == room {
            let more = max(2, n * 2)
            let moved =
                n == 0
                ? heap.allocate(more * 8) : heap.resize(array, from: n * 8, to: more * 8)
            record.store(address: moved, at: 0)
            record.store(UInt32(more), at: 12)
        }
        (array + (i + 1) * 8).move(from: array + i * 8, count: (n - i) * 8)
        array.store(address: block, at: i * 8)
        record.store(UInt32(n + 1), at: 8)
    }

    /// Takes the block out; it is the caller's to free.
    func remove(at i: Int) {
        let n = count - 1
        (array + i * 8).move(from: array + (i + 1) * 8, count: (n - i) * 8)
        record.store(UInt32(n), at: 8)
    }

    /// Frees the array, and each block by `body`.
    func free(in heap: Heap, _ body: (Address) -> Void) {
        for i in 0..<count { body(self[i]) }
        if room > 0 { heap.free(array, room * 8) }
        record.fill(0, count: 16)
    }

    var memory: Int { room * 8 }
}
