// SPDX-License-Identifier: BSD-3-Clause
//
// The order of a large sorted set: a skip list with spans, so that ranks are found as fast as scores.
// Elements are ordered by score, then by the member's bytes. A node is one block and never moves
// while its member lives, so that a hash table can point at it and hold no member of its own.
//
//     node    0   8       score
//             8   8       the node before, null at the first
//             16  4       member's size
//             20  1       levels
//             24  12 × n  a level: the next node on it (8), how many steps that is (4)
//             …           member
//
//     list    0   8       last node
//             8   8       count
//             16  4       levels in use
//             24  8       state of the level generator
//             32  32      free for the owner: the header of the index by member
//             64  …       the head: a node without score and member, of all 16 levels

import Memory

/// A member with its score, as a block of a skip list.
@safe
public struct SkipNode: Equatable {
    let address: Address

    @inline(__always)
    init(_ address: Address) { self.address = address }

    static let levelsOffset = 24
    static let levelSize = 12

    static func size(levels: Int, member: Int) -> Int { levelsOffset + levels * levelSize + member }

    @inline(__always)
    var isNull: Bool { address.isNull }

    public var score: Double {
        @inline(__always) get { address.load(Double.self) }
        nonmutating set { address.store(newValue) }
    }
    var backward: SkipNode {
        get { SkipNode(address.address(at: 8)) }
        nonmutating set { address.store(address: newValue.address, at: 8) }
    }
    var levels: Int { Int(address.byte(at: 20)) }
    var memberCount: Int { Int(address.load(UInt32.self, at: 16)) }
    public var member: Bytes {
        Bytes(
            start: address + (Self.levelsOffset + levels * Self.levelSize), count: memberCount)
    }
    var size: Int { Self.size(levels: levels, member: memberCount) }

    @inline(__always)
    func forward(_ level: Int) -> SkipNode {
        SkipNode(address.address(at: Self.levelsOffset + level &* Self.levelSize))
    }
    /// The next node one level down is the one to look at when that on `level` is too far: both come
    /// from memory at once.
    @inline(__always)
    func prefetchBelow(_ level: Int) {
        if level > 0 { forward(level &- 1).address.prefetch() }
    }
    @inline(__always)
    func setForward(_ level: Int, _ node: SkipNode) {
        address.store(address: node.address, at: Self.levelsOffset + level &* Self.levelSize)
    }
    /// Steps to the next node on `level`; to the end of the list when there is none.
    @inline(__always)
    func span(_ level: Int) -> Int {
        Int(address.load(UInt32.self, at: Self.levelsOffset + level &* Self.levelSize + 8))
    }
    @inline(__always)
    func setSpan(_ level: Int, _ span: Int) {
        address.store(
            UInt32(truncatingIfNeeded: span), at: Self.levelsOffset + level &* Self.levelSize + 8)
    }

    /// This node stands before an element of `score` and `member`.
    @inline(__always)
    func precedes(_ score: Double, _ member: Bytes) -> Bool {
        let own = self.score
        return own < score || (own == score && self.member.compare(member) < 0)
    }
}

/// A view of a skip list's block, which doesn't move.
@safe
struct SkipList {
    let address: Address

    init(_ address: Address) { self.address = address }

    /// As many as a list can use: it holds at most 2^32 elements (a span has 4 bytes), a quarter of them
    /// on each next level.
    static let maximumLevels = 16
    static let ownerOffset = 32
    private static let headOffset = 64
    static let size = headOffset + SkipNode.size(levels: maximumLevels, member: 0)

    static func make(in heap: Heap) -> SkipList {
        let block = heap.allocate(size)
        block.fill(0, count: size)
        let list = SkipList(block)
        list.address.store(UInt32(1), at: 16)
        // Any odd start will do: what matters is that clients can't foresee levels of one list from
        // another's, and that the address differs from list to list.
        list.address.store(UInt64(block.raw) &* 0x9E37_79B9_7F4A_7C15 | 1, at: 24)
        list.head.address.store(UInt8(maximumLevels), at: 20)
        return list
    }

    var head: SkipNode { SkipNode(address + Self.headOffset) }
    var first: SkipNode { head.forward(0) }
    var last: SkipNode {
        get { SkipNode(address.address(at: 0)) }
        nonmutating set { address.store(address: newValue.address, at: 0) }
    }
    var count: Int {
        get { address.load(Int.self, at: 8) }
        nonmutating set { address.store(newValue, at: 8) }
    }
    var levels: Int {
        get { Int(address.load(UInt32.self, at: 16)) }
        nonmutating set { address.store(UInt32(newValue), at: 16) }
    }

