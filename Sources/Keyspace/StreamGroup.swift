// SPDX-License-Identifier: BSD-3-Clause
//
// Consumer groups: how far a group has read, its consumers, and what was delivered but not acknowledged.
// A pending entry is one record, found by its id from the group and from the consumer that owns it.
//
//     group (64 bytes, name)            consumer (40 bytes, name)       pending entry (24 bytes)
//     0   8   name: length, offset      0   8   name: length, offset    0   8  its consumer
//     8   16  last delivered id         8   8   last seen, Unix ms      8   8  delivered, Unix ms
//     24  24  pending: a StreamMap      16  24  pending: a StreamMap    16  8  times delivered
//     48  16  consumers: StreamNames

import Memory

/// A view of a group.
@safe
public struct StreamGroup: Equatable {
    public let address: Address
    static let headerSize = 64

    @inline(__always)
    init(_ address: Address) { self.address = address }

    static func make(_ name: Bytes, last: StreamID, in heap: Heap) -> StreamGroup {
        let group = StreamGroup(StreamNames.make(name, fields: headerSize, in: heap))
        group.lastID = last
        return group
    }

    public var name: Bytes { StreamNames.name(of: address) }

    /// The last id delivered to any of its consumers.
    public var lastID: StreamID {
        get { StreamID(address.load(UInt64.self, at: 8), address.load(UInt64.self, at: 16)) }
        nonmutating set {
            address.store(newValue.ms, at: 8)
            address.store(newValue.seq, at: 16)
        }
    }

    /// All pending entries; the values are `StreamPending`s.
    public var pending: StreamMap { StreamMap(address + 24) }
    var names: StreamNames { StreamNames(address + 48) }

    public var consumerCount: Int { names.count }
    /// Consumers in the order of their names.
    public func consumer(at index: Int) -> StreamConsumer { StreamConsumer(names[index]) }

    public func consumer(_ name: Bytes) -> StreamConsumer? {
        let found = names.find(name)
        return found.isNull ? nil : StreamConsumer(found)
    }

    /// Adds a consumer, whose name is new.
    @discardableResult
    public func addConsumer(_ name: Bytes, seen: Int64, in heap: Heap) -> StreamConsumer {
        let consumer = StreamConsumer(
            StreamNames.make(name, fields: StreamConsumer.headerSize, in: heap))
        consumer.seen = seen
        names.insert(consumer.address, in: heap)
        return consumer
    }

    /// Removes a consumer and what is pending for it; how many entries that were.
    public func removeConsumer(_ name: Bytes, in heap: Heap) -> Int {
        guard let index = names.index(of: name) else { return 0 }
        let consumer = StreamConsumer(names[index])
        let count = consumer.pending.count
        consumer.pending.forEach { id, entry in
            pending.remove(id, in: heap)
            heap.free(entry, StreamPending.size)
        }
        names.remove(at: index)
        consumer.free(in: heap)
        return count
    }

    // MARK: Pending entries

    public func find(_ id: StreamID) -> StreamPending? {
        let found = pending.find(id)
        return found.isNull ? nil : StreamPending(found)
    }

    /// Notes that `id` was delivered to `consumer` at `time`; nil when it is pending already.
    @discardableResult
    public func deliver(
        _ id: StreamID, to consumer: StreamConsumer, at time: Int64, deliveries: UInt64 = 1,
        in heap: Heap
    ) -> StreamPending? {
        let entry = StreamPending.make(at: time, deliveries: deliveries, in: heap)
        if !pending.insert(id, entry.address, in: heap) {
            heap.free(entry.address, StreamPending.size)
            return nil
        }
        entry.address.store(address: consumer.address, at: 0)
        consumer.pending.insert(id, entry.address, in: heap)
        return entry
    }

    /// Gives a pending entry to `consumer`.
    public func assign(
        _ entry: StreamPending, _ id: StreamID, to consumer: StreamConsumer, in heap: Heap
    ) {
        if entry.consumer == consumer { return }
        entry.consumer.pending.remove(id, in: heap)
        consumer.pending.insert(id, entry.address, in: heap)
        entry.address.store(address: consumer.address, at: 0)
    }

