// SPDX-License-Identifier: BSD-3-Clause
//
// What is done to a key as a whole, whatever it holds: a new expiry, a new name, another database.

import Memory
import Platform

extension Database {
    /// Sets or clears (nil) the expiry of `key`, Unix time in ms. Moves the entry.
    public func setExpiry(_ key: Bytes, _ expiry: Int64?) {
        guard let entry = find(key) else { return }
        setExpiry(of: entry, expiry)
    }

    /// As `setExpiry`, for an entry at hand; returns where it lies now.
    @discardableResult
    public func setExpiry(of entry: Entry, _ expiry: Int64?) -> Entry {
        if let expiry, entry.hasExpiry {
            entry.expiryPlace.store(expiry)
            return entry
        }
        if expiry == nil && !entry.hasExpiry { return entry }
        let fresh = rebuilt(entry, key: entry.key, expiry: expiry)
        replace(entry, with: fresh)
        return fresh
    }

    /// A new block with the same value (a container is shared until the old block is freed).
    private func rebuilt(_ entry: Entry, key: Bytes, expiry: Int64?) -> Entry {
        let payload = entry.size - (entry.payload - entry.address)
        let raw = entry.address.byte(at: 0) & Entry.rawFlag != 0
        let fresh = make(
            key, entry.kind, raw: raw, expiry: expiry, payload: payload, access: entry.access)
        fresh.payload.copy(from: entry.payload, count: payload)
        return fresh
    }

    /// Gives the value of `key` the name `name`, which must not be there. The expiry goes along.
    public func rename(_ key: Bytes, to name: Bytes) {
        guard let entry = detach(key) else { return }
        let fresh = rebuilt(entry, key: name, expiry: entry.expiry)
        heap.free(entry.address, entry.size)
        add(fresh)
    }

    /// Moves `key` to another database of the same data set, where it must not be.
    public func move(_ key: Bytes, to other: Database) {
        guard let entry = detach(key) else { return }
        other.add(entry)
    }

    /// Copies the value of `entry` to `name` in `other` (of the same data set), where it must not be.
    @discardableResult
    public func copy(_ entry: Entry, to name: Bytes, in other: Database) -> Entry {
        let fresh = rebuilt(entry, key: name, expiry: entry.expiry)
        if fresh.kind != .stringInline && fresh.kind != .stringInteger {
            fresh.container = Values.copy(entry.kind, entry.container, heap)
        }
        other.add(fresh)
        return fresh
    }

    /// Puts another container, maybe of another encoding, in the place of the entry's; the old one is
    /// the caller's to free.
    @inlinable
    public func setContainer(of entry: Entry, _ kind: ValueKind, _ container: Address) {
        entry.kind = kind
        entry.container = container
    }
}
