// SPDX-License-Identifier: BSD-3-Clause
//
// COMMAND: the table of commands as clients read it. Cluster-aware ones find keys by it.

import Memory
import RESP

extension CommandTable {
    static func description() -> [Command] {
        [Command("command", -1, "random loading stale", "connection", CommandCommand.run)]
    }
}

extension Command {
    /// Where the keys stand in a request of this command.
    func keyIndices(_ arguments: Arguments) -> [Int] {
        if let keyFinder { return keyFinder(arguments) }
        guard firstKey > 0 else { return [] }
        let last = lastKey < 0 ? arguments.count + lastKey : lastKey
        guard last < arguments.count, firstKey <= last else { return [] }
        return Array(stride(from: firstKey, through: last, by: keyStep))
    }

    /// The order in which COMMAND and ACL CAT name categories.
    static let categoryOrder = [
        "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
        "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous",
        "connection", "transaction", "scripting",
    ]

    /// All ACL categories: those that follow from the flags, and the command's own.
    var allCategories: [String] {
        var found = Set(categories)
        if flags.contains(.readonly) { found.insert("read") }
        if flags.contains(.write) { found.insert("write") }
        if flags.contains(.admin) { found.formUnion(["admin", "dangerous"]) }
        if flags.contains(.pubsub) { found.insert("pubsub") }
        found.insert(flags.contains(.fast) ? "fast" : "slow")
        return Self.categoryOrder.filter { found.contains($0) }
    }

    /// The flags by COMMAND's words, in its order.
    var flagWords: [String] {
        CommandFlags.words.compactMap { word, flag in
            flags.contains(flag) || flag == .movableKeys && keyFinder != nil ? word : nil
        }
    }
}

enum CommandCommand {
    static func run(_ c: Client) {
        if c.count == 1 {
            let all = c.server.commands.all
            c.reply.array(all.count)
            for command in all { describe(command, to: c.reply) }
        } else if c.asksForHelp {
            c.help([
                "(no subcommand) -- Return details about all Redis commands.",
                "COUNT -- Return the total number of commands in this Redis server.",
                "GETKEYS <full-command> -- Return the keys from a full Redis command.",
                "INFO [command-name ...] -- Return details about multiple Redis commands.",
            ])
        } else if c.word(1, is: "info") {
            c.reply.array(c.count - 2)
            for i in 2..<max(2, c.count) {
                if let command = c.server.commands.find(c[i]) {
                    describe(command, to: c.reply)
                } else {
                    c.reply.nullArray()
                }
            }
        } else if c.word(1, is: "count"), c.count == 2 {
            c.reply.integer(c.server.commands.all.count)
        } else if c.word(1, is: "list"), c.count == 2 {
            c.reply.array(c.server.commands.all.count)
            for command in c.server.commands.all { c.reply.bulk(command.name) }
        } else if c.word(1, is: "docs") {
            // Summaries are the documentation's; the reply's form is what redis-cli waits for.
            c.reply.map(0)
        } else if c.word(1, is: "getkeys"), c.count >= 3 {
            keys(c)
        } else {
            c.unknownSubcommand()
        }
    }

    private static func describe(_ command: Command, to reply: Reply) {
        reply.array(7)
        reply.bulk(command.name)
        reply.integer(command.arity)
        let flags = command.flagWords
        reply.set(flags.count)
        for flag in flags { reply.status(flag) }
        reply.integer(command.firstKey)
        reply.integer(command.lastKey)
        reply.integer(command.keyStep)
        let categories = command.allCategories
        reply.set(categories.count)
        for category in categories { reply.status("@" + category) }
    }

    private static func keys(_ c: Client) {
        guard let command = c.server.commands.find(c[2]) else {
            return c.reply.error("ERR Invalid command specified")
        }
        if command.keyFinder == nil, command.firstKey == 0 {
            return c.reply.error("ERR The command has no key arguments")
        }
        guard command.accepts(c.count - 2) else {
            return c.reply.error("ERR Invalid number of arguments specified for command")
        }
        var words = Arguments()
        for i in 2..<c.count { words.append(c[i]) }
        let keys = command.keyIndices(words).filter { $0 < words.count }
        if keys.isEmpty { return c.reply.error("ERR Invalid arguments specified for command") }
        c.reply.array(keys.count)
        for i in keys { c.reply.bulk(words[i]) }
    }
}
