// SPDX-License-Identifier: BSD-3-Clause
//
// A list: a chain of nodes, each a listpack of a few KiB, so that both ends are near, the middle is
// reached by steps of hundreds, and an element costs few bytes beyond its own. An element too large
// for any node has a node to itself.
//
//     header (32 bytes)                 node (32 bytes)
//     0   8  first node                 0   8  previous node, 0 none
//     8   8  last node                  8   8  next node, 0 none
//     16  8  elements                   16  8  its listpack
//     24  4  nodes                      24  4  elements in it
//                                       28  4  gap: unused bytes before the listpack in its block
//
// The gap makes the front of a node as cheap as its back: popping there moves the listpack's header
// over what it drops, pushing there moves it back. Only the front node keeps one for long.
//
// A node is never empty, and neither is a stored list: who takes the last element removes the key.

import Memory

/// Where an element of a list is; good until the list changes.
@safe
public struct ListPlace: Equatable {
    @usableFromInline var node: Address
    @usableFromInline var offset: Int

    @inlinable
    init(_ node: Address, _ offset: Int) {
        self.node = node
        self.offset = offset
    }
}

/// A view of a list's header.
@safe
public struct ListValue {
    public let address: Address

    @inlinable @inline(__always)
    public init(_ address: Address) { self.address = address }

    @usableFromInline static let headerSize = 32
    @usableFromInline static let nodeSize = 32

    /// The most bytes of an element: what a listpack's 32-bit sizes hold, with room for its frame.
    public static let maximumElement = 0xFFFF_FFFF - 64

    public static func make(in heap: Heap) -> ListValue {
        let block = heap.allocate(headerSize)
        block.fill(0, count: headerSize)
        return ListValue(block)
    }

    @inlinable @inline(__always)
    public var count: Int { address.load(Int.self, at: 16) }
    @inlinable @inline(__always)
    public var nodeCount: Int { Int(address.load(UInt32.self, at: 24)) }

    @inlinable @inline(__always)
    var firstNode: Address { address.address(at: 0) }
    @inlinable @inline(__always)
    var lastNode: Address { address.address(at: 8) }

    @inlinable @inline(__always)
    static func pack(_ node: Address) -> Listpack { Listpack(node.address(at: 16)) }
    @inlinable @inline(__always)
    static func previous(_ node: Address) -> Address { node.address(at: 0) }
    @inlinable @inline(__always)
    static func next(_ node: Address) -> Address { node.address(at: 8) }
    @inlinable @inline(__always)
    static func count(_ node: Address) -> Int { Int(node.load(UInt32.self, at: 24)) }

    @inlinable @inline(__always)
    static func gap(_ node: Address) -> Int { Int(node.load(UInt32.self, at: 28)) }

    /// After an edit of the node's listpack: its new address, and by how much the counts change.
    @inlinable @inline(__always)
    func set(_ node: Address, _ pack: Listpack, _ change: Int) {
        node.store(address: pack.address, at: 16)
        node.store(UInt32(Self.count(node) &+ change), at: 24)
        address.store(count &+ change, at: 16)
    }

    /// Adds a node for `pack`, which holds `elements`, behind `previous` (null: in front of all).
    @usableFromInline
    @discardableResult
    func link(_ pack: Listpack, _ elements: Int, after previous: Address, in heap: Heap) -> Address
    {
        let node = heap.allocate(Self.nodeSize)
        let next = previous.isNull ? firstNode : Self.next(previous)
        node.store(address: previous, at: 0)
        node.store(address: next, at: 8)
        node.store(address: pack.address, at: 16)
        node.store(UInt64(elements), at: 24)
        if previous.isNull {
            address.store(address: node, at: 0)
        } else {
            previous.store(address: node, at: 8)
        }
        if next.isNull {
            address.store(address: node, at: 8)
        } else {
            next.store(address: node, at: 0)
        }
        address.store(count + elements, at: 16)
        address.store(UInt32(nodeCount + 1), at: 24)
        return node
    }

    /// Takes the node out of the chain with all its elements, and frees it.
    @usableFromInline
    func unlink(_ node: Address, in heap: Heap) {
        let previous = Self.previous(node)
        let next = Self.next(node)
        if previous.isNull {
            address.store(address: next, at: 0)
        } else {
            previous.store(address: next, at: 8)
        }
        if next.isNull {
            address.store(address: previous, at: 8)
        } else {
            next.store(address: previous, at: 0)
        }
        address.store(count - Self.count(node), at: 16)
        address.store(UInt32(nodeCount - 1), at: 24)
        Self.free(node, in: heap)
    }

