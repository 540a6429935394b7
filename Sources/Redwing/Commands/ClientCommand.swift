// SPDX-License-Identifier: BSD-3-Clause
//
// CLIENT: who is connected, and what is done with them.

import Configuration
import Memory
import RESP

extension CommandTable {
    static func clients() -> [Command] {
        [
            Command(
                "client", -2, "admin noscript random loading stale", "connection",
                subcommands: ClientCommand.subcommands, since: "2.4.0",
                "Tells of connections and manages them.")
        ]
    }
}

enum ClientCommand {
    static let subcommands = [
        Subcommand(
            "id", 2...2, "ID                     -- Return the ID of the current connection."
        ) { $0.reply.integer(Int64($0.id)) },
        Subcommand(
            "getname", 2...2, "GETNAME                -- Return the name of the current connection."
        ) { if $0.name.isEmpty { $0.reply.null() } else { $0.reply.bulk($0.name) } },
        Subcommand(
            "info", 2...2,
            "INFO                   -- Return information about the current connection."
        ) { $0.reply.verbatim($0.describe() + "\n") },
        Subcommand(
            "kill", 2...,
            "KILL <ip:port>         -- Kill connection made from <ip:port>.",
            "KILL <option> <value> [option value ...] -- Kill connections. Options are:",
            "     ADDR <ip:port>                      -- Kill connection made from <ip:port>",
            "     LADDR <ip:port>                     -- Kill connection made to <ip:port>",
            "     ID <clientid>                       -- Kill the connection with this ID.",
            "     TYPE (normal|master|replica|pubsub) -- Kill connections by type.",
            "     USER <username>   -- Kill connections authenticated with such user.",
            "     SKIPME (yes|no)   -- Skip killing current connection (default: yes).",
            body: kill),
        Subcommand(
            "list", 2...,
            "LIST [options ...]     -- Return information about client connections. Options:",
            "     TYPE (normal|master|replica|pubsub) -- Return clients of specified type.",
            "     ID <clientid> [clientid ...]        -- Return clients of specified IDs only.",
            body: list),
        Subcommand(
            "pause", 3...4,
            "PAUSE <timeout> [WRITE|ALL] -- Suspend all Redis clients for <timout> milliseconds.",
            body: pause),
        Subcommand(
            "unpause", 2...2, "UNPAUSE                -- Stop the current client pause."
        ) {
            $0.server.endPause(.client)
            $0.reply.ok()
        },
        Subcommand(
            "reply", 3...3,
            "REPLY (on|off|skip)    -- Control the replies sent to the current connection.",
            body: reply),
        Subcommand(
            "setname", 3...3,
            "SETNAME <name>         -- Assign the name <name> to the current connection."
        ) { if Connection.setName($0, $0[2]) { $0.reply.ok() } },
        Subcommand(
            "no-evict", 3...3,
            "NO-EVICT (on|off)      -- Protect the current connection from eviction.", body: noEvict
        ),
        Subcommand(
            "unblock", 3...4,
            "UNBLOCK <clientid> [TIMEOUT|ERROR] -- Unblock the specified blocked client.",
            body: unblock),
        Subcommand(
            "tracking", 3...,
            "TRACKING (on|off) [REDIRECT <id>] [BCAST] [PREFIX first] [PREFIX second] [OPTIN] [OPTOUT] [NOLOOP]... -- Enable client keys tracking for client side caching.",
            body: tracking),
        Subcommand(
            "caching", 3...,
            "CACHING  (yes|no)      -- Enable/Disable tracking of the keys for next command in OPTIN/OPTOUT mode.",
            body: caching),
        Subcommand(
            "getredir", 2...2,
            "GETREDIR               -- Return the client ID we are redirecting to when tracking is enabled."
        ) { c in
            c.reply.integer(c.attachments.tracking.map { Int64(clamping: $0.redirection) } ?? -1)
        },
        Subcommand(
            "trackinginfo", 2...2,
            "TRACKINGINFO           -- Report tracking status for the current connection.",
            body: trackingInfo),
    ]

    private static func list(_ c: Client) {
        var shown = c.server.clients.values.sorted { $0.id < $1.id }
        if c.count == 4, c.word(2, is: "type") {
            guard let type = ClientType(c[3]) else {
                return c.reply.error("ERR Unknown client type '\(c[3].string)'")
            }
            shown = shown.filter { $0.type == type }
        } else if c.count > 3, c.word(2, is: "id") {
            var wanted: [Client] = []
            for i in 3..<c.count {
                guard let id = c.integer(i, orError: "ERR Invalid client ID") else { return }
                if id > 0, let client = c.server.clients[UInt64(id)] { wanted.append(client) }
            }
            shown = wanted
        } else if c.count != 2 {
            return c.syntaxError()
        }
        c.reply.verbatim(shown.reduce(into: "") { $0 += $1.describe() + "\n" })
    }

