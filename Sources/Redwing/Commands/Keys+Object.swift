// SPDX-License-Identifier: BSD-3-Clause
//
// OBJECT: how a value is held and how much it is used.

import Configuration
import Keyspace
import Memory
import RESP

enum KeyObject {
    static let subcommands = [
        Subcommand(
            "encoding", 3...3,
            "ENCODING <key> -- Return the kind of internal representation used in order to store the value associated with a key."
        ) { c in if let entry = entry(c) { c.reply.bulk(encoding(entry)) } },
        Subcommand(
            "freq", 3...3,
            "FREQ <key> -- Return the access frequency index of the key. The returned integer is proportional to the logarithm of the recent access frequency of the key.",
            body: frequency),
        Subcommand(
            "idletime", 3...3,
            "IDLETIME <key> -- Return the idle time of the key, that is the approximated number of seconds elapsed since the last access to the key.",
            body: idleTime),
        Subcommand(
            "refcount", 3...3,
            "REFCOUNT <key> -- Return the number of references of the value associated with the specified key."
        ) { c in if let entry = entry(c) { c.reply.integer(references(c, entry)) } },
    ]

    private static func idleTime(_ c: Client) {
        guard let entry = entry(c) else { return }
        if c.server.config.maxmemoryPolicy.isLfu {
            return c.reply.error(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
            )
        }
        c.reply.integer(c.server.idleSeconds(entry))
    }

    private static func frequency(_ c: Client) {
        guard let entry = entry(c) else { return }
        if !c.server.config.maxmemoryPolicy.isLfu {
            return c.reply.error(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
            )
        }
        c.reply.integer(Int(c.server.frequency(entry)))
    }

    /// The entry, left untouched; a null reply when there is none.
    private static func entry(_ c: Client) -> Entry? {
        if let entry = c.server.peek(c[2], in: c.database) {
            c.server.statistics.hits &+= 1
            return entry
        }
        // Counted, but no event: as in Redis.
        c.server.statistics.misses &+= 1
        c.reply.null()
        return nil
    }

    static func encoding(_ entry: Entry) -> StaticString {
        switch entry.kind {
        case .stringInteger, .stringInline, .stringRaw: entry.stringEncoding
        case .listQuick: "quicklist"
        case .setInteger: "intset"
        case .setTable, .hashTable: "hashtable"
        case .hashPacked, .sortedSetPacked: "ziplist"
        case .sortedSetSkip: "skiplist"
        case .stream: "stream"
        }
    }

    /// Redis shares small integers unless LRU or LFU needs bits of their own for each.
    static func references(_ c: Client, _ entry: Entry) -> Int {
        guard entry.kind == .stringInteger, (0..<10_000).contains(entry.integer) else { return 1 }
        let policy = c.server.config.maxmemoryPolicy
        let shared = c.server.config.maxmemory == 0 || !(policy.isLru || policy.isLfu)
        return shared ? Int(Int32.max) : 1
    }
}
