// SPDX-License-Identifier: BSD-3-Clause
//
// The value of a sorted set: a listpack of member, score, member, score … in order while small, else
// a skip list with an index by member whose slots point at the skip list's nodes.
//
//     sortedSetPacked   the container is the listpack's block
//     sortedSetSkip     the container is the skip list's block; the index's header lies inside it

import Memory
import Platform

/// The layout of a sorted set's element in its index: a node of the skip list.
public enum SkipMember: TableKeys {
    public static func key(of element: Address) -> Bytes { SkipNode(element).member }
}

/// A sorted set, in a key or on its own. Change one through one view: another doesn't learn of it
/// when the encoding changes or a packed block moves.
@safe
public struct SortedSet {
    public private(set) var kind: ValueKind
    public private(set) var container: Address
    let heap: Heap
    let mostEntries: Int
    let mostValue: Int
    /// The key's entry, null while the set belongs to none.
    private let entry: Entry

    typealias Index = HashTable<SkipMember>

    public init(_ entry: Entry, in database: borrowing Database) {
        self.entry = entry
        kind = entry.kind
        container = entry.container
        heap = database.heap
        mostEntries = database.limits.sortedSetMaxEntries
        mostValue = database.limits.sortedSetMaxValue
    }

    init(kind: ValueKind, container: Address, heap: Heap, _ limits: PackedLimits) {
        self.kind = kind
        self.container = container
        self.heap = heap
        mostEntries = limits.sortedSetMaxEntries
        mostValue = limits.sortedSetMaxValue
        entry = Entry(.null)
    }

    /// An empty one without a key, packed or a skip list: `insert` its kind and container, or `free` it.
    public static func detached(
        in heap: Heap, _ limits: PackedLimits, packed: Bool
    ) -> SortedSet {
        let container = packed ? Listpack.make(in: heap).address : makeSkip(in: heap).address
        return SortedSet(
            kind: packed ? .sortedSetPacked : .sortedSetSkip, container: container, heap: heap,
            limits)
    }

    public static func detached(in database: Database) -> SortedSet {
        detached(
            in: database.heap, database.limits, packed: database.limits.sortedSetMaxEntries > 0)
    }

    /// A new key with an empty sorted set, in the form that its first member calls for.
    public static func insert(_ key: Bytes, for member: Bytes, in database: Database) -> SortedSet {
        let limits = database.limits
        let packed = limits.sortedSetMaxEntries > 0 && member.count <= limits.sortedSetMaxValue
        let set = detached(in: database.heap, limits, packed: packed)
        return SortedSet(database.insert(key, set.kind, container: set.container), in: database)
    }

    private static func makeSkip(in heap: Heap) -> SkipList {
        let list = SkipList.make(in: heap)
        _ = Index.initialize(at: list.address + SkipList.ownerOffset)
        return list
    }

    var isPacked: Bool { kind == .sortedSetPacked }
    private var packed: PackedPairs { PackedPairs(Listpack(container)) }
    private var list: SkipList { SkipList(container) }
    private var index: Index { Index(container + SkipList.ownerOffset) }

    private mutating func become(_ kind: ValueKind, _ container: Address) {
        if !entry.address.isNull {
            if kind != self.kind { entry.kind = kind }
            entry.container = container
        }
        self.kind = kind
        self.container = container
    }

    // MARK: Asking

    public var count: Int { isPacked ? packed.count : list.count }

    public func score(of member: Bytes) -> Double? {
        if isPacked { return packed.find(member).map { packed.score(behind: $0) } }
        let node = index.find(member)
        return node.isNull ? nil : SkipNode(node).score
    }

    /// The number of elements before `member`, nil when it is not there.
    public func rank(of member: Bytes) -> Int? {
        if isPacked { return packed.rank(of: member) }
        let node = index.find(member)
        return node.isNull ? nil : list.rank(of: SkipNode(node))
    }

    /// The ranks of the elements in `range`.
    public func ranks(in range: ScoreRange) -> Range<Int> {
        ranks(from: { range.isAbove($1) }, to: { !range.isBelow($1) })
    }

    /// The ranks of the elements in `range`, when all scores are equal.
    public func ranks(in range: LexRange) -> Range<Int> {
        ranks(
            from: { member, _ in member.withBytes { range.minimum.isAbove($0) } },
            to: { member, _ in member.withBytes { !range.maximum.isBelow($0) } })
    }

