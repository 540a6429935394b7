// SPDX-License-Identifier: BSD-3-Clause
//
// Changes of a list. Bytes given to an edit must not lie in the list itself: copy them first.

import Memory

/// How large a node of a list may grow, as list-max-ziplist-size says it.
public struct ListLimit: BitwiseCopyable, Sendable {
    @usableFromInline let bytes: Int
    @usableFromInline let count: Int

    /// -1…-5 for 4…64 KiB, or a number of elements: then no node beyond 8 KiB takes another one.
    public init(_ setting: Int) {
        bytes = setting < 0 ? 4096 << (min(0 &- setting, 5) &- 1) : 8192
        count = setting < 0 ? Int.max : setting
    }

    /// Whether a node of `count` elements may take one that makes it `size` bytes long.
    @inlinable @inline(__always)
    func takes(_ size: Int, _ count: Int) -> Bool { size <= bytes && count < self.count }

    /// Whether a node of that size may be as it is.
    func accepts(_ size: Int, _ count: Int) -> Bool {
        self.count == Int.max ? size <= bytes : count <= self.count
    }
}

extension ListValue {
    @inlinable @inline(__always)
    static func takes(_ node: Address, _ extra: Int, _ limit: ListLimit) -> Bool {
        !node.isNull && limit.takes(pack(node).size &+ extra, count(node))
    }

    /// A new node for `element` alone.
    @usableFromInline
    func linkAlone(_ element: ListpackElement, after previous: Address, in heap: Heap) {
        let pack = Listpack.make(in: heap).append(element, in: heap)
        link(pack, 1, after: previous, in: heap)
    }

    /// Puts `bytes` in front.
    @inlinable @inline(__always)
    public func pushFirst(_ bytes: Bytes, limit: ListLimit, in heap: Heap) {
        if !prependShort(bytes, limit: limit) { prependAny(bytes, limit: limit, in: heap) }
    }

    @usableFromInline
    func prependAny(_ bytes: Bytes, limit: ListLimit, in heap: Heap) {
        let element = ListpackElement(bytes)
        let node = firstNode
        if Self.takes(node, element.storedSize, limit) {
            prepend(element, to: node, in: heap)
        } else {
            if !node.isNull { settle(node, in: heap) }
            linkAlone(element, after: .null, in: heap)
        }
    }

    /// Puts `bytes` behind all others.
    @inlinable
    public func pushLast(_ bytes: Bytes, limit: ListLimit, in heap: Heap) {
        let element = ListpackElement(bytes)
        let node = lastNode
        if Self.takes(node, element.storedSize, limit) {
            append(element, to: node, in: heap)
        } else {
            linkAlone(element, after: node, in: heap)
        }
    }

    /// Takes the element at `place` out.
    @inlinable
    public func remove(_ place: ListPlace, in heap: Heap) {
        let node = place.node
        if Self.count(node) == 1 {
            unlink(node, in: heap)
        } else if place.offset == Listpack.headerSize && Self.pack(node).size >= Self.gapFrom {
            dropFirst(node, in: heap)
        } else {
            // Offsets count from the listpack's start, wherever that lies.
            settle(node, in: heap)
            set(node, Self.pack(node).remove(place.offset, in: heap), -1)
        }
    }

    /// As `remove`; returns where the element behind the one taken is now.
    public func removeGoingForward(_ place: ListPlace, in heap: Heap) -> ListPlace? {
        let node = place.node
        let next = Self.next(node)
        let alone = Self.count(node) == 1
        remove(place, in: heap)
        if !alone && Self.pack(node).address.byte(at: place.offset) != 0xFF { return place }
        return next.isNull ? nil : ListPlace(next, Listpack.headerSize)
    }

    /// As `remove`; returns where the element before the one taken is.
    public func removeGoingBackward(_ place: ListPlace, in heap: Heap) -> ListPlace? {
        // What lies before an element stays where it is.
        let before = previous(place)
        remove(place, in: heap)
        return before
    }

