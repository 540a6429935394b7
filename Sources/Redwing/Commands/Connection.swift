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
            Command(
                "ping", -1, "stale fast in_pubsub needs_disk", "connection", since: "1.0.0",
                "Answers PONG or the given message.", Connection.ping),
            Command(
                "echo", 2, "readonly fast", "connection", since: "1.0.0",
                "Returns the given message.", Connection.echo),
            Command(
                "select", 2, "loading stale fast", "keyspace", since: "1.0.0", group: "connection",
                "Changes the connection's database.", Connection.select),
            Command(
                "quit", -1,
                "noscript loading stale fast no_auth in_multi ends_multi in_pubsub everybody",
                "connection",
                since: "1.0.0",
                "Ends the connection.", Connection.quit),
            Command(
                "auth", -2,
                "noscript loading stale skip_monitor skip_slowlog fast no_auth everybody busy",
                "connection",
                since: "1.0.0",
                "Authenticates the connection.", Connection.auth),
            Command(
                "hello", -2, "noscript loading stale skip_monitor skip_slowlog fast no_auth busy",
                "connection",
                since: "6.0.0",
                "Greets the server: protocol, user and name of the connection.", Connection.hello),
            Command(
                "reset", 1,
                "noscript loading stale fast no_auth in_multi ends_multi in_pubsub everybody",
                "connection", since: "6.2.0",
                "Puts the connection back to what a new one is.", Connection.reset),
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

    /// The connection as it was when it was new, as in Redis 6.2.
    static func reset(_ c: Client) {
        let server = c.server
        if c.flags.contains(.master) || c.flags.contains(.replica) && !c.flags.contains(.monitor) {
            return c.reply.error("ERR can only reset normal client connections")
        }
        if c.flags.contains(.monitor) {
            server.monitors.removeAll { $0 === c }
            c.flags.subtract([.monitor, .replica])
        }
        server.stopTracking(c)
        c.database = server.keyspace.databases[0]
        c.protocolVersion = 2
        server.forgetUser(c)
        server.endTransaction(c)
        server.rooms.pubsub.removeAll(of: c)
        c.name = []
        c.flags.subtract([
            .asking, .readOnly, .pubsub, .replyOff, .replySkip, .replySkipNext, .noEvict,
        ])
        c.reply.status("RESET")
    }

    static func auth(_ c: Client) {
        if c.count > 3 { return c.syntaxError() }
        if c.count == 2, c.server.rooms.access.defaultUser.rights.needsNoPassword {
            return c.reply.error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
            )
        }
        let user = c.count == 3 ? c[1] : Bytes("default")
        if c.server.authenticate(c, user: user, password: c[c.count - 1]) {
            c.reply.ok()
        } else {
            c.reply.error(wrongPassword)
        }
    }

    private static let wrongPassword: StaticString = "WRONGPASS invalid username-password pair"

    /// HELLO <version> [AUTH user password] [SETNAME name]: chooses the protocol.
    static func hello(_ c: Client) {
        guard let version = Decimal.parse(c[1]), version == 2 || version == 3 else {
            return c.reply.error("NOPROTO unsupported protocol version")
        }
        var at = 2
        while at < c.count {
            let left = c.count - at - 1
            if c.word(at, is: "auth"), left >= 2 {
                guard c.server.authenticate(c, user: c[at + 1], password: c[at + 2]) else {
                    return c.reply.error(wrongPassword)
                }
                at += 3
            } else if c.word(at, is: "setname"), left >= 1 {
                guard setName(c, c[at + 1]) else { return }
                at += 2
            } else {
                return c.reply.error("ERR Syntax error in HELLO option '\(c[at].string)'")
            }
        }
        guard c.authenticated else {
            return c.reply.error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
            )
        }
        c.protocolVersion = Int(version)
        c.reply.map(7)
        c.reply.bulk("server")
        c.reply.bulk("redis")
        c.reply.bulk("version")
        c.reply.bulk(Version.redis)
        c.reply.bulk("proto")
        c.reply.integer(version)
        c.reply.bulk("id")
        c.reply.integer(Int64(c.id))
        c.reply.bulk("mode")
        c.reply.bulk("standalone")
        c.reply.bulk("role")
        c.reply.bulk(c.server.isReplica ? "replica" : "master")
        c.reply.bulk("modules")
        c.reply.array(0)
    }

    /// Names a connection; a name that CLIENT LIST could not show is refused with the reply given.
    static func setName(_ c: Client, _ name: Bytes) -> Bool {
        for i in 0..<name.count where name[i] < 0x21 || name[i] > 0x7E {
            c.reply.error("ERR Client names cannot contain spaces, newlines or special characters.")
            return false
        }
        c.name = name.array
        return true
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
