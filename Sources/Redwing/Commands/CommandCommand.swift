// SPDX-License-Identifier: BSD-3-Clause
//
// COMMAND: the table of commands as clients read it. Cluster-aware ones find keys by it.

import Memory
import RESP

extension CommandTable {
    static func description() -> [Command] {
        [
            Command(
                "command", -1, "random loading stale", "connection",
                subcommands: CommandCommand.subcommands, since: "2.8.13", group: "server",
                "Tells of the server's commands."
            ) { CommandCommand.run($0) }
        ]
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
    static let subcommands = [
        Subcommand(
            "count", 2...2,
            "(no subcommand) -- Return details about all Redis commands.",
            "COUNT -- Return the total number of commands in this Redis server."
        ) { $0.reply.integer($0.server.commands.all.count) },
        Subcommand(
            "docs", 2...,
            "DOCS [command-name ...] -- Return documentation details about multiple Redis commands.",
            body: documentation),
        Subcommand(
            "getkeys", 3...,
            "GETKEYS <full-command> -- Return the keys from a full Redis command.", body: keys),
        Subcommand(
            "info", 2...,
            "INFO [command-name ...] -- Return details about multiple Redis commands.", body: info),
        Subcommand(
            "list", 2...5,
            "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)] -- Return a list of all commands in this Redis server.",
            body: list),
    ]

    static func run(_ c: Client) {
        if c.count > 1 { return c.run(subcommands) }
        let all = c.server.commands.all
        c.reply.array(all.count)
        for command in all { describe(command, to: c.reply) }
    }

    private static func info(_ c: Client) {
        c.reply.array(c.count - 2)
        for i in 2..<c.count {
            if let command = c.server.commands.find(c[i]) {
                describe(command, to: c.reply)
            } else {
                c.reply.nullArray()
            }
        }
    }

    private static func list(_ c: Client) {
        var names = Array(c.server.commands.all)
        if c.count > 2 {
            guard c.count == 5, c.word(2, is: "filterby") else { return c.syntaxError() }
            if c.word(3, is: "module") {
                names = []
            } else if c.word(3, is: "aclcat") {
                let category = c[4].string.lowercased()
                names = names.filter { $0.allCategories.contains(category) }
            } else if c.word(3, is: "pattern") {
                names = names.filter { command in
                    Bytes.with(command.name) { Glob.matches(c[4], $0, ignoringCase: true) }
                }
            } else {
                return c.syntaxError()
            }
        }
        c.reply.array(names.count)
        for command in names { c.reply.bulk(command.name) }
    }

    /// As 7.0 has it: of those that exist, what each is for.
    private static func documentation(_ c: Client) {
        var shown = Array(c.server.commands.all)
        if c.count > 2 { shown = (2..<c.count).compactMap { c.server.commands.find(c[$0]) } }
        c.reply.map(shown.count)
        for command in shown {
            c.reply.bulk(command.name)
            let parts = command.subcommands.filter { !$0.help.isEmpty }
            c.reply.map(parts.isEmpty ? 3 : 4)
            c.reply.bulk("summary")
            c.reply.bulk(command.summary)
            c.reply.bulk("since")
            c.reply.bulk(command.since)
            c.reply.bulk("group")
            c.reply.bulk(command.group)
            if parts.isEmpty { continue }
            c.reply.bulk("subcommands")
            c.reply.map(parts.count)
            for part in parts {
                c.reply.bulk("\(command.name)|\(part.name)")
                c.reply.map(1)
                c.reply.bulk("summary")
                c.reply.bulk(part.help.map { "\($0)" }.joined(separator: "\n"))
            }
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
        let words = Array(c.arguments.all[2...])
        let keys = Arguments.with(words) { command.keyIndices($0) }.filter { $0 < words.count }
        if keys.isEmpty { return c.reply.error("ERR Invalid arguments specified for command") }
        c.reply.array(keys.count)
        for i in keys { c.reply.bulk(words[i]) }
    }
}