    /// Takes out `n` elements from `index` on; both lie within the list.
    public func removeRange(_ index: Int, count n: Int, in heap: Heap) {
        guard n > 0, let start = seek(index) else { return }
        var node = start.node
        var at = start.offset
        var left = n
        while left > 0 && !node.isNull {
            let next = Self.next(node)
            let count = Self.count(node)
            if at == Listpack.headerSize && left >= count {
                left -= count
                unlink(node, in: heap)
            } else {
                let pack = settle(node, in: heap)
                var end = at
                var taken = 0
                while taken < left && pack.address.byte(at: end) != 0xFF {
                    end = pack.next(end)
                    taken += 1
                }
                let shorter = pack.splice(
                    at, removed: end - at, inserted: 0, count: -taken, in: heap)
                set(node, shorter, -taken)
                left -= taken
            }
            node = next
            at = Listpack.headerSize
        }
    }

    /// The element at `place` becomes `bytes`.
    public func replace(_ place: ListPlace, with bytes: Bytes, limit: ListLimit, in heap: Heap) {
        let element = ListpackElement(bytes)
        let node = place.node
        let pack = settle(node, in: heap)
        let old = pack.next(place.offset) - place.offset
        let grown = element.storedSize - old
        if grown <= 0 || Self.count(node) == 1 || pack.size + grown <= limit.bytes {
            set(node, pack.replace(place.offset, with: element, in: heap), 0)
            return
        }
        // It is too large for its node: it goes in as a new element, and the old one goes.
        let before = insert(element, before: place, limit: limit, in: heap)
        if let after = next(before) { remove(after, in: heap) }
    }

    public func insert(_ bytes: Bytes, before place: ListPlace, limit: ListLimit, in heap: Heap) {
        _ = insert(ListpackElement(bytes), before: place, limit: limit, in: heap)
    }

    public func insert(_ bytes: Bytes, after place: ListPlace, limit: ListLimit, in heap: Heap) {
        if let next = next(place) {
            insert(bytes, before: next, limit: limit, in: heap)
        } else {
            pushLast(bytes, limit: limit, in: heap)
        }
    }

    /// Puts `element` before `place` and returns where it is.
    private func insert(
        _ element: ListpackElement, before place: ListPlace, limit: ListLimit, in heap: Heap
    ) -> ListPlace {
        let size = element.storedSize
        var node = place.node
        var at = place.offset
        if !Self.takes(node, size, limit) {
            if at > Listpack.headerSize {
                split(node, at, in: heap)
            } else {
                node = Self.previous(node)
            }
            // Now the element belongs at the end of `node`, or in front of all.
            if !Self.takes(node, size, limit) {
                let pack = Listpack.make(in: heap).append(element, in: heap)
                return ListPlace(link(pack, 1, after: node, in: heap), Listpack.headerSize)
            }
            at = Self.pack(node).end
        }
        set(node, settle(node, in: heap).insert(element, at: at, in: heap), 1)
        return ListPlace(node, at)
    }

    /// The elements of `node` from `offset` on, neither all nor none, get a node of their own.
    private func split(_ node: Address, _ offset: Int, in heap: Heap) {
        let pack = settle(node, in: heap)
        let tail = Bytes(start: pack.address + offset, count: pack.end - offset)
        let fresh = Listpack.make(in: heap)
        var moved = 0
        var at = offset
        while at != pack.end {
            moved += 1
            at = pack.next(at)
        }
        let right = fresh.splice(
            fresh.first, removed: 0, inserted: tail.count, count: moved, in: heap)
        (right.address + right.first).copy(from: tail)
        let left = pack.splice(offset, removed: tail.count, inserted: 0, count: -moved, in: heap)
        set(node, left, -moved)
        link(right, moved, after: node, in: heap)
    }

    // MARK: Loading

    /// Adds a node at the end from a whole listpack that was validated; one too large for `limit`,
    /// or empty, goes in element by element or not at all.
    public func append(blob: Bytes, limit: ListLimit, in heap: Heap) {
        let source = Listpack(blob.start)
        let count = source.count
        if count == 0 { return }
        let fits = limit.accepts(blob.count, count)
        if fits || count == 1 {
            link(Listpack.make(copying: blob, in: heap), count, after: lastNode, in: heap)
            return
        }
        var at = source.first
        while at != source.end {
            source[at].withBytes { pushLast($0, limit: limit, in: heap) }
            at = source.next(at)
        }
    }
}
