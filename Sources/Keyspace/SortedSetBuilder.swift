// SPDX-License-Identifier: BSD-3-Clause
//
// Sorted sets made at once: of elements that come one after another, of a dump's listpack.

import Memory

/// Fills a sorted set without a key. Elements that come in order cost no search; others may come in
/// any order.
@safe
public struct SortedSetBuilder {
    private var set: SortedSet
    private var tails: SkipList.Path?
    private let heap: Heap
    /// Members of the packed form whose score is minus zero: its text there is that of zero, and a set
    /// that has to become a skip list after all would have lost the sign.
    private var minusZeros: [[UInt8]] = []

    /// `count` elements are to come: it decides the first form. Room is made for `room` of them, or
    /// all: give less than a count that nothing vouches for.
    public init(in heap: Heap, _ limits: PackedLimits, count: Int, reserving room: Int? = nil) {
        self.heap = heap
        let packed = count <= limits.sortedSetMaxEntries
        set = SortedSet.detached(in: heap, limits, packed: packed)
        if packed { return }
        SortedSet.Index(set.container + SkipList.ownerOffset).reserve(
            room ?? count, heap)
        tails = SkipList(set.container).startSorted()
    }

    /// False, and nothing changed, when `member` is there already.
    public mutating func add(_ member: Bytes, _ score: Double) -> Bool {
        if tails != nil {
            let list = SkipList(set.container)
            let index = SortedSet.Index(set.container + SkipList.ownerOffset)
            let last = list.last
            if last.isNull || last.precedes(score, member) {
                var path = tails ?? list.startSorted()
                let isNew = index.insert(member, SortedSet.Index.hash(member), heap) {
                    list.appendSorted(score, member, after: &path, in: heap).address
                }.isNull
                tails = path
                return isNew
            }
            endSorted()
        }
        if set.isPacked, score.bitPattern == (-0.0).bitPattern { minusZeros.append(member.array) }
        var isNew = false
        set.update(member) { present in
            isNew = present == nil
            return isNew ? score : nil
        }
        return isNew
    }

    private mutating func endSorted() {
        if let path = tails { SkipList(set.container).finishSorted(path) }
        tails = nil
    }

    /// The set; the builder is spent.
    public mutating func finish() -> SortedSet {
        endSorted()
        if !set.isPacked {
            for member in minusZeros { Bytes.with(member) { set.update($0) { _ in -0.0 } } }
        }
        return set
    }
}

extension SortedSet {
    /// A sorted set of the listpack `blob`, which was validated as a listpack. Nil when it is none of
    /// pairs, or a score is no number. One in order and within the limits is taken as it is.
    public static func make(
        listpack blob: Bytes, in heap: Heap, _ limits: PackedLimits
    ) -> SortedSet? {
        let listpack = Listpack(blob.start)
        let count = listpack.count
        if count % 2 != 0 { return nil }
        let pairs = PackedPairs(listpack)
        var fits = count / 2 <= limits.sortedSetMaxEntries
        var isOrdered = true
        var last: (member: Member, score: Double)?
        var at = listpack.first
        while at < listpack.end {
            guard let score = pairs.checkedScore(behind: at) else { return nil }
            let member = listpack[at]
            if member.count > limits.sortedSetMaxValue { fits = false }
            if let last, !precedes(last, (member, score)) { isOrdered = false }
            last = (member, score)
            at = listpack.next(listpack.next(at))
        }
        if fits && isOrdered {
            let copy = Listpack.make(copying: blob, in: heap)
            return SortedSet(
                kind: .sortedSetPacked, container: copy.address, heap: heap, limits)
        }
        var builder = SortedSetBuilder(
            in: heap, limits, count: fits ? count / 2 : Int.max / 2, reserving: count / 2)
        pairs.forEach(in: 0..<(count / 2), reversed: false) { member, score in
            member.withBytes { _ = builder.add($0, score) }
        }
        return builder.finish()
    }

    private static func precedes(
        _ a: (member: Member, score: Double), _ b: (member: Member, score: Double)
    ) -> Bool {
        if a.score != b.score { return a.score < b.score }
        return a.member.withBytes { first in b.member.withBytes { first.compare($0) < 0 } }
    }
}
