// SPDX-License-Identifier: BSD-3-Clause
//
// ACL: users and their rights.

import Configuration
import Memory
import RESP

extension CommandTable {
    static func access() -> [Command] {
        [
            Command(
                "acl", -2, "admin noscript loading stale skip_slowlog", "",
                subcommands: ACLCommand.subcommands, since: "6.0.0",
                "Manages users and their rights.")
        ]
    }
}

enum ACLCommand {
    static let subcommands = [
        Subcommand(
            "load", 2...2,
            "LOAD                             -- Reload users from the ACL file.", body: file),
        Subcommand(
            "save", 2...2,
            "SAVE                             -- Save the current config to the ACL file.",
            body: file),
        Subcommand(
            "list", 2...2,
            "LIST                             -- Show user details in config file format."
        ) { list($0, $0.server.rooms.access.lines) },
        Subcommand(
            "users", 2...2,
            "USERS                            -- List all the registered usernames."
        ) { list($0, $0.server.rooms.access.sorted.map(\.name)) },
        Subcommand(
            "setuser", 3...,
            "SETUSER <username> [attribs ...] -- Create or modify a user.", body: setUser),
        Subcommand(
            "getuser", 3...3,
            "GETUSER <username>               -- Get the user details.", body: getUser),
        Subcommand(
            "deluser", 3...,
            "DELUSER <username> [...]         -- Delete a list of users.", body: deleteUsers),
        Subcommand(
            "cat", 2...3,
            "CAT                              -- List available categories.",
            "CAT <category>                   -- List commands inside category.", body: categories),
        Subcommand(
            "genpass", 2...3,
            "GENPASS [<bits>]                 -- Generate a secure user password.",
            body: generatePassword),
        Subcommand(
            "whoami", 2...2,
            "WHOAMI                           -- Return the current connection username."
        ) { if let user = $0.accessUser { $0.reply.bulk(user.name) } else { $0.reply.null() } },
        Subcommand(
            "log", 2...3,
            "LOG [<count> | RESET]            -- Show the ACL log entries.", body: log),
    ]

    private static func list(_ c: Client, _ lines: [[UInt8]]) {
        c.reply.array(lines.count)
        for line in lines { c.reply.bulk(line) }
    }

    private static func setUser(_ c: Client) {
        let access = c.server.rooms.access
        let name = c[2].array
        if Rights.hasSpaces(name) {
            return c.reply.error("ERR Usernames can't contain spaces or null characters")
        }
        var rights = access.users[name]?.rights ?? Rights(access.register)
        for i in 3..<max(3, c.count) {
            do throws(RuleError) {
                try rights.apply(c[i].array, access.register)
            } catch {
                return c.reply.error("ERR Error in ACL SETUSER modifier '\(c[i].string)': \(error)")
            }
        }
        access.set(name, rights)
        c.server.accessChanged()
        c.reply.ok()
    }

    private static func deleteUsers(_ c: Client) {
        for i in 2..<c.count where c[i].array == AccessRoom.defaultName {
            return c.reply.error("ERR The 'default' user cannot be removed")
        }
        var deleted = 0
        for i in 2..<c.count {
            guard let user = c.server.rooms.access.remove(c[i].array) else { continue }
            c.server.disconnect(user)
            deleted += 1
        }
        c.server.accessChanged()
        c.reply.integer(deleted)
    }

    private static func getUser(_ c: Client) {
        let access = c.server.rooms.access
        guard let rights = access.users[c[2].array]?.rights else { return c.reply.null() }
        c.reply.map(rights.allChannels ? 4 : 5)
        c.reply.bulk("flags")
        let flags = rights.flagWords
        c.reply.set(flags.count)
        for flag in flags { c.reply.bulk(flag) }
        c.reply.bulk("passwords")
        list(c, rights.passwords)
        c.reply.bulk("commands")
        c.reply.bulk(rights.commandRules(access.register))
        c.reply.bulk("keys")
        list(c, rights.allKeys ? [Array("*".utf8)] : rights.keys)
        if !rights.allChannels {
            c.reply.bulk("channels")
            list(c, rights.channels)
        }
    }

    private static func file(_ c: Client) {
        if c.server.config.aclfile.isEmpty {
            return c.reply.error(
                "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."
            )
        }
        if c.word(1, is: "load") {
            if let errors = c.server.loadUserFile() { return c.reply.error("ERR \(errors)") }
        } else if !c.server.saveUserFile() {
            return c.reply.error(
                "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
            )
        }
        c.reply.ok()
    }

    private static func categories(_ c: Client) {
        if c.count == 2 { return list(c, Command.categoryOrder.map { Array($0.utf8) }) }
        let register = c.server.rooms.access.register
        guard let set = register.commands(in: c[2].string) else {
            return c.reply.error("ERR Unknown category '\(c[2].string)'")
        }
        list(
            c,
            register.names.enumerated().filter { set.contains($0.offset) }.map {
                Array($0.element.utf8)
            })
    }

    private static func generatePassword(_ c: Client) {
        var bits: Int64 = 256
        if c.count == 3 {
            guard let given = c.integer(2) else { return }
            bits = given
        }
        guard bits > 0, bits <= 4096 else {
            return c.reply.error(
                "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
            )
        }
        c.reply.bulk(RandomText.hex(Int(bits + 3) / 4))
    }

    private static func log(_ c: Client) {
        let access = c.server.rooms.access
        var most: Int64 = 10
        if c.count == 3 {
            if c.word(2, is: "reset") {
                access.log.reset()
                return c.reply.ok()
            }
            guard let given = c.integer(2) else { return }
            most = max(0, given)
        }
        let entries = access.log.entries.newest(Int(clamping: most))
        c.reply.array(entries.count)
        for entry in entries {
            c.reply.map(7)
            c.reply.bulk("count")
            c.reply.integer(entry.count)
            c.reply.bulk("reason")
            c.reply.bulk(entry.reason.word)
            c.reply.bulk("context")
            c.reply.bulk(entry.context.word)
            c.reply.bulk("object")
            c.reply.bulk(entry.object)
            c.reply.bulk("username")
            c.reply.bulk(entry.user)
            c.reply.bulk("age-seconds")
            c.reply.double(Double(c.server.now - entry.time) / 1000)
            c.reply.bulk("client-info")
            c.reply.bulk(entry.client)
        }
    }
}
