// SPDX-License-Identifier: BSD-3-Clause
//
// A stream as RDB holds it: the nodes as they are, then groups with their pending entries and consumers.

import Memory
import Wing

extension StreamID {
    var forWing: wing_stream_id { wing_stream_id(ms: ms, seq: seq) }
    init(_ id: wing_stream_id) { self.init(id.ms, id.seq) }
}

extension StreamValue {
    /// Writes the value, behind its key. Only reads the stream: a snapshot child calls this.
    public func write(to writer: borrowing RDBWriter) {
        writer.count(nodes.count)
        var place = nodes.first
        while let here = place {
            place = nodes.next(here)
            if let place { place.value.prefetch() }
            writer.streamNode(here.id.forWing, Listpack(here.value).bytes)
        }
        writer.streamMeta(length: UInt64(length), last: lastID.forWing)
        writer.count(groupCount)
        for i in 0..<groupCount { group(at: i).write(to: writer) }
    }

    /// Builds a stream from the parts of the key at hand.
    public static func read(_ reader: RDBReader, in heap: Heap) throws(RDBFault) -> (
        ValueKind, Address
    ) {
        let stream = StreamValue.make(in: heap)
        do {
            try stream.fill(reader, heap)
        } catch {
            // A group frees all records through its own map, owned or not.
            stream.free(in: heap)
            throw error
        }
        return (.stream, stream.address)
    }

    private func fill(_ reader: RDBReader, _ heap: Heap) throws(RDBFault) {
        var group: StreamGroup?
        var consumer: StreamConsumer?
        while try reader.nextPart() {
            switch unsafe reader.part.kind {
            case WING_RDB_PART_STREAM_NODE: try addNode(reader, heap)
            case WING_RDB_PART_STREAM_META: try setMeta(reader)
            case WING_RDB_PART_STREAM_GROUP:
                try group?.checkOwners(reader)
                group = addGroup(
                    unsafe reader.part.text.view, last: StreamID(unsafe reader.part.id), in: heap)
                consumer = nil
                if group == nil { throw reader.malformed("stream: two groups of one name") }
            case WING_RDB_PART_STREAM_PENDING:
                guard let group else { throw reader.malformed("stream: pending without a group") }
                try group.addPending(reader, heap)
            case WING_RDB_PART_STREAM_CONSUMER:
                guard let group, group.consumer(unsafe reader.part.text.view) == nil else {
                    throw reader.malformed("stream: two consumers of one name")
                }
                consumer = group.addConsumer(
                    unsafe reader.part.text.view, seen: unsafe reader.part.time_ms, in: heap)
            case WING_RDB_PART_STREAM_CONSUMER_PENDING:
                guard let group, let consumer else {
                    throw reader.malformed("stream: pending without a consumer")
                }
                try group.own(reader, consumer, heap)
            default: throw reader.malformed("stream: a part of another type")
            }
        }
        try group?.checkOwners(reader)
    }

    private func addNode(_ reader: RDBReader, _ heap: Heap) throws(RDBFault) {
        let id = StreamID(unsafe reader.part.id)
        if let last = nodes.last {
            let node = StreamNode(Listpack(last.value), last.id)
            if !(max(last.id, node.lastID) < id) {
                throw reader.malformed("stream: nodes out of order")
            }
        }
        let pack = Listpack.make(copying: unsafe reader.part.text.view, in: heap)
        nodes.insert(id, pack.address, in: heap)
        let (sum, overflow) = length.addingReportingOverflow(StreamNode(pack, id).live)
        if overflow { throw reader.malformed("stream: impossible counts") }
        length = sum
    }

    private func setMeta(_ reader: RDBReader) throws(RDBFault) {
        if unsafe reader.part.length != UInt64(length) {
            throw reader.malformed("stream: its nodes don't hold as many entries as it says")
        }
        lastID = StreamID(unsafe reader.part.id)
        maxDeletedID = StreamID(unsafe reader.part.max_deleted_id)
        entriesAdded = Int(truncatingIfNeeded: unsafe reader.part.entries_added)
        if lastID < lastEntryID { throw reader.malformed("stream: entries behind its last id") }
    }
}

extension StreamGroup {
    func write(to writer: borrowing RDBWriter) {
        writer.streamGroup(name, last: lastID.forWing)
        writer.count(pending.count)
        var place = pending.first
        while let here = place {
            let entry = StreamPending(here.value)
            writer.streamPending(
                here.id.forWing, delivered: entry.delivered, deliveries: entry.deliveries)
            place = pending.next(here)
        }
        writer.count(consumerCount)
        for i in 0..<consumerCount {
            let consumer = consumer(at: i)
            writer.streamConsumer(consumer.name, seen: consumer.seen)
            writer.count(consumer.pending.count)
            var place = consumer.pending.first
            while let here = place {
                writer.streamConsumerPending(here.id.forWing)
                place = consumer.pending.next(here)
            }
        }
    }

    func addPending(_ reader: RDBReader, _ heap: Heap) throws(RDBFault) {
        let entry = StreamPending.make(
            at: unsafe reader.part.time_ms, deliveries: unsafe reader.part.deliveries, in: heap)
        if !pending.insert(StreamID(unsafe reader.part.id), entry.address, in: heap) {
            heap.free(entry.address, StreamPending.size)
            throw reader.malformed("stream: an entry is pending twice")
        }
    }

    func own(_ reader: RDBReader, _ consumer: StreamConsumer, _ heap: Heap) throws(RDBFault) {
        let id = StreamID(unsafe reader.part.id)
        guard let entry = find(id) else {
            throw reader.malformed("stream: pending for a consumer but not for its group")
        }
        guard entry.isOrphan else {
            throw reader.malformed("stream: pending for two consumers")
        }
        entry.address.store(address: consumer.address, at: 0)
        consumer.pending.insert(id, entry.address, in: heap)
    }

    /// Every pending entry has an owner.
    func checkOwners(_ reader: RDBReader) throws(RDBFault) {
        var place = pending.first
        while let here = place {
            if StreamPending(here.value).isOrphan {
                throw reader.malformed("stream: pending for no consumer")
            }
            place = pending.next(here)
        }
    }
}
