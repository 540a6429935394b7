// SPDX-License-Identifier: BSD-3-Clause
//
// CLIENT: who is connected, and what is done with them.

import Configuration
import Memory
import RESP

extension CommandTable {
    static func clients() -> [Command] {
        [Command("client", -2, "admin noscript random loading stale", "connection", ClientCommand.run)]
    }
}

enum ClientCommand {
    static func run(_ c: Client) {
        let n = c.count
        if c.asksForHelp {
            c.help(help)
        } else if c.word(1, is: "id"), n == 2 {
            c.reply.integer(Int64(c.id))
        } else if c.word(1, is: "info"), n == 2 {
            c.reply.verbatim(c.describe() + "\n")
        } else if c.word(1, is: "list") {
            list(c)
        } else if c.word(1, is: "reply"), n == 3 {
            reply(c)
        } else if c.word(1, is: "kill") {
            kill(c)
        } else if c.word(1, is: "unblock"), n == 3 || n == 4 {
            unblock(c)
        } else if c.word(1, is: "setname"), n == 3 {
            if setName(c, c[2]) { c.reply.ok() }
        } else if c.word(1, is: "getname"), n == 2 {
            if c.name.isEmpty { c.reply.null() } else { c.reply.bulk(c.name) }
        } else if c.word(1, is: "pause"), n == 3 || n == 4 {
            pause(c)
        } else if c.word(1, is: "unpause"), n == 2 {
            c.server.endPause()
            c.reply.ok()
        } else if c.word(1, is: "no-evict"), n == 3 {
            noEvict(c)
        } else if c.word(1, is: "tracking"), n >= 3 {
            tracking(c)
        } else if c.word(1, is: "caching"), n >= 3 {
            caching(c)
        } else if c.word(1, is: "getredir"), n == 2 {
            c.reply.integer(c.attachments.tracking.map { Int64(clamping: $0.redirection) } ?? -1)
        } else if c.word(1, is: "trackinginfo"), n == 2 {
            trackingInfo(c)
        } else {
            c.unknownSubcommand()
        }
    }

    /// Takes `name` for `c`, or replies why not. Also for HELLO … SETNAME.
    static func setName(_ c: Client, _ name: Bytes) -> Bool {
        for i in 0..<name.count where name[i] < 0x21 || name[i] > 0x7E {
            c.reply.error(
                "ERR Client names cannot contain spaces, newlines or special characters.")
            return false
        }
        c.name = name.array
        return true
    }

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
                guard let id = c.integer(i + 1, orError: "ERR client-id should be greater than 0")
                else { return nil }
                filter.id = id > 0 ? UInt64(id) : 0
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
        guard id > 0, let client = c.server.clients[UInt64(id)], let wait = client.wait,
            wait.kind != .pause
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
        c.server.pause(for: time, onlyWrites: onlyWrites)
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

    private static let help: [StaticString] = [
        "ID                     -- Return the ID of the current connection.",
        "GETNAME                -- Return the name of the current connection.",
        "KILL <ip:port>         -- Kill connection made from <ip:port>.",
        "KILL <option> <value> [option value ...] -- Kill connections. Options are:",
        "     ADDR <ip:port>                      -- Kill connection made from <ip:port>",
        "     TYPE (normal|master|replica|pubsub) -- Kill connections by type.",
        "     USER <username>   -- Kill connections authenticated with such user.",
        "     SKIPME (yes|no)   -- Skip killing current connection (default: yes).",
        "LIST [options ...]     -- Return information about client connections. Options:",
        "     TYPE (normal|master|replica|pubsub) -- Return clients of specified type.",
        "PAUSE <timeout>        -- Suspend all Redis clients for <timout> milliseconds.",
        "REPLY (on|off|skip)    -- Control the replies sent to the current connection.",
        "SETNAME <name>         -- Assign the name <name> to the current connection.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR] -- Unblock the specified blocked client.",
        "TRACKING (on|off) [REDIRECT <id>] [BCAST] [PREFIX first] [PREFIX second] [OPTIN] [OPTOUT]... -- Enable client keys tracking for client side caching.",
        "CACHING  (yes|no)      -- Enable/Disable tracking of the keys for next command in OPTIN/OPTOUT mode.",
        "GETREDIR               -- Return the client ID we are redirecting to when tracking is enabled.",
    ]
}
