// SPDX-License-Identifier: BSD-3-Clause
//
// A hash: one listpack of field, value, field, value while it is small (hash-max-ziplist-entries and
// -value), else a table whose elements are blocks of a field and its value:
//
//     offset  size
//     0       1|5   field length: one byte below 255, or 255 and 4 bytes little-endian
//     …       1|5   value length, likewise
//     …       n     field
//     …       m     value
//
// The kind and the address stand in the key's entry, and a change may change both; so this is a view
// of the entry. Bytes given to a change must not lie in the hash itself.

import Memory
import Platform

/// How a hash's table reads its elements.
public enum FieldKeys: TableKeys {
    @inlinable @inline(__always)
    public static func key(of element: Address) -> Bytes { FieldBlock(element).field }
}

/// A field and its value in one block.
@safe
public struct FieldBlock {
    public let address: Address

    @inlinable @inline(__always)
    public init(_ address: Address) { self.address = address }

    @inlinable @inline(__always)
    static func lengthSize(_ n: Int) -> Int { n < 255 ? 1 : 5 }

    @inlinable @inline(__always)
    static func size(_ field: Int, _ value: Int) -> Int {
        lengthSize(field) &+ lengthSize(value) &+ field &+ value
    }

    @inlinable @inline(__always)
    static func writeLength(_ n: Int, to place: Address) -> Int {
        if n < 255 {
            place.store(UInt8(truncatingIfNeeded: n))
            return 1
        }
        place.store(UInt8(255))
        place.store(UInt32(truncatingIfNeeded: n), at: 1)
        return 5
    }

    @inlinable
    static func make(_ field: Bytes, _ value: Bytes, in heap: Heap) -> FieldBlock {
        let block = heap.allocate(size(field.count, value.count))
        var at = writeLength(field.count, to: block)
        at &+= writeLength(value.count, to: block + at)
        (block + at).copy(from: field)
        (block + (at &+ field.count)).copy(from: value)
        return FieldBlock(block)
    }

    /// Lengths of both and where the field begins.
    @inlinable @inline(__always)
    var layout: (field: Int, value: Int, start: Int) {
        var at = 1
        var field = Int(address.byte(at: 0))
        if field == 255 {
            field = Int(address.load(UInt32.self, at: 1))
            at = 5
        }
        var value = Int(address.byte(at: at))
        if value == 255 {
            value = Int(address.load(UInt32.self, at: at &+ 1))
            at &+= 5
        } else {
            at &+= 1
        }
        return (field, value, at)
    }

    @inlinable @inline(__always)
    public var field: Bytes {
        let layout = layout
        return Bytes(start: address + layout.start, count: layout.field)
    }

    @inlinable @inline(__always)
    public var value: Bytes {
        let layout = layout
        return Bytes(start: address + (layout.start &+ layout.field), count: layout.value)
    }

    @inlinable
    public var size: Int {
        let layout = layout
        return layout.start + layout.field + layout.value
    }
}

/// A view of the hash that an entry holds.
@safe
public struct HashValue {
    public let entry: Entry

    @inlinable @inline(__always)
    public init(_ entry: Entry) { self.entry = entry }

    @inlinable @inline(__always)
    public var isPacked: Bool { entry.kind == .hashPacked }
    @inlinable @inline(__always)
    public var pack: Listpack { Listpack(entry.container) }
    @inlinable @inline(__always)
    public var table: HashTable<FieldKeys> { HashTable(entry.container) }

    /// What a new hash's entry is made of, kind `.hashPacked`.
    public static func makePacked(in heap: Heap) -> Address { Listpack.make(in: heap).address }

    @inlinable
    public var count: Int { isPacked ? pack.count / 2 : table.count }

    // MARK: Reading

    /// Where the value of `field` is in the listpack.
    @inlinable @inline(__always)
    static func place(_ field: Bytes, in pack: Listpack) -> (field: Int, value: Int)? {
        guard let at = pack.find(field, step: 2) else { return nil }
        return (at, pack.next(at))
    }

    @inlinable
    public func get(_ field: Bytes) -> ListpackElement? {
        if isPacked {
            let pack = pack
            return Self.place(field, in: pack).map { pack[$0.value] }
        }
        let block = table.find(field)
        return block.isNull ? nil : .bytes(FieldBlock(block).value)
    }

    @inlinable
    public func contains(_ field: Bytes) -> Bool {
        isPacked ? pack.find(field, step: 2) != nil : table.contains(field)
    }

    /// Calls `body` for each field and value, as a snapshot does: nothing is written.
    @inlinable
    public func forEach(_ body: (ListpackElement, ListpackElement) -> Void) {
        if isPacked {
            let pack = pack
            var at = pack.first
            while pack.address.byte(at: at) != 0xFF {
                let value = pack.next(at)
                body(pack[at], pack[value])
                at = pack.next(value)
            }
            return
        }
        for block in table.elements {
            let block = FieldBlock(block)
            body(.bytes(block.field), .bytes(block.value))
        }
    }

    /// A field and its value, each as likely as any other; nil for an empty hash.
    public func random() -> (ListpackElement, ListpackElement)? {
        if isPacked {
            let n = pack.count / 2
            guard n > 0 else { return nil }
            return pair(at: Int(redwing_random() % UInt64(n)))
        }
        let block = table.random()
        if block.isNull { return nil }
        return (.bytes(FieldBlock(block).field), .bytes(FieldBlock(block).value))
    }

    /// The pair at `index` of the packed form.
    public func pair(at index: Int) -> (ListpackElement, ListpackElement)? {
        guard let at = pack.seek(index * 2) else { return nil }
        return (pack[at], pack[pack.next(at)])
    }

    /// SCAN: about `count` pairs from `cursor` on; returns the cursor to go on from, 0 at the end. A
    /// packed hash comes whole.
    public func scan(
        _ cursor: UInt64, _ count: Int, _ body: (ListpackElement, ListpackElement) -> Void
    ) -> UInt64 {
        if isPacked {
            forEach(body)
            return 0
        }
        return table.scan(cursor, count) { block in
            let block = FieldBlock(block)
            body(.bytes(block.field), .bytes(block.value))
        }
    }
}
