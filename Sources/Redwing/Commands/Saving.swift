// SPDX-License-Identifier: BSD-3-Clause
//
// SAVE, BGSAVE, LASTSAVE, SHUTDOWN, DUMP, RESTORE.

import Configuration
import Glibc
import Keyspace
import Memory
import RESP
import Wing

extension CommandTable {
    static func saving() -> [Command] {
        [
            Command(
                "save", 1, "admin noscript", "dangerous", since: "1.0.0",
                "Saves the data to disk and answers when that is done.", Saving.save),
            Command(
                "bgsave", -1, "admin noscript", "dangerous", since: "1.0.0",
                "Saves the data to disk in a process of its own.", Saving.bgsave),
            Command(
                "bgrewriteaof", 1, "admin noscript", "dangerous", since: "1.0.0",
                "Rewrites the append only file in a process of its own.", Saving.bgrewriteaof),
            Command(
                "lastsave", 1, "readonly random loading stale fast", "admin dangerous",
                since: "1.0.0",
                "Returns when the data was last saved.", Saving.lastsave),
            Command(
                "shutdown", -1, "admin noscript loading stale", "dangerous", since: "1.0.0",
                "Saves the data, if save points say so, and ends the server.", Saving.shutdown),
            Command(
                "dump", 2, "readonly random", keys: (1, 1, 1), "keyspace", since: "2.6.0",
                "Returns the value of a key in the form that RESTORE takes.", Saving.dump),
            Command(
                "restore", -4, "write denyoom", keys: (1, 1, 1), "keyspace dangerous",
                since: "2.6.0",
                "Makes a key of what DUMP returned.", Saving.restore),
            Command(
                "restore-asking", -4, "write denyoom asking", keys: (1, 1, 1), "keyspace dangerous",
                since: "3.0.0", group: "server",
                "RESTORE, of a key whose slot moves in a cluster.", Saving.restore),
        ]
    }
}

enum Saving {
    static func save(_ c: Client) {
        if c.server.persistence.job == .saveToDisk || c.server.persistence.job == .sendToReplicas {
            return c.reply.error("ERR Background save already in progress")
        }
        if c.server.saveNow() == nil { c.reply.ok() } else { c.reply.raw("-ERR\r\n") }
    }

    static func bgsave(_ c: Client) {
        var schedule = false
        if c.count > 1 {
            guard c.count == 2, c.word(1, is: "schedule") else { return c.syntaxError() }
            schedule = true
        }
        let persistence = c.server.persistence
        switch persistence.job {
        case .saveToDisk, .sendToReplicas:
            c.reply.error("ERR Background save already in progress")
        case .rewriteAOF:
            if schedule {
                persistence.scheduled = true
                c.reply.status("Background saving scheduled")
            } else {
                c.reply.error(
                    "ERR An AOF log rewriting in progress: can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
                )
            }
        case nil:
            if c.server.startBackgroundSave() == nil {
                c.reply.status("Background saving started")
            } else {
                c.reply.raw("-ERR\r\n")
            }
        }
    }

    static func bgrewriteaof(_ c: Client) {
        guard let file = c.server.aof else { return }
        if file.rewrite != .none {
            c.reply.error("ERR Background append only file rewriting already in progress")
        } else if c.server.childRuns || file.isGrouped {
            // In the middle of a transaction the file would begin with the rest of it.
            file.rewriteScheduled = true
            c.reply.status("Background append only file rewriting scheduled")
        } else if file.startRewrite() == nil {
            c.reply.status("Background append only file rewriting started")
        } else {
            c.reply.error(
                "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
            )
        }
    }

    static func lastsave(_ c: Client) { c.reply.integer(c.server.persistence.lastSave) }

    static func shutdown(_ c: Client) {
        var save: Bool?
        if c.count > 2 { return c.syntaxError() }
        if c.count == 2 {
            if c.word(1, is: "nosave") {
                save = false
            } else if c.word(1, is: "save") {
                save = true
            } else {
                return c.syntaxError()
            }
        }
        if c.flags.contains(.denyBlocking) {
            return c.reply.error("ERR Command not allowed inside a transaction")
        }
        if !c.server.shutDown(save: save) {
            c.reply.error("ERR Errors trying to SHUTDOWN. Check logs.")
        }
    }

    static func dump(_ c: Client) {
        guard let entry = c.lookupRead(c[1]) else { return c.reply.null() }
        let writer = RDBWriter.memory(compression: c.server.config.rdbcompression)
        writer.beginDump(ValueRDB.type(of: entry))
        ValueRDB.write(entry, to: writer)
        writer.endDump()
        guard writer.finish() == 0 else { return c.reply.error("ERR out of memory") }
        c.reply.bulk(writer.memory)
    }

