// SPDX-License-Identifier: BSD-3-Clause
//
// The active expiry cycle: keys that died and that nobody asks for are found and deleted, a little at
// a time. The index of volatile keys is walked round and round; as long as more than a tenth of what is
// met is dead it goes on, within a share of the time.

import Configuration
import Keyspace
import Memory
import Platform

/// What the cycle remembers.
struct ExpiryCycle {
    /// DEBUG SET-ACTIVE-EXPIRE.
    var isEnabled = true
    var database = 0
    /// The last run ended for want of time, so that a fast one is due.
    var ranOutOfTime = false
    var lastFast: Int64 = 0
    var own = OwnExpiries()
}

extension Server {
    // active-expire-effort, 1 to 10, makes Redis's figures larger (or smaller) by as much for each.
    private var expireEffort: Int { config.activeExpireEffort - 1 }
    /// Keys looked at in one step.
    private var expireSample: Int { 20 + 5 * expireEffort }
    /// A fast run lasts so long at most, and as long lies between two, ns.
    private var fastLimit: Int64 { Int64(1_000_000 + 250_000 * expireEffort) }
    /// With more dead keys than that among those met it goes on.
    private var acceptedPercent: Int { 10 - expireEffort }

    /// The run of the cron: a quarter of the time between two at most.
    func expireKeys() {
        if keepsOwnExpiries && rooms.expiry.isEnabled { expireOwnKeys() }
        runExpiry(limit: Int64(25 + 2 * expireEffort) * 10_000_000 / Int64(max(1, config.hz)))
    }

    /// The run before the loop sleeps, when the cron's left dead keys behind.
    func expireKeysFast() {
        guard rooms.expiry.ranOutOfTime || statistics.expiredStalePercent > Double(acceptedPercent)
        else { return }
        let clock = redwing_monotonic_ns()
        if clock < rooms.expiry.lastFast + 2 * fastLimit { return }
        rooms.expiry.lastFast = clock
        runExpiry(limit: fastLimit)
    }

    private func runExpiry(limit: Int64) {
        guard rooms.expiry.isEnabled, !isReplica, !loading, !isPaused else { return }
        let start = redwing_monotonic_ns()
        let count = keyspace.databases.count
        let accepted = acceptedPercent
        var met = 0
        var dead = 0
        rooms.expiry.ranOutOfTime = false
        for _ in 0..<count {
            let database = keyspace.databases[rooms.expiry.database % count]
            rooms.expiry.database = (rooms.expiry.database + 1) % count
            if database.volatileCount == 0 {
                database.averageTTL = 0
                continue
            }
            var rounds = 0
            while true {
                let step = expireSome(database)
                met += step.met
                dead += step.dead
                rounds += 1
                // A sparse index gives steps in which nothing is met: those go on too, for a while.
                let stale = step.met == 0 ? rounds < 16 : step.dead * 100 > step.met * accepted
                if !stale || database.volatileCount == 0 { break }
                if rounds % 16 == 0, redwing_monotonic_ns() - start > limit {
                    rooms.expiry.ranOutOfTime = true
                    statistics.expiredTimeCapReached += 1
                    break
                }
            }
            if rooms.expiry.ranOutOfTime { break }
        }
        let spent = (redwing_monotonic_ns() - start) / 1000
        statistics.expireCycleMicroseconds += UInt64(max(0, spent))
        observe(latency: "expire-cycle", microseconds: spent)
        let share = met > 0 ? Double(dead) / Double(met) * 100 : 0
        statistics.expiredStalePercent = share * 0.05 + statistics.expiredStalePercent * 0.95
    }

    /// Looks at the next volatile keys of `database` and deletes those that are dead.
    private func expireSome(_ database: Database) -> (met: Int, dead: Int) {
        var met = 0
        var living = 0
        var lives: Int64 = 0
        var dead: [[UInt8]] = []
        database.expiryCursor = database.scanVolatile(database.expiryCursor, expireSample) {
            entry in
            guard let expiry = entry.expiry else { return }
            met += 1
            if expiry < now {
                dead.append(entry.key.array)
            } else {
                living += 1
                // A key may live to the end of time: two of them are more than 64 bits hold.
                let (sum, overflow) = lives.addingReportingOverflow(expiry - now)
                lives = overflow ? Int64.max : sum
            }
        }
        if living > 0 {
            let mean = lives / Int64(living)
            let old = database.averageTTL
            database.averageTTL = old == 0 ? mean : old / 50 * 49 + mean / 50
        }
        for key in dead { Bytes.with(key) { deleteExpired($0, in: database) } }
        return (met, dead.count)
    }
}
