// SPDX-License-Identifier: BSD-3-Clause
//
// A command's words, found in place in the query buffer.

import Memory

/// The arguments of the command at hand, the command's name first. Reused from command to command, so
/// that finding arguments allocates nothing once it has grown. Good until the query buffer changes.
public struct Arguments {
    @usableFromInline var words: [Bytes] = []

    public init() { words.reserveCapacity(32) }

    @inlinable @inline(__always)
    public var count: Int { words.count }

    @inlinable @inline(__always)
    public subscript(index: Int) -> Bytes { words[index] }

    @inlinable @inline(__always)
    public mutating func append(_ word: Bytes) { words.append(word) }

    @inlinable @inline(__always)
    public mutating func removeAll() { words.removeAll(keepingCapacity: true) }

    /// Turns offsets, as the parser gathers them, into places behind `base`.
    @inlinable @inline(__always)
    mutating func rebase(on base: Address) {
        for i in words.indices {
            words[i] = Bytes(
                start: base + Int(bitPattern: words[i].start.raw), count: words[i].count)
        }
    }

    public var all: [Bytes] { words }
}

extension ByteBuffer {
    /// A command as a RESP array.
    public func append(request words: [Bytes]) {
        append(UInt8(ascii: "*"))
        append(decimal: Int64(words.count))
        append("\r\n")
        for word in words {
            append(UInt8(ascii: "$"))
            append(decimal: Int64(word.count))
            append("\r\n")
            append(word)
            append("\r\n")
        }
    }
}