    static func free(_ node: Address, in heap: Heap) {
        let pack = pack(node)
        let gap = gap(node)
        heap.free(pack.address + -gap, gap + pack.size)
        heap.free(node, nodeSize)
    }

    // MARK: Reading

    @inlinable
    public var first: ListPlace? {
        firstNode.isNull ? nil : ListPlace(firstNode, Listpack.headerSize)
    }

    @inlinable
    public var last: ListPlace? {
        lastNode.isNull ? nil : Self.pack(lastNode).last.map { ListPlace(lastNode, $0) }
    }

    @inlinable @inline(__always)
    public subscript(place: ListPlace) -> ListpackElement { Self.pack(place.node)[place.offset] }

    @inlinable
    public func next(_ place: ListPlace) -> ListPlace? {
        let pack = Self.pack(place.node)
        let at = pack.next(place.offset)
        if pack.address.byte(at: at) != 0xFF { return ListPlace(place.node, at) }
        let node = Self.next(place.node)
        return node.isNull ? nil : ListPlace(node, Listpack.headerSize)
    }

    @inlinable
    public func previous(_ place: ListPlace) -> ListPlace? {
        if let at = Self.pack(place.node).previous(place.offset) {
            return ListPlace(place.node, at)
        }
        let node = Self.previous(place.node)
        return node.isNull ? nil : Self.pack(node).last.map { ListPlace(node, $0) }
    }

    /// The place of the element at `index` (negative from the end), or nil; the nearer end is where
    /// the walk over the nodes starts.
    @inlinable
    public func seek(_ index: Int) -> ListPlace? {
        let count = count
        let forward = index < 0 ? index + count : index
        guard forward >= 0 && forward < count else { return nil }
        var left = forward
        var node = firstNode
        if forward < count / 2 {
            while left >= Self.count(node) {
                left -= Self.count(node)
                node = Self.next(node)
            }
        } else {
            var behind = count - forward
            node = lastNode
            while behind > Self.count(node) {
                behind -= Self.count(node)
                node = Self.previous(node)
            }
            left = Self.count(node) - behind
        }
        return Self.pack(node).seek(left).map { ListPlace(node, $0) }
    }

    /// Calls `body` for `n` elements from `index` on; both lie within the list.
    @inlinable
    public func forEach(from index: Int, count n: Int, _ body: (ListpackElement) -> Void) {
        guard n > 0, let start = seek(index) else { return }
        var node = start.node
        var at = start.offset
        var left = n
        while true {
            let pack = Self.pack(node)
            while left > 0 && pack.address.byte(at: at) != 0xFF {
                body(pack[at])
                at = pack.next(at)
                left &-= 1
            }
            node = Self.next(node)
            if left == 0 || node.isNull { return }
            at = Listpack.headerSize
        }
    }

    /// Calls `body` for each node's listpack from first to last, as a snapshot does: nothing is
    /// written.
    public func forEachNode(_ body: (Listpack) -> Void) {
        var node = firstNode
        while !node.isNull {
            let next = Self.next(node)
            next.prefetch()
            body(Self.pack(node))
            node = next
        }
    }

    // MARK: As a whole

    public func free(in heap: Heap) {
        var node = firstNode
        while !node.isNull {
            let next = Self.next(node)
            Self.free(node, in: heap)
            node = next
        }
        heap.free(address, Self.headerSize)
    }

    public func copy(in heap: Heap) -> ListValue {
        let list = ListValue.make(in: heap)
        var node = firstNode
        while !node.isNull {
            list.link(
                Self.pack(node).copy(in: heap), Self.count(node), after: list.lastNode, in: heap)
            node = Self.next(node)
        }
        return list
    }

    /// Bytes of all blocks, judged from the first `samples` nodes (0: all of them).
    public func memoryUsage(samples: Int) -> Int {
        var bytes = 0
        var seen = 0
        var node = firstNode
        while !node.isNull && (samples == 0 || seen < samples) {
            bytes += Heap.rounded(Self.gap(node) + Self.pack(node).size) + Self.nodeSize
            seen += 1
            node = Self.next(node)
        }
        if seen > 0 && seen < nodeCount { bytes = bytes / seen * nodeCount }
        return Self.headerSize + bytes
    }
}
