// SPDX-License-Identifier: BSD-3-Clause
//
// Changes of a hash, its one way from the packed form to the table, and what is done to it whole.

import Memory

extension HashValue {
    /// True when one of the strings is too long for the packed form.
    @inlinable
    public static func tooLong(_ n: Int, _ limits: PackedLimits) -> Bool {
        n > limits.hashMaxValue
    }

    /// Sets `field` to `value`; true when the field is new.
    @inlinable
    public func set(_ field: Bytes, _ value: Bytes, limits: PackedLimits, in heap: Heap) -> Bool {
        if isPacked {
            if field.count <= limits.hashMaxValue && value.count <= limits.hashMaxValue
                && pack.hasRoom(for: field.count + value.count + 32)
            {
                return setPacked(field, value, limits: limits, in: heap)
            }
            convert(in: heap)
        }
        return setInTable(field, value, in: heap)
    }

    @usableFromInline
    func setPacked(_ field: Bytes, _ value: Bytes, limits: PackedLimits, in heap: Heap) -> Bool {
        let pack = pack
        if let place = Self.place(field, in: pack) {
            entry.container = pack.replace(place.value, with: value, in: heap).address
            return false
        }
        let longer = pack.append(ListpackElement(field), ListpackElement(value), in: heap)
        entry.container = longer.address
        if longer.count / 2 > limits.hashMaxEntries { convert(in: heap) }
        return true
    }

    @usableFromInline
    func setInTable(_ field: Bytes, _ value: Bytes, in heap: Heap) -> Bool {
        let table = table
        let slot = table.insert(field, HashTable<FieldKeys>.hash(field), heap) {
            FieldBlock.make(field, value, in: heap).address
        }
        if slot.isNull { return true }
        let old = FieldBlock(table.element(at: slot))
        let there = old.value
        if there.count == value.count {
            there.start.copy(from: value)
        } else {
            let fresh = FieldBlock.make(field, value, in: heap)
            table.replace(at: slot, with: fresh.address)
            heap.free(old.address, old.size)
        }
        return false
    }

    /// Takes `field` out; false when it is not there.
    @inlinable
    public func remove(_ field: Bytes, in heap: Heap) -> Bool {
        if isPacked {
            let pack = pack
            guard let at = pack.find(field, step: 2) else { return false }
            entry.container = pack.remove(at, count: 2, in: heap).address
            return true
        }
        let block = table.remove(field, heap)
        if block.isNull { return false }
        heap.free(block, FieldBlock(block).size)
        return true
    }

    /// From the packed form to the table.
    public func convert(in heap: Heap) {
        let pack = pack
        let table = HashTable<FieldKeys>.create(heap)
        var at = pack.first
        while at != pack.end {
            let value = pack.next(at)
            pack[at].withBytes { field in
                pack[value].withBytes { text in
                    table.insert(FieldBlock.make(field, text, in: heap).address, heap)
                }
            }
            at = pack.next(value)
        }
        pack.free(in: heap)
        entry.kind = .hashTable
        entry.container = table.header
    }

    // MARK: As a whole

    public static func free(_ kind: ValueKind, _ container: Address, in heap: Heap) {
        if kind == .hashPacked {
            Listpack(container).free(in: heap)
            return
        }
        let table = HashTable<FieldKeys>(container)
        for block in table.elements { heap.free(block, FieldBlock(block).size) }
        table.destroy(heap)
    }

    public static func copy(_ kind: ValueKind, _ container: Address, in heap: Heap) -> Address {
        if kind == .hashPacked { return Listpack(container).copy(in: heap).address }
        let source = HashTable<FieldKeys>(container)
        let table = HashTable<FieldKeys>.create(heap)
        table.reserve(source.count, heap)
        for block in source.elements {
            let size = FieldBlock(block).size
            let fresh = heap.allocate(size)
            fresh.copy(from: block, count: size)
            table.insert(fresh, heap)
        }
        return table.header
    }

