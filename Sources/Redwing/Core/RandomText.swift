// SPDX-License-Identifier: BSD-3-Clause
//
// Run ids, replication ids, EOF marks: hexadecimal text nobody can guess.

import Glibc

public enum RandomText {
    /// `count` lower-case hexadecimal digits from the system's generator.
    public static func hex(_ count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for _ in 0..<count { text.append(digits[Int.random(in: 0..<16, using: &generator)]) }
        return String(decoding: text, as: UTF8.self)
    }
}
