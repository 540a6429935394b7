// SPDX-License-Identifier: BSD-3-Clause
//
// DEBUG: what tests and curious operators need; the digest of the data above all.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func debugging() -> [Command] {
        [Command("debug", -2, "admin noscript loading stale", "", Debug.run)]
    }
}

enum Debug {
    static func run(_ c: Client) {
        let n = c.count
        if c.asksForHelp {
            c.help(help)
        } else if c.word(1, is: "digest"), n == 2 {
            c.reply.status(DataDigest().digest(of: c.server.keyspace))
        } else if c.word(1, is: "digest-value"), n >= 2 {
            digestValues(c)
        } else if c.word(1, is: "sleep"), n == 3 {
            sleep(c)
        } else if c.word(1, is: "object"), n == 3 {
            object(c)
        } else if c.word(1, is: "populate"), n >= 3, n <= 5 {
            populate(c)
        } else if c.word(1, is: "reload") {
            reload(c)
        } else if c.word(1, is: "loadaof"), n == 2 {
            loadAOF(c)
        } else if c.word(1, is: "change-repl-id"), n == 2 {
            Log.warning("Changing replication IDs after receiving change-repl-id")
            c.server.changeReplicationID()
            c.reply.ok()
        } else {
            runMore(c)
        }
    }

    private static func runMore(_ c: Client) {
        let n = c.count
        if c.word(1, is: "set-active-expire"), n == 3 {
            c.server.rooms.expiry.isEnabled = Decimal.parse(c[2]) != 0
            c.reply.ok()
        } else if c.word(1, is: "quicklist-packed-threshold"), n == 3 {
            c.reply.ok()
        } else if c.word(1, is: "stringmatch-len"), n == 4 {
            stringMatch(c)
        } else if c.word(1, is: "htstats"), n == 3 {
            tableStatistics(c)
        } else if c.word(1, is: "htstats-key"), n == 3 {
            keyStatistics(c)
        } else if c.word(1, is: "listpack") || c.word(1, is: "ziplist"), n == 3 {
            packed(c)
        } else if c.word(1, is: "sdslen"), n == 3 {
            lengths(c)
        } else if c.word(1, is: "log"), n == 3 {
            Log.warning("DEBUG LOG: \(c[2].string)")
            c.reply.ok()
        } else if c.word(1, is: "error"), n == 3 {
            c.reply.error(c[2].string)
        } else if c.word(1, is: "protocol"), n == 3 {
            protocolSample(c)
        } else if c.word(1, is: "set-disable-deny-scripts") || c.word(1, is: "jmap"), n <= 3 {
            c.reply.ok()
        } else if Self.crashes.contains(where: { c[1].string.lowercased() == $0 }) {
            c.reply.error("ERR this server doesn't crash on request")
        } else {
            c.unknownSubcommand()
        }
    }

    /// What ends or restarts a Redis; a test that asks for it would lose its server's data here.
    private static let crashes = [
        "segfault", "panic", "assert", "restart", "crash-and-recover", "oom", "crash-and-abort",
    ]

    private static func digestValues(_ c: Client) {
        let digest = DataDigest()
        c.reply.array(c.count - 2)
        for i in 2..<c.count {
            // Also of what has logically expired.
            if let entry = c.database.find(c[i]) {
                c.reply.status(digest.digest(of: entry, in: c.database))
            } else {
                c.reply.status("0000000000000000000000000000000000000000")
            }
        }
    }

    private static func sleep(_ c: Client) {
        let seconds = FloatText.parseDouble(c[2]) ?? 0
        if seconds > 0 { ProcessFacts.sleep(microseconds: UInt64(min(seconds, 3600) * 1_000_000)) }
        c.reply.ok()
    }

