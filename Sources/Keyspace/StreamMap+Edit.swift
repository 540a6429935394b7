// SPDX-License-Identifier: BSD-3-Clause
//
// Changes of a stream map: nodes split when full, and join a neighbour of the same parent when less
// than a quarter of their room is used.

import Memory

extension StreamMap {
    private enum Outcome {
        case present, done
        /// A new node stands right of the one below, from this id on.
        case split(Address, StreamID)
    }

    /// Adds `id`; false, and nothing changed, when it is there.
    @discardableResult
    func insert(_ id: StreamID, _ value: Address, in heap: Heap) -> Bool {
        if root.isNull { root = Self.make(room: Self.firstRoom, in: heap) }
        if levels == 0, Self.count(root) == Self.room(root), Self.room(root) < Self.room {
            resizeLeaf(min(Self.room, Self.room(root) * 2), heap)
        }
        switch insert(id, value, under: root, levels, heap) {
        case .present: return false
        case .done: break
        case .split(let fresh, let from):
            let top = Self.make(room: Self.room, in: heap)
            Self.set(top, 0, .zero, root)
            Self.set(top, 1, from, fresh)
            Self.setCount(top, 2)
            root = top
            levels += 1
        }
        add(count: 1)
        return true
    }

    private func insert(
        _ id: StreamID, _ value: Address, under node: Address, _ level: Int, _ heap: Heap
    ) -> Outcome {
        if level == 0 {
            let count = Self.count(node)
            // What is appended is behind the last: no search.
            let i = count > 0 && Self.id(node, count - 1) < id ? count : Self.lowerBound(node, id)
            if i < count && Self.id(node, i) == id { return .present }
            return place(id, value, in: node, at: i, level, heap)
        }
        let i = Self.childIndex(node, id)
        let outcome = insert(id, value, under: Self.value(node, i), level - 1, heap)
        guard case .split(let fresh, let from) = outcome else { return outcome }
        return place(from, fresh, in: node, at: i + 1, level, heap)
    }

    private func place(
        _ id: StreamID, _ value: Address, in node: Address, at i: Int, _ level: Int, _ heap: Heap
    ) -> Outcome {
        let count = Self.count(node)
        if count < Self.room(node) {
            Self.item(node, i + 1).move(
                from: Self.item(node, i), count: (count - i) * Self.itemSize)
            Self.set(node, i, id, value)
            Self.setCount(node, count + 1)
            return .done
        }
        let cut = i == count ? count : count / 2
        let fresh = Self.make(room: Self.room, in: heap)
        Self.item(fresh, 0).copy(from: Self.item(node, cut), count: (count - cut) * Self.itemSize)
        Self.setCount(fresh, count - cut)
        Self.setCount(node, cut)
        if level == 0 { link(fresh, after: node) }
        if i < cut || (i == cut && cut < count) {
            _ = place(id, value, in: node, at: i, level, heap)
        } else {
            _ = place(id, value, in: fresh, at: i - cut, level, heap)
        }
        return .split(fresh, Self.id(fresh, 0))
    }

    private func link(_ fresh: Address, after leaf: Address) {
        let next = Self.next(leaf)
        fresh.store(address: leaf, at: 8)
        fresh.store(address: next, at: 16)
        leaf.store(address: fresh, at: 16)
        if !next.isNull { next.store(address: fresh, at: 8) }
    }

    private func unlink(_ leaf: Address) {
        let previous = Self.previous(leaf)
        let next = Self.next(leaf)
        if !previous.isNull { previous.store(address: next, at: 16) }
        if !next.isNull { next.store(address: previous, at: 8) }
    }

    /// Another room for the root, which is the only leaf.
    private func resizeLeaf(_ room: Int, _ heap: Heap) {
        root = heap.resize(
            root, from: Self.headSize + Self.room(root) * Self.itemSize,
            to: Self.headSize + room * Self.itemSize)
        root.store(UInt16(room), at: 2)
    }

    // MARK: Removing

    /// Takes `id` out; its value, or null when it is not there.
    @discardableResult
    func remove(_ id: StreamID, in heap: Heap) -> Address {
        if root.isNull { return .null }
        let value = remove(id, under: root, levels, heap)
        if value.isNull { return .null }
        add(count: -1)
        while levels > 0 && Self.count(root) == 1 {
            let child = Self.value(root, 0)
            Self.drop(root, in: heap)
            root = child
            levels -= 1
        }
        if levels > 0 { return value }
        let count = Self.count(root)
        if count == 0 {
            Self.drop(root, in: heap)
            root = .null
        } else if Self.room(root) > Self.firstRoom && count * 4 <= Self.room(root) {
            resizeLeaf(max(Self.firstRoom, Self.room(root) / 2), heap)
        }
        return value
    }

    private func remove(
        _ id: StreamID, under node: Address, _ level: Int, _ heap: Heap
    ) -> Address {
        if level == 0 {
            let i = Self.lowerBound(node, id)
            guard i < Self.count(node), Self.id(node, i) == id else { return .null }
            let value = Self.value(node, i)
            removeItem(i, of: node)
            return value
        }
        let i = Self.childIndex(node, id)
        let child = Self.value(node, i)
        let value = remove(id, under: child, level - 1, heap)
        let left = Self.count(child)
        if left == 0 {
            if level == 1 { unlink(child) }
            Self.drop(child, in: heap)
            removeItem(i, of: node)
        } else if left < Self.room / 4 {
            if i + 1 < Self.count(node) { join(node, i, level, heap) }
            if i > 0 { join(node, i - 1, level, heap) }
        }
        return value
    }

    private func removeItem(_ i: Int, of node: Address) {
        let count = Self.count(node) - 1
        Self.item(node, i).move(from: Self.item(node, i + 1), count: (count - i) * Self.itemSize)
        Self.setCount(node, count)
    }

    /// Moves the items of child `i + 1` behind those of child `i`, where both fit with room to spare.
    private func join(_ node: Address, _ i: Int, _ level: Int, _ heap: Heap) {
        let left = Self.value(node, i)
        let right = Self.value(node, i + 1)
        let sum = Self.count(left) + Self.count(right)
        if sum > Self.room * 3 / 4 { return }
        let at = Self.count(left)
        Self.item(left, at).copy(from: Self.item(right, 0), count: (sum - at) * Self.itemSize)
        // An inner node's first id says nothing where it stands; here it begins to count.
        if level > 1 { Self.set(left, at, Self.id(node, i + 1), Self.value(right, 0)) }
        Self.setCount(left, sum)
        if level == 1 { unlink(right) }
        Self.drop(right, in: heap)
        removeItem(i + 1, of: node)
    }
}
