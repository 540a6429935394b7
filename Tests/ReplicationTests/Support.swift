// SPDX-License-Identifier: BSD-3-Clause
//
// What the tests of this room share: short names for moments, and random numbers from a seed that a
// failing test prints.

import Memory

@testable import Replication

func at(_ seconds: Double) -> Instant { Instant(ms: Int64(seconds * 1000)) }

/// SplitMix64: the same numbers from the same seed everywhere.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

let idA = ReplicationID(unchecked: String(repeating: "a", count: 40))
let idB = ReplicationID(unchecked: String(repeating: "b", count: 40))
let idC = ReplicationID(unchecked: String(repeating: "c", count: 40))

extension StreamBuffer {
    func append(text: String) { Bytes.with(text) { append($0) } }

    /// Everything from `position` to the end.
    func read(from position: Int64) -> [UInt8] {
        var all: [UInt8] = []
        var next = position
        while true {
            let part = chunk(at: next)
            if part.isEmpty { return all }
            all += part.array
            next += Int64(part.count)
        }
    }
}
