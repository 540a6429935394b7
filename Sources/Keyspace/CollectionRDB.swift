// SPDX-License-Identifier: BSD-3-Clause
//
// Hashes, sets and sorted sets to RDB and back. The sizes that an RDB announces are only hints: what
// is reserved on their word is bounded, what is built grows with what arrives.

import Memory
import Wing

/// Elements for which room is made on an announcement alone.
private let reservedOnHearsay = 1 << 16

extension HashValue {
    func write(to writer: borrowing RDBWriter) {
        if isPacked { return writer.listpack(pack.address) }
        writer.count(table.count)
        for element in table.elements {
            let block = FieldBlock(element)
            writer.string(block.field)
            writer.string(block.value)
        }
    }

    static func read(
        _ reader: RDBReader, _ heap: Heap, _ limits: PackedLimits
    ) throws(RDBFault) -> (ValueKind, Address)? {
        let announced = Int(clamping: unsafe reader.item.elements)
        guard try reader.nextPart() else { return nil }
        if unsafe reader.part.kind == WING_RDB_PART_LISTPACK {
            let blob = unsafe reader.part.text.view
            let entries = unsafe reader.part.entries
            if entries == 0 { return nil }
            if entries % 2 != 0 {
                throw reader.malformed("a packed hash of \(entries) entries")
            }
            guard let made = HashBuilder.make(blob: blob, limits: limits, in: heap) else {
                throw reader.malformed("a hash with a field twice")
            }
            if try reader.nextPart() {
                HashValue.free(made.kind, made.container, in: heap)
                throw reader.malformed("a packed hash in two parts")
            }
            return (made.kind, made.container)
        }
        var builder = HashBuilder(
            expected: min(announced, reservedOnHearsay), limits: limits, in: heap)
        do throws(RDBFault) {
            repeat {
                let fresh = unsafe builder.append(reader.part.text.view, reader.part.other.view)
                if !fresh { throw reader.malformed("a hash with a field twice") }
            } while try reader.nextPart()
        } catch {
            builder.abandon()
            throw error
        }
        return builder.finish()
    }
}

extension SetValue {
    static func write(_ entry: Entry, to writer: borrowing RDBWriter) {
        if entry.kind == .setInteger { return writer.blob(Intset(entry.container).bytes) }
        let table = Table(entry.container)
        writer.count(table.count)
        for element in table.elements { writer.string(SetMember.key(of: element)) }
    }

    static func read(
        _ reader: RDBReader, _ heap: Heap, _ limits: PackedLimits
    ) throws(RDBFault) -> (ValueKind, Address)? {
        let announced = Int(clamping: unsafe reader.item.elements)
        guard try reader.nextPart() else { return nil }
        if unsafe reader.part.kind == WING_RDB_PART_INTSET {
            if unsafe reader.part.entries == 0 { return nil }
            let set = unsafe SetValue.make(intset: reader.part.text.view, in: heap, limits)
            return (set.kind, set.container)
        }
        var set = SetValue.detached(in: heap, limits)
        let isText =
            unsafe reader.part.kind == WING_RDB_PART_ELEMENT
            && Decimal.parse(reader.part.text.view) == nil
        if isText || announced > limits.setMaxIntegers {
            set.reserve(min(announced, reservedOnHearsay), forIntegers: false)
        }
        do throws(RDBFault) {
            repeat {
                if unsafe reader.part.kind == WING_RDB_PART_LISTPACK {
                    let pack = unsafe Listpack(reader.part.text.view.start)
                    var at = pack.first
                    while at != pack.end {
                        let fresh = pack[at].withBytes { set.add($0) }
                        if !fresh { throw reader.malformed("a set with a member twice") }
                        at = pack.next(at)
                    }
                } else if unsafe !set.add(reader.part.text.view) {
                    throw reader.malformed("a set with a member twice")
                }
            } while try reader.nextPart()
        } catch {
            set.free()
            throw error
        }
        if set.count > 0 { return (set.kind, set.container) }
        set.free()
        return nil
    }
}

extension SortedSet {
    static func write(_ entry: Entry, to writer: borrowing RDBWriter) {
        if entry.kind == .sortedSetPacked { return writer.listpack(entry.container) }
        // From the highest down, as Redis does: a loader then puts each in front of the last.
        let list = SkipList(entry.container)
        writer.count(list.count)
        var node = list.last
        while !node.isNull {
            writer.string(node.member)
            writer.score(node.score)
            node = node.backward
        }
    }

    static func read(
        _ reader: RDBReader, _ heap: Heap, _ limits: PackedLimits
    ) throws(RDBFault) -> (ValueKind, Address)? {
        let announced = Int(clamping: unsafe reader.item.elements)
        guard try reader.nextPart() else { return nil }
        if unsafe reader.part.kind == WING_RDB_PART_LISTPACK {
            let blob = unsafe reader.part.text.view
            if unsafe reader.part.entries == 0 { return nil }
            guard let set = SortedSet.make(listpack: blob, in: heap, limits) else {
                throw reader.malformed("a packed sorted set that isn't pairs of member and score")
            }
            return (set.kind, set.container)
        }
        var builder = SortedSetBuilder(
            in: heap, limits, count: announced, reserving: min(announced, reservedOnHearsay))
        do throws(RDBFault) {
            repeat {
                let fresh = unsafe builder.add(reader.part.text.view, reader.part.score)
                if !fresh { throw reader.malformed("a sorted set with a member twice") }
            } while try reader.nextPart()
        } catch {
            builder.finish().free()
            throw error
        }
        var set = builder.finish()
        set.packIfSmall(limits)
        return (set.kind, set.container)
    }
}
