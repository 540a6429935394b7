// SPDX-License-Identifier: BSD-3-Clause
//
// A database against a plain dictionary: strings of every size, expiries, names, and not a byte left.

import Memory
import Testing

@testable import Keyspace

@Suite struct DatabaseTests {
    private struct Value: Equatable {
        var bytes: [UInt8]
        var expiry: Int64?
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func equalsAPlainDictionary(seed: UInt64) {
        var choices = Choices(state: seed)
        let keyspace = Keyspace(databases: 2)
        let empty = keyspace.heap.used
        let database = keyspace.databases[0]
        let other = keyspace.databases[1]
        var model: [[UInt8]: Value] = [:]
        for _ in 0..<40_000 {
            var key = Array("key:\(Int.random(in: 0..<500, using: &choices))".utf8)
            if key.last == 0x37 { key += [UInt8](repeating: 0x6B, count: 300) }
            // The step may be for the same key, or not: then it stays the remembered one.
            if Bool.random(using: &choices) { Bytes.with(key) { database.remember($0) } }
            if Bool.random(using: &choices) {
                key = Array("key:\(Int.random(in: 0..<500, using: &choices))".utf8)
            }
            step(database, other, key, &model, &choices)
            #expect(database.count == model.count)
            #expect(database.volatileCount == model.values.filter { $0.expiry != nil }.count)
        }
        for (key, value) in model { expect(database, key, value) }
        for key in model.keys {
            let removed = Bytes.with(key) { database.remove($0) }
            #expect(removed)
        }
        #expect(keyspace.heap.used == empty)
    }

    private func step(
        _ database: Database, _ other: Database, _ key: [UInt8],
        _ model: inout [[UInt8]: Value], _ choices: inout Choices
    ) {
        switch Int.random(in: 0..<10, using: &choices) {
        case 0..<3:
            let value = bytes(&choices)
            let expiry: Int64? = Bool.random(using: &choices) ? 1000 : nil
            let change = expiry.map { ExpiryChange.at($0) } ?? .clear
            with(key, value) { _ = database.setString($0, $1, expiry: change) }
            model[key] = Value(bytes: value, expiry: expiry)
        case 3:
            let value = bytes(&choices)
            with(key, value) { _ = database.setString($0, $1, expiry: .keep) }
            model[key] = Value(bytes: value, expiry: model[key]?.expiry)
        case 4:
            let removed = Bytes.with(key) { database.remove($0) }
            #expect(removed == (model.removeValue(forKey: key) != nil))
        case 5:
            let expiry: Int64? = Bool.random(using: &choices) ? 77 : nil
            Bytes.with(key) { database.setExpiry($0, expiry) }
            model[key]?.expiry = expiry
        case 6: append(database, key, bytes(&choices), &model)
        case 7:
            guard let value = model[key] else { return }
            let name = key + [0x21]
            if model[name] != nil { return }
            with(key, name) { database.rename($0, to: $1) }
            model[key] = nil
            model[name] = value
        case 8:
            guard let value = model[key] else { return }
            Bytes.with(key) { bytes in
                database.move(bytes, to: other)
                #expect(database.find(bytes) == nil)
                #expect(other.count == 1)
                other.move(bytes, to: database)
            }
            expect(database, key, value)
        default:
            if let value = model[key] { expect(database, key, value) }
        }
    }

    private func append(
        _ database: Database, _ key: [UInt8], _ tail: [UInt8], _ model: inout [[UInt8]: Value]
    ) {
        guard var value = model[key] else { return }
        with(key, tail) { key, tail in
            guard let entry = database.find(key) else { return }
            let old = entry.stringCount
            let (moved, bytes) = database.editString(entry, count: old + tail.count)
            (bytes.start + old).copy(from: tail)
            #expect(String(describing: moved.stringEncoding) == "raw")
        }
        value.bytes += tail
        model[key] = value
    }

    private func bytes(_ choices: inout Choices) -> [UInt8] {
        switch Int.random(in: 0..<6, using: &choices) {
        case 0: Array(String(Int64.random(in: .min ... .max, using: &choices)).utf8)
        case 1: Array(String(Int.random(in: -20...20, using: &choices)).utf8)
        case 2: filled(Int.random(in: 0...2000, using: &choices))
        case 3: filled(Int.random(in: 240...260, using: &choices))
        default: filled(Int.random(in: 0...60, using: &choices))
        }
    }

    private func filled(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(0x61 + $0 % 26) } }

    private func with(_ a: [UInt8], _ b: [UInt8], _ body: (Bytes, Bytes) -> Void) {
        Bytes.with(a) { first in Bytes.with(b) { second in body(first, second) } }
    }

    private func expect(_ database: Database, _ key: [UInt8], _ value: Value) {
        Bytes.with(key) { bytes in
            guard let entry = database.find(bytes) else {
                Issue.record("a key is missing")
                return
            }
            #expect(entry.expiry == value.expiry)
            #expect(entry.withString { $0.array } == value.bytes)
            #expect(entry.stringCount == value.bytes.count)
        }
    }

