// SPDX-License-Identifier: BSD-3-Clause
//
// Streams against an array of entries: ranges both ways, deletions, trims, copies, and a round through
// RDB; groups with their pending entries; what a file must not hold.

import Memory
import Testing
import Wing

@testable import Keyspace

/// An entry as the model keeps it.
private struct Row: Equatable {
    var id: StreamID
    var words: [[UInt8]]
}

private func add(_ stream: StreamValue, _ row: Row, _ limits: PackedLimits, _ heap: Heap) {
    let buffer = ByteBuffer(capacity: 1)
    for word in row.words { buffer.append(word) }
    var starts: [Int] = [0]
    for word in row.words { starts.append((starts.last ?? 0) + word.count) }
    stream.append(row.id, words: row.words.count, limits: limits, in: heap) {
        buffer.bytes[starts[$0]..<starts[$0 + 1]]
    }
}

private func rows(_ walk: StreamWalk) -> [Row] {
    var walk = walk
    var all: [Row] = []
    while walk.next() {
        var words: [[UInt8]] = []
        walk.forEachField {
            words.append($0.array)
            words.append($1.array)
        }
        all.append(Row(id: walk.id, words: words))
    }
    return all
}

private func dump(_ stream: StreamValue) -> [UInt8] {
    let writer = RDBWriter.memory()
    writer.beginDump(WING_RDB_TYPE_STREAM_LISTPACKS)
    stream.write(to: writer)
    writer.endDump()
    return writer.memory.array
}

private func load(_ payload: [UInt8], _ heap: Heap) throws -> StreamValue {
    try Bytes.with(payload) { payload in
        let size = try #require(RDBReader.verifyDump(payload))
        let reader = try RDBReader(dump: payload[0..<size])
        try reader.next()
        return StreamValue(try StreamValue.read(reader, in: heap).1)
    }
}

@Suite struct StreamValueTests {
    private let sets: [[String]] = [
        ["a"], ["a", "b"], ["temperature", "12", "x"], ["b", "a"], ["1", "-7", "99999999999"],
    ]
    private let texts = [
        "", "0", "127", "-1", "4096", "70000", "x", String(repeating: "long", count: 40),
    ]

    private func words() -> [[UInt8]] {
        (sets.randomElement() ?? []).flatMap { field in
            [Array(field.utf8), Array((texts.randomElement() ?? "").utf8)]
        }
    }

    /// All ranges that matter, and what follows from the entries.
    private func check(_ stream: StreamValue, _ model: [Row]) {
        #expect(stream.length == model.count)
        #expect(rows(stream.walk()) == model)
        #expect(rows(stream.walk(reversed: true)) == model.reversed())
        #expect(stream.firstID == model.first?.id ?? .zero)
        #expect(stream.lastEntryID == model.last?.id ?? .zero)
        let top = (model.last?.id.ms ?? 0) + 2
        for _ in 0..<8 {
            let from = StreamID(UInt64.random(in: 0...top), UInt64.random(in: 0...2))
            let to = StreamID(UInt64.random(in: 0...top), UInt64.random(in: 0...2))
            let expected = model.filter { !($0.id < from) && !(to < $0.id) }
            #expect(rows(stream.walk(from: from, to: to)) == expected)
            #expect(rows(stream.walk(from: from, to: to, reversed: true)) == expected.reversed())
            #expect(stream.contains(from) == model.contains { $0.id == from })
        }
    }

    @Test("random changes", arguments: [1, 5, 100])
    func model(entries: Int) throws {
        let heap = Heap()
        defer { heap.destroy() }
        var limits = PackedLimits()
        limits.streamNodeMaxEntries = entries
        if entries == 100 { limits.streamNodeMaxBytes = 600 }
        var stream = StreamValue.make(in: heap)
        var model: [Row] = []
        var last = StreamID(1, 0)
        for step in 0..<1500 {
            switch Int.random(in: 0..<20) {
            case 0..<14:
                last = Bool.random() ? StreamID(last.ms + 1, 0) : StreamID(last.ms, last.seq + 1)
                let row = Row(id: last, words: words())
                add(stream, row, limits, heap)
                model.append(row)
            case 14..<18:
                let id = model.randomElement()?.id ?? StreamID(1, 1)
                #expect(stream.remove(id, in: heap) == model.contains { $0.id == id })
                model.removeAll { $0.id == id }
                #expect(!stream.remove(id, in: heap))
            case 18:
                let most = max(0, model.count - Int.random(in: -1...9))
                let removed = stream.trim(.length(most), approximate: false, in: heap)
                #expect(removed == max(0, model.count - most))
                model = Array(model.suffix(most))
            default:
                if Bool.random() {
                    let id = model.prefix(9).randomElement()?.id ?? .zero
                    let left = model.filter { !($0.id < id) }
                    let removed = stream.trim(.from(id), approximate: false, in: heap)
                    #expect(removed == model.count - left.count)
                    model = left
                } else {
                    let most = max(0, model.count - 7)
                    let removed = stream.trim(.length(most), approximate: true, in: heap)
                    #expect(removed <= model.count - most)
                    model = Array(model.dropFirst(removed))
                }
            }
            #expect(stream.lastID == (last == StreamID(1, 0) ? .zero : last))
            if step % 50 == 0 { check(stream, model) }
            if step % 300 == 299 {
                let twin = try load(dump(stream), heap)
                #expect(twin.lastID == stream.lastID)
                stream.free(in: heap)
                stream = twin.copy(in: heap)
                twin.free(in: heap)
                check(stream, model)
            }
        }
        stream.free(in: heap)
        #expect(heap.used == 0)
    }

