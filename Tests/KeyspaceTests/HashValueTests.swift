// SPDX-License-Identifier: BSD-3-Clause
//
// Hashes against a dictionary, across the change from the packed form to the table.

import Memory
import Testing

@testable import Keyspace

@Suite struct HashValueTests {
    static func contents(_ hash: HashValue) -> [[UInt8]: [UInt8]] {
        var all: [[UInt8]: [UInt8]] = [:]
        hash.forEach { all[$0.array] = $1.array }
        return all
    }

    @Test(
        "Random changes agree with a dictionary",
        arguments: [(4, 64), (512, 64), (512, 8), (0, 64)])
    func model(_ entries: Int, _ value: Int) {
        var limits = PackedLimits()
        limits.hashMaxEntries = entries
        limits.hashMaxValue = value
        var random = SplitMix(UInt64(entries + value))
        let keyspace = Keyspace(databases: 1)
        let heap = keyspace.heap
        let before = heap.used
        let database = keyspace.databases[0]
        let entry = Bytes.with("key") {
            database.insert($0, .hashPacked, container: HashValue.makePacked(in: heap))
        }
        let hash = HashValue(entry)
        var model: [[UInt8]: [UInt8]] = [:]
        for step in 0..<5000 {
            let field = random.element()
            let text = random.element()
            Bytes.with(field) { field in
                Bytes.with(text) { text in
                    if step % 3 == 0 {
                        #expect(hash.remove(field, in: heap) == (model[field.array] != nil))
                        model[field.array] = nil
                    } else {
                        let new = hash.set(field, text, limits: limits, in: heap)
                        #expect(new == (model[field.array] == nil))
                        model[field.array] = text.array
                    }
                    #expect(hash.get(field)?.array == model[field.array])
                    #expect(hash.contains(field) == (model[field.array] != nil))
                }
            }
            #expect(hash.count == model.count)
        }
        #expect(Self.contents(hash) == model)
        if let (field, text) = hash.random() { #expect(model[field.array] == text.array) }
        let copied = HashValue.copy(entry.kind, entry.container, in: heap)
        let copy = Bytes.with("copy") { database.insert($0, entry.kind, container: copied) }
        #expect(Self.contents(HashValue(copy)) == model)
        #expect(scanned(hash) == model)
        database.removeAll()
        #expect(heap.used == before)
        withExtendedLifetime(keyspace) {}
    }

    func scanned(_ hash: HashValue) -> [[UInt8]: [UInt8]] {
        var all: [[UInt8]: [UInt8]] = [:]
        var cursor: UInt64 = 0
        repeat {
            cursor = hash.scan(cursor, 10) { all[$0.array] = $1.array }
        } while cursor != 0
        return all
    }

    @Test("The limits decide the form")
    func forms() {
        let keyspace = Keyspace(databases: 1)
        let heap = keyspace.heap
        var limits = PackedLimits()
        limits.hashMaxEntries = 3
        for (fields, length, packed) in [
            (3, 5, true), (4, 5, false), (1, 64, true), (1, 65, false),
        ] {
            let entry = Bytes.with("k\(fields)/\(length)") {
                keyspace.databases[0].insert(
                    $0, .hashPacked, container: HashValue.makePacked(in: heap))
            }
            let text = [UInt8](repeating: 0x61, count: length)
            for i in 0..<fields {
                Bytes.with("f\(i)") { field in
                    Bytes.with(text) { text in
                        _ = HashValue(entry).set(field, text, limits: limits, in: heap)
                    }
                }
            }
            #expect(HashValue(entry).isPacked == packed)
            #expect(HashValue(entry).count == fields)
        }
        withExtendedLifetime(keyspace) {}
    }

    @Test("The loader's builder makes what the limits say, and refuses a field twice in a table")
    func builder() {
        let keyspace = Keyspace(databases: 1)
        let heap = keyspace.heap
        let before = heap.used
        for (expected, fields, kind) in [
            (10, 10, ValueKind.hashPacked), (5, 600, .hashTable), (600, 600, .hashTable),
            (1 << 40, 0, .hashTable),
        ] {
            var builder = HashBuilder(expected: expected, limits: PackedLimits(), in: heap)
            for i in 0..<fields {
                #expect(Bytes.with("field\(i)") { builder.append($0, $0) })
            }
            if kind == .hashTable && fields > 0 {
                #expect(!Bytes.with("field7") { builder.append($0, $0) })
            }
            let (built, container) = builder.finish()
            #expect(built == kind)
            let entry = Bytes.with("k") {
                keyspace.databases[0].insert($0, built, container: container)
            }
            #expect(HashValue(entry).count == fields)
            _ = Bytes.with("k") { keyspace.databases[0].remove($0) }
        }
        #expect(heap.used <= before + 4096)
        withExtendedLifetime(keyspace) {}
    }
}
