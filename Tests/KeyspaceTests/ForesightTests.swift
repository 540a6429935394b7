// SPDX-License-Identifier: BSD-3-Clause
//
// Foresight is a guess: whatever it is given, it changes nothing, and no key is taken for another.

import Memory
import Testing

@testable import Keyspace

@Suite struct ForesightTests {
    /// Members that are there and not, scores of all kinds and what is none, a key of another type and
    /// one that is missing; a set that is large enough to be walked through, and two that aren't.
    @Test(arguments: [1, 100, 5000])
    func pathsOfSortedSetsAreOnlyLookedAt(count: Int) {
        let keyspace = Keyspace(databases: 1)
        let database = keyspace.databases[0]
        database.limits.sortedSetMaxEntries = 0
        var set = SortedSet.insert(Bytes("sorted"), for: Bytes("member:0"), in: database)
        for number in 0..<count {
            Bytes.with("member:\(number)") { set.put($0, Double((number * 7919) % count)) }
        }
        database.setString(Bytes("other"), Bytes("text"))
        let before = shape(set)
        let scores = [
            "0", "-1", "1e9", "2500.5", "inf", "-inf", "nan", "1.2.3", "", "score", "17", "4999",
        ]
        var foresight = Foresight()
        for (turn, key) in ["sorted", "other", "missing", "sorted"].enumerated() {
            let words: [(String, String)] = (0..<Foresight.capacity).map {
                (
                    scores[($0 + turn) % scores.count],
                    $0 % 4 == 0 ? "nobody:\($0)" : "member:\(($0 * 313 + turn) % count)"
                )
            }
            let store = ByteBuffer()
            for (score, member) in words {
                store.append(text: score)
                store.append(text: member)
            }
            Bytes.with(key) { key in
                foresight.begin()
                var at = store.bytes.start
                for (score, member) in words {
                    let second = Bytes(start: at, count: score.utf8.count)
                    let third = Bytes(start: at + score.utf8.count, count: member.utf8.count)
                    foresight.append(key: key, second: second, third: third)
                    at = at + (score.utf8.count + member.utf8.count)
                }
                foresight.fetch(from: database, inside: true)
            }
        }
        #expect(shape(set) == before)
        #expect(database.count == 2)
    }

    /// Sixteen keys are looked up ahead, then asked for one by one while the database changes under them
    /// in any way: what is found is what the table has.
    @Test(arguments: [UInt64(1), 2, 3])
    func whatIsRecalledIsWhatTheTableHas(seed: UInt64) {
        var choices = Choices(state: seed)
        let keyspace = Keyspace(databases: 2)
        var foresight = Foresight()
        for key in 0..<3000 {
            for (index, database) in keyspace.databases.enumerated() {
                let value = Bytes(index == 0 ? "a" : "b")
                Bytes.with("key:\(key)") { _ = database.setString($0, value) }
            }
        }
        var recalled = 0
        for _ in 0..<2000 {
            let database = keyspace.databases[Int.random(in: 0...1, using: &choices)]
            let names = (0..<Foresight.capacity).map { _ in
                Array("key:\(Int.random(in: 0..<3100, using: &choices))".utf8)
            }
            foresight.begin()
            let store = ByteBuffer()
            for name in names { store.append(name) }
            var at = store.bytes.start
            for name in names {
                foresight.append(key: Bytes(start: at, count: name.count))
                at = at + name.count
            }
            foresight.fetch(from: database)
            let knows = foresight.knowsEntries
            #expect(knows)
            for (index, name) in names.enumerated() {
                let asked = keyspace.databases[Int.random(in: 0...7, using: &choices) == 0 ? 1 : 0]
                foresight.recall(index, in: asked)
                Bytes.with(name) { key in
                    let element = asked.keys.find(key)
                    if asked.recall(key) != nil { recalled += 1 }
                    #expect(asked.find(key) == (element.isNull ? nil : Entry(element)))
                    change(asked, key, keyspace, &choices)
                }
            }
        }
        // Else this would show nothing.
        #expect(recalled > 2000)
    }

    private func change(
        _ database: Database, _ key: Bytes, _ keyspace: Keyspace, _ choices: inout Choices
    ) {
        switch Int.random(in: 0..<40, using: &choices) {
        case 0: database.remove(key)
        case 1: database.setString(key, Bytes("a text that takes another block than the others"))
        case 2: database.setString(key, Bytes("c"), expiry: .at(1000))
        case 3: database.setInteger(key, 17)
        case 4 where key != Bytes("key:17"):
            database.remove(Bytes("key:17"))
            database.rename(key, to: Bytes("key:17"))
        case 5: keyspace.swapDatabases(0, 1)
        case 6:
            let other = keyspace.databases[1 - database.index]
            other.remove(key)
            database.move(key, to: other)
        default:
            let entry = database.setString(key, Bytes("d"))
            #expect(entry.withString { $0.string } == "d" && entry.key == key && !entry.hasExpiry)
        }
    }

    private func shape(_ set: SortedSet) -> [String] {
        var all: [String] = []
        set.forEach(in: 0..<set.count, reversed: false) { member, score in
            all.append("\(score) \(String(decoding: member.array, as: UTF8.self))")
        }
        return all
    }
}
