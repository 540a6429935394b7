// SPDX-License-Identifier: BSD-3-Clause
//
// The slow log: the last commands that took longer than `slowlog-log-slower-than`.

import Configuration
import Memory
import RESP

struct SlowLog {
    struct Entry {
        let id: Int64
        /// Unix time in seconds.
        let time: Int64
        let microseconds: Int64
        let words: [[UInt8]]
        let peer: String
        let client: [UInt8]
    }

    // What a huge request may cost here.
    private static let mostWords = 32
    private static let longestWord = 128

    private(set) var entries = RecentEntries<Entry>()
    private var nextID: Int64 = 0

    mutating func add(_ client: Client, microseconds: UInt64, limit: Int) {
        if limit > 0 {
            let entry = Entry(
                id: nextID, time: client.server.now / 1000,
                microseconds: Int64(clamping: microseconds),
                words: Self.shortened(client.arguments), peer: client.peerName, client: client.name)
            entries.add(entry, limit: limit)
        }
        nextID += 1
        entries.trim(to: limit)
    }

    mutating func reset() { entries.removeAll() }

    private static func shortened(_ arguments: Arguments) -> [[UInt8]] {
        let count = min(arguments.count, mostWords)
        return (0..<count).map { i in
            if i == count - 1, arguments.count > count {
                return Array("... (\(arguments.count - count + 1) more arguments)".utf8)
            }
            let word = arguments[i]
            if word.count <= longestWord { return word.array }
            return word.prefix(longestWord).array
                + Array("... (\(word.count - longestWord) more bytes)".utf8)
        }
    }
}

extension CommandTable {
    static func slowLog() -> [Command] {
        [
            Command(
                "slowlog", -2, "admin random loading stale", "",
                subcommands: SlowLogCommand.subcommands, since: "2.2.12",
                "Shows the commands that took longest.")
        ]
    }
}

enum SlowLogCommand {
    static let subcommands = [
        Subcommand(
            "get", 2...3,
            "GET [count] -- Return top entries from the slowlog (default: 10).    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port, client name",
            body: get),
        Subcommand("len", 2...2, "LEN -- Return the length of the slowlog.") { c in
            c.reply.integer(c.server.rooms.observation.slowLog.entries.count)
        },
        Subcommand("reset", 2...2, "RESET -- Reset the slowlog.") { c in
            c.server.rooms.observation.slowLog.reset()
            c.reply.ok()
        },
    ]

    private static func get(_ c: Client) {
        var count = 10
        if c.count == 3 {
            guard let wanted = c.integer(2) else { return }
            // As in 7.0, -1 asks for all.
            if wanted < -1 {
                return c.reply.error("ERR count should be greater than or equal to -1")
            }
            count = wanted < 0 ? Int.max : Int(wanted)
        }
        let entries = c.server.rooms.observation.slowLog.entries.newest(count)
        c.reply.array(entries.count)
        for entry in entries { show(entry, to: c.reply) }
    }

    private static func show(_ entry: SlowLog.Entry, to reply: Reply) {
        reply.array(6)
        reply.integer(entry.id)
        reply.integer(entry.time)
        reply.integer(entry.microseconds)
        reply.array(entry.words.count)
        for word in entry.words { reply.bulk(word) }
        reply.bulk(entry.peer)
        reply.bulk(entry.client)
    }
}
