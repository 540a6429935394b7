// SPDX-License-Identifier: BSD-3-Clause
//
// MEMORY: what keys and the whole server take.

import Configuration
import Keyspace
import Memory
import Platform
import RESP

extension CommandTable {
    static func memory() -> [Command] {
        [
            Command(
                "memory", -2, "readonly random movablekeys", "",
                keyFinder: MemoryCommand.keys, subcommands: MemoryCommand.subcommands,
                since: "4.0.0",
                "Tells what keys and the server take of memory.")
        ]
    }
}

enum MemoryCommand {
    static func keys(_ arguments: Arguments) -> [Int] {
        arguments.count >= 3 && arguments[1].equalsIgnoringCase("usage") ? [2] : []
    }

    static let subcommands = [
        Subcommand("doctor", 2...2, "DOCTOR - Return memory problems reports.") {
            $0.reply.verbatim(report($0.server.memoryPicture()))
        },
        Subcommand(
            "malloc-stats", 2...2,
            "MALLOC-STATS -- Return internal statistics report from the memory allocator."
        ) { $0.reply.verbatim(AllocatorFacts.report()) },
        Subcommand(
            "purge", 2...2,
            "PURGE -- Attempt to purge dirty pages for reclamation by the allocator."
        ) {
            redwing_allocator_purge()
            $0.reply.ok()
        },
        Subcommand(
            "stats", 2...2,
            "STATS -- Return information about the memory usage of the server.", body: statistics),
        Subcommand(
            "usage", 3...,
            "USAGE <key> [SAMPLES <count>] -- Return memory in bytes used by <key> and its value. Nested values are sampled up to <count> times (default: 5).",
            body: usage),
    ]

    private static func usage(_ c: Client) {
        var samples = 5
        var i = 3
        while i < c.count {
            guard c.word(i, is: "samples"), i + 1 < c.count else { return c.syntaxError() }
            guard let count = c.integer(i + 1) else { return }
            if count < 0 { return c.syntaxError() }
            samples = Int(count)
            i += 2
        }
        guard let entry = c.server.peek(c[2], in: c.database) else { return c.reply.null() }
        // A slot of the database's table belongs to the key.
        c.reply.integer(c.database.memory(of: entry, samples: samples) + 8)
    }

    private static func statistics(_ c: Client) {
        let memory = c.server.memoryPicture()
        let reply = c.reply
        reply.map(25 + memory.databases.count)
        func whole(_ name: String, _ value: Int) {
            reply.bulk(name)
            reply.integer(value)
        }
        func fraction(_ name: String, _ value: Double) {
            reply.bulk(name)
            reply.double(value)
        }
        whole("peak.allocated", memory.peak)
        whole("total.allocated", memory.used)
        whole("startup.allocated", memory.startup)
        whole("replication.backlog", memory.backlog)
        whole("clients.slaves", memory.replicaClients)
        whole("clients.normal", memory.normalClients)
        whole("aof.buffer", memory.aofBuffer)
        whole("lua.caches", memory.scripts)
        for database in memory.databases {
            reply.bulk("db.\(database.index)")
            reply.map(2)
            whole("overhead.hashtable.main", database.main)
            whole("overhead.hashtable.expires", database.expires)
        }
        whole("overhead.total", memory.overhead)
        whole("keys.count", memory.keys)
        whole("keys.bytes-per-key", memory.bytesPerKey)
        whole("dataset.bytes", memory.dataset)
        fraction("dataset.percentage", memory.datasetPercent)
        fraction("peak.percentage", memory.peakPercent)
        whole("allocator.allocated", memory.allocator.allocated)
        whole("allocator.active", memory.allocator.active)
        whole("allocator.resident", memory.allocator.resident)
        fraction("allocator-fragmentation.ratio", memory.allocatorRatio)
        whole("allocator-fragmentation.bytes", memory.allocator.active - memory.allocator.allocated)
        fraction("allocator-rss.ratio", memory.residentRatio)
        whole("allocator-rss.bytes", memory.allocator.resident - memory.allocator.active)
        fraction("rss-overhead.ratio", memory.overheadRatio)
        whole("rss-overhead.bytes", memory.resident - memory.allocator.resident)
        fraction("fragmentation", memory.fragmentation)
        whole("fragmentation.bytes", memory.fragmentationBytes)
    }

    // MARK: DOCTOR

    private static func report(_ memory: MemoryPicture) -> String {
        if memory.used < 5 << 20 {
            return
                "Hi Sam, this instance is empty or is using very little memory, my issue detector can't be used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as soon as I finished rebooting.\n"
        }
        let issues = issues(memory)
        if issues.isEmpty {
            return
                "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
        }
        return "Sam, I detected a few issues in this Redis instance memory implants:\n\n"
            + issues.map { " * \($0)\n\n" }.joined()
            + "I'm here to keep you safe, Sam. I want to help you.\n"
    }

    private static func issues(_ memory: MemoryPicture) -> [String] {
        var found: [String] = []
        if Double(memory.peak) / Double(max(1, memory.used)) > 1.5 {
            found.append(
                "Peak memory: In the past this instance used more than 150% the memory that is currently using. The allocator keeps pages for a while; MEMORY PURGE returns them to the system."
            )
        }
        let wasted = 10 << 20
        if memory.fragmentation > 1.4, memory.fragmentationBytes > wasted {
            found.append(
                "High total RSS: This instance has a memory fragmentation and RSS overhead greater than 1.4 (this means that the Resident Set Size of the process is much larger than the sum of the logical allocations performed)."
            )
        }
        if memory.allocatorRatio > 1.1,
            memory.allocator.active - memory.allocator.allocated > wasted
        {
            found.append(
                "High allocator fragmentation: This instance has an allocator external fragmentation greater than 1.1."
            )
        }
        if memory.residentRatio > 1.1, memory.allocator.resident - memory.allocator.active > wasted
        {
            found.append(
                "High allocator RSS overhead: This instance has an RSS memory overhead is greater than 1.1 (this means that the Resident Set Size of the allocator is much larger than the sum what the allocator actually holds)."
            )
        }
        if memory.overheadRatio > 1.1, memory.resident - memory.allocator.resident > 5 * wasted {
            found.append(
                "High process RSS overhead: This instance has non-allocator RSS memory overhead is greater than 1.1."
            )
        }
        if memory.normalCount > 0, memory.normalClients / memory.normalCount > 200 << 10 {
            found.append(
                "Big client buffers: The clients output buffers in this instance are greater than 200K per client (on average). Look for clients that don't read their replies, or send large pipelines."
            )
        }
        return found
    }
}
