// SPDX-License-Identifier: BSD-3-Clause
//
// An ordered map from stream ids to addresses: a B+tree in raw memory. A stream's nodes and its
// groups' pending entries are kept in one each. Its record of 24 bytes lies in its owner's block:
//
//     record                         node (24 bytes and 24 for each item it has room for)
//     0   8  root, 0 none            0   2  items
//     8   8  items                   2   2  room
//     16  8  levels above leaves     8   8  leaf: previous leaf, 0 none
//                                    16  8  leaf: next leaf, 0 none
//                                    24  …  items: id (16), then value or child (8)
//
// An inner node's item i leads to the ids from its own on, up to the next item's; the first item's id
// counts as the least of all. Most trees are small: a lone leaf has room for 4 items first and grows
// by doubling. Ids mostly come in rising order: a full node at the right edge isn't halved but
// followed by a new one, so leaves are full.

import Memory

/// A view of a map's record. Values are addresses, never looked at here.
@safe
public struct StreamMap {
    let record: Address

    @inline(__always)
    init(_ record: Address) { self.record = record }

    static let recordSize = 24
    static let itemSize = 24
    static let headSize = 24
    static let room = 41
    static let firstRoom = 4

    public var count: Int { record.load(Int.self, at: 8) }
    public var isEmpty: Bool { count == 0 }

    var root: Address {
        get { record.address(at: 0) }
        nonmutating set { record.store(address: newValue, at: 0) }
    }
    var levels: Int {
        get { record.load(Int.self, at: 16) }
        nonmutating set { record.store(newValue, at: 16) }
    }
    func add(count change: Int) { record.store(count + change, at: 8) }

    /// Makes the record that of an empty map.
    func clear() { record.fill(0, count: Self.recordSize) }

    // MARK: Nodes

    @inline(__always)
    static func count(_ node: Address) -> Int { Int(node.load(UInt16.self)) }
    @inline(__always)
    static func setCount(_ node: Address, _ n: Int) { node.store(UInt16(n)) }
    @inline(__always)
    static func room(_ node: Address) -> Int { Int(node.load(UInt16.self, at: 2)) }
    @inline(__always)
    static func item(_ node: Address, _ i: Int) -> Address { node + (headSize &+ i &* itemSize) }
    @inline(__always)
    static func id(_ node: Address, _ i: Int) -> StreamID {
        let item = item(node, i)
        return StreamID(item.load(UInt64.self), item.load(UInt64.self, at: 8))
    }
    @inline(__always)
    static func value(_ node: Address, _ i: Int) -> Address { item(node, i).address(at: 16) }
    @inline(__always)
    static func previous(_ leaf: Address) -> Address { leaf.address(at: 8) }
    @inline(__always)
    static func next(_ leaf: Address) -> Address { leaf.address(at: 16) }

    static func set(_ node: Address, _ i: Int, _ id: StreamID, _ value: Address) {
        let item = item(node, i)
        item.store(id.ms)
        item.store(id.seq, at: 8)
        item.store(address: value, at: 16)
    }

    static func make(room: Int, in heap: Heap) -> Address {
        let node = heap.allocate(headSize + room * itemSize)
        node.fill(0, count: headSize)
        node.store(UInt16(room), at: 2)
        return node
    }

    static func drop(_ node: Address, in heap: Heap) {
        heap.free(node, headSize + room(node) * itemSize)
    }

