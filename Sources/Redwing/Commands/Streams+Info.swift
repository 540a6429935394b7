// SPDX-License-Identifier: BSD-3-Clause
//
// XINFO: what a stream, its groups and their consumers are made of.

import Keyspace
import Memory
import RESP

extension Streams {
    static let infoCommands = [
        Subcommand(
            "consumers", 4...4,
            "CONSUMERS <key> <groupname>         -- Show consumer groups of group <groupname>.",
            body: consumers),
        Subcommand(
            "groups", 3...3,
            "GROUPS <key>                        -- Show the stream consumer groups.", body: groups),
        Subcommand(
            "stream", 3...6,
            "STREAM <key> [FULL [COUNT <count>]] -- Show information about the stream.",
            body: describe),
        .help("HELP                                -- Print this help."),
    ]

    private static func described(_ c: Client) -> StreamValue? {
        stream(c, key: 2) { $0.noSuchKey() }
    }

    private static func consumers(_ c: Client) {
        guard let stream = described(c) else { return }
        guard let group = stream.group(c[3]) else {
            return c.reply.error(
                "NOGROUP No such consumer group '\(c[3].string)' for key name '\(c[2].string)'")
        }
        c.reply.array(group.consumerCount)
        for i in 0..<group.consumerCount {
            let consumer = group.consumer(at: i)
            c.reply.map(3)
            c.reply.bulk("name")
            c.reply.bulk(consumer.name)
            c.reply.bulk("pending")
            c.reply.integer(consumer.pending.count)
            c.reply.bulk("idle")
            c.reply.integer(max(0, c.server.now &- consumer.seen))
        }
    }

    private static func groups(_ c: Client) {
        guard let stream = described(c) else { return }
        c.reply.array(stream.groupCount)
        for i in 0..<stream.groupCount {
            let group = stream.group(at: i)
            c.reply.map(4)
            c.reply.bulk("name")
            c.reply.bulk(group.name)
            c.reply.bulk("consumers")
            c.reply.integer(group.consumerCount)
            c.reply.bulk("pending")
            c.reply.integer(group.pending.count)
            c.reply.bulk("last-delivered-id")
            c.reply.id(group.lastID)
        }
    }

    private static func describe(_ c: Client) {
        guard let stream = described(c) else { return }
        var most = 10
        if c.count > 3 {
            guard c.word(3, is: "full"), c.count == 4 || c.count == 6 else {
                return c.unknownSubcommand()
            }
            if c.count == 6 {
                guard c.word(4, is: "count") else { return c.unknownSubcommand() }
                guard let count = c.integer(5) else { return }
                if count >= 0 { most = Int(count) }
            }
        }
        let isFull = c.count > 3
        c.reply.map(isFull ? 6 : 7)
        c.reply.bulk("length")
        c.reply.integer(stream.length)
        c.reply.bulk("radix-tree-keys")
        c.reply.integer(stream.nodes.count)
        c.reply.bulk("radix-tree-nodes")
        c.reply.integer(stream.radixNodes)
        c.reply.bulk("last-generated-id")
        c.reply.id(stream.lastID)
        if isFull { return full(c, stream, most) }
        c.reply.bulk("groups")
        c.reply.integer(stream.groupCount)
        c.reply.bulk("first-entry")
        edge(c, stream.walk())
        c.reply.bulk("last-entry")
        edge(c, stream.walk(reversed: true))
    }

    private static func edge(_ c: Client, _ walk: StreamWalk) {
        var walk = walk
        if walk.next() { c.reply.entry(walk) } else { c.reply.null() }
    }

    private static func full(_ c: Client, _ stream: StreamValue, _ most: Int) {
        c.reply.bulk("entries")
        reply(c, stream.walk(), count: most)
        c.reply.bulk("groups")
        c.reply.array(stream.groupCount)
        for i in 0..<stream.groupCount {
            let group = stream.group(at: i)
            c.reply.map(5)
            c.reply.bulk("name")
            c.reply.bulk(group.name)
            c.reply.bulk("last-delivered-id")
            c.reply.id(group.lastID)
            c.reply.bulk("pel-count")
            c.reply.integer(group.pending.count)
            c.reply.bulk("pending")
            pending(c, group.pending, most, withOwner: true)
            c.reply.bulk("consumers")
            c.reply.array(group.consumerCount)
            for i in 0..<group.consumerCount { full(c, group.consumer(at: i), most) }
        }
    }

    private static func full(_ c: Client, _ consumer: StreamConsumer, _ most: Int) {
        c.reply.map(4)
        c.reply.bulk("name")
        c.reply.bulk(consumer.name)
        c.reply.bulk("seen-time")
        c.reply.integer(consumer.seen)
        c.reply.bulk("pel-count")
        c.reply.integer(consumer.pending.count)
        c.reply.bulk("pending")
        pending(c, consumer.pending, most, withOwner: false)
    }

    private static func pending(_ c: Client, _ entries: StreamMap, _ most: Int, withOwner: Bool) {
        let count = most == 0 ? entries.count : min(most, entries.count)
        c.reply.array(count)
        var place = entries.first
        for _ in 0..<count {
            guard let here = place else { return }
            let entry = StreamPending(here.value)
            c.reply.array(withOwner ? 4 : 3)
            c.reply.id(here.id)
            if withOwner { c.reply.bulk(entry.consumer.name) }
            c.reply.integer(entry.delivered)
            c.reply.integer(Int64(bitPattern: entry.deliveries))
            place = entries.next(here)
        }
    }
}
