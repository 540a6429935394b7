// SPDX-License-Identifier: BSD-3-Clause
//
// Writing strings: what encoding they get, when a block is used again and when it moves.

import Memory
import Platform

/// What becomes of the expiry of a key that is set anew.
public enum ExpiryChange: Equatable, Sendable {
    case keep, clear
    case at(Int64)
}

/// How OBJECT ENCODING is to see a string that is written: what Redis computed itself it doesn't try
/// to hold as an integer, and some of it not as "embstr" either.
public enum StringForm: Sendable {
    case integerIfPossible, text, raw
}

extension Database {
    /// Sets `key` to a string, whatever it held before. `value` must not lie in the database.
    @inlinable @inline(__always)
    @discardableResult
    public func setString(
        _ key: Bytes, _ value: Bytes, expiry: ExpiryChange = .clear,
        form: StringForm = .integerIfPossible
    ) -> Entry {
        if expiry == .clear, form == .integerIfPossible, let entry = overwrite(key, value) {
            return entry
        }
        return setAnew(key, value, expiry: expiry, form: form)
    }

    /// Sets a remembered `key` to a short text where that changes nothing but bytes; nil where there is
    /// more to it.
    @inlinable @inline(__always)
    func overwrite(_ key: Bytes, _ value: Bytes) -> Entry? {
        guard value.count <= Entry.longestEmbedded, !Decimal.maySpell(value),
            let entry = recall(key), entry.isInline(payload: Entry.inlineSize(value.count))
        else { return nil }
        entry.address.store(ValueKind.stringInline.rawValue)
        if !keepsAccess { entry.access = newAccess }
        (entry.payload + 1).copy(from: value)
        return entry
    }

    @usableFromInline
    func setAnew(
        _ key: Bytes, _ value: Bytes, expiry: ExpiryChange, form: StringForm
    ) -> Entry {
        if form == .integerIfPossible, let integer = Decimal.parse(value) {
            return setInteger(key, integer, expiry: expiry)
        }
        let raw = form == .raw
        let room = Entry.inlineSize(value.count)
        let base = Entry.size(key: key.count, expires: true, payload: room)
        if base > Entry.mostInline && value.count > Entry.longestEmbedded {
            let string = RawString.create(count: value.count, capacity: value.count, heap)
            string.start.copy(from: value)
            let entry = set(key, .stringRaw, payload: 8, expiry)
            entry.container = string.address
            return entry
        }
        let entry = set(key, .stringInline, raw: raw, payload: room, expiry)
        Entry.beginInline(entry.payload, value.count).copy(from: value)
        return entry
    }

    /// Sets `key` to an integer, whatever it held before.
    @discardableResult
    public func setInteger(
        _ key: Bytes, _ value: Int64, expiry: ExpiryChange = .clear
    ) -> Entry {
        let entry = set(key, .stringInteger, payload: 8, expiry)
        entry.integer = value
        return entry
    }

    /// An entry for `key` of this kind with room for a payload: the old block where it fits (what it
    /// held is freed), a new one in its place, or a new key.
    private func set(
        _ key: Bytes, _ kind: ValueKind, raw: Bool = false, payload: Int, _ change: ExpiryChange
    ) -> Entry {
        let hash = redwing_hash(key.start.raw, key.count)
        var fresh = Entry(.null)
        let slot = keys.insert(key, hash, heap) {
            var expiry: Int64?
            if case .at(let time) = change { expiry = time }
            fresh = make(key, kind, raw: raw, expiry: expiry, payload: payload)
            return fresh.address
        }
        if slot.isNull {
            if fresh.hasExpiry { volatileKeys.insert(fresh.address, hash, heap) }
            return fresh
        }
        let old = Entry(keys.element(at: slot))
        if case .clear = change, kind == .stringInline, old.isInline(payload: payload) {
            // As before, but for the bytes: the usual case, told by few comparisons.
            old.address.store(raw ? kind.rawValue | Entry.rawFlag : kind.rawValue)
            if !keepsAccess { old.access = newAccess }
            return old
        }
        let expiry: Int64? =
            switch change {
            case .keep: old.expiry
            case .clear: nil
            case .at(let time): time
            }
        freeValue(old)
        let size = Entry.size(key: key.count, expires: expiry != nil, payload: payload)
        if old.hasExpiry == (expiry != nil) && Heap.rounded(size) == Heap.rounded(old.size) {
            let flags = old.address.byte(at: 0) & Entry.expiryFlag | kind.rawValue
            old.address.store(raw ? flags | Entry.rawFlag : flags)
            if !keepsAccess { old.access = newAccess }
            if let expiry { old.expiryPlace.store(expiry) }
            return old
        }
        let entry = make(
            key, kind, raw: raw, expiry: expiry, payload: payload,
            access: keepsAccess ? old.access : newAccess)
        // The old block's size is still read from it, so it must look like what it was allocated as.
        replace(at: slot, hash, old, with: entry)
        return entry
    }

    /// Makes the string at `entry` `count` bytes long, new ones zero, and gives the place of its bytes
    /// for writing. OBJECT ENCODING calls it "raw" from now on. The entry may move.
    public func editString(_ entry: Entry, count: Int) -> (entry: Entry, bytes: Bytes) {
        if entry.kind == .stringRaw {
            let string = RawString(entry.container).resized(to: count, heap)
            entry.container = string.address
            return (entry, string.bytes)
        }
        let room = Entry.inlineSize(count)
        let size = Entry.size(key: entry.keyCount, expires: entry.hasExpiry, payload: room)
        if size + 8 > Entry.mostInline { return edited(raw: entry, count: count) }
        if entry.kind == .stringInline && entry.inlineBytes.count == count {
            entry.address.store(entry.address.byte(at: 0) | Entry.rawFlag)
            return (entry, entry.inlineBytes)
        }
        let fresh = make(
            entry.key, .stringInline, raw: true, expiry: entry.expiry, payload: room,
            access: entry.access)
        let place = Entry.beginInline(fresh.payload, count)
        fill(place, count, from: entry)
        replace(entry, with: fresh)
        return (fresh, Bytes(start: place, count: count))
    }

    private func edited(raw entry: Entry, count: Int) -> (entry: Entry, bytes: Bytes) {
        let grown = entry.stringCount > 0 && count > entry.stringCount
        let room = !grown ? count : count < 1 << 20 ? count * 2 : count + 1 << 20
        let string = RawString.create(count: count, capacity: room, heap)
        fill(string.start, count, from: entry)
        let fresh = make(
            entry.key, .stringRaw, expiry: entry.expiry, payload: 8, access: entry.access)
        fresh.container = string.address
        replace(entry, with: fresh)
        return (fresh, string.bytes)
    }

    private func fill(_ place: Address, _ count: Int, from entry: Entry) {
        entry.withString { old in
            place.copy(from: old.prefix(count))
            if count > old.count { (place + old.count).fill(0, count: count - old.count) }
        }
    }
}