    private static func reply(_ c: Client) {
        if c.word(2, is: "on") {
            c.flags.subtract([.replyOff, .replySkip, .replySkipNext])
            c.reply.ok()
        } else if c.word(2, is: "off") {
            c.owed = c.reply.out.count
            c.flags.insert(.replyOff)
        } else if c.word(2, is: "skip") {
            if !c.flags.contains(.replyOff) { c.flags.insert(.replySkipNext) }
        } else {
            c.syntaxError()
        }
    }

    // MARK: KILL

    private struct Filter {
        var id: UInt64?
        var peer: String?
        var local: String?
        var type: ClientType?
        var user: String?
        var skipsCaller = true

        func matches(_ client: Client, caller: Client) -> Bool {
            if let peer, client.peerName != peer { return false }
            if let local, client.localName != local { return false }
            if let type, client.type != type { return false }
            if let id, client.id != id { return false }
            if let user, client.userName != user { return false }
            return !(skipsCaller && client === caller)
        }
    }

    private static func kill(_ c: Client) {
        var filter = Filter()
        if c.count == 3 {
            filter.peer = c[2].string
            filter.skipsCaller = false
        } else if c.count > 3 {
            guard let given = killFilter(c) else { return }
            filter = given
        } else {
            return c.syntaxError()
        }
        var killed = 0
        for client in c.server.clients.values where filter.matches(client, caller: c) {
            killed += 1
            if client === c {
                c.flags.insert(.closeAfterReply)
            } else {
                c.server.free(client)
            }
        }
        if c.count > 3 {
            c.reply.integer(killed)
        } else if killed == 0 {
            c.reply.error("ERR No such client")
        } else {
            c.reply.ok()
        }
    }

    private static func killFilter(_ c: Client) -> Filter? {
        var filter = Filter()
        for i in stride(from: 2, to: c.count, by: 2) {
            guard i + 1 < c.count else {
                c.syntaxError()
                return nil
            }
            if c.word(i, is: "id") {
                let text: StaticString = "ERR client-id should be greater than 0"
                guard let id = c.integer(i + 1, in: 1...Int64.max, orError: text) else {
                    return nil
                }
                filter.id = UInt64(id)
            } else if c.word(i, is: "type") {
                guard let type = ClientType(c[i + 1]) else {
                    c.reply.error("ERR Unknown client type '\(c[i + 1].string)'")
                    return nil
                }
                filter.type = type
            } else if c.word(i, is: "addr") {
                filter.peer = c[i + 1].string
            } else if c.word(i, is: "laddr") {
                filter.local = c[i + 1].string
            } else if c.word(i, is: "user") {
                let user = c[i + 1].string
                guard c.server.hasUser(user) else {
                    c.reply.error("ERR No such user '\(user)'")
                    return nil
                }
                filter.user = user
            } else if c.word(i, is: "skipme"), c.word(i + 1, is: "yes") {
                filter.skipsCaller = true
            } else if c.word(i, is: "skipme"), c.word(i + 1, is: "no") {
                filter.skipsCaller = false
            } else {
                c.syntaxError()
                return nil
            }
        }
        return filter
    }

    // MARK: UNBLOCK, PAUSE, NO-EVICT

    private static func unblock(_ c: Client) {
        var withError = false
        if c.count == 4 {
            if c.word(3, is: "error") {
                withError = true
            } else if !c.word(3, is: "timeout") {
                return c.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
            }
        }
        guard let id = c.integer(2) else { return }
        guard id > 0, let client = c.server.clients[UInt64(id)], client.wait != nil
        else { return c.reply.integer(0) }
        c.server.unblock(
            client, error: withError ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : nil)
        c.reply.integer(1)
    }

    private static func pause(_ c: Client) {
        var onlyWrites = false
        if c.count == 4 {
            if c.word(3, is: "write") {
                onlyWrites = true
            } else if !c.word(3, is: "all") {
                return c.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL")
            }
        }
        guard let time = c.integer(2, orError: "ERR timeout is not an integer or out of range")
        else { return }
        if time < 0 { return c.reply.error("ERR timeout is negative") }
        if time > Int64.max - c.server.now { return c.reply.error("ERR timeout is out of range") }
        c.server.pause(.client, until: EventLoop.deadline(after: time), onlyWrites: onlyWrites)
        c.reply.ok()
    }

    private static func noEvict(_ c: Client) {
        if c.word(2, is: "on") {
            c.flags.insert(.noEvict)
        } else if c.word(2, is: "off") {
            c.flags.remove(.noEvict)
        } else {
            return c.syntaxError()
        }
        c.reply.ok()
    }
}
