// SPDX-License-Identifier: BSD-3-Clause
//
// A writable replica's own keys. A replica leaves expired keys to its master, which sends a DEL; of a key
// that only the replica's clients made volatile the master knows nothing. Such keys are kept in a list
// and looked at a few at a time.

import Keyspace
import Memory

/// Keys with an expiry that clients of a writable replica set.
struct OwnExpiries {
    struct Place: Hashable {
        var key: [UInt8]
        var database: Int
    }
    private var places: [Place] = []
    private var known: Set<Place> = []
    private var next = 0

    var count: Int { places.count }

    mutating func add(_ place: Place) {
        if known.insert(place).inserted { places.append(place) }
    }

    mutating func removeAll() { self = OwnExpiries() }

    /// Looks at the next `limit` keys; those for which `isDone` says so are forgotten.
    mutating func visit(_ limit: Int, isDone: (Place) -> Bool) {
        for _ in 0..<min(limit, places.count) {
            if next >= places.count { next = 0 }
            let place = places[next]
            if isDone(place) {
                known.remove(place)
                places.swapAt(next, places.count - 1)
                places.removeLast()
            } else {
                next += 1
            }
        }
    }
}

extension Server {
    /// Keys looked at in one run of the cron.
    private static let ownSample = 400

    /// `key` was written by a client of a writable replica.
    @inline(never)
    func noteOwnExpiry(_ key: Bytes, in database: Database, by client: Client?) {
        guard let client = client ?? current, !responsible(client).flags.contains(.master),
            database.find(key)?.hasExpiry == true
        else { return }
        rooms.expiry.own.add(.init(key: key.array, database: database.index))
    }

    func expireOwnKeys() {
        if loading || rooms.expiry.own.count == 0 { return }
        var own = rooms.expiry.own
        rooms.expiry.own.removeAll()
        own.visit(Self.ownSample) { place in
            guard place.database < keyspace.databases.count else { return true }
            let database = keyspace.databases[place.database]
            return Bytes.with(place.key) { key in
                guard let expiry = database.find(key)?.expiry else { return true }
                if expiry >= now { return false }
                deleteExpired(key, in: database)
                return true
            }
        }
        rooms.expiry.own = own
    }
}
