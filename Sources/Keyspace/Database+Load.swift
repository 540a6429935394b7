// SPDX-License-Identifier: BSD-3-Clause
//
// Adding keys that a snapshot brings: they must be new, and their access bits come with them.
//
// The place of a key in a big table is a cache miss, and one after the other they were 40 % of a
// load. So entries are gathered, their places fetched ahead together, and then all put in.

import Memory
import Platform

/// Entries on their way into one database. `flush` before the database is used for anything else.
public struct LoadBatch {
    private static let size = 32
    private let store = ByteBuffer(capacity: LoadBatch.size * 16)
    private let place: Address
    private var count = 0
    private var database: Database

    public init(_ database: Database) {
        self.database = database
        place = store.reserve(Self.size * 16)
    }

    /// From now on keys go to `database`. Returns as `flush`.
    public mutating func select(_ database: Database) -> [UInt8]? {
        let twice = flush()
        self.database = database
        return twice
    }

    /// Adds `key` holding the string `value`. Returns as `flush`.
    @inline(__always)
    public mutating func add(
        _ key: Bytes, string value: Bytes, expiry: Int64?, access: UInt32
    ) -> [UInt8]? {
        push(database.makeString(key, value, expiry: expiry, access: access))
    }

    /// Adds `key` holding `container`, which is the batch's from now on. Returns as `flush`.
    @inline(__always)
    public mutating func add(
        _ key: Bytes, _ kind: ValueKind, _ container: Address, expiry: Int64?, access: UInt32
    ) -> [UInt8]? {
        let entry = database.make(key, kind, expiry: expiry, payload: 8, access: access)
        entry.container = container
        return push(entry)
    }

    @inline(__always)
    private mutating func push(_ entry: Entry) -> [UInt8]? {
        let key = entry.key
        let hash = redwing_hash(key.start.raw, key.count)
        database.keys.prefetchInsertion(hash)
        let at = place + count &* 16
        at.store(address: entry.address, at: 0)
        at.store(hash, at: 8)
        count &+= 1
        return count == Self.size ? flush() : nil
    }

    /// Puts all that was gathered into the database. Returns a key that was there already, if any.
    public mutating func flush() -> [UInt8]? {
        var twice: [UInt8]?
        for i in 0..<count {
            let entry = Entry((place + i &* 16).address(at: 0))
            let hash = (place + i &* 16).load(UInt64.self, at: 8)
            let other = database.keys.insert(entry.key, hash, database.heap) { entry.address }
            if !other.isNull {
                twice = entry.key.array
                database.release(entry)
                continue
            }
            if entry.hasExpiry { database.volatileKeys.insert(entry.address, hash, database.heap) }
        }
        count = 0
        return twice
    }
}

extension Database {
    /// A finished entry of a string, in no table yet.
    @inline(__always)
    func makeString(_ key: Bytes, _ value: Bytes, expiry: Int64?, access: UInt32) -> Entry {
        if let integer = Decimal.parse(value) {
            let entry = make(key, .stringInteger, expiry: expiry, payload: 8, access: access)
            entry.integer = integer
            return entry
        }
        let room = Entry.inlineSize(value.count)
        let base = Entry.size(key: key.count, expires: true, payload: room)
        if base > Entry.mostInline && value.count > Entry.longestEmbedded {
            let entry = make(key, .stringRaw, expiry: expiry, payload: 8, access: access)
            let string = RawString.create(count: value.count, capacity: value.count, heap)
            string.start.copy(from: value)
            entry.container = string.address
            return entry
        }
        let entry = make(key, .stringInline, expiry: expiry, payload: room, access: access)
        Entry.beginInline(entry.payload, value.count).copy(from: value)
        return entry
    }

    /// Adds `key`, which must not be there, holding the string `value` (RESTORE).
    public func addRestored(string value: Bytes, _ key: Bytes, expiry: Int64?) {
        add(makeString(key, value, expiry: expiry, access: newAccess))
    }
}
