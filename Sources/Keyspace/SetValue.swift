// SPDX-License-Identifier: BSD-3-Clause
//
// The value of a set: an intset while all members are integers and few, else a table of blocks, one
// a member.
//
//     setInteger   the container is the intset's block
//     setTable     the container is a table's header; an element is
//                  0  1|5  member's size: one byte below 255, or 255 and 4 bytes little-endian
//                  …       member

import Memory
import Platform

/// A member on its way out of a collection: a view of its bytes, or the integer that a packed form
/// holds in place of its digits. Good until the collection changes.
public typealias Member = ListpackElement

/// The layout of a set's element in its table.
public enum SetMember: TableKeys {
    @inlinable
    public static func key(of element: Address) -> Bytes {
        let short = element.byte(at: 0)
        if short < 0xFF { return Bytes(start: element + 1, count: Int(short)) }
        return Bytes(start: element + 5, count: Int(element.load(UInt32.self, at: 1)))
    }

    static func size(_ count: Int) -> Int { (count < 0xFF ? 1 : 5) + count }

    static func make(_ member: Bytes, in heap: Heap) -> Address {
        let block = heap.allocate(size(member.count))
        if member.count < 0xFF {
            block.store(UInt8(member.count))
            (block + 1).copy(from: member)
        } else {
            block.store(UInt8(0xFF))
            block.store(UInt32(member.count), at: 1)
            (block + 5).copy(from: member)
        }
        return block
    }

    static func free(_ element: Address, in heap: Heap) {
        heap.free(element, size(key(of: element).count))
    }
}

/// A number below `bound`, each as likely as any other; for choices that need no secrecy.
public enum Chance {
    public static func below(_ bound: Int) -> Int {
        Int(redwing_random() % UInt64(max(1, bound)))
    }
}

/// A set, in a key or on its own. Copies of this view see each other's changes of the members only
/// while the encoding stays; change a set through one.
@safe
public struct SetValue {
    public private(set) var kind: ValueKind
    public private(set) var container: Address
    let heap: Heap
    /// Members up to which integers stay in an intset.
    let mostIntegers: Int
    /// The key's entry, null while the set belongs to none.
    private let entry: Entry

    public typealias Table = HashTable<SetMember>

    /// In the caller: as a call's result it lies in memory, and to read what was just written there in
    /// other pieces waits for the writes.
    @inline(__always)
    public init(_ entry: Entry, in database: borrowing Database) {
        self.entry = entry
        kind = entry.kind
        container = entry.container
        heap = database.heap
        mostIntegers = database.limits.setMaxIntegers
    }

    private init(kind: ValueKind, container: Address, heap: Heap, mostIntegers: Int) {
        self.kind = kind
        self.container = container
        self.heap = heap
        self.mostIntegers = mostIntegers
        entry = Entry(.null)
    }

    /// An empty set without a key: `insert` its kind and container, or `free` it.
    public static func detached(in heap: Heap, _ limits: PackedLimits) -> SetValue {
        SetValue(
            kind: .setInteger, container: Intset.make(in: heap).address, heap: heap,
            mostIntegers: limits.setMaxIntegers)
    }

    public static func detached(in database: Database) -> SetValue {
        detached(in: database.heap, database.limits)
    }

    /// A new key with an empty set, in the form that its first member calls for.
    public static func insert(_ key: Bytes, for member: Bytes, in database: Database) -> SetValue {
        let isInteger = Decimal.parse(member) != nil
        let container =
            isInteger
            ? Intset.make(in: database.heap).address : Table.create(database.heap).header
        let kind: ValueKind = isInteger ? .setInteger : .setTable
        return SetValue(database.insert(key, kind, container: container), in: database)
    }

    private var integers: Intset { Intset(container) }
    private var table: Table { Table(container) }

    private mutating func become(_ kind: ValueKind, _ container: Address) {
        if !entry.address.isNull {
            if kind != self.kind { entry.kind = kind }
            entry.container = container
        }
        self.kind = kind
        self.container = container
    }

    // MARK: Asking

    public var count: Int { kind == .setInteger ? integers.count : table.count }

    public func contains(_ member: Bytes) -> Bool {
        if kind == .setTable { return table.contains(member) }
        return Decimal.parse(member).map { integers.contains($0) } ?? false
    }

    public func contains(_ member: Member) -> Bool {
        if kind == .setInteger, case .integer(let value) = member {
            return integers.contains(value)
        }
        return member.withBytes { contains($0) }
    }

    /// Each member once. Reads only; `body` may not change the set.
    public func forEach(_ body: (Member) -> Void) {
        if kind == .setInteger {
            let integers = integers
            for index in 0..<integers.count { body(.integer(integers[index])) }
        } else {
            for element in table.elements { body(.bytes(SetMember.key(of: element))) }
        }
    }

