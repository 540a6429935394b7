// SPDX-License-Identifier: BSD-3-Clause
//
// The memory limit: what is evicted, and when. As in Redis, candidates come from samples, and the best
// of past samples are remembered in a small pool, so that few samples come close to the true order.

import Configuration
import Keyspace
import Memory
import Platform

/// The best candidates met so far, the best last.
struct EvictionPool {
    struct Candidate {
        /// The higher the sooner it goes: idle time, rareness, or nearness of death.
        var score: UInt64
        var key: [UInt8]
        var database: Int
    }

    static let size = 16
    var candidates: [Candidate] = []

    mutating func offer(_ score: UInt64, _ key: Bytes, _ database: Int) {
        if candidates.count == Self.size {
            if score <= candidates[0].score { return }
            candidates.removeFirst()
        }
        if candidates.contains(where: {
            $0.database == database && Bytes.with($0.key) { $0 == key }
        }) {
            return
        }
        let at = candidates.firstIndex { $0.score > score } ?? candidates.count
        candidates.insert(Candidate(score: score, key: key.array, database: database), at: at)
    }
}

extension Server {
    /// Evicts until used memory is below `maxmemory`; false when that can't be.
    func makeRoom() -> Bool {
        let limit = Int(clamping: config.maxmemory)
        if limit == 0 || (isReplica && config.replicaIgnoreMaxmemory) { return true }
        if usedMemory <= limit { return true }
        // Memory that replicas and the AOF hold is not the data's: evicting would only make more of it.
        func excess() -> Int { usedMemory - uncountedMemory - limit }
        if excess() <= 0 { return true }
        let policy = config.maxmemoryPolicy
        // A pause leaves the data set as it is; who would make it grow waits.
        if isPaused { return true }
        if policy == .noeviction { return false }
        let start = latencyStart
        defer { observe(latency: "eviction-cycle", since: start) }
        let end = redwing_monotonic_ns() + Self.evictionPatience_ns
        while excess() > 0 {
            // What was put aside comes back first, else its key's eviction would cost other keys too.
            // When that takes long the command may run: the rest comes back in the turns that follow.
            if keyspace.remainsCount > 0 {
                if redwing_monotonic_ns() > end { return true }
                keyspace.freeRemains(atMost: Self.remainsStep)
                continue
            }
            guard let (database, key) = victim(policy) else { return false }
            evict(key, in: database)
        }
        return true
    }

    private static let evictionPatience_ns: Int64 = 20_000_000
    private static let remainsStep = 1000

    private func evict(_ key: [UInt8], in database: Database) {
        Bytes.with(key) { key in
            let verb: StaticString = config.lazyfreeLazyEviction ? "UNLINK" : "DEL"
            propagate([Bytes(verb), key], in: database)
            let start = latencyStart
            if config.lazyfreeLazyEviction {
                removeLazily(key, in: database)
            } else {
                remove(key, in: database)
            }
            observe(latency: "eviction-del", since: start)
            statistics.evicted += 1
            notify(key, in: database, .evicted, "evicted")
            touched(key, in: database, by: nil)
        }
    }

    private func victim(_ policy: MaxmemoryPolicy) -> (Database, [UInt8])? {
        if policy == .allkeysRandom || policy == .volatileRandom {
            return randomVictim(onlyVolatile: policy.isVolatile)
        }
        for _ in 0..<64 {
            var candidates = 0
            for database in keyspace.databases {
                let count = policy.isVolatile ? database.volatileCount : database.count
                if count == 0 { continue }
                candidates += count
                sample(database, policy, min(count, config.maxmemorySamples))
            }
            if candidates == 0 { return nil }
            while let best = rooms.eviction.candidates.popLast() {
                let database = keyspace.databases[best.database]
                // It may have gone, or lost its expiry, since it was met.
                let entry = Bytes.with(best.key) { database.find($0) }
                if let entry, !policy.isVolatile || entry.hasExpiry { return (database, best.key) }
            }
        }
        return nil
    }

    private func sample(_ database: Database, _ policy: MaxmemoryPolicy, _ count: Int) {
        for _ in 0..<count {
            let entry = policy.isVolatile ? database.randomVolatileEntry() : database.randomEntry()
            guard let entry else { return }
            let score: UInt64 =
                if policy == .volatileTtl {
                    UInt64(bitPattern: Int64.max - (entry.expiry ?? Int64.max))
                } else if policy.isLfu {
                    UInt64(255 - frequency(entry))
                } else {
                    UInt64(idleSeconds(entry))
                }
            rooms.eviction.offer(score, entry.key, database.index)
        }
    }

    /// From one database after the other.
    private func randomVictim(onlyVolatile: Bool) -> (Database, [UInt8])? {
        let count = keyspace.databases.count
        for _ in 0..<count {
            let database = keyspace.databases[rooms.nextEvictedDatabase % count]
            rooms.nextEvictedDatabase = (rooms.nextEvictedDatabase + 1) % count
            let entry = onlyVolatile ? database.randomVolatileEntry() : database.randomEntry()
            if let entry { return (database, entry.key.array) }
        }
        return nil
    }

    /// Once a cron: what new keys begin with, for the policy may have changed.
    func memoryCron() { refreshAccess() }
}
