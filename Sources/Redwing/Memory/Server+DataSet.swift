// SPDX-License-Identifier: BSD-3-Clause
//
// Changes to whole databases, and the memory that the data set takes.

import Configuration
import Keyspace
import Memory

extension Server {
    /// Bytes in use: the data set and everything besides.
    public var usedMemory: Int { MemoryUse.total(keyspace.heap) }

    /// Removes `key` when its value may be freed at leisure.
    @discardableResult
    func removeLazily(_ key: Bytes, in database: Database) -> Bool {
        keyspace.removeLazily(key, in: database)
    }

    /// Frees some of what `removeLazily` put aside: about a millisecond's work a turn of the loop.
    func freeRemains() {
        if keyspace.remainsCount == 0 { return }
        keyspace.freeRemains(atMost: 20_000)
        if keyspace.remainsCount > 0 { loop.busy = true }
    }

    /// Empties database `index`, or all of them (nil); returns the number of keys that are gone.
    /// The memory of a large data set is given back by a thread, for it can take a while.
    func flush(_ index: Int?, lazily: Bool) -> Int {
        watchers.touchAll(index) { database, key in
            Bytes.with(key) { keyspace.databases[database].find($0) != nil }
        }
        if isTracking { invalidateFlushed(all: index == nil) }
        let all = keyspace.count
        guard let index, keyspace.databases[index].count < all else {
            if let old = keyspace.dropAll() { jobs.submit { old.destroy() } }
            return all
        }
        let removed = keyspace.databases[index].count
        keyspace.databases[index].removeAll()
        return removed
    }

    /// Exchanges two databases under the clients that use them.
    func swapDatabases(_ first: Int, _ second: Int) {
        let both = [first, second]
        for index in both {
            watchers.touchAll(index) { _, key in
                Bytes.with(key) { key in
                    both.contains { keyspace.databases[$0].find(key) != nil }
                }
            }
        }
        keyspace.swapDatabases(first, second)
        for id in Array(blocking.waiting.keys) where both.contains(id.database) {
            Bytes.with(id.key) { key in
                if keyspace.databases[id.database].find(key) != nil {
                    blocking.signal(key, id.database)
                }
            }
        }
    }
}
