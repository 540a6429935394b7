// SPDX-License-Identifier: BSD-3-Clause
//
// Adding keys that a snapshot brings: they must be new, and their access bits come with them.

import Memory
import Platform

extension Database {
    /// Adds `key` holding the string `value`; false when the key is there already.
    @inline(__always)
    public func addLoadedString(
        _ key: Bytes, _ value: Bytes, expiry: Int64?, access: UInt32
    ) -> Bool {
        let hash = redwing_hash(key.start.raw, key.count)
        if !keys.findSlot(key, hash).isNull { return false }
        let entry: Entry
        if let integer = Decimal.parse(value) {
            entry = make(key, .stringInteger, expiry: expiry, payload: 8, access: access)
            entry.integer = integer
        } else {
            let room = Entry.inlineSize(value.count)
            let base = Entry.size(key: key.count, expires: true, payload: room)
            if base > Entry.mostInline && value.count > Entry.longestEmbedded {
                entry = make(key, .stringRaw, expiry: expiry, payload: 8, access: access)
                let string = RawString.create(count: value.count, capacity: value.count, heap)
                string.start.copy(from: value)
                entry.container = string.address
            } else {
                entry = make(key, .stringInline, expiry: expiry, payload: room, access: access)
                Entry.beginInline(entry.payload, value.count).copy(from: value)
            }
        }
        keys.insert(entry.address, hash, heap)
        if expiry != nil { volatileKeys.insert(entry.address, hash, heap) }
        return true
    }

    /// Adds `key` holding `container`; nil when the key is there already.
    public func addLoaded(
        _ key: Bytes, _ kind: ValueKind, _ container: Address, expiry: Int64?
    ) -> Entry? {
        if find(key) != nil { return nil }
        return insert(key, kind, container: container, expiry: expiry)
    }
}
