// SPDX-License-Identifier: BSD-3-Clause
//
// What happens around a key besides the data: expiry, LRU and LFU, WATCH, waiting clients,
// notifications, the count of changes.

import Configuration
import Keyspace
import Memory
import RESP

extension Server {
    /// The entry of `key` if it is there and alive. A write deletes it first when it is expired; a
    /// read does so on a master, while a replica only takes it for missing.
    @inline(__always)
    func lookup(
        _ key: Bytes, in database: Database, write: Bool, touches: Bool = true
    ) -> Entry? {
        guard let entry = database.find(key) else {
            if !write { missed(key, in: database) }
            return nil
        }
        if entry.hasExpiry, let expiry = entry.expiry, expiry < now || expiry == 0 && now > 0 {
            if hasExpired(key, expiry, in: database, write: write) {
                if !write { missed(key, in: database) }
                return nil
            }
        }
        if !write { statistics.hits &+= 1 }
        if touches { touch(entry) }
        return entry
    }

    private func missed(_ key: Bytes, in database: Database) {
        statistics.misses &+= 1
        notify(key, in: database, .keyMiss, "keymiss")
    }

    /// Without counting or touching. Expired keys are missing.
    func peek(_ key: Bytes, in database: Database) -> Entry? {
        guard let entry = database.find(key) else { return nil }
        if let expiry = entry.expiry, expiry < now,
            hasExpired(key, expiry, in: database, write: false)
        {
            return nil
        }
        return entry
    }

    /// Whether `key` counts as gone for the client at hand. On a master it is deleted on the way.
    private func hasExpired(_ key: Bytes, _ expiry: Int64, in database: Database, write: Bool)
        -> Bool
    {
        if loading { return false }
        if isReplica {
            // The master's commands see keys as the master sees them: it will send the DEL.
            if appliesMastersStream { return false }
            // What a client of a writable replica writes must not take over a dead key's time to live.
            if write, keepsOwnExpiries { deleteExpired(key, in: database) }
            return true
        }
        // A pause leaves the data set as it is. The transaction that began it may still write.
        if isPaused, !write { return true }
        deleteExpired(key, in: database)
        return true
    }

    /// The command at hand comes from our master, or a script does that came from it.
    var appliesMastersStream: Bool {
        guard let current else { return false }
        return responsible(current).flags.contains(.master)
    }

    /// Deletes an expired key: DEL to replicas and AOF, the event, the counter.
    func deleteExpired(_ key: Bytes, in database: Database) {
        statistics.expired &+= 1
        let verb: StaticString = config.lazyfreeLazyExpire ? "UNLINK" : "DEL"
        let copy = key.array
        Bytes.with(copy) { key in
            propagate([Bytes(verb), key], in: database)
            let start = latencyStart
            if config.lazyfreeLazyExpire {
                removeLazily(key, in: database)
            } else {
                remove(key, in: database)
            }
            observe(latency: "expire-del", since: start)
            notify(key, in: database, .expired, "expired")
            touched(key, in: database, by: nil)
        }
    }

    func isLogicallyExpired(_ key: Bytes, in database: Database) -> Bool {
        guard let expiry = database.find(key)?.expiry else { return false }
        return expiry < now
    }

    /// Marks a use for LRU or LFU. Not while a child runs: it would copy the page for that alone.
    @inline(__always)
    func touch(_ entry: Entry) {
        if childRuns { return }
        if config.maxmemoryPolicy.isLfu {
            touchFrequency(entry)
        } else if entry.access != lruClock {
            entry.access = lruClock
        }
    }

    /// Whether there is anybody whom `changed` would tell of a change, by an event of `eventClass`.
    @inline(__always)
    func tellsChanges(_ eventClass: EventClass) -> Bool {
        !watchers.isEmpty || isTracking || keepsOwnExpiries || blocking.isAwaited
            || notifiedEvents & eventClass.rawValue != 0
    }

    /// To be called once for each key that a command changed.
    func changed(
        _ key: Bytes, in database: Database, by client: Client?, _ eventClass: EventClass,
        _ event: StaticString, dirty: Int
    ) {
        self.dirty &+= dirty
        touched(key, in: database, by: client)
        notify(key, in: database, eventClass, event)
    }

    /// A key changed: those who watch it, cache it or wait for it are told.
    func touched(_ key: Bytes, in database: Database, by client: Client?) {
        if !watchers.isEmpty { watchers.touch(key, database.index) }
        if isTracking { invalidate(key, by: client) }
        if keepsOwnExpiries { noteOwnExpiry(key, in: database, by: client) }
        if blocking.isAwaited { blocking.signal(key, database.index) }
    }

    /// Removes `key`; no notification and no propagation of its own.
    @discardableResult
    func remove(_ key: Bytes, in database: Database) -> Bool { database.remove(key) }

    /// A keyspace notification, when `notify-keyspace-events` asks for it.
    @inline(__always)
    func notify(
        _ key: Bytes, in database: Database, _ eventClass: EventClass, _ event: StaticString
    ) {
        if notifiedEvents & eventClass.rawValue == 0 { return }
        publishKeyEvent(key, in: database, eventClass, event)
    }
}
