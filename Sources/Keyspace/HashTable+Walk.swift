// SPDX-License-Identifier: BSD-3-Clause
//
// Ways through a table: all elements for the snapshot (which reads and never writes), a part at a time
// for SCAN, one at random.

import Memory
import Platform

/// All elements in the order of their hashes; it asks for the memory of those ahead. The table must
/// not change meanwhile.
@safe
public struct TableIterator<Keys: TableKeys>: Sequence, IteratorProtocol {
    @usableFromInline let table: HashTable<Keys>
    @usableFromInline var index = 0
    @usableFromInline var total = 0
    @usableFromInline var slot: Address = .null
    @usableFromInline var end: Address = .null
    /// Of 2 to the power `bits` equal parts of all hashes, the one to walk.
    @usableFromInline let part: UInt64
    @usableFromInline let bits: UInt64

    @usableFromInline static var ahead: Int { 16 }

    @inlinable
    init(_ table: HashTable<Keys>, part: UInt64 = 0, bits: UInt64 = 0) {
        self.table = table
        self.part = part
        self.bits = bits
        let depth = table.depth
        if bits <= depth {
            index = Int(part << (depth - bits))
            total = Int((part + 1) << (depth - bits))
        } else {
            index = Int(part >> (bits - depth))
            total = index + 1
        }
    }

    /// Opens the next segment; false behind the last.
    @usableFromInline
    mutating func open() -> Bool {
        if index >= total { return false }
        let directory = table.depth == 0 ? table.header + 8 : table.header.address(at: 8)
        let word = directory.load(UInt64.self, at: index * 8)
        if word == 0 { return false }
        slot = HashTable<Keys>.segment(word) + 8
        end = HashTable<Keys>.segment(word) + HashTable<Keys>.words(word) * 8
        let span = 1 << Int(table.depth - word >> 56)
        if word >> 56 < bits { keepPart(word >> 56) }
        index = index & ~(span - 1) + span
        if index < total {
            let next = HashTable<Keys>.segment(directory.load(UInt64.self, at: index * 8))
            for line in 0..<8 { (next + line * 64).prefetch() }
        }
        var early = slot
        while early.raw < end.raw && early - slot < Self.ahead * 8 {
            HashTable<Keys>.element(early.load(UInt64.self)).prefetch()
            early = early + 8
        }
        return true
    }

    /// The part is within one segment, which is as deep as `depth`: slots are in the order of their
    /// tags, so it is a run of them.
    private mutating func keepPart(_ depth: UInt64) {
        let width = bits - depth
        let mine = part & (1 << width - 1)
        while slot.raw < end.raw {
            let value = slot.load(UInt64.self)
            if value != 0 && value >> (64 - width) >= mine { break }
            slot = slot + 8
        }
        var last = slot
        while last.raw < end.raw {
            let value = last.load(UInt64.self)
            if value != 0 && value >> (64 - width) > mine { break }
            last = last + 8
        }
        end = last
    }

    @inlinable
    public mutating func next() -> Address? {
        while true {
            while slot.raw < end.raw {
                let value = slot.load(UInt64.self)
                let early = slot + Self.ahead &* 8
                if early.raw < end.raw {
                    HashTable<Keys>.element(early.load(UInt64.self)).prefetch()
                }
                slot = slot + 8
                if value != 0 { return HashTable<Keys>.element(value) }
            }
            if !open() { return nil }
        }
    }
}

extension HashTable {
    /// For `for`.
    @inlinable
    public var elements: TableIterator<Keys> { TableIterator(self) }

    /// Those of one part, of 2 to the power `bits` (16 at most) into which the hashes are cut. The
    /// parts in their order give what `elements` gives.
    @inlinable
    public func elements(part: UInt64, bits: UInt64) -> TableIterator<Keys> {
        TableIterator(self, part: part, bits: bits)
    }

    /// Gives about `count` elements from `cursor` on to `body`, which must not change the table, and
    /// returns the cursor to go on from, 0 at the end. A cursor is a place in the order of hashes, so
    /// an element that is there from the first call to the last is given exactly once.
    public func scan(_ cursor: UInt64, _ count: Int, _ body: (Address) -> Void) -> UInt64 {
        let count = min(count, 1 << 40)
        var from = cursor << 16
        var given = 0
        var work = 0
        while true {
            let word = place(from).load(UInt64.self)
            if word == 0 { return 0 }
            let depth = word >> 56
            let start = depth == 0 ? 0 : (from >> (64 - depth)) << (64 - depth)
            let segment = Self.segment(word)
            let words = Self.words(word)
            let first = Self.tag(from, depth)
            // The cursor may be finer than this segment's tags, when segments merged since.
            let fine = from << (depth + 16) != 0
            var at = Segment.home(first, words)
            work += Segment.slots(words) - at
            while at < Segment.slots(words) {
                let slot = segment.load(UInt64.self, at: 8 + at * 8)
                at += 1
                let tag = slot >> 48
                if slot == 0 || tag < first { continue }
                let element = Self.element(slot)
                if fine && tag == first && Self.hash(Keys.key(of: element)) < from { continue }
                body(element)
                given += 1
                if given < count { continue }
                if at < Segment.slots(words) {
                    let next = segment.load(UInt64.self, at: 8 + at * 8)
                    if next != 0 && next >> 48 == tag { continue }
                }
                return (start &+ (tag + 1) << (48 - depth)) >> 16
            }
            if depth == 0 { return 0 }
            from = start &+ 1 << (64 - depth)
            if from == 0 || given >= count || work > count * 10 + 4096 { return from >> 16 }
        }
    }

    /// An element, each as likely as any other; null when there is none.
    public func random() -> Address {
        guard count > 0 else { return .null }
        for _ in 0..<10_000 {
            let word = place(redwing_random()).load(UInt64.self)
            let words = Self.words(word)
            // A shallow segment is met more often, a small one has fewer slots: both are evened out.
            let skew = depth - word >> 56
            if skew > 0 && redwing_random() & (1 << skew - 1) != 0 { continue }
            let range = depth == 0 ? Segment.slots(words) : max(words, Segment.splitWords) - 1
            let at = Int(redwing_random() % UInt64(range))
            if at >= Segment.slots(words) { continue }
            let slot = Self.segment(word).load(UInt64.self, at: 8 + at * 8)
            if slot != 0 { return Self.element(slot) }
        }
        // A table that was made ready for far more than it holds: from a random place on.
        var found = Address.null
        _ = scan(redwing_random() >> 16, 1) { found = $0 }
        var cursor: UInt64 = 0
        while found.isNull {
            cursor = scan(cursor, 1) { found = $0 }
        }
        return found
    }
}
