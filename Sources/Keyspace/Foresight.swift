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
        /// Where the key is in its table; then where the member is in the value's.
        var probe = Probe.none
        /// The entry that is likely the key's.
        var entry = Address.null
        /// The words behind the key, empty when there are none.
        var second = Bytes.empty
        var third = Bytes.empty
        /// The value's table, the member and its hash in it, once they are known.
        var table = Address.null
        var member = Bytes.empty
        var memberHash: UInt64 = 0
        /// The skip list in which the member gets another place.
        var list = Address.null
    }

    /// The steps. Not an array: it would be copied to be read.
    private let store = ByteBuffer(capacity: capacity * stepSize)
    private static let stepSize = MemoryLayout<Step>.stride
    /// Two for each step: where the member is, and where it goes.
    private let scoutStore = ByteBuffer(capacity: 2 * capacity * MemoryLayout<SkipScout>.stride)
    public private(set) var count = 0
    /// Whose entries `fetch` found, and how its blocks lay then.
    private var source: ObjectIdentifier?
    private var stamp: UInt64 = 0

    public init() {}

    /// Forgets what was appended.
    @inline(__always)
    public mutating func begin() {
        count = 0
        source = nil
    }

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
    public mutating func fetch(from database: Database, inside: Bool = false) {
        if database.count >= Self.fewElements {
            for i in 0..<count {
                let key = self[i].key
                let probe = database.keys.probe(redwing_hash(key.start.raw, key.count))
                probe.slot.prefetch()
                self[i].probe = probe
            }
            for i in 0..<count {
                var probe = self[i].probe
                self[i].entry = probe.prefetchElement()
            }
            source = ObjectIdentifier(database)
            stamp = database.stamp
        }
        if inside { fetchMembers(from: database) }
    }

    /// Whether there is anything for `recall`.
    @inline(__always)
    public var knowsEntries: Bool { source != nil }

    /// Has `database` look first at the entry that was found for step `index`. What was found in another
    /// database, or before any entry of this one moved or went, says nothing.
    @inline(__always)
    public func recall(_ index: Int, in database: Database) {
        guard index < count, source == ObjectIdentifier(database), stamp == database.stamp else {
            return
        }
        let entry = self[index].entry
        if !entry.isNull { database.remember(Entry(entry)) }
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
            let isPlaced = entry.kind == .sortedSetSkip && !self[i].third.isEmpty
            let member = isPlaced ? self[i].third : self[i].second
            if member.isEmpty { continue }
            let hash = redwing_hash(member.start.raw, member.count)
            self[i].member = member
            self[i].memberHash = hash
            self[i].table = table.header
            if isPlaced { self[i].list = entry.container }
            let probe = table.probe(hash)
            probe.slot.prefetch()
            self[i].probe = probe
        }
        for i in 0..<count where !self[i].table.isNull {
            var probe = self[i].probe
            _ = probe.prefetchElement()
        }
        if count > 1 { fetchPaths() }
    }

    /// Walks the skip lists to the places where members are and where they go, all walks a step at a
    /// time in turns: what one waits for from memory, the others have on the way as well.
    private func fetchPaths() {
        let scouts = scoutStore.base
        let size = MemoryLayout<SkipScout>.stride
        var left = 0
        for i in 0..<count where !self[i].list.isNull {
            let step = self[i]
            guard let score = FloatText.parseDouble(step.second) else { continue }
            let list = SkipList(step.list)
            scouts.store(SkipScout(list, to: score), at: left &* size)
            left &+= 1
            let index = HashTable<SkipMember>(step.table)
            let slot = index.findSlot(step.member, step.memberHash)
            if slot.isNull { continue }
            let old = SkipNode(index.element(at: slot)).score
            scouts.store(SkipScout(list, to: old), at: left &* size)
            left &+= 1
        }
        while left > 0 {
            var i = 0
            while i < left {
                var scout = scouts.load(SkipScout.self, at: i &* size)
                if scout.step() {
                    scouts.store(scout, at: i &* size)
                    i &+= 1
                } else {
                    left &-= 1
                    scouts.store(scouts.load(SkipScout.self, at: left &* size), at: i &* size)
                }
            }
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
