// SPDX-License-Identifier: BSD-3-Clause
//
// One node of a stream: how its head and its entries lie in the listpack. See StreamValue.swift.

import Memory

/// A node's listpack with the id that its entries count from.
@safe
struct StreamNode {
    let pack: Listpack
    let base: StreamID

    @inline(__always)
    init(_ pack: Listpack, _ base: StreamID) {
        self.pack = pack
        self.base = base
    }

    /// The number of the node's own fields, where they begin, and where the first entry stands.
    struct Head {
        var fieldCount: Int
        var fields: Int
        var entries: Int
    }

    var head: Head {
        let counted = pack.next(pack.next(pack.first))
        let fieldCount = Int(pack.integer(at: counted))
        let fields = pack.next(counted)
        return Head(
            fieldCount: fieldCount, fields: fields,
            entries: pack.next(pack.advance(fields, by: fieldCount)))
    }

    /// Entries that aren't deleted.
    var live: Int { Int(pack.integer(at: pack.first)) }

    /// A node without entries, whose fields are those of an entry to come.
    static func make(words: Int, in heap: Heap, _ word: (Int) -> Bytes) -> Listpack {
        var builder = ListpackBuilder(in: heap, capacity: 256)
        builder.append(.integer(0))
        builder.append(.integer(0))
        builder.append(.integer(Int64(words / 2)))
        var i = 0
        while i < words {
            builder.append(word(i))
            i += 2
        }
        builder.append(.integer(0))
        return builder.finish()
    }

    /// Adds an entry; the listpack may move.
    func append(
        _ id: StreamID, words: Int, in heap: Heap, _ word: (Int) -> Bytes
    ) -> Listpack {
        let same = hasFields(words: words, word)
        let ms = ListpackElement.integer(Int64(bitPattern: id.ms &- base.ms))
        let seq = ListpackElement.integer(Int64(bitPattern: id.seq &- base.seq))
        let fields = ListpackElement.integer(Int64(words / 2))
        let items = Int64(3 + (same ? words / 2 : 1 + words))
        let flags = ListpackElement.integer(same ? StreamFlag.sameFields : 0)
        var size = flags.storedSize + ms.storedSize + seq.storedSize
        size += ListpackElement.integer(items).storedSize + (same ? 0 : fields.storedSize)
        let step = same ? 2 : 1
        var i = same ? 1 : 0
        while i < words {
            size += ListpackElement(word(i)).storedSize
            i += step
        }
        var grown = pack.replace(pack.first, with: .integer(Int64(live + 1)), in: heap)
        let end = grown.end
        grown = grown.splice(
            end, removed: 0, inserted: size, count: Int(items) + 1, in: heap)
        var at = grown.address + end
        at = at + flags.write(to: at)
        at = at + ms.write(to: at)
        at = at + seq.write(to: at)
        if !same { at = at + fields.write(to: at) }
        i = same ? 1 : 0
        while i < words {
            at = at + ListpackElement(word(i)).write(to: at)
            i += step
        }
        ListpackElement.integer(items).write(to: at)
        return grown
    }

    /// Whether an entry's fields are the node's own.
    private func hasFields(words: Int, _ word: (Int) -> Bytes) -> Bool {
        let head = head
        if head.fieldCount != words / 2 { return false }
        var at = head.fields
        for i in 0..<head.fieldCount {
            if !pack[at].equals(word(i * 2)) { return false }
            at = pack.next(at)
        }
        return true
    }

    /// Marks the entry whose flags stand at `offset` as deleted, in place.
    func markDeleted(_ offset: Int) {
        let flags = pack.integer(at: offset)
        ListpackElement.integer(flags | StreamFlag.deleted).write(to: pack.address + offset)
    }

    /// The counts after `n` more entries were marked; the listpack may move.
    func count(deleted n: Int, in heap: Heap) -> Listpack {
        let changed = pack.replace(pack.first, with: .integer(Int64(live - n)), in: heap)
        let second = changed.next(changed.first)
        let deleted = changed.integer(at: second) &+ Int64(n)
        return changed.replace(second, with: .integer(deleted), in: heap)
    }

    /// The id of the last entry, a deleted one too; the node's own when there is none.
    var lastID: StreamID {
        guard let mark = pack.last else { return base }
        var at = mark
        let items = pack.integer(at: mark)
        if items < 3 { return base }
        for _ in 0..<items {
            guard let before = pack.previous(at) else { return base }
            at = before
        }
        return id(at: at)
    }

    /// The id of the entry whose flags stand at `offset`.
    func id(at offset: Int) -> StreamID {
        let ms = pack.next(offset)
        return StreamID(
            base.ms &+ UInt64(bitPattern: pack.integer(at: ms)),
            base.seq &+ UInt64(bitPattern: pack.integer(at: pack.next(ms))))
    }
}