    @inline(__always)
    private func ranks(
        from isBefore: (Member, Double) -> Bool, to isNotBehind: (Member, Double) -> Bool
    ) -> Range<Int> {
        let first: Int
        let end: Int
        if isPacked {
            first = packed.rank(while: isBefore)
            end = packed.rank(while: isNotBehind)
        } else {
            first = list.rank { isBefore(.bytes($0.member), $0.score) }
            end = list.rank { isNotBehind(.bytes($0.member), $0.score) }
        }
        return first..<max(first, end)
    }

    /// The elements of `ranks`, from the last to the first when `reversed`. Reads only.
    public func forEach(
        in ranks: Range<Int>, reversed: Bool = false, _ body: (Member, Double) -> Void
    ) {
        if ranks.isEmpty { return }
        if isPacked { return packed.forEach(in: ranks, reversed: reversed, body) }
        var node = list.node(at: reversed ? ranks.upperBound - 1 : ranks.lowerBound)
        for _ in ranks where !node.isNull {
            let next = reversed ? node.backward : node.forward(0)
            next.address.prefetch()
            body(.bytes(node.member), node.score)
            node = next
        }
    }

    /// Every element in order; what the snapshot walks. Reads only.
    public func forEach(_ body: (Member, Double) -> Void) { forEach(in: 0..<count, body) }

    /// Every element from the last to the first: the order in which Redis saves a skip list, for
    /// then a loader puts each in front.
    public func forEachReversed(_ body: (Member, Double) -> Void) {
        forEach(in: 0..<count, reversed: true, body)
    }

    /// Calls `body` with some element, each as likely as any other. The set may not be empty.
    public func random(_ body: (Member, Double) -> Void) {
        if isPacked {
            let rank = Chance.below(count)
            return forEach(in: rank..<(rank + 1), body)
        }
        let node = SkipNode(index.random())
        body(.bytes(node.member), node.score)
    }

    /// A part of ZSCAN: about `count` elements from `cursor` on; the next cursor, 0 at the end.
    public func scan(_ cursor: UInt64, count: Int, _ body: (Member, Double) -> Void) -> UInt64 {
        if isPacked {
            forEach(body)
            return 0
        }
        return index.scan(cursor, count) { body(.bytes(SkipNode($0).member), SkipNode($0).score) }
    }

    /// The listpack's bytes as a dump holds them, nil for a skip list.
    public var packedBytes: Bytes? { isPacked ? Listpack(container).bytes : nil }

    // MARK: Changing

    /// Calls `decide` with the score of `member`, nil when it is not there, and stores what it
    /// returns; nil leaves the set as it was.
    @inline(__always)
    public mutating func update(_ member: Bytes, _ decide: (Double?) -> Double?) {
        if isPacked {
            let place = packed.find(member)
            guard let score = decide(place.map { packed.score(behind: $0) }) else { return }
            put(member, score, at: place)
            return
        }
        let hash = Index.hash(member)
        let slot = index.findSlot(member, hash)
        if slot.isNull {
            guard let score = decide(nil) else { return }
            index.insert(list.insert(score, member, in: heap).address, hash, heap)
        } else {
            let node = SkipNode(index.element(at: slot))
            guard let score = decide(node.score) else { return }
            // By bits: minus zero may become zero, though neither comes before the other.
            if score.bitPattern != node.score.bitPattern { list.update(node, to: score) }
        }
    }

    /// Stores in the packed form, in place of the pair at `place` if there is one.
    private mutating func put(_ member: Bytes, _ score: Double, at place: Int?) {
        var pairs = packed
        if let place {
            pairs = PackedPairs(pairs.listpack.remove(place, count: 2, in: heap))
        } else if member.count > mostValue || pairs.count >= mostEntries
            || !pairs.listpack.hasRoom(for: member.count + 64)
        {
            expand(toHold: pairs.count + 1)
            index.insert(list.insert(score, member, in: heap).address, heap)
            return
        }
        become(.sortedSetPacked, pairs.inserted(member, score, in: heap).listpack.address)
    }

    /// Sets the score of `member`, which may be new.
    public mutating func put(_ member: Bytes, _ score: Double) { update(member) { _ in score } }

    /// False when `member` was not there. An emptied set stays, for the caller to remove its key.
    @discardableResult
    public mutating func remove(_ member: Bytes) -> Bool {
        if isPacked {
            guard let place = packed.find(member) else { return false }
            let listpack = packed.listpack.remove(place, count: 2, in: heap)
            become(.sortedSetPacked, listpack.address)
            return true
        }
        let node = index.remove(member, heap)
        if node.isNull { return false }
        list.remove(SkipNode(node), in: heap)
        return true
    }

