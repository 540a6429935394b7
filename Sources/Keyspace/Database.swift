// SPDX-License-Identifier: BSD-3-Clause
//
// One numbered database: keys to entries. Expiry is stored here but enforced by the server, because
// what an expired key means differs between a master and a replica.

import Memory
import Platform

/// Up to where a collection stays packed; names and meaning of the Redis directives.
public struct PackedLimits: Sendable {
    public var hashMaxEntries = 512
    public var hashMaxValue = 64
    public var setMaxIntegers = 512
    public var sortedSetMaxEntries = 128
    public var sortedSetMaxValue = 64
    public var listNode = ListLimit(-2)
    public var listCompressDepth = 0
    public var streamNodeMaxBytes = 4096
    public var streamNodeMaxEntries = 100
    public init() {}
}

/// The elements of a database's tables are entries.
public enum EntryKeys: TableKeys {
    @inlinable @inline(__always)
    public static func key(of element: Address) -> Bytes { Entry(element).key }
}

/// Keys to entries, and an index of those that expire. An entry is good until its key is changed.
public final class Database {
    public internal(set) var index: Int
    public internal(set) var heap: Heap
    public var limits = PackedLimits()
    /// The access bits of a new entry: the LRU clock, or LFU minutes and the first counter.
    public var newAccess: UInt32 = 0
    /// A key that is set anew keeps its access bits (LFU), else it is as if just used (LRU).
    public var keepsAccess = false
    /// Average time to live of what expires, in ms, as the expiry cycle saw it.
    public var averageTTL: Int64 = 0
    /// Where the expiry cycle stands in the index of volatile keys.
    public var expiryCursor: UInt64 = 0

    /// What `find` looks at first: see `remember`.
    @usableFromInline var remembered = Entry(.null)
    /// Its key; while there is none, of a size that no key has.
    @usableFromInline var rememberedKey = noKey
    @usableFromInline static var noKey: Bytes { Bytes(start: .null, count: -1) }
    @usableFromInline static let longestRemembered = 32
    /// Another one after each change that moved or freed an entry's block.
    @usableFromInline var stamp: UInt64 = 0
    public internal(set) var keys: HashTable<EntryKeys>
    public internal(set) var volatileKeys: HashTable<EntryKeys>

    init(index: Int, heap: Heap) {
        self.index = index
        self.heap = heap
        keys = .create(heap)
        volatileKeys = .create(heap)
    }

    /// Keys, expired ones that nobody met yet included.
    public var count: Int { keys.count }

    /// Keys with an expiry.
    public var volatileCount: Int { volatileKeys.count }

    // MARK: Finding

    /// The entry of `key`, whether logically expired or not.
    @inlinable @inline(__always)
    public func find(_ key: Bytes) -> Entry? {
        if let entry = recall(key) { return entry }
        let element = keys.find(key)
        return element.isNull ? nil : Entry(element)
    }

    /// The remembered entry, if it is `key`'s.
    @inlinable @inline(__always)
    public func recall(_ key: Bytes) -> Entry? {
        key.count == rememberedKey.count
            && key.start.equalsShort(rememberedKey.start, count: key.count) ? remembered : nil
    }

    /// `key` will be asked for by one request after the other: its entry is found without the table, until
    /// `forget`, or until anything happens to the entry's block or the tables.
    public func remember(_ key: Bytes) {
        forget()
        if let entry = find(key) { remember(entry) }
    }

    /// As `remember` of the entry's key. Not one of more than 32 bytes: `recall` is to be short.
    @inlinable @inline(__always)
    func remember(_ entry: Entry) {
        let key = entry.key
        if key.count > Self.longestRemembered { return }
        remembered = entry
        rememberedKey = key
    }

    @inlinable @inline(__always)
    public func forget() {
        rememberedKey = Self.noKey
        stamp &+= 1
    }

    /// A key at random, each as likely as any other.
    public func randomEntry() -> Entry? {
        let element = keys.random()
        return element.isNull ? nil : Entry(element)
    }

    /// A key with an expiry at random.
    public func randomVolatileEntry() -> Entry? {
        let element = volatileKeys.random()
        return element.isNull ? nil : Entry(element)
    }

    /// Gives about `count` entries to `body`, which must not change the database; returns the cursor
    /// to go on from, 0 at the end.
    public func scan(_ cursor: UInt64, _ count: Int, _ body: (Entry) -> Void) -> UInt64 {
        keys.scan(cursor, count) { body(Entry($0)) }
    }

    public func scanVolatile(_ cursor: UInt64, _ count: Int, _ body: (Entry) -> Void) -> UInt64 {
        volatileKeys.scan(cursor, count) { body(Entry($0)) }
    }