    /// Takes `id` out of what is pending; false when it isn't.
    public func acknowledge(_ id: StreamID, in heap: Heap) -> Bool {
        let found = pending.remove(id, in: heap)
        if found.isNull { return false }
        StreamPending(found).consumer.pending.remove(id, in: heap)
        heap.free(found, StreamPending.size)
        return true
    }

    // MARK: As a whole

    func free(in heap: Heap) {
        pending.forEach { _, entry in heap.free(entry, StreamPending.size) }
        pending.free(in: heap)
        names.free(in: heap) { StreamConsumer($0).free(in: heap) }
        heap.free(address, StreamNames.size(of: address, fields: Self.headerSize))
    }

    func copy(in heap: Heap) -> StreamGroup {
        let fresh = StreamGroup.make(name, last: lastID, in: heap)
        for i in 0..<names.count {
            let consumer = consumer(at: i)
            let twin = fresh.addConsumer(consumer.name, seen: consumer.seen, in: heap)
            consumer.pending.forEach { id, entry in
                let entry = StreamPending(entry)
                fresh.deliver(
                    id, to: twin, at: entry.delivered, deliveries: entry.deliveries, in: heap)
            }
        }
        return fresh
    }

    /// Bytes of all its blocks.
    var memory: Int {
        var bytes = StreamNames.size(of: address, fields: Self.headerSize) + names.memory
        bytes += pending.memory + pending.count * StreamPending.size
        for i in 0..<names.count {
            let consumer = consumer(at: i)
            bytes += StreamNames.size(of: consumer.address, fields: StreamConsumer.headerSize)
            bytes += consumer.pending.memory
        }
        return bytes
    }
}

/// A view of a consumer.
@safe
public struct StreamConsumer: Equatable {
    public let address: Address
    static let headerSize = 40

    @inline(__always)
    init(_ address: Address) { self.address = address }

    public var name: Bytes { StreamNames.name(of: address) }

    /// When it last tried to read or claim, Unix ms.
    public var seen: Int64 {
        get { address.load(Int64.self, at: 8) }
        nonmutating set { address.store(newValue, at: 8) }
    }

    /// The entries that are pending for it; the records are the group's.
    public var pending: StreamMap { StreamMap(address + 16) }

    func free(in heap: Heap) {
        pending.free(in: heap)
        heap.free(address, StreamNames.size(of: address, fields: Self.headerSize))
    }
}

/// A view of a pending entry.
@safe
public struct StreamPending: Equatable {
    public let address: Address
    static let size = 24

    @inline(__always)
    public init(_ address: Address) { self.address = address }

    static func make(at time: Int64, deliveries: UInt64, in heap: Heap) -> StreamPending {
        let entry = StreamPending(heap.allocate(size))
        entry.address.store(UInt64(0))
        entry.delivered = time
        entry.deliveries = deliveries
        return entry
    }

    /// Nobody owns it: only while a stream is being loaded.
    var isOrphan: Bool { address.address(at: 0).isNull }
    public var consumer: StreamConsumer { StreamConsumer(address.address(at: 0)) }

    /// Unix ms.
    public var delivered: Int64 {
        get { address.load(Int64.self, at: 8) }
        nonmutating set { address.store(newValue, at: 8) }
    }

    public var deliveries: UInt64 {
        get { address.load(UInt64.self, at: 16) }
        nonmutating set { address.store(newValue, at: 16) }
    }
}

extension StreamValue {
    public var groupCount: Int { groupNames.count }
    /// Groups in the order of their names.
    public func group(at index: Int) -> StreamGroup { StreamGroup(groupNames[index]) }

    public func group(_ name: Bytes) -> StreamGroup? {
        let found = groupNames.find(name)
        return found.isNull ? nil : StreamGroup(found)
    }

    /// A new group; nil when the name is taken.
    @discardableResult
    public func addGroup(_ name: Bytes, last: StreamID, in heap: Heap) -> StreamGroup? {
        if groupNames.index(of: name) != nil { return nil }
        let group = StreamGroup.make(name, last: last, in: heap)
        groupNames.insert(group.address, in: heap)
        return group
    }

    /// Removes a group with all that hangs from it; false when it is not there.
    public func removeGroup(_ name: Bytes, in heap: Heap) -> Bool {
        guard let index = groupNames.index(of: name) else { return false }
        let group = group(at: index)
        groupNames.remove(at: index)
        group.free(in: heap)
        return true
    }
}