    @Test("an approximate trim takes whole nodes, up to its limit")
    func nodes() {
        let heap = Heap()
        defer { heap.destroy() }
        var limits = PackedLimits()
        limits.streamNodeMaxEntries = 10
        let stream = StreamValue.make(in: heap)
        for i in 1...100 {
            add(stream, Row(id: StreamID(UInt64(i), 0), words: [[97], [98]]), limits, heap)
        }
        #expect(stream.nodes.count == 10)
        #expect(stream.trim(.length(55), approximate: true, in: heap) == 40)
        #expect(stream.trim(.length(0), approximate: true, limit: 25, in: heap) == 20)
        #expect(stream.trim(.from(StreamID(75, 0)), approximate: true, in: heap) == 10)
        #expect(stream.firstID == StreamID(71, 0))
        #expect(stream.trim(.from(StreamID(75, 0)), approximate: false, in: heap) == 4)
        #expect(stream.length == 26)
        #expect(stream.maxDeletedID == StreamID(74, 0))
    }

    @Test("groups: pending entries change hands, are acknowledged, and go with their consumer")
    func groups() throws {
        let heap = Heap()
        defer { heap.destroy() }
        let stream = StreamValue.make(in: heap)
        for i in 1...200 {
            add(stream, Row(id: StreamID(UInt64(i), 0), words: [[97], [98]]), PackedLimits(), heap)
        }
        func name(_ text: StaticString) -> Bytes { Bytes(text) }
        let group = try #require(stream.addGroup(name("g"), last: .zero, in: heap))
        #expect(stream.addGroup(name("g"), last: .zero, in: heap) == nil)
        #expect(stream.addGroup(name("a"), last: StreamID(9, 9), in: heap) != nil)
        let one = group.addConsumer(name("one"), seen: 1, in: heap)
        let two = group.addConsumer(name("two"), seen: 2, in: heap)
        for i in 1...200 {
            let entry = group.deliver(StreamID(UInt64(i), 0), to: one, at: Int64(i), in: heap)
            #expect(entry != nil)
        }
        #expect(group.deliver(StreamID(5, 0), to: two, at: 0, in: heap) == nil)
        for i in 1...100 {
            let id = StreamID(UInt64(i), 0)
            group.assign(try #require(group.find(id)), id, to: two, in: heap)
        }
        #expect(group.acknowledge(StreamID(50, 0), in: heap))
        #expect(!group.acknowledge(StreamID(50, 0), in: heap))
        #expect(one.pending.count == 100 && two.pending.count == 99 && group.pending.count == 199)
        let twin = try load(dump(stream), heap)
        let copy = try #require(twin.copy(in: heap).group(name("g")))
        #expect(twin.group(at: 0).name == name("a") && twin.group(at: 0).lastID == StreamID(9, 9))
        #expect(copy.pending.count == 199 && copy.consumerCount == 2)
        let kept = try #require(copy.find(StreamID(60, 0)))
        #expect(kept.consumer.name == name("two") && kept.delivered == 60 && kept.deliveries == 1)
        #expect(copy.removeConsumer(name("two"), in: heap) == 99)
        #expect(copy.removeConsumer(name("two"), in: heap) == 0)
        #expect(copy.pending.count == 100 && copy.find(StreamID(60, 0)) == nil)
        #expect(twin.memory(samples: 0) > 200 * 24)
        twin.free(in: heap)
        #expect(stream.removeGroup(name("g"), in: heap) && !stream.removeGroup(name("g"), in: heap))
    }

    @Test("what a file claims is checked")
    func malformed() throws {
        let heap = Heap()
        defer { heap.destroy() }
        func refused(_ write: (borrowing RDBWriter) -> Void) throws {
            let before = heap.used
            let writer = RDBWriter.memory()
            writer.beginDump(WING_RDB_TYPE_STREAM_LISTPACKS)
            write(writer)
            writer.endDump()
            let payload = writer.memory.array
            #expect(throws: RDBFault.self) { try load(payload, heap) }
            #expect(heap.used == before)
        }
        let zero = wing_stream_id(ms: 0, seq: 0)
        let one = wing_stream_id(ms: 1, seq: 0)
        let nine = wing_stream_id(ms: 9, seq: 0)
        let stream = StreamValue.make(in: heap)
        add(stream, Row(id: StreamID(1, 0), words: [[97], [98]]), PackedLimits(), heap)
        let pack = Listpack(try #require(stream.nodes.first).value).bytes
        func begin(_ writer: borrowing RDBWriter, groups: Int) {
            writer.count(1)
            writer.streamNode(one, pack)
            writer.streamMeta(length: 1, last: nine)
            writer.count(groups)
        }
        // More entries than the nodes hold; a last id before the last entry; nodes out of order.
        try refused {
            $0.count(1)
            $0.streamNode(one, pack)
            $0.streamMeta(length: 2, last: nine)
            $0.count(0)
        }
        try refused {
            $0.count(1)
            $0.streamNode(one, pack)
            $0.streamMeta(length: 1, last: zero)
            $0.count(0)
        }
        try refused {
            $0.count(2)
            $0.streamNode(one, pack)
            $0.streamNode(one, pack)
            $0.streamMeta(length: 2, last: nine)
            $0.count(0)
        }
        // One name twice; a pending entry nobody owns; one that two own; one only a consumer has.
        try refused {
            begin($0, groups: 2)
            for _ in 0..<2 {
                $0.streamGroup(Bytes("g"), last: one)
                $0.count(0)
                $0.count(0)
            }
        }
        try refused {
            begin($0, groups: 1)
            $0.streamGroup(Bytes("g"), last: one)
            $0.count(1)
            $0.streamPending(one, delivered: 1, deliveries: 1)
            $0.count(0)
        }
        for owned in [1, 0] {
            try refused {
                begin($0, groups: 1)
                $0.streamGroup(Bytes("g"), last: one)
                $0.count(owned)
                if owned == 1 { $0.streamPending(one, delivered: 1, deliveries: 1) }
                $0.count(2)
                for _ in 0..<2 {
                    $0.streamConsumer(Bytes("c"), seen: 1)
                    $0.count(1)
                    $0.streamConsumerPending(one)
                }
            }
        }
    }

    @Test(
        "ids as text",
        arguments: [
            ("0-0", 0, 0), ("5", 5, 7), ("007-1", 7, 1), (" \t\u{0B}+7-\r+01", 7, 1),
            ("18446744073709551615-18446744073709551615", UInt64.max, UInt64.max),
        ])
    func ids(text: String, ms: UInt64, seq: UInt64) {
        #expect(Bytes.with(text) { StreamID.parse($0, missing: 7) } == StreamID(ms, seq))
        let id = StreamID(ms, seq)
        let buffer = ByteBuffer()
        buffer.commit(id.write(to: buffer.reserve(StreamID.maximumText)))
        #expect(buffer.bytes.array == id.array)
        for bad in [
            "", "-", "+", "a", "1-", "-1", "1-x", "1-2-3", "18446744073709551616", " ", " +", "1 ",
            "1-+", "+ 1", "++1", "1-*",
        ] {
            #expect(Bytes.with(bad) { StreamID.parse($0, missing: 0) } == nil)
        }
        #expect(id.next?.previous == (id == .max ? nil : id))
        #expect(StreamID.generated(now: 5, after: StreamID(9, 9)) == StreamID(9, 10))
        #expect(StreamID.generated(now: 5, after: .max) == nil)
    }

    @Test("a stream says how large the radix tree of Redis would be")
    func radix() {
        let heap = Heap()
        defer { heap.destroy() }
        let stream = StreamValue.make(in: heap)
        var limits = PackedLimits()
        limits.streamNodeMaxEntries = 1
        // As stock Redis answers for these ids, one node an entry.
        let expected = [(StreamID(1, 0), 2), (StreamID(1, 1), 4), (StreamID(1, 2), 5)]
        #expect(stream.radixNodes == 1)
        for (id, nodes) in expected {
            add(stream, Row(id: id, words: [[97], [98]]), limits, heap)
            #expect(stream.radixNodes == nodes)
        }
    }
}
