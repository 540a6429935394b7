// SPDX-License-Identifier: BSD-3-Clause
//
// Changes of a listpack: one `splice` that all others are made of, and a builder for loads. A block
// always has exactly the size that its header says, so that the heap needs no other memory of it.

import Memory

extension ListpackElement {
    /// Bytes of encoding and data.
    @inlinable @inline(__always)
    var entrySize: Int {
        switch self {
        case .bytes(let bytes):
            if bytes.count < 64 { return 1 &+ bytes.count }
            return (bytes.count < 4096 ? 2 : 5) &+ bytes.count
        case .integer(let value):
            if value >= 0 && value <= 127 { return 1 }
            if value >= -4096 && value <= 4095 { return 2 }
            if value >= -32768 && value <= 32767 { return 3 }
            if value >= -8_388_608 && value <= 8_388_607 { return 4 }
            return value >= -2_147_483_648 && value <= 2_147_483_647 ? 5 : 9
        }
    }

    /// Bytes that the element takes in a listpack.
    @inlinable @inline(__always)
    public var storedSize: Int {
        let n = entrySize
        return n &+ Listpack.backSize(n)
    }

    /// Writes the element at `place`, which has room for `storedSize`; returns that.
    @inlinable @inline(__always)
    @discardableResult
    func write(to place: Address) -> Int {
        let n = entrySize
        switch self {
        case .bytes(let bytes): Self.write(bytes, to: place)
        case .integer(let value): Self.write(value, n, to: place)
        }
        return n &+ Self.writeBackSize(n, to: place + n)
    }

    @inlinable @inline(__always)
    static func write(_ bytes: Bytes, to place: Address) {
        let n = bytes.count
        if n < 64 {
            place.store(UInt8(0x80 | n))
            (place + 1).copy(from: bytes)
        } else if n < 4096 {
            place.store(UInt8(0xE0 | n >> 8))
            place.store(UInt8(truncatingIfNeeded: n), at: 1)
            (place + 2).copy(from: bytes)
        } else {
            place.store(UInt8(0xF0))
            place.store(UInt32(truncatingIfNeeded: n), at: 1)
            (place + 5).copy(from: bytes)
        }
    }

    @inlinable @inline(__always)
    static func write(_ value: Int64, _ entrySize: Int, to place: Address) {
        let bits = UInt64(bitPattern: value)
        switch entrySize {
        case 1: place.store(UInt8(truncatingIfNeeded: bits))
        case 2:
            place.store(0xC0 | UInt8(truncatingIfNeeded: bits >> 8) & 0x1F)
            place.store(UInt8(truncatingIfNeeded: bits), at: 1)
        case 3:
            place.store(UInt8(0xF1))
            place.store(UInt16(truncatingIfNeeded: bits), at: 1)
        case 4:
            place.store(UInt8(0xF2))
            place.store(UInt16(truncatingIfNeeded: bits), at: 1)
            place.store(UInt8(truncatingIfNeeded: bits >> 16), at: 3)
        case 5:
            place.store(UInt8(0xF3))
            place.store(UInt32(truncatingIfNeeded: bits), at: 1)
        default:
            place.store(UInt8(0xF4))
            place.store(bits, at: 1)
        }
    }

    @inlinable @inline(__always)
    static func writeBackSize(_ n: Int, to place: Address) -> Int {
        let size = Listpack.backSize(n)
        var rest = n
        var at = size - 1
        while at > 0 {
            place.store(UInt8(rest & 127) | 128, at: at)
            rest >>= 7
            at -= 1
        }
        place.store(UInt8(rest & 127))
        return size
    }
}

extension Listpack {
    /// An empty one.
    public static func make(in heap: Heap) -> Listpack {
        let block = heap.allocate(emptySize)
        block.store(UInt32(emptySize))
        block.store(UInt16(0), at: 4)
        block.store(UInt8(0xFF), at: headerSize)
        return Listpack(block)
    }

    /// A copy of `blob`, a whole listpack that was validated.
    public static func make(copying blob: Bytes, in heap: Heap) -> Listpack {
        let block = heap.allocate(blob.count)
        block.copy(from: blob)
        return Listpack(block)
    }

    public func copy(in heap: Heap) -> Listpack { Self.make(copying: bytes, in: heap) }

    public func free(in heap: Heap) { heap.free(address, size) }

    /// True while `extra` more bytes keep the block below its limit.
    @inlinable
    public func hasRoom(for extra: Int) -> Bool { size + extra <= Self.maximumSize }

    /// The heart of every edit: in place of the `removed` bytes at `offset` there are `inserted`
    /// bytes, for the caller to write; the count changes by `change`.
    @inlinable
    func splice(_ offset: Int, removed: Int, inserted: Int, count change: Int, in heap: Heap)
        -> Listpack
    {
        let old = size
        let new = old &- removed &+ inserted
        let tail = old &- offset &- removed
        var block = address
        if new > old { block = heap.resize(block, from: old, to: new) }
        (block + (offset + inserted)).move(from: block + (offset + removed), count: tail)
        if new < old { block = heap.resize(block, from: old, to: new) }
        block.store(UInt32(truncatingIfNeeded: new))
        let known = block.load(UInt16.self, at: 4)
        if change != 0 && known != Self.unknownCount {
            let sum = Int(known) &+ change
            block.store(sum >= Int(Self.unknownCount) ? Self.unknownCount : UInt16(sum), at: 4)
        }
        return Listpack(block)
    }

