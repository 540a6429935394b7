// SPDX-License-Identifier: BSD-3-Clause
//
// What the requests behind the present one will look up. A pipeline brings many requests at once, and
// each would wait for the memory of its own slot and its own entry; asked for together, these waits
// overlap. It is a guess and changes nothing: a wrong one costs some nanoseconds.

import Memory
import Platform

/// The keys of requests to come, and what each would look for inside of its value.
@safe
public struct Foresight {
    /// Requests looked at together: enough that the first one's lines have arrived when the last one
    /// has been asked for, few enough to stay in the first-level cache.
    public static let window = 16
    /// A table of fewer elements lies in the caches anyhow.
    static let fewElements = 2048

    struct Step {
        var key = Bytes.empty
        var hash: UInt64 = 0
        /// The words behind the key, empty when there are none.
        var second = Bytes.empty
        var third = Bytes.empty
        /// The value's table and the member's hash in it, once they are known.
        var table = Address.null
        var memberHash: UInt64 = 0
    }

    private var steps = InlineArray<16, Step>(repeating: Step())
    public private(set) var count = 0

    public init() {}

    public var isFull: Bool { count == Self.window }

    /// A request of `key` with its next two words.
    @inline(__always)
    public mutating func append(key: Bytes, second: Bytes, third: Bytes) {
        steps[count] = Step(key: key, second: second, third: third)
        count &+= 1
    }

    /// Asks for the memory of all that was appended: of the keys, and with `inside` of the hash's
    /// fields, the set's members and the sorted set's members that the words behind them name.
    public mutating func fetch(from database: Database, inside: Bool) {
        if database.count >= Self.fewElements {
            for i in 0..<count {
                steps[i].hash = redwing_hash(steps[i].key.start.raw, steps[i].key.count)
                database.keys.prefetchSlot(steps[i].hash)
            }
            for i in 0..<count { database.keys.prefetchElement(steps[i].hash) }
        }
        if inside { fetchMembers(from: database) }
    }

    private mutating func fetchMembers(from database: Database) {
        var key = Bytes.empty
        var entry: Entry?
        for i in 0..<count {
            // One key after the other is often the same.
            if i == 0 || steps[i].key != key {
                key = steps[i].key
                entry = database.find(key)
            }
            guard let entry, let table = Self.table(of: entry), table.count >= Self.fewElements
            else { continue }
            // ZADD key score member; the other commands name the member first.
            let member =
                entry.kind == .sortedSetSkip && !steps[i].third.isEmpty
                ? steps[i].third : steps[i].second
            if member.isEmpty { continue }
            let hash = redwing_hash(member.start.raw, member.count)
            steps[i].memberHash = hash
            steps[i].table = table.header
            table.prefetchSlot(hash)
        }
        for i in 0..<count where !steps[i].table.isNull {
            HashTable<FieldKeys>(steps[i].table).prefetchElement(steps[i].memberHash)
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
