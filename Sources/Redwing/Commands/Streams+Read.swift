// SPDX-License-Identifier: BSD-3-Clause
//
// Reading streams: ranges, and what is behind an id in several streams at once, alone (XREAD) or as
// a consumer of a group (XREADGROUP), waiting for it if asked to.

import Keyspace
import Memory
import RESP

extension Streams {
    static func range(_ c: Client, reversed: Bool) {
        guard let from = bound(c, reversed ? 3 : 2, isStart: true),
            let to = bound(c, reversed ? 2 : 3, isStart: false)
        else { return }
        var count = -1
        var i = 4
        while i < c.count {
            guard c.word(i, is: "count"), i + 1 < c.count else { return c.syntaxError() }
            guard let n = c.integer(i + 1) else { return }
            count = Int(max(0, n))
            i += 2
        }
        guard let stream = stream(c, orMissing: { $0.reply.array(0) }) else { return }
        if count == 0 { return c.reply.nullArray() }
        reply(c, stream.walk(from: from, to: to, reversed: reversed), count: max(0, count))
    }

    /// An array of the entries that `walk` gives, `count` at most (0: all).
    static func reply(_ c: Client, _ walk: StreamWalk, count: Int) {
        var walk = walk
        let mark = c.reply.openArray()
        var n = 0
        while n < count || count == 0, walk.next() {
            c.reply.entry(walk)
            n += 1
        }
        c.reply.closeArray(mark, count: n)
    }

    /// The one entry `id` without an array around it; false, and nothing replied, when it is gone.
    static func reply(_ c: Client, _ stream: StreamValue, _ id: StreamID) -> Bool {
        var walk = stream.walk(from: id, to: id)
        guard walk.next() else { return false }
        c.reply.entry(walk)
        return true
    }

    // MARK: XREAD and XREADGROUP

    /// The keys stand behind STREAMS, which may also be the name of a group or of a key.
    static func readKeys(_ words: Arguments) -> [Int] {
        var i = 1
        while i < words.count {
            if words[i].equalsIgnoringCase("block") || words[i].equalsIgnoringCase("count") {
                i += 2
            } else if words[i].equalsIgnoringCase("group") {
                i += 3
            } else if words[i].equalsIgnoringCase("noack") {
                i += 1
            } else if words[i].equalsIgnoringCase("streams") {
                let left = words.count - i - 1
                return left % 2 == 0 ? Array((i + 1)..<(i + 1 + left / 2)) : []
            } else {
                return []
            }
        }
        return []
    }

    /// What a request to read says.
    private struct Request {
        var count = 0
        /// ms, nil when it doesn't wait.
        var block: Int64?
        /// Where the group's name stands; the consumer's follows. 0 for none.
        var group = 0
        var noAck = false
        /// The first key.
        var keys = 0
        var keyCount = 0

        func id(_ i: Int) -> Int { keys + keyCount + i }
    }

    private static func parse(_ c: Client, forGroup: Bool) -> Request? {
        func refuse(_ text: StaticString) -> Request? {
            c.reply.error(text)
            return nil
        }
        var request = Request()
        var i = 1
        while i < c.count, request.keys == 0 {
            let more = c.count - i - 1
            if c.word(i, is: "block"), more > 0 {
                if c.flags.contains(.script) {
                    c.reply.error(
                        "ERR \(c[0].string) command is not allowed with BLOCK option from scripts")
                    return nil
                }
                i += 1
                guard
                    let ms = c.integer(i, orError: "ERR timeout is not an integer or out of range")
                else { return nil }
                if ms < 0 { return refuse("ERR timeout is negative") }
                request.block = ms
            } else if c.word(i, is: "count"), more > 0 {
                i += 1
                guard let count = c.integer(i) else { return nil }
                request.count = Int(max(0, count))
            } else if c.word(i, is: "streams"), more > 0 {
                if more % 2 != 0 {
                    return refuse(
                        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
                    )
                }
                request.keys = i + 1
                request.keyCount = more / 2
            } else if c.word(i, is: "group"), more >= 2 {
                if !forGroup {
                    return refuse(
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
                    )
                }
                request.group = i + 1
                i += 2
            } else if c.word(i, is: "noack") {
                if !forGroup {
                    return refuse(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
                    )
                }
                request.noAck = true
            } else {
                c.syntaxError()
                return nil
            }
            i += 1
        }
        if request.keys == 0 {
            c.syntaxError()
            return nil
        }
        if forGroup, request.group == 0 {
            return refuse("ERR Missing GROUP option for XREADGROUP")
        }
        return request
    }

