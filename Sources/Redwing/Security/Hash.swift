// SPDX-License-Identifier: BSD-3-Clause
//
// The hashes of passwords (SHA-256), of scripts and of DEBUG DIGEST (SHA-1), by libcrypto.

import Memory
import Platform

enum Hash {
    static func sha1(_ bytes: Bytes) -> [UInt8] {
        let out = ByteBuffer(capacity: 64)
        redwing_sha1(bytes.start.raw, bytes.count, out.reserve(20).raw)
        out.commit(20)
        return out.bytes.array
    }

    static func sha256(_ bytes: Bytes) -> [UInt8] {
        let out = ByteBuffer(capacity: 64)
        redwing_sha256(bytes.start.raw, bytes.count, out.reserve(32).raw)
        out.commit(32)
        return out.bytes.array
    }

    /// Lower-case hexadecimal.
    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