    /// Some member, each as likely as any other. The set may not be empty.
    public func random() -> Member {
        if kind == .setInteger {
            let integers = integers
            return .integer(integers[Chance.below(integers.count)])
        }
        return .bytes(SetMember.key(of: table.random()))
    }

    /// A part of SSCAN: about `count` members from `cursor` on; the cursor to go on from, 0 at the end.
    public func scan(_ cursor: UInt64, count: Int, _ body: (Member) -> Void) -> UInt64 {
        if kind == .setInteger {
            forEach(body)
            return 0
        }
        return table.scan(cursor, count) { body(.bytes(SetMember.key(of: $0))) }
    }

    // MARK: Changing

    /// False when `member` was there already.
    @discardableResult
    public mutating func add(_ member: Bytes) -> Bool {
        if kind == .setInteger {
            guard let value = Decimal.parse(member) else {
                expand(toHold: integers.count + 1)
                return addToTable(member)
            }
            guard let grown = integers.add(value, in: heap) else { return false }
            become(.setInteger, grown.address)
            if grown.count > mostIntegers { expand(toHold: grown.count) }
            return true
        }
        return addToTable(member)
    }

    private func addToTable(_ member: Bytes) -> Bool {
        table.insert(member, Table.hash(member), heap) {
            SetMember.make(member, in: heap)
        }.isNull
    }

    /// False when `member` was not there. An emptied set stays, for the caller to remove its key.
    @discardableResult
    public mutating func remove(_ member: Bytes) -> Bool {
        if kind == .setInteger {
            guard let value = Decimal.parse(member),
                let shrunk = integers.remove(value, in: heap)
            else { return false }
            become(.setInteger, shrunk.address)
            return true
        }
        let element = table.remove(member, heap)
        if element.isNull { return false }
        SetMember.free(element, in: heap)
        return true
    }

    /// From an intset to a table, with room for `count` members.
    private mutating func expand(toHold count: Int) {
        let old = integers
        let table = Table.create(heap)
        table.reserve(count, heap)
        for index in 0..<old.count {
            Member.integer(old[index]).withBytes {
                table.insert(SetMember.make($0, in: heap), heap)
            }
        }
        heap.free(old.address, old.size)
        become(.setTable, table.header)
    }

    /// Makes an empty set without a key ready for `count` members; what is not an integer makes it a
    /// table in any case.
    public mutating func reserve(_ count: Int, forIntegers: Bool) {
        if kind == .setInteger && (!forIntegers || count > mostIntegers) {
            expand(toHold: count)
        }
    }

    // MARK: As a whole

    /// Frees the set's memory. Its key, if it has one, must go too.
    public func free() { Self.free(kind, container, in: heap) }

    static func free(_ kind: ValueKind, _ container: Address, in heap: Heap) {
        if kind == .setInteger {
            heap.free(container, Intset(container).size)
            return
        }
        let table = Table(container)
        for element in table.elements { SetMember.free(element, in: heap) }
        table.destroy(heap)
    }

    /// A copy of a set's container, of the same kind.
    static func copy(_ kind: ValueKind, _ container: Address, to heap: Heap) -> Address {
        if kind == .setInteger { return copy(intset: Intset(container).bytes, to: heap) }
        let table = Table(container)
        let fresh = Table.create(heap)
        fresh.reserve(table.count, heap)
        for element in table.elements {
            fresh.insert(SetMember.make(SetMember.key(of: element), in: heap), heap)
        }
        return fresh.header
    }

    private static func copy(intset bytes: Bytes, to heap: Heap) -> Address {
        let block = heap.allocate(bytes.count)
        block.copy(from: bytes)
        return block
    }

    /// Bytes that the container takes; of a table's elements only `samples` (0: all) are looked at.
    static func memory(_ kind: ValueKind, _ container: Address, samples: Int) -> Int {
        if kind == .setInteger { return Heap.rounded(Intset(container).size) }
        let table = Table(container)
        var seen = 0
        var bytes = 0
        for element in table.elements {
            bytes += Heap.rounded(SetMember.size(SetMember.key(of: element).count))
            seen += 1
            if seen == samples { break }
        }
        return table.bytes
            + (seen == 0 ? 0 : Int(Double(bytes) / Double(seen) * Double(table.count)))
    }

    /// A set of the intset `blob`, which was validated; a table when it holds more than the limit.
    public static func make(
        intset blob: Bytes, in heap: Heap, _ limits: PackedLimits
    ) -> SetValue {
        var set = SetValue(
            kind: .setInteger, container: copy(intset: blob, to: heap), heap: heap,
            mostIntegers: limits.setMaxIntegers)
        if set.count > limits.setMaxIntegers { set.expand(toHold: set.count) }
        return set
    }

    /// The intset's bytes as a dump holds them, nil for a table.
    public var intsetBytes: Bytes? { kind == .setInteger ? integers.bytes : nil }
}