    @Test(arguments: [
        ("", "embstr"), ("12", "int"), ("-9223372036854775808", "int"),
        ("9223372036854775808", "embstr"), ("012", "embstr"),
        (String(repeating: "x", count: 44), "embstr"), (String(repeating: "x", count: 45), "raw"),
        (String(repeating: "x", count: 5000), "raw"),
    ])
    func encodings(text: String, encoding: String) {
        let keyspace = Keyspace(databases: 1)
        Bytes.with(text) { value in
            let entry = keyspace.databases[0].setString(Bytes("k"), value)
            #expect(String(describing: entry.stringEncoding) == encoding)
        }
    }

    /// What is remembered is found as long as it is there, and no longer.
    @Test func whatIsRememberedEndsWithItsEntry() {
        let keyspace = Keyspace(databases: 2)
        let (database, other) = (keyspace.databases[0], keyspace.databases[1])
        let key = Bytes("key")
        let ends: [(String, () -> Void)] = [
            ("removed", { database.remove(key) }),
            ("all removed", { database.removeAll() }),
            ("renamed", { database.rename(key, to: Bytes("name")) }),
            ("moved", { database.move(key, to: other) }),
            ("databases exchanged", { keyspace.swapDatabases(0, 1) }),
            ("data sets exchanged", { keyspace.swapContents(with: Keyspace(databases: 2)) }),
            ("dropped", { keyspace.dropAll()?.destroy() }),
            ("put aside", { _ = keyspace.removeLazily(key, in: database) }),
        ]
        for (how, end) in ends {
            database.removeAll()
            other.removeAll()
            database.remember(key)
            #expect(database.find(key) == nil, "\(how)")
            let entry = database.setString(key, Bytes("value"))
            database.remember(key)
            #expect(database.find(key) == entry, "\(how)")
            #expect(database.find(Bytes("kex")) == nil, "\(how)")
            let moved = database.setString(
                key, Bytes("a value that needs another block than the first"))
            #expect(database.find(key) == moved, "\(how)")
            database.remember(key)
            end()
            #expect(database.find(key) == nil, "\(how)")
        }
    }

    @Test func kindsAreReadAsTheyWereWritten() {
        for kind in (UInt8(0)...15).compactMap({ ValueKind(rawValue: $0) }) {
            let store = ByteBuffer(capacity: 64)
            let entry = Entry(store.base)
            entry.begin(Bytes("key"), kind, raw: true, expiry: 5, access: 0xFFFFFF)
            #expect(entry.kind == kind)
            #expect(entry.type == kind.type)
        }
    }

    @Test func contentsAreExchangedAndDropped() {
        let mine = Keyspace(databases: 2)
        let loaded = Keyspace(databases: 2)
        mine.databases[0].setString(Bytes("old"), Bytes("1"))
        loaded.databases[1].setString(Bytes("new"), Bytes("2"))
        let database = mine.databases[1]
        mine.swapContents(with: loaded)
        #expect(database.find(Bytes("new"))?.integer == 2)
        #expect(loaded.databases[0].find(Bytes("old")) != nil)
        mine.swapDatabases(0, 1)
        #expect(database.count == 0)
        #expect(mine.databases[0].count == 1)
        mine.dropAll()?.destroy()
        #expect(mine.count == 0)
        database.setString(Bytes("again"), Bytes("x"))
        #expect(mine.count == 1)
    }

    /// Of a small data set the pages are used again, a large one's are to be given back elsewhere.
    @Test(arguments: [(10, 100, false), (200_000, 100, true), (1, 20_000, true)])
    func aDataSetIsDroppedWhole(keys: Int, size: Int, isGivenBack: Bool) {
        let keyspace = Keyspace(databases: 2)
        let empty = keyspace.heap.used
        let value = [UInt8](repeating: 0x78, count: size)
        for _ in 0..<2 {
            for i in 0..<keys {
                Bytes.with("\(i)") { key in
                    Bytes.with(value) {
                        _ = keyspace.databases[i & 1].setString(key, $0, expiry: .at(1 << 50))
                    }
                }
            }
            let old = keyspace.dropAll()
            #expect((old != nil) == isGivenBack)
            old?.destroy()
            #expect(keyspace.count == 0)
            #expect(keyspace.heap.used == empty)
            #expect(keyspace.databases.allSatisfy { $0.volatileCount == 0 })
        }
    }

    @Test(arguments: [1, 500, 100_000])
    func whatIsRemovedLazilyIsFreedToTheLastByte(step: Int) {
        let keyspace = Keyspace(databases: 1)
        let database = keyspace.databases[0]
        let empty = keyspace.heap.used
        var set = SetValue.insert(Bytes("set"), for: Bytes("x"), in: database)
        var sorted = SortedSet.insert(Bytes("sorted"), for: Bytes("x"), in: database)
        for number in 0..<20_000 {
            Bytes.with("member:\(number)") { member in
                _ = set.add(member)
                sorted.put(member, Double(number))
            }
        }
        #expect(keyspace.removeLazily(Bytes("set"), in: database))
        #expect(keyspace.removeLazily(Bytes("sorted"), in: database))
        #expect(!keyspace.removeLazily(Bytes("set"), in: database))
        #expect(keyspace.remainsCount == 2)
        var steps = 0
        while keyspace.remainsCount > 0 {
            keyspace.freeRemains(atMost: step)
            steps += 1
        }
        #expect(steps >= 40_000 / max(step, 1000))
        #expect(keyspace.heap.used == empty)
    }
}
