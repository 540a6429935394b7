// SPDX-License-Identifier: BSD-3-Clause
//
// Copies and comparisons of every short length, which are loads and stores of several sizes.

import Memory
import Testing

@Suite struct AddressTests {
    @Test func copiesAreOfTheirBytesAlone() {
        let source = (0..<64).map { UInt8($0 + 1) }
        for count in 0...40 {
            let store = ByteBuffer(capacity: 64)
            let place = store.reserve(64)
            place.fill(0xEE, count: 64)
            Bytes.with(source) { (place + 8).copy(from: $0.start, count: count) }
            store.commit(64)
            let wanted =
                [UInt8](repeating: 0xEE, count: 8) + source.prefix(count)
                + [UInt8](repeating: 0xEE, count: 56 - count)
            #expect(store.bytes.array == wanted)
        }
    }

    /// Each byte counts, and none behind the last.
    @Test func comparisonsSeeEachByte() {
        let text = (0..<64).map { UInt8($0 * 3) }
        for count in 0...40 {
            for changed in 0..<48 {
                var other = text
                other[changed] ^= 0x10
                let equal = Bytes.with(text) { a in
                    Bytes.with(other) { b in a.start.equals(b.start, count: count) }
                }
                #expect(
                    equal == (changed >= count), "\(count) bytes, the one at \(changed) differs")
            }
        }
    }
}
