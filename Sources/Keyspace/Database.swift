// SPDX-License-Identifier: BSD-3-Clause
//
// One numbered database: keys to entries. Expiry is stored here but enforced by the server, because
// what an expired key means differs between a master and a replica.

import Memory

/// Up to where a collection stays packed; names and meaning of the Redis directives.
public struct PackedLimits: Sendable {
    public var hashMaxEntries = 512
    public var hashMaxValue = 64
    public var setMaxIntegers = 512
    public var sortedSetMaxEntries = 128
    public var sortedSetMaxValue = 64
    /// list-max-ziplist-size: -1…-5 for 4…64 KiB a node, or a number of elements.
    public var listMaxSize = -2
    public var listCompressDepth = 0
    public var streamNodeMaxBytes = 4096
    public var streamNodeMaxEntries = 100
    public init() {}
}

/// Stub of the signatures: the table comes with the keyspace's core.
public final class Database {
    public internal(set) var index: Int
    public internal(set) var heap: Heap
    public var limits = PackedLimits()

    init(index: Int, heap: Heap) {
        self.index = index
        self.heap = heap
    }

    public var count: Int { 0 }

    /// The entry of `key`, whether logically expired or not.
    public func find(_ key: Bytes) -> Entry? { nil }

    /// Adds `key`, which must not be there, holding `container`.
    @discardableResult
    public func insert(_ key: Bytes, _ kind: ValueKind, container: Address) -> Entry {
        Entry(.null)
    }

    /// Removes `key` and frees its value; false when it is not there.
    @discardableResult
    public func remove(_ key: Bytes) -> Bool { false }

    /// Sets or clears (nil) the expiry of `key`, Unix time in ms. Moves the entry.
    public func setExpiry(_ key: Bytes, _ expiry: Int64?) {}
}

/// A whole data set: its databases and the heap they share.
public final class Keyspace {
    public let heap = Heap()
    public let databases: [Database]

    public init(databases count: Int) {
        let heap = heap
        databases = (0..<count).map { Database(index: $0, heap: heap) }
    }
}
