// SPDX-License-Identifier: BSD-3-Clause
//
// What the requests of a pipeline, or the keys of one request, will look up. Each would wait for the
// memory of its own slot and its own entry; asked for together, these waits overlap. It is a guess and
// changes nothing: a wrong one costs some nanoseconds.

import Memory
import Platform

/// The keys of requests to come, and what each would look for inside of its value. It is kept from one
/// use to the next: making one writes all of its memory. Main thread only.
@safe
public struct Foresight: ~Copyable {
    /// Keys looked at together.
    public static let capacity = 16
    /// A table of fewer elements lies in the caches anyhow.
    static let fewElements = 2048

    private struct Step: BitwiseCopyable {
        var key = Bytes.empty
        var hash: UInt64 = 0
        /// The words behind the key, empty when there are none.
        var second = Bytes.empty
        var third = Bytes.empty
        /// The value's table and the member's hash in it, once they are known.
        var table = Address.null
        var memberHash: UInt64 = 0
    }

    /// The steps. Not an array: it would be copied to be read.
    private let store = ByteBuffer(capacity: capacity * stepSize)
    private static let stepSize = MemoryLayout<Step>.stride
    public private(set) var count = 0

    public init() {}

    /// Forgets what was appended.
    @inline(__always)
    public mutating func begin() { count = 0 }

    /// A key, with the two words behind it where its value's members matter. Not when it is full.
    @inline(__always)
    public mutating func append(key: Bytes, second: Bytes = .empty, third: Bytes = .empty) {
        precondition(count < Self.capacity, "no room to look further ahead")
        self[count] = Step(key: key, second: second, third: third)
        count &+= 1
    }

    /// The step at `index`, which is below `count` or, to be set, at it.
    private subscript(index: Int) -> Step {
        @inline(__always) get { store.base.load(Step.self, at: index &* Self.stepSize) }
        @inline(__always) nonmutating set { store.base.store(newValue, at: index &* Self.stepSize) }
    }

    /// Asks for the memory of all that was appended: of the keys, and with `inside` of the hash's
    /// fields, the set's members and the sorted set's members that the words behind them name.
    public func fetch(from database: Database, inside: Bool = false) {
        if database.count >= Self.fewElements {
            for i in 0..<count {
                let key = self[i].key
                let hash = redwing_hash(key.start.raw, key.count)
                self[i].hash = hash
                database.keys.prefetchSlot(hash)
            }
            for i in 0..<count { database.keys.prefetchElement(self[i].hash) }
        }
        if inside { fetchMembers(from: database) }
    }

    private func fetchMembers(from database: Database) {
        var key = Bytes.empty
        var entry: Entry?
        for i in 0..<count {
            // One key after the other is often the same.
            if i == 0 || self[i].key != key {
                key = self[i].key
                entry = database.find(key)
            }
            guard let entry, let table = Self.table(of: entry), table.count >= Self.fewElements
            else { continue }
            // ZADD key score member; the other commands name the member first.
            let member =
                entry.kind == .sortedSetSkip && !self[i].third.isEmpty
                ? self[i].third : self[i].second
            if member.isEmpty { continue }
            let hash = redwing_hash(member.start.raw, member.count)
            self[i].memberHash = hash
            self[i].table = table.header
            table.prefetchSlot(hash)
        }
        for i in 0..<count where !self[i].table.isNull {
            HashTable<FieldKeys>(self[i].table).prefetchElement(self[i].memberHash)
        }
    }

    /// The table by which a value finds its members. How the elements look doesn't matter here.
    private static func table(of entry: Entry) -> HashTable<FieldKeys>? {
        switch entry.kind {
        case .hashTable, .setTable: HashTable(entry.container)
        case .sortedSetSkip: HashTable(entry.container + SkipList.ownerOffset)
        default: nil
        }
    }
}