    // MARK: Adding

    /// Adds `key`, which must not be there, holding `container`.
    @discardableResult
    public func insert(
        _ key: Bytes, _ kind: ValueKind, container: Address, expiry: Int64? = nil
    ) -> Entry {
        let entry = make(key, kind, expiry: expiry, payload: 8)
        entry.container = container
        add(entry)
        return entry
    }

    /// Puts a finished entry, whose key must not be there, into the tables.
    func add(_ entry: Entry) {
        let hash = redwing_hash(entry.key.start.raw, entry.keyCount)
        keys.insert(entry.address, hash, heap)
        if entry.hasExpiry { volatileKeys.insert(entry.address, hash, heap) }
    }

    /// A block with everything but its payload written.
    @inlinable
    func make(
        _ key: Bytes, _ kind: ValueKind, raw: Bool = false, expiry: Int64?, payload: Int,
        access: UInt32? = nil
    ) -> Entry {
        let size = Entry.size(key: key.count, expires: expiry != nil, payload: payload)
        let entry = Entry(heap.allocate(size))
        entry.begin(key, kind, raw: raw, expiry: expiry, access: access ?? newAccess)
        return entry
    }

    // MARK: Removing

    /// Removes `key` and frees its value; false when it is not there.
    @discardableResult
    public func remove(_ key: Bytes) -> Bool {
        guard let entry = detach(key) else { return false }
        release(entry)
        return true
    }

    /// Takes the entry of `key` out without freeing it: `release` does, at leisure.
    public func detach(_ key: Bytes) -> Entry? {
        let hash = redwing_hash(key.start.raw, key.count)
        let slot = keys.findSlot(key, hash)
        if slot.isNull { return nil }
        let entry = Entry(keys.element(at: slot))
        if entry.hasExpiry { unlistVolatile(entry, hash) }
        forget()
        keys.remove(at: slot, hash, heap)
        return entry
    }

    /// Frees a detached entry and its value.
    public func release(_ entry: Entry) {
        freeValue(entry)
        heap.free(entry.address, entry.size)
    }

    func freeValue(_ entry: Entry) {
        let kind = entry.kind
        if kind != .stringInline && kind != .stringInteger {
            Values.free(kind, entry.container, heap)
        }
    }

    private func unlistVolatile(_ entry: Entry, _ hash: UInt64) {
        let slot = volatileKeys.findSlot(entry.key, hash)
        if !slot.isNull { volatileKeys.remove(at: slot, hash, heap) }
    }

    /// Removes every key, one by one. All databases at once: `Keyspace.dropAll`.
    public func removeAll() {
        forget()
        for element in keys.elements { release(Entry(element)) }
        keys.removeAll(heap)
        volatileKeys.removeAll(heap)
        averageTTL = 0
    }

    /// Makes an empty database ready for so many keys, so that it takes them without growing.
    public func reserve(keys count: Int, volatile: Int) {
        keys.reserve(count, heap)
        volatileKeys.reserve(volatile, heap)
    }

    // MARK: Memory

    /// Bytes of a key with its value; collections look at `samples` elements (0: all).
    public func memory(of entry: Entry, samples: Int) -> Int {
        let kind = entry.kind
        let block = Heap.rounded(entry.size)
        if kind == .stringInline || kind == .stringInteger { return block }
        return block + Values.memory(kind, entry.container, heap, samples: samples)
    }

    /// Bytes of the tables, without keys and values.
    public var tableBytes: Int { keys.bytes + volatileKeys.bytes }

    // MARK: Moving blocks

    /// `fresh` takes the place of `old` in the tables, under the same key; the old block is freed, its
    /// container isn't.
    @usableFromInline
    func replace(_ old: Entry, with fresh: Entry) {
        let key = fresh.key
        let hash = redwing_hash(key.start.raw, key.count)
        let slot = keys.findSlot(key, hash)
        if slot.isNull { return }
        replace(at: slot, hash, old, with: fresh)
    }

    @usableFromInline
    func replace(at slot: Address, _ hash: UInt64, _ old: Entry, with fresh: Entry) {
        forget()
        keys.replace(at: slot, with: fresh.address)
        switch (old.hasExpiry, fresh.hasExpiry) {
        case (true, true):
            let place = volatileKeys.findSlot(fresh.key, hash)
            if !place.isNull { volatileKeys.replace(at: place, with: fresh.address) }
        case (true, false): unlistVolatile(old, hash)
        case (false, true): volatileKeys.insert(fresh.address, hash, heap)
        case (false, false): break
        }
        heap.free(old.address, old.size)
    }
}
