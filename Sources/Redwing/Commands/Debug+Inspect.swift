// SPDX-License-Identifier: BSD-3-Clause
//
// DEBUG's looks inside: OBJECT, HTSTATS, SDSLEN, PROTOCOL.

import Configuration
import Keyspace
import Memory
import RESP

extension Debug {
    static func object(_ c: Client) {
        guard let entry = c.database.find(c[2]) else { return c.noSuchKey() }
        let server = c.server
        let idle = (server.lruClock &- entry.access) & 0xFF_FFFF
        let writer = RDBWriter.memory(compression: server.config.rdbcompression)
        writer.beginDump(ValueRDB.type(of: entry))
        ValueRDB.write(entry, to: writer)
        writer.endDump()
        // Without the type byte, the version and the checksum around the value.
        let serialized = writer.finish() == 0 ? max(0, writer.memory.count - 11) : 0
        var text = "Value at:0x" + String(entry.address.raw, radix: 16)
        text +=
            " refcount:\(KeyObject.references(c, entry)) encoding:\(KeyObject.encoding(entry)) serializedlength:\(serialized)"
        text += " lru:\(entry.access) lru_seconds_idle:\(idle)"
        if entry.kind == .listQuick {
            let list = ListValue(entry.container)
            let nodes = max(1, list.nodeCount)
            let average = decimal(Double(list.count) / Double(nodes), 2)
            text += " ql_nodes:\(list.nodeCount) ql_avg_node:\(average)"
            text += " ql_ziplist_max:\(c.server.config.listMaxZiplistSize) ql_compressed:0"
            text += " ql_uncompressed_size:\(list.memoryUsage(samples: 0))"
        }
        c.reply.status(text)
    }

    static func tableStatistics(_ c: Client) {
        guard let index = c.integer(2) else { return }
        guard index >= 0, index < c.server.keyspace.databases.count else {
            return c.reply.error("ERR Out of range database")
        }
        let database = c.server.keyspace.databases[Int(index)]
        c.reply.verbatim(
            "[Dictionary HT]\n" + Self.statistics(database.count, database.keys.bytes)
                + "[Expires HT]\n"
                + Self.statistics(database.volatileCount, database.volatileKeys.bytes))
    }

    static func keyStatistics(_ c: Client) {
        guard let entry = c.database.find(c[2]) else { return c.noSuchKey() }
        switch entry.kind {
        case .hashTable, .setTable, .sortedSetSkip:
            let bytes = c.database.memory(of: entry, samples: 5)
            c.reply.verbatim(Self.statistics(Values.freeEffort(entry.kind, entry.container), bytes))
        default:
            c.reply.error(
                "ERR The value stored at the specified key is not represented using an hash table")
        }
    }

    private static func statistics(_ count: Int, _ bytes: Int) -> String {
        if count == 0 { return "No stats available for empty dictionaries\n" }
        return "Hash table 0 stats (main hash table):\n table size: \(bytes / 8)\n"
            + " number of elements: \(count)\n"
    }

    /// The bytes of a packed value, for the log.
    static func packed(_ c: Client) {
        guard let entry = c.database.find(c[2]) else { return c.noSuchKey() }
        guard entry.kind == .hashPacked || entry.kind == .sortedSetPacked else {
            return c.reply.error("ERR Not an sds encoded string.")
        }
        let pack = Listpack(entry.container)
        Log.warning("DEBUG LISTPACK: \(pack.count) elements in \(pack.size) bytes")
        c.reply.status("Listpack structure printed on stdout")
    }

    static func lengths(_ c: Client) {
        guard let entry = c.database.find(c[2]) else { return c.noSuchKey() }
        guard entry.kind == .stringInline || entry.kind == .stringRaw else {
            return c.reply.error("ERR Not an sds encoded string.")
        }
        let size = entry.stringCount
        let room = entry.kind == .stringRaw ? RawString(entry.container).capacity : size
        c.reply.status(
            "key_sds_len:\(entry.keyCount), key_sds_avail:0, key_zmalloc: \(entry.size), "
                + "val_sds_len:\(size), val_sds_avail:\(room - size), val_zmalloc: \(room)")
    }

    /// A reply of each type of the protocol, for clients' tests.
    static func protocolSample(_ c: Client) {
        switch c[2].string.lowercased() {
        case "string": c.reply.bulk("Hello World")
        case "integer": c.reply.integer(12345)
        case "double": c.reply.double(3.14159265359)
        case "null": c.reply.null()
        case "array":
            c.reply.array(3)
            for i in 0..<3 { c.reply.integer(i) }
        case "set":
            c.reply.set(3)
            for i in 0..<3 { c.reply.integer(i) }
        case "map":
            c.reply.map(3)
            for i in 0..<3 {
                c.reply.integer(i)
                c.reply.boolean(i == 1)
            }
        case "attrib":
            if c.reply.version == 3 {
                c.reply.attribute(1)
                c.reply.bulk("key-popularity")
                c.reply.array(2)
                c.reply.bulk("key:123")
                c.reply.integer(90)
            }
            c.reply.bulk("Some real reply following the attribute")
        case "push":
            if c.reply.version == 2 {
                return c.reply.error("ERR RESP2 is not supported by this command")
            }
            c.reply.push(2)
            c.reply.bulk("server-cpu-usage")
            c.reply.integer(42)
            // A push answers no request: whoever waits for an answer gets one.
            c.reply.bulk("Some real reply following the push reply")
        case "verbatim": c.reply.verbatim("This is a verbatim\nstring")
        case "true": c.reply.boolean(true)
        case "false": c.reply.boolean(false)
        case "bignum":
            if c.reply.version == 3 {
                c.reply.raw("(1234567999999999999999999999999999999\r\n")
            } else {
                c.reply.bulk("1234567999999999999999999999999999999")
            }
        default:
            c.reply.error(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|attrib|push|verbatim|true|false|bignum"
            )
        }
    }
}