    /// Removes the elements of `ranks`.
    public mutating func remove(ranks: Range<Int>) {
        if ranks.isEmpty { return }
        if isPacked {
            let listpack = packed.listpack
            let place = listpack.advance(listpack.first, by: ranks.lowerBound * 2)
            become(
                .sortedSetPacked,
                listpack.remove(place, count: ranks.count * 2, in: heap).address)
            return
        }
        list.remove(ranks: ranks, in: heap) { _ = index.remove($0.member, heap) }
    }

    // MARK: Changing the form

    /// From a listpack to a skip list.
    mutating func expand(toHold count: Int) {
        let old = packed
        let list = Self.makeSkip(in: heap)
        let index = Index(list.address + SkipList.ownerOffset)
        index.reserve(count, heap)
        var tails = list.startSorted()
        old.forEach(in: 0..<old.count, reversed: false) { member, score in
            member.withBytes {
                // A dump that was made by hand may hold a member twice. Two nodes of one member would
                // leave the index with a slot of a freed one some day.
                let member = $0
                _ = index.insert(member, Index.hash(member), heap) {
                    list.appendSorted(score, member, after: &tails, in: heap).address
                }
            }
        }
        list.finishSorted(tails)
        old.listpack.free(in: heap)
        become(.sortedSetSkip, list.address)
    }

    /// A result that has grown in a skip list becomes a listpack if it fits the limits.
    public mutating func packIfSmall(_ limits: PackedLimits) {
        if isPacked || count > limits.sortedSetMaxEntries { return }
        var fits = true
        forEach { member, _ in if member.count > limits.sortedSetMaxValue { fits = false } }
        if !fits { return }
        var builder = ListpackBuilder(in: heap)
        forEach { member, score in
            builder.append(member)
            PackedPairs.withElement(of: score) { builder.append($0) }
        }
        let listpack = builder.finish()
        free()
        become(.sortedSetPacked, listpack.address)
    }

    // MARK: As a whole

    /// Frees the set's memory. Its key, if it has one, must go too.
    public func free() { Self.free(kind, container, in: heap) }

    static func free(_ kind: ValueKind, _ container: Address, in heap: Heap) {
        if kind == .sortedSetPacked { return Listpack(container).free(in: heap) }
        // In the order of the table, whose elements are fetched ahead: along the list each node was a
        // cache miss, and a million took nine times as long.
        var remains = Remains(kind, container, heap)
        _ = remains.free(atMost: Int.max)
    }

    /// A set without a key of the elements of `ranks`.
    public func copy(of ranks: Range<Int>, in database: Database) -> SortedSet {
        var builder = SortedSetBuilder(in: database.heap, database.limits, count: ranks.count)
        forEach(in: ranks) { member, score in
            member.withBytes { _ = builder.add($0, score) }
        }
        return builder.finish()
    }

    /// A copy of a sorted set's container, of the same kind.
    static func copy(_ kind: ValueKind, _ container: Address, to heap: Heap) -> Address {
        if kind == .sortedSetPacked { return Listpack(container).copy(in: heap).address }
        let fresh = makeSkip(in: heap)
        let index = Index(fresh.address + SkipList.ownerOffset)
        index.reserve(SkipList(container).count, heap)
        var tails = fresh.startSorted()
        var node = SkipList(container).first
        while !node.isNull {
            let copy = fresh.appendSorted(node.score, node.member, after: &tails, in: heap)
            index.insert(copy.address, heap)
            node = node.forward(0)
        }
        fresh.finishSorted(tails)
        return fresh.address
    }

    /// Bytes that the container takes; of a skip list's nodes only `samples` (0: all) are looked at.
    static func memory(_ kind: ValueKind, _ container: Address, samples: Int) -> Int {
        if kind == .sortedSetPacked { return Heap.rounded(Listpack(container).size) }
        let list = SkipList(container)
        var seen = 0
        var bytes = 0
        var node = list.first
        while !node.isNull {
            bytes += Heap.rounded(node.size)
            seen += 1
            if seen == samples { break }
            node = node.forward(0)
        }
        let index = Index(container + SkipList.ownerOffset).bytes - Index.headerSize
        return Heap.rounded(SkipList.size) + index
            + (seen == 0 ? 0 : Int(Double(bytes) / Double(seen) * Double(list.count)))
    }
}
