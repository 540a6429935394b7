// SPDX-License-Identifier: BSD-3-Clause
//
// Foresight is a guess: whatever it is given, it changes nothing.

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

    private func shape(_ set: SortedSet) -> [String] {
        var all: [String] = []
        set.forEach(in: 0..<set.count, reversed: false) { member, score in
            all.append("\(score) \(String(decoding: member.array, as: UTF8.self))")
        }
        return all
    }
}