    private static func reload(_ c: Client) {
        var flushes = true
        var saves = true
        for i in 2..<max(2, c.count) {
            if c.word(i, is: "nosave") {
                saves = false
            } else if c.word(i, is: "noflush") {
                flushes = false
            } else if !c.word(i, is: "merge") {
                return c.reply.error(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
            }
        }
        // A merge into the data set in service is not what a load beside it can do.
        if !flushes { return c.reply.error("ERR DEBUG RELOAD NOFLUSH is not supported") }
        if let reason = c.server.reload(saving: saves) {
            Log.warning("DEBUG RELOAD failed: \(reason)")
            return c.reply.error("ERR Error trying to load the RDB dump")
        }
        c.server.dirty = saves ? 0 : c.server.dirty
        Log.warning("DB reloaded by DEBUG RELOAD")
        c.reply.ok()
    }

    private static func loadAOF(_ c: Client) {
        if let reason = c.server.reloadAOF() {
            Log.warning("DEBUG LOADAOF failed: \(reason)")
            return c.reply.raw("-ERR\r\n")
        }
        c.server.dirty = 0
        Log.warning("Append Only File loaded by DEBUG LOADAOF")
        c.reply.ok()
    }

    // MARK: POPULATE

    private static func populate(_ c: Client) {
        guard let keys = c.integer(2) else { return }
        if keys < 0 { return c.reply.error("ERR value is out of range") }
        var size: Int64 = 0
        if c.count == 5 {
            guard let given = c.integer(4) else { return }
            size = given
        }
        if size < 0 || size > c.server.config.protoMaxBulkLen {
            return c.reply.error("ERR value is out of range")
        }
        let prefix = c.count > 3 ? c[3].array : Array("key".utf8)
        let key = ByteBuffer()
        let value = ByteBuffer()
        c.database.reserve(keys: c.database.count + Int(min(keys, 1 << 24)), volatile: 0)
        for i in 0..<keys {
            key.removeAll()
            key.append(prefix)
            key.append(UInt8(ascii: ":"))
            key.append(decimal: i)
            if c.database.find(key.bytes) != nil { continue }
            value.removeAll()
            value.append("value:")
            value.append(decimal: i)
            if size > 0 {
                let text = min(value.count, Int(size))
                value.truncate(to: text)
                value.reserve(Int(size) - text).fill(0, count: Int(size) - text)
                value.commit(Int(size) - text)
            }
            c.database.setString(key.bytes, value.bytes)
            c.server.touched(key.bytes, in: c.database, by: c)
        }
        c.reply.ok()
    }

    private static func stringMatch(_ c: Client) {
        c.reply.integer(Glob.matches(c[2], c[3]))
    }

    private static let help: [StaticString] = [
        "CHANGE-REPL-ID -- Change the replication IDs of the instance. Dangerous, should be used only for testing the replication subsystem.",
        "DIGEST -- Output a hex signature representing the current DB content.",
        "DIGEST-VALUE <key-1> ... <key-N>-- Output a hex signature of the values of all the specified keys.",
        "ERROR <string> -- Return a Redis protocol error with <string> as message. Useful for clients unit tests to simulate Redis errors.",
        "LOG <message> -- write message to the server log.",
        "HTSTATS <dbid> -- Return hash table statistics of the specified Redis database.",
        "HTSTATS-KEY <key> -- Like htstats but for the hash table stored as key's value.",
        "LOADAOF -- Flush the AOF buffers on disk and reload the AOF in memory.",
        "OBJECT <key> -- Show low level info about key and associated value.",
        "POPULATE <count> [prefix] [size] -- Create <count> string keys named key:<num>. If a prefix is specified is used instead of the 'key' prefix.",
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE] -- Save the RDB on disk and reload it back in memory.",
        "SDSLEN <key> -- Show low level SDS string info representing key and value.",
        "SET-ACTIVE-EXPIRE (0|1) -- Setting it to 0 disables expiring keys in background when they are not accessed (otherwise the Redis behavior). Setting it to 1 reenables back the default.",
        "SLEEP <seconds> -- Stop the server for <seconds>. Decimals allowed.",
        "STRINGMATCH-LEN <len> -- Match patterns against strings of this length.",
        "ZIPLIST <key> -- Show low level info about the ziplist encoding.",
    ]
}
