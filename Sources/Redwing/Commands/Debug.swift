// SPDX-License-Identifier: BSD-3-Clause
//
// DEBUG: what tests and curious operators need; the digest of the data above all.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func debugging() -> [Command] {
        [
            Command(
                "debug", -2, "admin noscript loading stale", "", subcommands: Debug.subcommands,
                since: "1.0.0",
                "Looks inside the server, for tests.", Debug.run)
        ]
    }
}

enum Debug {
    static func run(_ c: Client) {
        // The server's own clients are the AOF's and the master's.
        if c.fd >= 0, !c.server.config.enableDebugCommand.allows(isLocal: c.isLocal) {
            return c.reply.error(
                "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
            )
        }
        c.run(subcommands)
    }

    static let subcommands: [Subcommand] =
        [
            Subcommand(
                "change-repl-id", 2...2,
                "CHANGE-REPL-ID -- Change the replication IDs of the instance. Dangerous, should be used only for testing the replication subsystem."
            ) {
                Log.warning("Changing replication IDs after receiving change-repl-id")
                $0.server.changeReplicationID()
                $0.reply.ok()
            },
            Subcommand(
                "digest", 2...2,
                "DIGEST -- Output a hex signature representing the current DB content."
            ) { $0.reply.status(DataDigest().digest(of: $0.server.keyspace)) },
            Subcommand(
                "digest-value", 2...,
                "DIGEST-VALUE <key-1> ... <key-N>-- Output a hex signature of the values of all the specified keys.",
                body: digestValues),
            Subcommand(
                "error", 3...3,
                "ERROR <string> -- Return a Redis protocol error with <string> as message. Useful for clients unit tests to simulate Redis errors."
            ) { $0.reply.error($0[2]) },
            Subcommand("log", 3...3, "LOG <message> -- write message to the server log.") {
                Log.warning("DEBUG LOG: \($0[2].string)")
                $0.reply.ok()
            },
            Subcommand(
                "htstats", 3...3,
                "HTSTATS <dbid> -- Return hash table statistics of the specified Redis database.",
                body: tableStatistics),
            Subcommand(
                "htstats-key", 3...3,
                "HTSTATS-KEY <key> -- Like htstats but for the hash table stored as key's value.",
                body: keyStatistics),
            Subcommand(
                "loadaof", 2...2,
                "LOADAOF -- Flush the AOF buffers on disk and reload the AOF in memory.",
                body: whenLoaded(loadAOF)),
            Subcommand(
                "object", 3...3,
                "OBJECT <key> -- Show low level info about key and associated value.", body: object),
            Subcommand(
                "populate", 3...5,
                "POPULATE <count> [prefix] [size] -- Create <count> string keys named key:<num>. If a prefix is specified is used instead of the 'key' prefix.",
                body: whenLoaded(populate)),
            Subcommand(
                "protocol", 3...3,
                "PROTOCOL <type> -- Reply with a test value of the specified type. <type> can be: string, integer, double, null, array, set, map, attrib, push, verbatim, true, false, bignum.",
                body: protocolSample),
            Subcommand(
                "reload", 2...,
                "RELOAD [MERGE] [NOFLUSH] [NOSAVE] -- Save the RDB on disk and reload it back in memory.",
                body: whenLoaded(reload)),
            Subcommand(
                "sdslen", 3...3,
                "SDSLEN <key> -- Show low level SDS string info representing key and value.",
                body: lengths),
            Subcommand(
                "set-active-expire", 3...3,
                "SET-ACTIVE-EXPIRE (0|1) -- Setting it to 0 disables expiring keys in background when they are not accessed (otherwise the Redis behavior). Setting it to 1 reenables back the default."
            ) {
                $0.server.rooms.expiry.isEnabled = Decimal.parse($0[2]) != 0
                $0.reply.ok()
            },
            Subcommand(
                "sleep", 3...3,
                "SLEEP <seconds> -- Stop the server for <seconds>. Decimals allowed.", body: sleep),
            Subcommand(
                "stringmatch-len", 4...4,
                "STRINGMATCH-LEN <pattern> <string> -- Tell whether the string matches the pattern.",
                body: stringMatch),
            Subcommand(
                "ziplist", 3...3,
                "ZIPLIST <key> -- Show low level info about the ziplist encoding.", body: packed),
            Subcommand("listpack", 3...3, body: packed),
        ] + ignored + crashes

    /// What later versions' tests switch off; it is off, or not there, here.
    private static let ignored =
        ([
            ("quicklist-packed-threshold", 3...3), ("set-disable-deny-scripts", 2...3),
            ("jmap", 2...3),
        ] as [(StaticString, ClosedRange<Int>)]).map { name, words in
            Subcommand(name, words) { $0.reply.ok() }
        }

    /// What ends or restarts a Redis; a test that asks for it would lose its server's data here.
    private static let crashes =
        ([
            "segfault", "panic", "assert", "restart", "crash-and-recover", "oom", "crash-and-abort",
        ] as [StaticString]).map { name in
            Subcommand(name, 2...) { $0.reply.error("ERR this server doesn't crash on request") }
        }

    /// DEBUG runs while a data set loads, and would be run by an AOF that holds it: what saves, loads or
    /// makes data must not, for there is no data set yet that it could do so with.
    private static func whenLoaded(_ body: @escaping @Sendable (Client) -> Void)
        -> @Sendable (Client) -> Void
    {
        { c in
            if c.server.loaderRuns {
                c.reply.error("LOADING Redis is loading the dataset in memory")
            } else {
                body(c)
            }
        }
    }

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
}