    static func restore(_ c: Client) {
        var replace = false
        var absolute = false
        var idle: Int64 = -1
        var frequency: Int64 = -1
        var at = 4
        while at < c.count {
            let more = at + 1 < c.count
            if c.word(at, is: "replace") {
                replace = true
            } else if c.word(at, is: "absttl") {
                absolute = true
            } else if c.word(at, is: "idletime"), more, frequency == -1 {
                guard let value = c.integer(at + 1) else { return }
                if value < 0 { return c.reply.error("ERR Invalid IDLETIME value, must be >= 0") }
                idle = value
                at += 1
            } else if c.word(at, is: "freq"), more, idle == -1 {
                guard let value = c.integer(at + 1) else { return }
                if value < 0 || value > 255 {
                    return c.reply.error("ERR Invalid FREQ value, must be >= 0 and <= 255")
                }
                frequency = value
                at += 1
            } else {
                return c.syntaxError()
            }
            at += 1
        }
        let key = c[1]
        if !replace, c.lookupWrite(key) != nil {
            return c.reply.raw("-BUSYKEY Target key name already exists.\r\n")
        }
        guard var ttl = c.integer(2) else { return }
        if ttl < 0 { return c.reply.error("ERR Invalid TTL value, must be >= 0") }
        guard let size = RDBReader.verifyDump(c[3]) else {
            return c.reply.error("ERR DUMP payload version or checksum are wrong")
        }
        do throws(RDBFault) {
            let reader = try RDBReader(dump: c[3].prefix(size))
            try reader.next()
            let server = c.server
            let database = c.database
            var text: [UInt8]?
            var built: (ValueKind, Address)?
            if unsafe reader.item.value == WING_RDB_VALUE_STRING {
                guard try reader.nextPart() else { throw reader.malformed("no value") }
                text = unsafe reader.part.text.view.array
            } else {
                built = try ValueRDB.read(reader, database.heap, database.limits)
                if built == nil { throw reader.malformed("an empty collection") }
            }
            try reader.next()
            let replaced = replace && server.remove(key, in: database)
            if ttl > 0, !absolute {
                let (sum, overflow) = ttl.addingReportingOverflow(server.now)
                ttl = overflow ? Int64.max : sum
            }
            if ttl > 0, ttl < server.now, !server.isReplica, !server.loading {
                if let built { Values.free(built.0, built.1, database.heap) }
                if replaced {
                    c.changed(key, .generic, "del")
                    c.propagateInstead([Bytes("DEL"), key])
                }
                return c.reply.ok()
            }
            let expiry: Int64? = ttl > 0 ? ttl : nil
            if let text {
                Bytes.with(text) { database.addRestored(string: $0, key, expiry: expiry) }
            } else if let built {
                database.insert(key, built.0, container: built.1, expiry: expiry)
            }
            setAccess(c, key, idle: idle, frequency: frequency)
            c.changed(key, .generic, "restore")
            if isNewer(c[3].dropFirst(size)) {
                c.propagateStored(key)
            } else if expiry != nil, !absolute {
                propagateAbsolute(c, ttl)
            }
            c.reply.ok()
        } catch {
            c.reply.error("ERR Bad data format")
        }
    }

    private static func setAccess(_ c: Client, _ key: Bytes, idle: Int64, frequency: Int64) {
        guard let entry = c.database.find(key) else { return }
        let policy = c.server.config.maxmemoryPolicy
        if policy.isLfu, frequency >= 0 {
            entry.access = (entry.access & 0xFFFF00) | UInt32(frequency)
        } else if !policy.isLfu, idle >= 0 {
            entry.access = (c.server.lruClock &- UInt32(truncatingIfNeeded: idle)) & 0xFF_FFFF
        }
    }

    /// The payload's `footer` names a version that Redis 6.0 doesn't read.
    private static func isNewer(_ footer: Bytes) -> Bool {
        Int(footer[0]) | Int(footer[1]) << 8 > RDBWriter.version
    }

    /// A relative time to live would lengthen the key's life on a late replica.
    private static func propagateAbsolute(_ c: Client, _ expiry: Int64) {
        Bytes.with(String(expiry)) { digits in
            let options = (4..<c.count).map { c[$0] }
            c.propagateInstead(
                [Bytes("RESTORE"), c[1], digits, c[3]] + options + [Bytes("ABSTTL")])
        }
    }
}
