// SPDX-License-Identifier: BSD-3-Clause
//
// How recently and how often keys are used: 24 bits an entry, as in Redis. LRU: the clock of the last
// use in seconds. LFU: 16 bits of minutes at which the counter was last looked at, 8 bits of a counter
// that grows by chance, ever slower, and falls with time.

import Configuration
import Keyspace
import Platform

extension Server {
    /// A new key starts here, so that it is not evicted before it had a chance.
    private static let firstCounter: UInt32 = 5

    private var minutes: UInt32 { UInt32(truncatingIfNeeded: now / 60_000) & 0xFFFF }

    /// The access bits of a key that is new now.
    var newAccess: UInt32 {
        config.maxmemoryPolicy.isLfu ? minutes << 8 | Self.firstCounter : lruClock
    }

    /// Tells the databases what a new key's access bits are. Once a second, and with a new policy.
    func refreshAccess() {
        let access = newAccess
        for database in keyspace.databases {
            database.newAccess = access
            database.keepsAccess = config.maxmemoryPolicy.isLfu
        }
    }

    /// A use of `entry` under an LFU policy.
    func touchFrequency(_ entry: Entry) {
        var counter = frequency(entry)
        if counter < 255 {
            let base = max(0, Int(counter) - Int(Self.firstCounter))
            let chance = 1.0 / Double(base * config.lfuLogFactor + 1)
            if Double(redwing_random() >> 11) * 0x1p-53 < chance { counter += 1 }
        }
        entry.access = minutes << 8 | counter
    }

    /// The LFU counter, less what it lost by lying idle.
    func frequency(_ entry: Entry) -> UInt32 {
        let access = entry.access
        let counter = access & 0xFF
        guard config.lfuDecayTime > 0 else { return counter }
        let elapsed = (minutes &- access >> 8) & 0xFFFF
        let periods = elapsed / UInt32(clamping: config.lfuDecayTime)
        return counter > periods ? counter - periods : 0
    }

    /// Seconds since the last use under an LRU policy.
    func idleSeconds(_ entry: Entry) -> Int {
        Int((lruClock &- entry.access) & 0xFF_FFFF)
    }
}
