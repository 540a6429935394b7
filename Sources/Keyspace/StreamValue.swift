// SPDX-License-Identifier: BSD-3-Clause
//
// A stream: entries in order of their ids, gathered in nodes that are listpacks of Redis's own layout
// (so that a dump copies them), and consumer groups.
//
//     header (88 bytes)
//     0   8   entries
//     8   16  last id ever given
//     24  16  greatest id ever deleted
//     40  8   entries ever added
//     48  24  the nodes: a StreamMap by the id that each node counts from
//     72  16  the groups: a StreamNames
//
//     node      entries · deleted entries · field count n · n fields · 0 · entry*
//     entry     flags · ms less the node's · seq less the node's
//               · n values, or (flag 2 is missing) field count · (field · value)*
//               · number of this entry's elements before this one
//
// A deleted entry keeps its place with flag 1 set; the node goes with its last live entry. Unlike other
// collections an empty stream stays: its last id is worth keeping.

import Memory

/// Flags of an entry in a node.
enum StreamFlag {
    static let deleted: Int64 = 1
    static let sameFields: Int64 = 2
}

/// A view of a stream's header.
@safe
public struct StreamValue: Equatable {
    public let address: Address

    @inline(__always)
    public init(_ address: Address) { self.address = address }

    static let headerSize = 88
    /// No node grows beyond this, and no entry may be larger.
    public static let largestNode = 1 << 30

    public static func make(in heap: Heap) -> StreamValue {
        StreamValue(heap.allocateZeroed(headerSize))
    }

    public internal(set) var length: Int {
        get { address.load(Int.self) }
        nonmutating set { address.store(newValue) }
    }

    public var lastID: StreamID {
        get { id(at: 8) }
        nonmutating set { setID(newValue, at: 8) }
    }

    /// Kept in memory only: RDB version 9 has no place for it.
    public var maxDeletedID: StreamID {
        get { id(at: 24) }
        nonmutating set { setID(newValue, at: 24) }
    }

    /// Likewise.
    public var entriesAdded: Int {
        get { address.load(Int.self, at: 40) }
        nonmutating set { address.store(newValue, at: 40) }
    }

    public var nodes: StreamMap { StreamMap(address + 48) }
    var groupNames: StreamNames { StreamNames(address + 72) }

    private func id(at offset: Int) -> StreamID {
        StreamID(address.load(UInt64.self, at: offset), address.load(UInt64.self, at: offset + 8))
    }

    private func setID(_ id: StreamID, at offset: Int) {
        address.store(id.ms, at: offset)
        address.store(id.seq, at: offset + 8)
    }

    /// The first entry's id, 0-0 when there is none.
    public var firstID: StreamID {
        var walk = walk()
        return walk.next() ? walk.id : .zero
    }

    /// The id of the last entry that is still there, 0-0 when there is none.
    public var lastEntryID: StreamID {
        if length == 0 { return .zero }
        var walk = walk(reversed: true)
        return walk.next() ? walk.id : .zero
    }

    public func contains(_ id: StreamID) -> Bool {
        var walk = walk(from: id, to: id)
        return walk.next()
    }

    // MARK: Adding

    /// Adds an entry of `words` fields and values in turn, as `word` gives them. `id` is greater than
    /// `lastID`, and the bytes of all words together are below `largestNode`.
    public func append(
        _ id: StreamID, words: Int, limits: PackedLimits, in heap: Heap, _ word: (Int) -> Bytes
    ) {
        var bytes = 0
        for i in 0..<words { bytes += word(i).count }
        if let place = nodes.last {
            let pack = Listpack(place.value)
            if Self.hasRoom(pack, for: bytes, limits) {
                let grown = StreamNode(pack, place.id).append(id, words: words, in: heap, word)
                if grown != pack { place.set(value: grown.address) }
                return added(id)
            }
        }
        let pack = StreamNode.make(words: words, in: heap, word)
        let full = StreamNode(pack, id).append(id, words: words, in: heap, word)
        nodes.insert(id, full.address, in: heap)
        added(id)
    }

    private func added(_ id: StreamID) {
        length += 1
        entriesAdded &+= 1
        lastID = id
    }

    private static func hasRoom(_ pack: Listpack, for bytes: Int, _ limits: PackedLimits) -> Bool {
        let most = limits.streamNodeMaxBytes
        if pack.size + bytes >= (most > 0 ? min(most, largestNode) : largestNode) { return false }
        if limits.streamNodeMaxEntries <= 0 { return true }
        let live = pack.integer(at: pack.first)
        let deleted = pack.integer(at: pack.next(pack.first))
        return live &+ deleted < Int64(limits.streamNodeMaxEntries)
    }

    // MARK: As a whole

    public func free(in heap: Heap) {
        nodes.forEach { _, pack in Listpack(pack).free(in: heap) }
        nodes.free(in: heap)
        groupNames.free(in: heap) { StreamGroup($0).free(in: heap) }
        heap.free(address, Self.headerSize)
    }

    public func copy(in heap: Heap) -> StreamValue {
        let fresh = StreamValue.make(in: heap)
        fresh.address.copy(from: address, count: 48)
        nodes.forEach { id, pack in
            fresh.nodes.insert(id, Listpack(pack).copy(in: heap).address, in: heap)
        }
        for i in 0..<groupNames.count {
            fresh.groupNames.append(StreamGroup(groupNames[i]).copy(in: heap).address, in: heap)
        }
        return fresh
    }

    /// Bytes of all blocks, judged from the first `samples` nodes (0: all of them).
    public func memory(samples: Int) -> Int {
        var bytes = 0
        var seen = 0
        var place = nodes.first
        while let here = place, samples == 0 || seen < samples {
            bytes += Heap.rounded(Listpack(here.value).size)
            seen += 1
            place = nodes.next(here)
        }
        if seen > 0 && seen < nodes.count {
            bytes = bytes / seen * (nodes.count - 1)
            // The last node is filled only in part.
            if let last = nodes.last { bytes += Heap.rounded(Listpack(last.value).size) }
        }
        bytes += Self.headerSize + nodes.memory + groupNames.memory
        for i in 0..<groupNames.count { bytes += StreamGroup(groupNames[i]).memory }
        return bytes
    }

    /// Steps that freeing takes.
    public var freeEffort: Int {
        var steps = nodes.count
        for i in 0..<groupNames.count { steps += 1 + StreamGroup(groupNames[i]).pending.count }
        return max(1, steps)
    }
}