    /// The first item whose id is not less than `id`; the count when there is none.
    static func lowerBound(_ node: Address, _ id: StreamID) -> Int {
        var low = 0
        var high = count(node)
        while low < high {
            let middle = (low &+ high) >> 1
            if Self.id(node, middle) < id { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    /// The item of an inner node under which `id` belongs.
    static func childIndex(_ node: Address, _ id: StreamID) -> Int {
        var low = 1
        var high = count(node)
        while low < high {
            let middle = (low &+ high) >> 1
            if id < Self.id(node, middle) { high = middle } else { low = middle &+ 1 }
        }
        return low - 1
    }

    // MARK: Finding

    /// Where an item is; good until the map changes.
    @safe
    public struct Place: Equatable {
        var leaf: Address
        var index: Int

        init(_ leaf: Address, _ index: Int) {
            self.leaf = leaf
            self.index = index
        }

        public var id: StreamID { StreamMap.id(leaf, index) }
        public var value: Address { StreamMap.value(leaf, index) }
        func set(value: Address) { StreamMap.item(leaf, index).store(address: value, at: 16) }
    }

    private func leaf(for id: StreamID) -> Address {
        var node = root
        for _ in 0..<levels { node = Self.value(node, Self.childIndex(node, id)) }
        return node
    }

    /// The value of `id`, or null.
    public func find(_ id: StreamID) -> Address {
        if root.isNull { return .null }
        let leaf = leaf(for: id)
        let i = Self.lowerBound(leaf, id)
        return i < Self.count(leaf) && Self.id(leaf, i) == id ? Self.value(leaf, i) : .null
    }

    public var first: Place? {
        if root.isNull { return nil }
        var node = root
        for _ in 0..<levels { node = Self.value(node, 0) }
        return Place(node, 0)
    }

    public var last: Place? {
        if root.isNull { return nil }
        var node = root
        for _ in 0..<levels { node = Self.value(node, Self.count(node) - 1) }
        return Place(node, Self.count(node) - 1)
    }

    /// The first item with an id of at least `id`.
    public func seek(from id: StreamID) -> Place? {
        if root.isNull { return nil }
        let leaf = leaf(for: id)
        let i = Self.lowerBound(leaf, id)
        if i < Self.count(leaf) { return Place(leaf, i) }
        let next = Self.next(leaf)
        return next.isNull ? nil : Place(next, 0)
    }

    /// The last item with an id of at most `id`.
    public func seek(upTo id: StreamID) -> Place? {
        if root.isNull { return nil }
        let leaf = leaf(for: id)
        let i = Self.lowerBound(leaf, id)
        if i < Self.count(leaf) && Self.id(leaf, i) == id { return Place(leaf, i) }
        return previous(Place(leaf, i))
    }

    public func next(_ place: Place) -> Place? {
        if place.index + 1 < Self.count(place.leaf) { return Place(place.leaf, place.index + 1) }
        let next = Self.next(place.leaf)
        return next.isNull ? nil : Place(next, 0)
    }

    public func previous(_ place: Place) -> Place? {
        if place.index > 0 { return Place(place.leaf, place.index - 1) }
        let before = Self.previous(place.leaf)
        return before.isNull ? nil : Place(before, Self.count(before) - 1)
    }

    /// Calls `body` for every item in order; it must not change the map.
    public func forEach(_ body: (StreamID, Address) -> Void) {
        var leaf = first?.leaf ?? .null
        while !leaf.isNull {
            let next = Self.next(leaf)
            next.prefetch()
            for i in 0..<Self.count(leaf) { body(Self.id(leaf, i), Self.value(leaf, i)) }
            leaf = next
        }
    }

    // MARK: As a whole

    /// Frees the nodes; the values are the caller's.
    func free(in heap: Heap) {
        if !root.isNull { free(root, levels, heap) }
        clear()
    }

    private func free(_ node: Address, _ level: Int, _ heap: Heap) {
        if level > 0 {
            for i in 0..<Self.count(node) { free(Self.value(node, i), level - 1, heap) }
        }
        Self.drop(node, in: heap)
    }

    /// Bytes of the nodes.
    var memory: Int { root.isNull ? 0 : memory(root, levels) }

    private func memory(_ node: Address, _ level: Int) -> Int {
        var bytes = Self.headSize + Self.room(node) * Self.itemSize
        if level == 1 {
            return bytes + Self.count(node) * (Self.headSize + Self.room * Self.itemSize)
        }
        if level > 1 {
            for i in 0..<Self.count(node) { bytes += memory(Self.value(node, i), level - 1) }
        }
        return bytes
    }
}