    /// Each level holds a quarter of the one below.
    private func randomLevels() -> Int {
        var state = address.load(UInt64.self, at: 24)
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        address.store(state, at: 24)
        return min(Self.maximumLevels, 1 + (state >> 8).trailingZeroBitCount / 2)
    }

    /// Frees all nodes and the list's own block.
    func free(in heap: Heap) {
        var node = first
        while !node.isNull {
            let next = node.forward(0)
            heap.free(node.address, node.size)
            node = next
        }
        heap.free(address, Self.size)
    }

    // MARK: Changing

    /// Adds an element that is not there.
    func insert(_ score: Double, _ member: Bytes, in heap: Heap) -> SkipNode {
        let levels = randomLevels()
        let block = heap.allocate(SkipNode.size(levels: levels, member: member.count))
        let node = SkipNode(block)
        block.store(score)
        block.store(UInt32(member.count), at: 16)
        block.store(UInt32(levels), at: 20)
        node.member.start.copy(from: member)
        link(node)
        return node
    }

    /// Puts a node of its own block into the order.
    private func link(_ node: SkipNode) {
        let score = node.score
        let member = node.member
        var path = Path()
        var at = head
        var rank = 0
        var level = levels
        // The node that ended a level's walk often is the next on the level below: not compared twice.
        var bound = SkipNode(.null)
        while level > 0 {
            level &-= 1
            while true {
                let next = at.forward(level)
                if next == bound { break }
                at.prefetchBelow(level)
                if next.isNull || !next.precedes(score, member) {
                    bound = next
                    break
                }
                rank &+= at.span(level)
                at = next
            }
            path.set(level, at, rank)
        }
        let nodeLevels = node.levels
        if nodeLevels > levels {
            for fresh in levels..<nodeLevels {
                path.set(fresh, head, 0)
                head.setSpan(fresh, count)
            }
            levels = nodeLevels
        }
        for level in 0..<nodeLevels {
            let (before, beforeRank) = path.get(level)
            node.setForward(level, before.forward(level))
            before.setForward(level, node)
            let steps = rank - beforeRank
            node.setSpan(level, before.span(level) - steps)
            before.setSpan(level, steps + 1)
        }
        for level in nodeLevels..<max(levels, nodeLevels) {
            let before = path.get(level).node
            before.setSpan(level, before.span(level) + 1)
        }
        node.backward = at == head ? SkipNode(.null) : at
        let after = node.forward(0)
        if after.isNull { last = node } else { after.backward = node }
        count += 1
    }

    /// Appends an element that stands after all others; the path is the last node of each level.
    func appendSorted(
        _ score: Double, _ member: Bytes, after tails: inout Path, in heap: Heap
    ) -> SkipNode {
        let levels = randomLevels()
        let block = heap.allocate(SkipNode.size(levels: levels, member: member.count))
        let node = SkipNode(block)
        block.store(score)
        block.store(UInt32(member.count), at: 16)
        block.store(UInt32(levels), at: 20)
        node.member.start.copy(from: member)
        let rank = count
        if levels > self.levels {
            for fresh in self.levels..<levels { tails.set(fresh, head, 0) }
            self.levels = levels
        }
        for level in 0..<levels {
            let (before, beforeRank) = tails.get(level)
            before.setForward(level, node)
            before.setSpan(level, rank + 1 - beforeRank)
            node.setForward(level, SkipNode(.null))
            tails.set(level, node, rank + 1)
        }
        node.backward = last
        last = node
        count = rank + 1
        return node
    }

    /// After the last `appendSorted`: the steps from each level's last node to the end.
    func finishSorted(_ tails: Path) {
        for level in 0..<levels {
            let (node, rank) = tails.get(level)
            node.setSpan(level, count - rank)
        }
    }

    /// A path of heads, to begin `appendSorted` with on an empty list.
    func startSorted() -> Path {
        var path = Path()
        path.set(0, head, 0)
        return path
    }

    /// Takes `node` out of the order; its block stays.
    private func unlink(_ node: SkipNode) {
        let path = path(to: node.score, node.member)
        unlink(node, path)
    }

    private func path(to score: Double, _ member: Bytes) -> Path {
        var path = Path()
        var at = head
        var level = levels
        var bound = SkipNode(.null)
        while level > 0 {
            level &-= 1
            while true {
                let next = at.forward(level)
                if next == bound { break }
                at.prefetchBelow(level)
                if next.isNull || !next.precedes(score, member) {
                    bound = next
                    break
                }
                at = next
            }
            path.set(level, at, 0)
        }
        return path
    }