    /// One of the streams to read: from behind `after`, or (nil) what is new to the group.
    private struct Source {
        var key: Int
        var stream: StreamValue?
        var group: StreamGroup?
        var after: StreamID?
    }

    static func read(_ c: Client, forGroup: Bool) {
        guard var request = parse(c, forGroup: forGroup) else { return }
        let retrying = c.flags.contains(.retrying)
        var sources: [Source] = []
        for i in 0..<request.keyCount {
            guard let source = source(c, request, i, retrying) else { return }
            sources.append(source)
        }
        // Who has waited without a count shall not get everything at once.
        if retrying, request.count == 0 { request.count = 1000 }
        let mark = c.reply.openArray()
        var served = 0
        for source in sources {
            if serve(c, source, request) { served += 1 }
            // Who has waited is served with the one stream that became ready.
            if served == 1, retrying { break }
        }
        // What the group remembers goes out as XCLAIM and XGROUP SETID.
        if forGroup { c.server.propagation.nothing() }
        if served > 0 {
            let marker = c.reply.version == 3 ? UInt8(ascii: "%") : UInt8(ascii: "*")
            return c.reply.closeArray(mark, count: served, marker: marker)
        }
        guard let milliseconds = request.block, c.mayBlock else {
            if !retrying { c.reply.nullArray() }
            return
        }
        c.block(
            on: (0..<request.keyCount).map { c[request.keys + $0] }, holding: nil,
            milliseconds: milliseconds,
            words: retrying ? nil : concrete(c, request, sources))
    }

    /// The request's words with each "$" made the id it meant when the wait began.
    private static func concrete(
        _ c: Client, _ request: Request, _ sources: [Source]
    ) -> [[UInt8]] {
        var words = c.arguments.all.map(\.array)
        for (i, source) in sources.enumerated() where c[request.id(i)] == "$" {
            words[request.id(i)] = (source.after ?? .zero).array
        }
        return words
    }

    /// Looks up the `i`th stream and what to read of it; nil when an error was replied.
    private static func source(
        _ c: Client, _ request: Request, _ i: Int, _ retrying: Bool
    ) -> Source? {
        let key = c[request.keys + i]
        let at = request.id(i)
        let forGroup = request.group > 0
        var entry = c.lookupRead(key)
        if let found = entry, found.type != .stream {
            if !retrying {
                c.wrongType()
                return nil
            }
            // A client that waits for a stream goes on when something else took its place.
            entry = nil
        }
        var source = Source(key: request.keys + i)
        source.stream = entry.map { StreamValue($0.container) }
        if forGroup {
            source.group = source.stream?.group(c[request.group])
            if source.group == nil {
                refuse(c, key, c[request.group], retrying, source.stream == nil)
                return nil
            }
        }
        if c[at] == "$" {
            if forGroup {
                c.reply.error(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
                )
                return nil
            }
            source.after = source.stream?.lastID ?? .zero
        } else if c[at] == ">" {
            if !forGroup {
                c.reply.error(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
                )
                return nil
            }
        } else {
            guard let id = id(c, at) else { return nil }
            source.after = id
        }
        return source
    }

    private static func refuse(
        _ c: Client, _ key: Bytes, _ group: Bytes, _ retrying: Bool, _ keyIsGone: Bool
    ) {
        if !retrying {
            c.reply.error(
                "NOGROUP No such key '\(key.string)' or consumer group '\(group.string)' in XREADGROUP with GROUP option"
            )
        } else if keyIsGone {
            c.reply.error("UNBLOCKED the stream key no longer exists")
        } else {
            c.reply.error("NOGROUP the consumer group this client was blocked on no longer exists")
        }
    }

    /// Replies what there is of one stream; false, and nothing replied, when it must be waited for.
    private static func serve(_ c: Client, _ source: Source, _ request: Request) -> Bool {
        guard let stream = source.stream else { return false }
        let isHistory = source.group != nil && source.after != nil
        let after = source.after ?? source.group?.lastID ?? .zero
        if !isHistory, stream.length == 0 || !(after < stream.lastEntryID) { return false }
        if c.reply.version == 2 { c.reply.array(2) }
        c.reply.bulk(c[source.key])
        guard let group = source.group else {
            reply(c, walk(stream, after: after), count: request.count)
            return true
        }
        let isNew = group.consumer(c[request.group + 1]) == nil
        let consumer = self.consumer(c, group, c[request.group + 1])
        c.server.dirty += 1
        // XCLAIM makes the consumer of what it brings; one to whom nothing is owed has none.
        if isNew, isHistory || request.noAck {
            propagateConsumer(c, c[source.key], c[request.group], consumer.name)
        }
        if isHistory {
            replyHistory(c, stream, consumer, after, request.count)
        } else {
            deliver(c, stream, group, consumer, request, key: c[source.key])
        }
        return true
    }

