// SPDX-License-Identifier: BSD-3-Clause
//
// A snapshot that several threads write is, byte for byte, the one that a single thread writes, and a
// table's parts are all of it, in its order.

import Memory
import Testing

@testable import Keyspace

@Suite struct SnapshotPartsTests {
    private func filled(_ count: Int) -> Keyspace {
        let keyspace = Keyspace(databases: 2)
        for number in 0..<count {
            let key = Array("key:\(number)".utf8)
            let value = Array("value of \(number), \(number * 7)".utf8)
            Bytes.with(key) { key in
                Bytes.with(value) { value in
                    keyspace.databases[number % 2]
                        .addRestored(string: value, key, expiry: number % 3 == 0 ? 1000 : nil)
                }
            }
        }
        return keyspace
    }

    private func snapshot(_ keyspace: Keyspace, bits: Int) -> (bytes: [UInt8], keys: UInt64) {
        var snapshot = SnapshotWriter(SnapshotInfo(), access: .lru, clock: 5)
        snapshot.partBits = bits
        let writer = RDBWriter.memory(compression: false)
        var keys: UInt64 = 0
        snapshot.write(keyspace, to: writer) { keys = $0 }
        return (writer.memory.array, keys)
    }

    @Test(arguments: [0, 1, 2, 500, 3000, 60_000])
    func partsGiveTheSameBytes(count: Int) {
        let keyspace = filled(count)
        let plain = snapshot(keyspace, bits: 0)
        #expect(plain.keys == UInt64(count))
        for bits in [1, 4, 9, 16] {
            let cut = snapshot(keyspace, bits: bits)
            #expect(cut.keys == plain.keys)
            #expect(cut.bytes == plain.bytes)
        }
    }
}
