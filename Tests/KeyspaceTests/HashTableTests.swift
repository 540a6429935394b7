// SPDX-License-Identifier: BSD-3-Clause
//
// The table against a plain set, its order invariants after every kind of change, and SCAN's promise
// while it grows and shrinks.

import Memory
import Testing

@testable import Keyspace

/// An element of these tests: 8 bytes, its own key.
private enum NumberKeys: TableKeys {
    static func key(of element: Address) -> Bytes { Bytes(start: element, count: 8) }
}

private struct Numbers {
    let heap = Heap()
    let table: HashTable<NumberKeys>

    init() { table = .create(heap) }

    func insert(_ value: UInt64) {
        let block = heap.allocate(8)
        block.store(value)
        table.insert(block, heap)
    }

    func find(_ value: UInt64) -> UInt64? {
        withKey(value) { key in
            let element = table.find(key)
            return element.isNull ? nil : element.load(UInt64.self)
        }
    }

    func remove(_ value: UInt64) -> Bool {
        withKey(value) { key in
            let element = table.remove(key, heap)
            if element.isNull { return false }
            heap.free(element, 8)
            return true
        }
    }

    private func withKey<R>(_ value: UInt64, _ body: (Bytes) -> R) -> R {
        var bytes: [UInt8] = []
        for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift * 8))) }
        return Bytes.with(bytes, body)
    }

    /// Every segment is sorted, everything is at or behind its home without a gap, counts agree.
    func check() {
        var total = 0
        var index = 0
        var bytes = 32
        let depth = Int(table.depth)
        let directory = depth == 0 ? table.header + 8 : table.header.address(at: 8)
        if depth > 0 { bytes += Heap.rounded(8 << depth) }
        var deepest = 0
        while index < 1 << depth {
            let word = directory.load(UInt64.self, at: index * 8)
            if word == 0 { break }
            let words = HashTable<NumberKeys>.words(word)
            let segment = HashTable<NumberKeys>.segment(word)
            let span = 1 << (depth - Int(word >> 56))
            if span == 1 { deepest += 1 }
            bytes += Heap.rounded(words * 8)
            #expect(index % span == 0)
            for copy in index..<(index + span) {
                #expect(directory.load(UInt64.self, at: copy * 8) == word)
            }
            var last: UInt64 = 0
            var live = 0
            for at in 0..<Segment.slots(words) {
                let slot = segment.load(UInt64.self, at: 8 + at * 8)
                if slot == 0 { continue }
                live += 1
                #expect(slot >> 48 >= last)
                last = slot >> 48
                let element = HashTable<NumberKeys>.element(slot)
                let hash = HashTable<NumberKeys>.hash(NumberKeys.key(of: element))
                #expect(HashTable<NumberKeys>.tag(hash, word >> 56) == slot >> 48)
                if depth > 0 { #expect(Int(hash >> UInt64(64 - depth)) / span == index / span) }
                let home = Segment.home(slot >> 48, words)
                #expect(home <= at)
                for before in home..<at {
                    #expect(segment.load(UInt64.self, at: 8 + before * 8) != 0)
                }
            }
            #expect(live == Int(segment.load(UInt64.self)))
            total += live
            index += span
        }
        #expect(total == table.count)
        #expect(bytes == table.bytes)
        if depth > 0 { #expect(deepest == Int(table.header.load(UInt32.self, at: 20))) }
    }
}

@Suite struct HashTableTests {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func equalsAPlainSet(seed: UInt64) {
        var choices = Choices(state: seed)
        let numbers = Numbers()
        defer { numbers.heap.destroy() }
        var model: Set<UInt64> = []
        let span = [UInt64(40), 3000, 20_000, 60_000][Int(seed - 1)]
        for step in 0..<60_000 {
            let value = UInt64.random(in: 0..<span, using: &choices)
            // Long phases of growth and of shrinking.
            let adding = Int.random(in: 0..<10, using: &choices) < (step / 15_000 % 2 == 0 ? 8 : 1)
            if adding {
                if model.insert(value).inserted { numbers.insert(value) }
            } else {
                #expect(numbers.remove(value) == (model.remove(value) != nil))
            }
            #expect(numbers.table.count == model.count)
            if step % 1000 == 0 {
                #expect((numbers.find(value) != nil) == model.contains(value))
                if step % 10_000 == 0 { numbers.check() }
            }
        }
        var seen: Set<UInt64> = []
        for element in numbers.table.elements { seen.insert(element.load(UInt64.self)) }
        #expect(seen == model)
        for value in model { #expect(numbers.remove(value)) }
        numbers.check()
        numbers.table.destroy(numbers.heap)
        #expect(numbers.heap.used == 0)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func scanGivesWhatStaysExactlyOnce(seed: UInt64) {
        var choices = Choices(state: seed)
        let numbers = Numbers()
        defer { numbers.heap.destroy() }
        let staying: UInt64 = seed % 2 == 0 ? 50 : 5000
        for value in 0..<staying { numbers.insert(value) }
        var passing: [UInt64] = []
        var next = staying
        if seed % 3 == 0 {
            for _ in 0..<40_000 {
                numbers.insert(next)
                passing.append(next)
                next += 1
            }
        }
        let growing = seed % 3 != 0
        var seen: [UInt64: Int] = [:]
        var cursor: UInt64 = 0
        repeat {
            cursor = numbers.table.scan(cursor, 20) { seen[$0.load(UInt64.self), default: 0] += 1 }
            for _ in 0..<Int.random(in: 0..<(growing ? 15 : 200), using: &choices) {
                if growing {
                    numbers.insert(next)
                    passing.append(next)
                    next += 1
                } else if !passing.isEmpty {
                    let at = Int.random(in: 0..<passing.count, using: &choices)
                    #expect(numbers.remove(passing[at]))
                    passing[at] = passing[passing.count - 1]
                    passing.removeLast()
                }
            }
        } while cursor != 0
        for value in 0..<staying { #expect(seen[value] == 1) }
        numbers.check()
    }

    /// Hashes are seeded anew in each process, and a table of 100 whose keys crowd at its end takes
    /// one step more, one time in 25: what must hold holds for the sum of many tables.
    @Test(arguments: [0, 5, 7, 100, 1000, 50_000])
    func reservedTablesDoNotGrow(count: Int) {
        let tables = max(2, min(1000, 100_000 / max(1, count)))
        var reserved = 0
        var used = 0
        for index in 0..<tables {
            let numbers = Numbers()
            defer { numbers.heap.destroy() }
            let empty = numbers.table.bytes
            numbers.table.reserve(count, numbers.heap)
            if count <= 6 { #expect(numbers.table.bytes == empty) }
            reserved += numbers.table.bytes
            for value in (index * count)..<((index + 1) * count) { numbers.insert(UInt64(value)) }
            used += numbers.table.bytes
            numbers.check()
            var total = 0
            var cursor: UInt64 = 0
            repeat { cursor = numbers.table.scan(cursor, 10) { _ in total += 1 } } while cursor != 0
            #expect(total == count)
        }
        // Few elements reserve nothing: their tables begin with the first of them.
        let first = count <= 6 ? 128 * tables : 0
        #expect(used <= reserved + reserved / 20 + first)
    }

    @Test func anElementCostsAboutTenBytes() {
        let numbers = Numbers()
        defer { numbers.heap.destroy() }
        var most = 0.0
        for value in 0..<UInt64(300_000) {
            numbers.insert(value)
            if value > 50_000 && value % 5000 == 0 {
                most = max(most, Double(numbers.table.bytes) / Double(numbers.table.count))
            }
        }
        #expect(most < 11.5)
    }

    @Test func randomElementsAreSpreadEvenly() {
        let numbers = Numbers()
        defer { numbers.heap.destroy() }
        for value in 0..<UInt64(2000) { numbers.insert(value) }
        var hits = [Int](repeating: 0, count: 2000)
        for _ in 0..<200_000 { hits[Int(numbers.table.random().load(UInt64.self))] += 1 }
        // Poisson with mean 100: below 50 or above 160 happens to none of 2000.
        #expect(hits.allSatisfy { $0 > 45 && $0 < 170 })
        for value in 0..<UInt64(1990) { #expect(numbers.remove(value)) }
        #expect(numbers.table.random().load(UInt64.self) >= 1990)
    }
}
