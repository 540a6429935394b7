// SPDX-License-Identifier: BSD-3-Clause
//
// Both ends of a node at the cost of an element: the front by moving the listpack's header into or
// out of the gap before it, the back by growing the block. Small listpacks go without: moving them
// costs less than the bytes that a gap takes.

import Memory

extension ListValue {
    /// From this size on a listpack may have a gap.
    @usableFromInline static let gapFrom = 256

    /// Moves the node's listpack to the start of its block and gives the rest back.
    @inlinable
    @discardableResult
    func settle(_ node: Address, in heap: Heap) -> Listpack {
        let pack = Self.pack(node)
        let gap = Self.gap(node)
        return gap == 0 ? pack : closeGap(node, pack, gap, in: heap)
    }

    @usableFromInline
    func closeGap(_ node: Address, _ pack: Listpack, _ gap: Int, in heap: Heap) -> Listpack {
        let size = pack.size
        let start = pack.address + -gap
        start.move(from: pack.address, count: size)
        let settled = Listpack(heap.resize(start, from: gap + size, to: size))
        put(node, settled, gap: 0)
        return settled
    }

    @inlinable @inline(__always)
    func put(_ node: Address, _ pack: Listpack, gap: Int) {
        node.store(address: pack.address, at: 16)
        node.store(UInt32(truncatingIfNeeded: gap), at: 28)
    }

    @inlinable @inline(__always)
    func addToCounts(_ node: Address, _ change: Int) {
        node.store(UInt32(truncatingIfNeeded: Self.count(node) &+ change), at: 24)
        address.store(count &+ change, at: 16)
    }

    /// Takes the first of several elements of `node` out.
    @usableFromInline
    func dropFirst(_ node: Address, in heap: Heap) {
        let pack = Self.pack(node)
        let n = pack.next(pack.first) - pack.first
        let gap = Self.gap(node) + n
        let size = pack.size - n
        let shorter = Listpack.writeHeader(
            at: pack.address + n, size: size, count: pack.countField, change: -1)
        put(node, shorter, gap: gap)
        addToCounts(node, -1)
        // Moving what is left costs less than what was popped since it was last moved.
        if gap > size { settle(node, in: heap) }
    }

    /// Puts a short text into the gap before the first node, where that is all there is to do: the usual
    /// case, told by few comparisons.
    @inlinable @inline(__always)
    func prependShort(_ bytes: Bytes, limit: ListLimit) -> Bool {
        let node = firstNode
        if node.isNull || bytes.count > Listpack.shortText || Decimal.maySpell(bytes) {
            return false
        }
        let n = bytes.count &+ 2
        if Self.gap(node) < n || !Self.takes(node, n, limit) { return false }
        let place = takeGap(node, n)
        place.store(UInt8(truncatingIfNeeded: 0x80 | bytes.count))
        (place + 1).copy(from: bytes)
        place.store(UInt8(truncatingIfNeeded: n &- 1), at: n &- 1)
        return true
    }

    /// Puts `element` in front of the others of `node`.
    @usableFromInline
    func prepend(_ element: ListpackElement, to node: Address, in heap: Heap) {
        let n = element.storedSize
        if Self.gap(node) < n { widenGap(node, for: n, in: heap) }
        element.write(to: takeGap(node, n))
    }

    /// The last `n` bytes of the gap become the first element's: the caller writes it at this place.
    @inlinable @inline(__always)
    func takeGap(_ node: Address, _ n: Int) -> Address {
        let pack = Self.pack(node)
        let start = pack.address + (0 &- n)
        let longer = Listpack.writeHeader(
            at: start, size: pack.size &+ n, count: pack.countField, change: 1)
        put(node, longer, gap: Self.gap(node) &- n)
        addToCounts(node, 1)
        return start + Listpack.headerSize
    }

    /// Moves the node's listpack in a larger block, to have a gap of `n` bytes before it, or of more when
    /// others will likely follow.
    @usableFromInline
    func widenGap(_ node: Address, for n: Int, in heap: Heap) {
        let pack = Self.pack(node)
        let gap = Self.gap(node)
        let size = pack.size
        let fresh = n + (size >= Self.gapFrom ? size / 8 : 0)
        let block = heap.resize(pack.address + -gap, from: gap + size, to: fresh + size)
        let start = block + fresh
        start.move(from: block + gap, count: size)
        put(node, Listpack(start), gap: fresh)
    }

    /// Puts `element` behind the others of `node`.
    @usableFromInline
    func append(_ element: ListpackElement, to node: Address, in heap: Heap) {
        let gap = Self.gap(node)
        let old = Self.pack(node)
        let n = element.storedSize
        let size = old.size
        let count = old.countField
        let block = heap.resize(old.address + -gap, from: gap + size, to: gap + size + n)
        let start = block + gap
        let pack = Listpack.writeHeader(at: start, size: size + n, count: count, change: 1)
        element.write(to: start + (size - 1))
        start.store(UInt8(0xFF), at: size + n - 1)
        put(node, pack, gap: gap)
        addToCounts(node, 1)
    }
}

extension Listpack {
    /// The count as the header says it.
    @inlinable @inline(__always)
    var countField: UInt16 { address.load(UInt16.self, at: 4) }

    /// Writes a header at `place` for a listpack whose header said `count` before `change`.
    @inlinable @inline(__always)
    static func writeHeader(at place: Address, size: Int, count: UInt16, change: Int) -> Listpack {
        place.store(UInt32(truncatingIfNeeded: size))
        let sum = Int(count) &+ change
        let unknown = count == unknownCount || sum >= Int(unknownCount)
        place.store(unknown ? unknownCount : UInt16(truncatingIfNeeded: sum), at: 4)
        return Listpack(place)
    }
}