    /// Puts `element` before the one at `offset` (which may be `end`). It stands at `offset` then.
    @inlinable
    public func insert(_ element: ListpackElement, at offset: Int, in heap: Heap) -> Listpack {
        let pack = splice(
            offset, removed: 0, inserted: element.storedSize, count: 1, in: heap)
        element.write(to: pack.address + offset)
        return pack
    }

    /// Puts `bytes`, an integer when they spell one, before the element at `offset`.
    @inlinable
    public func insert(_ bytes: Bytes, at offset: Int, in heap: Heap) -> Listpack {
        insert(ListpackElement(bytes), at: offset, in: heap)
    }

    @inlinable
    public func append(_ element: ListpackElement, in heap: Heap) -> Listpack {
        insert(element, at: end, in: heap)
    }

    @inlinable
    public func append(_ bytes: Bytes, in heap: Heap) -> Listpack {
        insert(ListpackElement(bytes), at: end, in: heap)
    }

    @inlinable
    public func append(_ value: Int64, in heap: Heap) -> Listpack {
        insert(.integer(value), at: end, in: heap)
    }

    /// Two elements at once: a field and its value, a member and its score.
    @inlinable
    public func insert(
        _ a: ListpackElement, _ b: ListpackElement, at offset: Int, in heap: Heap
    ) -> Listpack {
        let pack = splice(
            offset, removed: 0, inserted: a.storedSize &+ b.storedSize, count: 2, in: heap)
        let n = a.write(to: pack.address + offset)
        b.write(to: pack.address + (offset + n))
        return pack
    }

    @inlinable
    public func append(_ a: ListpackElement, _ b: ListpackElement, in heap: Heap) -> Listpack {
        insert(a, b, at: end, in: heap)
    }

    @inlinable
    public func prepend(_ bytes: Bytes, in heap: Heap) -> Listpack {
        insert(ListpackElement(bytes), at: first, in: heap)
    }

    /// The element at `offset` becomes `element`; in place when both take the same room.
    @inlinable
    public func replace(_ offset: Int, with element: ListpackElement, in heap: Heap) -> Listpack {
        let old = next(offset) - offset
        let new = element.storedSize
        let pack =
            old == new
            ? self : splice(offset, removed: old, inserted: new, count: 0, in: heap)
        element.write(to: pack.address + offset)
        return pack
    }

    @inlinable
    public func replace(_ offset: Int, with bytes: Bytes, in heap: Heap) -> Listpack {
        replace(offset, with: ListpackElement(bytes), in: heap)
    }

    /// Takes out `n` elements (or as many as there are) from the one at `offset` on. What followed
    /// them stands at `offset` then.
    @inlinable
    public func remove(_ offset: Int, count n: Int = 1, in heap: Heap) -> Listpack {
        var at = offset
        var removed = 0
        while removed < n && address.byte(at: at) != 0xFF {
            at = next(at)
            removed += 1
        }
        if removed == 0 { return self }
        return splice(offset, removed: at - offset, inserted: 0, count: -removed, in: heap)
    }
}

/// Fills a listpack from its first element to its last: the block grows by doubling, and gets its
/// exact size in the end.
public struct ListpackBuilder {
    public let heap: Heap
    private var block: Address
    private var capacity: Int
    /// Bytes so far, the end mark included.
    public private(set) var size: Int
    public private(set) var count = 0

    public init(in heap: Heap, capacity: Int = 64) {
        self.heap = heap
        self.capacity = max(capacity, 16)
        block = heap.allocate(self.capacity)
        size = Listpack.emptySize
    }

    public mutating func append(_ element: ListpackElement) {
        let n = element.storedSize
        if size + n > capacity { grow(size + n) }
        element.write(to: block + (size - 1))
        size += n
        count += 1
    }

    public mutating func append(_ bytes: Bytes) { append(ListpackElement(bytes)) }

    private mutating func grow(_ need: Int) {
        let new = max(need, capacity * 2)
        block = heap.resize(block, from: capacity, to: new)
        capacity = new
    }

    /// The listpack; the builder is spent.
    public mutating func finish() -> Listpack {
        block.store(UInt8(0xFF), at: size - 1)
        block.store(UInt32(truncatingIfNeeded: size))
        block.store(UInt16(min(count, Int(Listpack.unknownCount))), at: 4)
        if size != capacity { block = heap.resize(block, from: capacity, to: size) }
        return Listpack(block)
    }

    /// Gives the block back instead.
    public func abandon() { heap.free(block, capacity) }
}