    private static func walk(_ stream: StreamValue, after id: StreamID) -> StreamWalk {
        guard let next = id.next else { return stream.walk(from: .max, to: .zero) }
        return stream.walk(from: next)
    }

    /// The group's consumer of that name, a new one if need be, seen now.
    static func consumer(_ c: Client, _ group: StreamGroup, _ name: Bytes) -> StreamConsumer {
        if let known = group.consumer(name) {
            known.seen = c.server.now
            return known
        }
        return group.addConsumer(name, seen: c.server.now, in: c.database.heap)
    }

    /// What is pending for the consumer behind `after`; of a deleted entry the id is left.
    private static func replyHistory(
        _ c: Client, _ stream: StreamValue, _ consumer: StreamConsumer, _ after: StreamID,
        _ count: Int
    ) {
        let mark = c.reply.openArray()
        var n = 0
        var place = after.next.flatMap { consumer.pending.seek(from: $0) }
        while let here = place, n < count || count == 0 {
            if reply(c, stream, here.id) {
                let entry = StreamPending(here.value)
                entry.delivered = c.server.now
                entry.deliveries &+= 1
            } else {
                c.reply.array(2)
                c.reply.id(here.id)
                c.reply.nullArray()
            }
            n += 1
            place = consumer.pending.next(here)
        }
        c.reply.closeArray(mark, count: n)
    }

    /// Gives what is new to the group to the consumer.
    private static func deliver(
        _ c: Client, _ stream: StreamValue, _ group: StreamGroup, _ consumer: StreamConsumer,
        _ request: Request, key: Bytes
    ) {
        let heap = c.database.heap
        let name = c[request.group]
        let mark = c.reply.openArray()
        var n = 0
        var walk = walk(stream, after: group.lastID)
        while n < request.count || request.count == 0, walk.next() {
            group.lastID = walk.id
            c.reply.entry(walk)
            n += 1
            if request.noAck { continue }
            let entry: StreamPending
            if let known = group.find(walk.id) {
                // The group was set back: what is delivered again changes hands.
                group.assign(known, walk.id, to: consumer, in: heap)
                known.delivered = c.server.now
                known.deliveries = 1
                entry = known
            } else if let fresh = group.deliver(walk.id, to: consumer, at: c.server.now, in: heap) {
                entry = fresh
            } else {
                continue
            }
            propagateClaim(c, key, group, name, walk.id, entry)
        }
        c.reply.closeArray(mark, count: n)
        if request.noAck, n > 0 { propagateLastID(c, key, group, name) }
    }

    // MARK: What replicas get

    /// A pending entry as it is now.
    static func propagateClaim(
        _ c: Client, _ key: Bytes, _ group: StreamGroup, _ name: Bytes, _ id: StreamID,
        _ entry: StreamPending
    ) {
        if !c.isPropagated { return }
        c.server.propagation.also(
            words: [
                "XCLAIM".array, key.array, name.array, entry.consumer.name.array, "0".array,
                id.array, "TIME".array, "\(entry.delivered)".array, "RETRYCOUNT".array,
                "\(entry.deliveries)".array, "FORCE".array, "JUSTID".array, "LASTID".array,
                group.lastID.array,
            ], c.database)
    }

    /// That there is a consumer: by a look at its history, which is empty. XGROUP CREATECONSUMER
    /// says the same from 6.2 on only.
    static func propagateConsumer(_ c: Client, _ key: Bytes, _ group: Bytes, _ name: Bytes) {
        c.propagateAlso([
            Bytes("XREADGROUP"), Bytes("GROUP"), group, name, Bytes("STREAMS"), key, Bytes("0"),
        ])
    }

    /// How far the group has read.
    static func propagateLastID(_ c: Client, _ key: Bytes, _ group: StreamGroup, _ name: Bytes) {
        c.server.propagation.also(
            words: ["XGROUP".array, "SETID".array, key.array, name.array, group.lastID.array],
            c.database)
    }
}