    private func unlink(_ node: SkipNode, _ path: Path) {
        for level in 0..<levels {
            let before = path.get(level).node
            if before.forward(level) == node {
                before.setSpan(level, before.span(level) + node.span(level) - 1)
                before.setForward(level, node.forward(level))
            } else {
                before.setSpan(level, before.span(level) - 1)
            }
        }
        let after = node.forward(0)
        if after.isNull { last = node.backward } else { after.backward = node.backward }
        while levels > 1 && head.forward(levels - 1).isNull { levels -= 1 }
        count -= 1
    }

    func remove(_ node: SkipNode, in heap: Heap) {
        unlink(node)
        heap.free(node.address, node.size)
    }

    /// Gives `node` another score; its block stays where it is.
    func update(_ node: SkipNode, to score: Double) {
        let before = node.backward
        let after = node.forward(0)
        let member = node.member
        if (before.isNull || before.precedes(score, member))
            && (after.isNull || !after.precedes(score, member))
        {
            node.score = score
            return
        }
        unlink(node)
        node.score = score
        link(node)
    }

    /// Removes the elements of `ranks`, calling `body` with each before it is freed.
    func remove(ranks: Range<Int>, in heap: Heap, _ body: (SkipNode) -> Void) {
        if ranks.isEmpty { return }
        var path = Path()
        var at = head
        var rank = 0
        var level = levels
        while level > 0 {
            level &-= 1
            while !at.forward(level).isNull && rank + at.span(level) <= ranks.lowerBound {
                rank += at.span(level)
                at = at.forward(level)
            }
            path.set(level, at, 0)
        }
        var node = at.forward(0)
        for _ in ranks where !node.isNull {
            let next = node.forward(0)
            unlink(node, path)
            body(node)
            heap.free(node.address, node.size)
            node = next
        }
    }

    // MARK: Finding

    /// The number of elements before the first for which `isBefore` fails; it must hold for a
    /// beginning of the list and for nothing behind it.
    @inline(__always)
    func rank(while isBefore: (SkipNode) -> Bool) -> Int {
        var at = head
        var rank = 0
        var level = levels
        while level > 0 {
            level &-= 1
            while true {
                let next = at.forward(level)
                at.prefetchBelow(level)
                if next.isNull || !isBefore(next) { break }
                rank &+= at.span(level)
                at = next
            }
        }
        return rank
    }

    func rank(of node: SkipNode) -> Int {
        let score = node.score
        let member = node.member
        return rank { $0.precedes(score, member) }
    }

    /// The node at `rank`, counted from 0; null when there is none.
    func node(at rank: Int) -> SkipNode {
        if rank < 0 || rank >= count { return SkipNode(.null) }
        if rank == count - 1 { return last }
        var at = head
        var passed = 0
        var level = levels
        while level > 0 {
            level &-= 1
            while !at.forward(level).isNull && passed + at.span(level) <= rank + 1 {
                passed += at.span(level)
                at = at.forward(level)
            }
            if passed == rank + 1 { return at }
        }
        return SkipNode(.null)
    }

    /// The node before a place on each level, and its rank (the head's is 0, the first node's 1).
    @safe
    struct Path {
        private var nodes = InlineArray<16, UInt>(repeating: 0)
        private var ranks = InlineArray<16, Int>(repeating: 0)

        @inline(__always)
        mutating func set(_ level: Int, _ node: SkipNode, _ rank: Int) {
            nodes[level] = node.address.raw
            ranks[level] = rank
        }
        @inline(__always)
        func get(_ level: Int) -> (node: SkipNode, rank: Int) {
            (SkipNode(Address(nodes[level])), ranks[level])
        }
    }
}

/// A walk to where a score belongs that does nothing but ask for the nodes on its way. After each step
/// the next one waits for a node that was asked for: let others step meanwhile. Members don't matter
/// here, nor does it if the list changes behind the walk's back and it ends elsewhere; it may not be
/// freed meanwhile.
struct SkipScout: BitwiseCopyable {
    private var at: Address
    private var next: Address
    private var level: Int
    private let score: Double

    @inline(__always)
    init(_ list: SkipList, to score: Double) {
        self.score = score
        at = list.head.address
        level = list.levels &- 1
        next = SkipNode(at).forward(level).address
        next.prefetch()
    }

    /// False at the end of the way.
    @inline(__always)
    mutating func step() -> Bool {
        // Whether it goes on or down can't be predicted: so no branch.
        let there = next.isNull ? at : next
        let goesOn = (SkipNode(there).score < score ? 1 : 0) & (next.isNull ? 0 : 1)
        let kept = UInt(bitPattern: goesOn &- 1)
        at = Address((at.raw & kept) | (next.raw & ~kept))
        level &-= 1 &- goesOn
        if level < 0 { return false }
        next = SkipNode(at).forward(level).address
        next.prefetch()
        return true
    }
}
