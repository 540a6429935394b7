// SPDX-License-Identifier: BSD-3-Clause
//
// Commands about the connection itself.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func connection() -> [Command] {
        [
            Command("ping", -1, "stale fast", "connection", Connection.ping),
            Command("echo", 2, "readonly fast", "connection", Connection.echo),
            Command("select", 2, "loading stale fast", "keyspace", Connection.select),
            Command("quit", -1, "loading stale fast no_auth", "connection", Connection.quit),
            Command(
                "auth", -2, "noscript loading stale skip_monitor skip_slowlog fast no_auth", "connection",
                Connection.auth),
        ]
    }
}

enum Connection {
    static func ping(_ c: Client) {
        if c.count > 2 { return c.wrongArity() }
        if c.flags.contains(.pubsub), c.reply.version == 2 {
            c.reply.array(2)
            c.reply.bulk("pong")
            c.reply.bulk(c.count == 2 ? c[1] : .empty)
        } else if c.count == 1 {
            c.reply.raw("+PONG\r\n")
        } else {
            c.reply.bulk(c[1])
        }
    }

    static func echo(_ c: Client) { c.reply.bulk(c[1]) }

    static func select(_ c: Client) {
        guard let index = c.integer(1, orError: "ERR invalid DB index") else { return }
        guard index >= 0, index < c.server.keyspace.databases.count else {
            return c.reply.error("ERR DB index is out of range")
        }
        c.database = c.server.keyspace.databases[Int(index)]
        c.reply.ok()
    }

    static func quit(_ c: Client) {
        c.reply.ok()
        c.flags.insert(.closeAfterReply)
    }

    static func auth(_ c: Client) {
        if c.count > 3 { return c.syntaxError() }
        if c.count == 2, !c.server.requiresPassword {
            return c.reply.error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
            )
        }
        let right = c.server.config.requirepass
        let given = c[c.count - 1].array
        let user = c.count == 3 ? c[1].string : "default"
        if user == "default", right.isEmpty || Secret.equal(given, right) {
            c.authenticated = true
            c.reply.ok()
        } else {
            c.reply.error("WRONGPASS invalid username-password pair")
        }
    }
}

/// Comparing secrets in a time that depends on their lengths only.
enum Secret {
    static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        var difference = a.count ^ b.count
        for i in 0..<max(a.count, b.count) {
            let x = i < a.count ? a[i] : 0
            let y = i < b.count ? b[i] : 0
            difference |= Int(x ^ y)
        }
        return difference == 0
    }
}
