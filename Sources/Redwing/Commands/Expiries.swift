// SPDX-License-Identifier: BSD-3-Clause
//
// When keys die: setting, asking, clearing. In the stream every expiry is a point in time, so that a
// late replica doesn't lengthen a life.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func expiries() -> [Command] {
        let one = (1, 1, 1)
        func setting(
            _ name: String, _ unit: ExpiryUnit, relative: Bool, since: String, _ summary: String
        ) -> Command {
            Command(name, -3, "write fast", keys: one, "keyspace", since: since, summary) {
                Expiries.set($0, unit, relative: relative)
            }
        }
        func asking(
            _ name: String, _ unit: ExpiryUnit, relative: Bool, since: String, _ summary: String
        ) -> Command {
            Command(name, 2, "readonly random fast", keys: one, "keyspace", since: since, summary) {
                Expiries.ask($0, unit, relative: relative)
            }
        }
        return [
            setting(
                "expire", .seconds, relative: true, since: "1.0.0",
                "Lets a key live for so many seconds."),
            setting(
                "pexpire", .milliseconds, relative: true, since: "2.6.0",
                "Lets a key live for so many milliseconds."),
            setting(
                "expireat", .seconds, relative: false, since: "1.2.0",
                "Lets a key live until a time in seconds."),
            setting(
                "pexpireat", .milliseconds, relative: false, since: "2.6.0",
                "Lets a key live until a time in milliseconds."),
            asking(
                "ttl", .seconds, relative: true, since: "1.0.0",
                "Returns how many seconds a key has left."),
            asking(
                "pttl", .milliseconds, relative: true, since: "2.6.0",
                "Returns how many milliseconds a key has left."),
            asking(
                "expiretime", .seconds, relative: false, since: "7.0.0",
                "Returns when a key ends, in seconds."),
            asking(
                "pexpiretime", .milliseconds, relative: false, since: "7.0.0",
                "Returns when a key ends, in milliseconds."),
            Command(
                "persist", 2, "write fast", keys: one, "keyspace", since: "2.2.0",
                "Makes a key live for ever.", Expiries.persist),
        ]
    }
}

enum Expiries {
    /// NX, XX, GT and LT of 7.0.
    private struct Condition {
        var onlyNone = false
        var onlySome = false
        var greater = false
        var less = false

        mutating func parse(_ c: Client) -> Bool {
            for index in 3..<max(3, c.count) {
                if c.word(index, is: "nx") {
                    onlyNone = true
                } else if c.word(index, is: "xx") {
                    onlySome = true
                } else if c.word(index, is: "gt") {
                    greater = true
                } else if c.word(index, is: "lt") {
                    less = true
                } else {
                    c.reply.error("ERR Unsupported option \(c[index].string)")
                    return false
                }
            }
            if onlyNone && (onlySome || greater || less) {
                c.reply.error(
                    "ERR NX and XX, GT or LT options at the same time are not compatible")
                return false
            }
            if greater && less {
                c.reply.error("ERR GT and LT options at the same time are not compatible")
                return false
            }
            return true
        }

        /// No expiry counts as one in infinity.
        func allows(_ time: Int64, over old: Int64?) -> Bool {
            if onlyNone && old != nil { return false }
            if onlySome && old == nil { return false }
            if greater { return old.map { time > $0 } ?? false }
            if less { return old.map { time < $0 } ?? true }
            return true
        }
    }

    static func set(_ c: Client, _ unit: ExpiryUnit, relative: Bool) {
        var condition = Condition()
        if c.count > 3 {
            guard condition.parse(c) else { return }
        }
        guard let value = c.integer(2) else { return }
        guard let time = ExpiryTime.time(c, value, unit, relative: relative) else {
            return c.reply.error("ERR invalid expire time in \(c[0].string.lowercased())")
        }
        let key = c[1]
        guard let entry = c.lookupWrite(key) else { return c.reply.integer(0) }
        guard condition.allows(time, over: entry.expiry) else { return c.reply.integer(0) }
        c.reply.integer(1)
        if isPast(c, time) { return deleteInstead(c, key) }
        c.database.setExpiry(of: entry, time)
        c.changed(key, .generic, "expire")
        Bytes.with(String(time)) { c.propagateInstead([Bytes("PEXPIREAT"), key, $0]) }
    }

    /// Whether a key that dies at `time` is to be deleted at once. A replica never decides that, and
    /// what is loaded may hold keys that died meanwhile.
    static func isPast(_ c: Client, _ time: Int64) -> Bool {
        time <= c.server.now && !c.server.loading && !c.server.isReplica
    }

    static func deleteInstead(_ c: Client, _ key: Bytes) {
        let lazily = c.server.config.lazyfreeLazyExpire
        if lazily {
            c.server.removeLazily(key, in: c.database)
        } else {
            c.server.remove(key, in: c.database)
        }
        c.changed(key, .generic, "del")
        c.propagateInstead([Bytes(lazily ? "UNLINK" : "DEL"), key])
    }

    static func ask(_ c: Client, _ unit: ExpiryUnit, relative: Bool) {
        guard let entry = c.lookupOnly(c[1]) else { return c.reply.integer(-2) }
        guard let expiry = entry.expiry else { return c.reply.integer(-1) }
        let time = relative ? max(0, expiry - c.server.now) : expiry
        c.reply.integer(unit == .seconds ? time / 1000 + (time % 1000 + 500) / 1000 : time)
    }

    static func persist(_ c: Client) {
        guard let entry = c.lookupWrite(c[1]), entry.hasExpiry else { return c.reply.integer(0) }
        c.database.setExpiry(of: entry, nil)
        c.changed(c[1], .generic, "persist")
        c.reply.integer(1)
    }
}
