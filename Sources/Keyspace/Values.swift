// SPDX-License-Identifier: BSD-3-Clause
//
// What every kind of value must offer, in one place: to be freed, measured and copied. The files of
// the types add their lines to these switches.

import Memory
import Platform

/// Containers, by kind. Strings held in their entry have none and never come here.
public enum Values {
    /// Gives back the container and everything it holds.
    public static func free(_ kind: ValueKind, _ container: Address, _ heap: Heap) {
        switch kind {
        case .stringInteger, .stringInline: break
        case .stringRaw: RawString(container).free(heap)
        case .listQuick: ListValue(container).free(in: heap)
        case .setInteger, .setTable: SetValue.free(kind, container, in: heap)
        case .hashPacked, .hashTable: HashValue.free(kind, container, in: heap)
        case .sortedSetPacked, .sortedSetSkip: SortedSet.free(kind, container, in: heap)
        case .stream: StreamValue(container).free(in: heap)
        }
    }

    /// Bytes that the container takes; collections look at `samples` elements (0: all) and scale up.
    public static func memory(
        _ kind: ValueKind, _ container: Address, _ heap: Heap, samples: Int
    ) -> Int {
        switch kind {
        case .stringInteger, .stringInline: 0
        case .stringRaw: RawString(container).memory
        case .listQuick: ListValue(container).memoryUsage(samples: samples)
        case .setInteger, .setTable: SetValue.memory(kind, container, samples: samples)
        case .hashPacked, .hashTable: HashValue.memoryUsage(kind, container, samples: samples)
        case .sortedSetPacked, .sortedSetSkip:
            SortedSet.memory(kind, container, samples: samples)
        case .stream: StreamValue(container).memory(samples: samples)
        }
    }

    /// A second container with the same contents, on the same heap.
    public static func copy(_ kind: ValueKind, _ container: Address, _ heap: Heap) -> Address {
        switch kind {
        case .stringInteger, .stringInline: .null
        case .stringRaw: RawString(container).copy(heap)
        case .listQuick: ListValue(container).copy(in: heap).address
        case .setInteger, .setTable: SetValue.copy(kind, container, to: heap)
        case .hashPacked, .hashTable: HashValue.copy(kind, container, in: heap)
        case .sortedSetPacked, .sortedSetSkip: SortedSet.copy(kind, container, to: heap)
        case .stream: StreamValue(container).copy(in: heap).address
        }
    }

    /// How many steps it takes to free the container: what decides whether that may be put off.
    public static func freeEffort(_ kind: ValueKind, _ container: Address) -> Int {
        switch kind {
        case .stringInteger, .stringInline, .stringRaw: 1
        case .listQuick: ListValue(container).nodeCount
        case .setInteger: 1
        case .setTable: HashTable<SetMember>(container).count
        case .hashPacked: 1
        case .hashTable: HashTable<FieldKeys>(container).count
        case .sortedSetPacked: 1
        case .sortedSetSkip: SkipList(container).count
        case .stream: StreamValue(container).freeEffort
        }
    }
}

/// The container of a string too long for its entry:
///
///     0   8  count
///     8   8  capacity, bit 63: apart
///     16  …  the bytes; of a string that is apart: 8 bytes, the address of a block with nothing else
///
/// From 8 KiB on a string is apart: with 16 bytes before it, one of 16 KiB would take 20.
@safe
public struct RawString {
    public let address: Address

    @inlinable @inline(__always)
    public init(_ address: Address) { self.address = address }

    @usableFromInline static let headerSize = 16
    static let apartHeaderSize = 24
    static let apartFrom = 8 << 10
    @usableFromInline static let apartFlag = Int.min

    public static func create(count: Int, capacity: Int, _ heap: Heap) -> RawString {
        if capacity >= apartFrom {
            let string = RawString(heap.allocate(apartHeaderSize))
            string.address.store(count)
            string.set(apart: heap.allocate(capacity), capacity)
            return string
        }
        let block = heap.allocate(headerSize + capacity)
        block.store(count)
        block.store(Heap.rounded(headerSize + capacity) - headerSize, at: 8)
        return RawString(block)
    }

    private func set(apart block: Address, _ capacity: Int) {
        address.store(Heap.rounded(capacity) | Self.apartFlag, at: 8)
        address.store(address: block, at: 16)
    }

    @inlinable @inline(__always)
    var isApart: Bool { address.load(Int.self, at: 8) < 0 }

    @inlinable public var count: Int { address.load(Int.self) }
    @inlinable public var capacity: Int { address.load(Int.self, at: 8) & ~Self.apartFlag }
    @inlinable
    public var start: Address { isApart ? address.address(at: 16) : address + Self.headerSize }
    @inlinable public var bytes: Bytes { Bytes(start: start, count: count) }

    /// Bytes that it takes, with the rounding of its blocks.
    public var memory: Int { capacity + (isApart ? Self.apartHeaderSize : Self.headerSize) }

    /// The same string with room for `count` bytes, which becomes its length; the new ones are zero.
    /// A string that grows gets twice what it asks for, from 1 MiB on 1 MiB more.
    func resized(to count: Int, _ heap: Heap) -> RawString {
        let old = self.count
        let string = count > capacity ? grown(to: count, heap) : self
        if count > old { (string.start + old).fill(0, count: count - old) }
        string.address.store(count)
        return string
    }

    private func grown(to count: Int, _ heap: Heap) -> RawString {
        let room = count < 1 << 20 ? count * 2 : count + 1 << 20
        if isApart {
            set(apart: heap.resize(start, from: capacity, to: room), room)
            return self
        }
        if room < Self.apartFrom {
            let size = Self.headerSize + room
            let moved = heap.resize(address, from: Self.headerSize + capacity, to: size)
            moved.store(Heap.rounded(size) - Self.headerSize, at: 8)
            return RawString(moved)
        }
        let fresh = Self.create(count: self.count, capacity: room, heap)
        fresh.start.copy(from: bytes)
        free(heap)
        return fresh
    }

    func copy(_ heap: Heap) -> Address {
        let fresh = Self.create(count: count, capacity: count, heap)
        fresh.start.copy(from: bytes)
        return fresh.address
    }

    func free(_ heap: Heap) {
        if isApart {
            heap.free(start, capacity)
            heap.free(address, Self.apartHeaderSize)
        } else {
            heap.free(address, Self.headerSize + capacity)
        }
    }
}
