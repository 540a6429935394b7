// SPDX-License-Identifier: BSD-3-Clause
//
// Small sets of integers, sorted in one block, byte for byte as Redis keeps and dumps them, so that
// a snapshot writes the block as it is.
//
//     offset  size
//     0       4     bytes an integer takes: 2, 4 or 8 (little-endian, as everything here)
//     4       4     count
//     8       …     the integers, ascending, none twice

import Memory

/// A view of an intset's block. A change may move the block: use what `add` and `remove` return.
@safe
public struct Intset {
    public let address: Address

    static let headerSize = 8

    public init(_ address: Address) { self.address = address }

    static func make(in heap: Heap) -> Intset {
        let block = heap.allocate(headerSize)
        block.store(UInt32(2))
        block.store(UInt32(0), at: 4)
        return Intset(block)
    }

    public var width: Int { Int(address.load(UInt32.self)) }
    public var count: Int { Int(address.load(UInt32.self, at: 4)) }
    public var size: Int { Self.headerSize + width * count }
    /// The whole block, as a dump holds it.
    public var bytes: Bytes { Bytes(start: address, count: size) }

    /// The integer at `index`, which must be below `count`.
    public subscript(index: Int) -> Int64 { integer(index, width) }

    private func integer(_ index: Int, _ width: Int) -> Int64 {
        let place = address + (Self.headerSize + index * width)
        return switch width {
        case 2: Int64(place.load(Int16.self))
        case 4: Int64(place.load(Int32.self))
        default: place.load(Int64.self)
        }
    }

    private func put(_ value: Int64, _ index: Int, _ width: Int) {
        let place = address + (Self.headerSize + index * width)
        switch width {
        case 2: place.store(Int16(truncatingIfNeeded: value))
        case 4: place.store(Int32(truncatingIfNeeded: value))
        default: place.store(value)
        }
    }

    private static func width(of value: Int64) -> Int {
        if Int64(Int16.min)...Int64(Int16.max) ~= value { return 2 }
        return Int64(Int32.min)...Int64(Int32.max) ~= value ? 4 : 8
    }

    /// Where `value` is, or where it would have to be put.
    func search(_ value: Int64) -> (found: Bool, index: Int) {
        let width = width
        var low = 0
        var high = count
        // Appending ascending integers is the common way a set of them is built.
        if high > 0 && integer(high - 1, width) < value { return (false, high) }
        while low < high {
            let middle = (low + high) / 2
            let here = integer(middle, width)
            if here == value { return (true, middle) }
            if here < value { low = middle + 1 } else { high = middle }
        }
        return (false, low)
    }

    public func contains(_ value: Int64) -> Bool {
        Self.width(of: value) <= width && search(value).found
    }

    /// Puts `value` in; nil when it was there already. The block may have moved.
    func add(_ value: Int64, in heap: Heap) -> Intset? {
        let need = Self.width(of: value)
        if need > width { return upgraded(to: need, with: value, in: heap) }
        let (found, index) = search(value)
        if found { return nil }
        let width = width
        let count = count
        let old = size
        let grown = Intset(heap.resize(address, from: old, to: old + width))
        let place = grown.address + (Self.headerSize + index * width)
        (place + width).move(from: place, count: (count - index) * width)
        grown.put(value, index, width)
        grown.address.store(UInt32(count + 1), at: 4)
        return grown
    }

    /// A value too wide for the others is below or above all of them.
    private func upgraded(to need: Int, with value: Int64, in heap: Heap) -> Intset {
        let width = width
        let count = count
        let grown = Intset(
            heap.resize(address, from: size, to: Self.headerSize + need * (count + 1)))
        let shift = value < 0 ? 1 : 0
        // From the back, so that no integer is overwritten before it has been read.
        for index in (0..<count).reversed() {
            grown.put(grown.integer(index, width), index + shift, need)
        }
        grown.put(value, value < 0 ? 0 : count, need)
        grown.address.store(UInt32(need))
        grown.address.store(UInt32(count + 1), at: 4)
        return grown
    }

    /// Takes `value` out; nil when it was not there. The block may have moved.
    func remove(_ value: Int64, in heap: Heap) -> Intset? {
        guard Self.width(of: value) <= width else { return nil }
        let (found, index) = search(value)
        if !found { return nil }
        return remove(at: index, in: heap)
    }

    func remove(at index: Int, in heap: Heap) -> Intset {
        let width = width
        let count = count
        let old = size
        let place = address + (Self.headerSize + index * width)
        place.move(from: place + width, count: (count - 1 - index) * width)
        address.store(UInt32(count - 1), at: 4)
        return Intset(heap.resize(address, from: old, to: old - width))
    }
}
