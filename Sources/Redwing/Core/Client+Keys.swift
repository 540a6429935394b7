// SPDX-License-Identifier: BSD-3-Clause
//
// How commands look keys up, say that they changed them, and read their arguments. Everything that
// must happen around a key (expiry, LRU, WATCH, notifications, blocked clients, dirty) happens here.

import Keyspace
import Memory
import RESP

/// The classes of keyspace events, by the letters of `notify-keyspace-events`.
public struct EventClass: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static let keyspace = EventClass(rawValue: 1)  // K
    public static let keyevent = EventClass(rawValue: 2)  // E
    public static let generic = EventClass(rawValue: 4)  // g
    public static let string = EventClass(rawValue: 8)  // $
    public static let list = EventClass(rawValue: 16)  // l
    public static let set = EventClass(rawValue: 32)  // s
    public static let hash = EventClass(rawValue: 64)  // h
    public static let sortedSet = EventClass(rawValue: 128)  // z
    public static let expired = EventClass(rawValue: 256)  // x
    public static let evicted = EventClass(rawValue: 512)  // e
    public static let stream = EventClass(rawValue: 1024)  // t
    public static let keyMiss = EventClass(rawValue: 2048)  // m
    /// A
    public static let all = EventClass(rawValue: 4 + 8 + 16 + 32 + 64 + 128 + 256 + 512 + 1024)
}

extension Client {
    /// The entry of `key` for a reading command: nil when it is missing or logically expired.
    /// Counts hits and misses, refreshes LRU/LFU.
    public func lookupRead(_ key: Bytes) -> Entry? {
        if let entry = recall(key) {
            server.statistics.hits &+= 1
            return entry
        }
        return withDatabase { server.lookup(key, in: $0, write: false) }
    }

    /// As `lookupRead`, leaving LRU and LFU as they are: what TTL and TYPE ask is no use of the key.
    public func lookupOnly(_ key: Bytes) -> Entry? {
        withDatabase { server.lookup(key, in: $0, write: false, touches: false) }
    }

    /// The entry of `key` for a writing command. An expired key is deleted first, on a replica only when
    /// the write is its own client's.
    public func lookupWrite(_ key: Bytes) -> Entry? {
        if let entry = recall(key) { return entry }
        return withDatabase { server.lookup(key, in: $0, write: true) }
    }

    /// The entry that is remembered for `key`, touched as a lookup does; nil where there is more to it.
    @inline(__always)
    private func recall(_ key: Bytes) -> Entry? {
        guard let entry = database.recall(key), !entry.hasExpiry else { return nil }
        server.touch(entry)
        return entry
    }

    /// True when `entry` is of `type`; else replies WRONGTYPE.
    @inlinable @inline(__always)
    public func check(_ entry: Entry, is type: ValueType) -> Bool {
        if entry.type == type { return true }
        wrongType()
        return false
    }

    public func wrongType() {
        reply.raw("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
    }

    /// To be called once for each key that a command changed: WATCH, client-side caching, blocked
    /// clients, keyspace notification and the count of changes. `event` is the event's name
    /// ("hset"); `dirty` as Redis counts.
    @inline(__always)
    public func changed(
        _ key: Bytes, _ eventClass: EventClass, _ event: StaticString, dirty: Int = 1
    ) {
        if server.tellsChanges(eventClass) {
            server.changed(key, in: database, by: self, eventClass, event, dirty: dirty)
        } else {
            server.dirty &+= dirty
        }
    }

    /// Removes `key` when its collection became empty, with the `del` event. Call after `changed`.
    public func deleteEmptied(_ key: Bytes) {
        server.remove(key, in: database)
        server.notify(key, in: database, .generic, "del")
    }

    // MARK: What goes into the replication stream and the AOF. Nothing said: the command as it came,
    // if it was dirty.

    /// Propagates `words` in place of the command as it came (SPOP → SREM).
    public func propagateInstead(_ words: [Bytes]) { server.propagation.instead(words) }

    /// Propagates `words` besides, after the command itself (or after what replaces it).
    public func propagateAlso(_ words: [Bytes]) { server.propagation.also(words, database) }

    /// Nothing of this command is propagated.
    public func propagateNothing() { server.propagation.nothing() }

    // MARK: Arguments. Each replies its error and returns nil when the argument is not as it should be.

    /// The argument at `index` as a 64-bit integer, or Redis's error.
    @inlinable
    public func integer(
        _ index: Int, orError text: StaticString = "ERR value is not an integer or out of range"
    ) -> Int64? {
        if let value = Decimal.parse(self[index]) { return value }
        reply.error(text)
        return nil
    }

    /// As `integer`, within `range`.
    public func integer(
        _ index: Int, in range: ClosedRange<Int64>,
        orError text: StaticString = "ERR value is out of range"
    ) -> Int64? {
        guard let value = integer(index) else { return nil }
        if range.contains(value) { return value }
        reply.error(text)
        return nil
    }

    /// A number that may be negated.
    func signedCount(_ index: Int) -> Int64? {
        integer(
            index, in: -Int64.max...Int64.max,
            orError: """
                ERR value is out of range, value must between \
                -9223372036854775807 and 9223372036854775807
                """)
    }

    public func syntaxError() { reply.raw("-ERR syntax error\r\n") }

    public func noSuchKey() { reply.raw("-ERR no such key\r\n") }

    public func wrongArity() {
        let name = self[0].string.lowercased()
        reply.error("ERR wrong number of arguments for '\(name)' command")
    }

    /// The argument at `index` equals the lower-case `word`, in any case.
    @inlinable
    public func word(_ index: Int, is word: StaticString) -> Bool {
        self[index].equalsIgnoringCase(word)
    }
}