    /// Bytes of all blocks, judged from the first `samples` fields (0: all of them).
    public static func memoryUsage(_ kind: ValueKind, _ container: Address, samples: Int) -> Int {
        if kind == .hashPacked { return Heap.rounded(Listpack(container).size) }
        let table = HashTable<FieldKeys>(container)
        var bytes = 0
        var seen = 0
        for block in table.elements {
            if samples > 0 && seen == samples { break }
            bytes += Heap.rounded(FieldBlock(block).size)
            seen += 1
        }
        if seen > 0 && seen < table.count { bytes = bytes / seen * table.count }
        return table.bytes + bytes
    }
}

/// Builds a hash for the loader, which knows how many fields will come, but trusts none of them.
public struct HashBuilder {
    public let heap: Heap
    public private(set) var container: Address
    public private(set) var kind: ValueKind
    private let limits: PackedLimits
    private var builder: ListpackBuilder?
    private var packedPairs = 0

    /// `expected`: fields that were announced, used for a table's size up to what is reasonable.
    public init(expected: Int, limits: PackedLimits, in heap: Heap) {
        self.heap = heap
        self.limits = limits
        container = .null
        kind = .hashPacked
        if expected > limits.hashMaxEntries {
            startTable(expected)
        } else {
            builder = ListpackBuilder(in: heap, capacity: min(expected, 512) * 8 + 16)
        }
    }

    private mutating func startTable(_ expected: Int) {
        let table = HashTable<FieldKeys>.create(heap)
        table.reserve(min(expected, 1 << 20), heap)
        container = table.header
        kind = .hashTable
    }

    /// Adds a pair. False when the field was there before, which only a table notices.
    public mutating func append(_ field: Bytes, _ value: Bytes) -> Bool {
        if builder != nil {
            if field.count <= limits.hashMaxValue && value.count <= limits.hashMaxValue
                && packedPairs < limits.hashMaxEntries
            {
                builder?.append(field)
                builder?.append(value)
                packedPairs += 1
                return true
            }
            guard toTable() else { return false }
        }
        return insert(field, value)
    }

    private mutating func toTable() -> Bool {
        guard let pack = builder?.finish() else { return true }
        builder = nil
        startTable(packedPairs + 1)
        let fine = Self.insert(pack, container, heap)
        pack.free(in: heap)
        return fine
    }

    private func insert(_ field: Bytes, _ value: Bytes) -> Bool {
        let table = HashTable<FieldKeys>(container)
        return table.insert(field, HashTable<FieldKeys>.hash(field), heap) {
            FieldBlock.make(field, value, in: heap).address
        }.isNull
    }

    private static func insert(_ pack: Listpack, _ container: Address, _ heap: Heap) -> Bool {
        let table = HashTable<FieldKeys>(container)
        var at = pack.first
        var fine = true
        while fine && at != pack.end {
            let value = pack.next(at)
            pack[at].withBytes { field in
                fine =
                    table.insert(field, HashTable<FieldKeys>.hash(field), heap) {
                        pack[value].withBytes { FieldBlock.make(field, $0, in: heap).address }
                    }.isNull
            }
            at = pack.next(value)
        }
        return fine
    }

    /// The kind and the container of the entry to be.
    public mutating func finish() -> (kind: ValueKind, container: Address) {
        if var pending = builder {
            builder = nil
            container = pending.finish().address
        }
        return (kind, container)
    }

    /// Gives all back instead.
    public mutating func abandon() {
        let (kind, container) = finish()
        HashValue.free(kind, container, in: heap)
    }

    /// A hash from a whole listpack that was validated and has an even count; nil when it has to
    /// become a table and a field is in it twice.
    public static func make(
        blob: Bytes, limits: PackedLimits, in heap: Heap
    ) -> (kind: ValueKind, container: Address)? {
        let source = Listpack(blob.start)
        let count = source.count
        var longest = 0
        if blob.count > limits.hashMaxValue {
            var at = source.first
            while at != source.end {
                longest = max(longest, source[at].count)
                at = source.next(at)
            }
        }
        if count / 2 <= limits.hashMaxEntries && longest <= limits.hashMaxValue {
            return (.hashPacked, Listpack.make(copying: blob, in: heap).address)
        }
        let table = HashTable<FieldKeys>.create(heap)
        table.reserve(count / 2, heap)
        if insert(source, table.header, heap) { return (.hashTable, table.header) }
        HashValue.free(.hashTable, table.header, in: heap)
        return nil
    }
}
