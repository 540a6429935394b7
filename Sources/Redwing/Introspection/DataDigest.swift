// SPDX-License-Identifier: BSD-3-Clause
//
// DEBUG DIGEST: 40 hexadecimal digits that are equal on two servers, of whatever version, exactly
// when they hold the same data. The algorithm is Redis's: SHA-1 mixes, in order where the order is a
// part of the value (list, stream, a pair), by XOR where it isn't (set, hash, keys).

import Keyspace
import Memory
import Platform

/// 20 bytes that things are mixed into.
final class MixedDigest {
    private let store = ByteBuffer(capacity: 64)
    private let place: Address

    init() {
        place = store.reserve(20)
        place.fill(0, count: 20)
    }

    func clear() { place.fill(0, count: 20) }
    /// Mixes in what has no order.
    func xor(_ bytes: Bytes) { redwing_digest_xor(place.raw, bytes.start.raw, bytes.count) }
    /// Mixes in what has one.
    func mix(_ bytes: Bytes) { redwing_digest_mix(place.raw, bytes.start.raw, bytes.count) }
    func mix(_ element: ListpackElement) { element.withBytes { mix($0) } }
    func mix(score: Double) { redwing_digest_mix_double(place.raw, score) }
    /// A number as Redis mixes it: 32 bits, big-endian.
    func mix(word: UInt32) {
        Bytes.with((0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - $0 * 8)) }) { mix($0) }
    }
    var bytes: Bytes { Bytes(start: place, count: 20) }
    var hex: String { Hash.hex(bytes.array) }
}

/// Digests of values and of the whole data set. Reads only.
struct DataDigest {
    private let element = MixedDigest()

    /// The whole data set; empty databases leave no trace.
    func digest(of keyspace: Keyspace) -> String {
        let total = MixedDigest()
        let one = MixedDigest()
        for database in keyspace.databases where database.count > 0 {
            total.mix(word: UInt32(database.index))
            forEachKey(of: database) { entry in
                one.clear()
                one.mix(entry.key)
                mix(entry, in: database, into: one)
                total.xor(one.bytes)
            }
        }
        return total.hex
    }

    /// A value with its expiry, its key left out.
    func digest(of entry: Entry, in database: Database) -> String {
        let one = MixedDigest()
        mix(entry, in: database, into: one)
        return one.hex
    }

    private func forEachKey(of database: Database, _ body: (Entry) -> Void) {
        var cursor: UInt64 = 0
        repeat { cursor = database.scan(cursor, 1000, body) } while cursor != 0
    }

    private func mix(_ entry: Entry, in database: Database, into digest: MixedDigest) {
        digest.mix(word: Self.typeNumber(entry.type))
        switch entry.type {
        case .string: entry.withString { digest.mix($0) }
        case .list:
            let list = ListValue(entry.container)
            list.forEach(from: 0, count: list.count) { digest.mix($0) }
        case .set: SetValue(entry, in: database).forEach { $0.withBytes { digest.xor($0) } }
        case .sortedSet:
            SortedSet(entry, in: database).forEach { member, score in
                element.clear()
                element.mix(member)
                element.mix(score: score)
                digest.xor(element.bytes)
            }
        case .hash:
            HashValue(entry).forEach { field, value in
                element.clear()
                element.mix(field)
                element.mix(value)
                digest.xor(element.bytes)
            }
        case .stream: mix(StreamValue(entry.container), into: digest)
        }
        if entry.hasExpiry { digest.xor(Bytes("!!expire!!")) }
    }

    private func mix(_ stream: StreamValue, into digest: MixedDigest) {
        var walk = stream.walk()
        while walk.next() {
            Bytes.with("\(walk.id.ms).\(walk.id.seq)") { digest.mix($0) }
            walk.forEachField { field, value in
                digest.mix(field)
                digest.mix(value)
            }
        }
    }

    /// Redis's OBJ_* numbers.
    private static func typeNumber(_ type: ValueType) -> UInt32 {
        switch type {
        case .string: 0
        case .list: 1
        case .set: 2
        case .sortedSet: 3
        case .hash: 4
        case .stream: 6
        }
    }
}
