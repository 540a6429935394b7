// SPDX-License-Identifier: BSD-3-Clause
//
// The end of a transfer of unknown length: `$EOF:<40 characters>` announces a mark, and the same 40
// characters after the RDB end it. A chunk may end anywhere, also inside the mark, and the RDB's own
// bytes may look like its beginning; the finder is a small automaton, so no byte is looked at twice.

import Memory

/// Finds the mark in a stream of arbitrary chunks.
public struct EOFMark: Equatable, Sendable {
    public static let size = 40

    public let mark: [UInt8]
    /// The last bytes fed are the first `matched` bytes of the mark.
    public private(set) var matched = 0
    /// For a mismatch after i matching bytes: how many still match (Knuth, Morris, Pratt).
    private let fallback: [UInt8]

    /// Nil when `mark` isn't 40 bytes long.
    public init?(_ mark: [UInt8]) {
        guard mark.count == Self.size else { return nil }
        self.init(table: mark)
    }

    /// A mark is a fresh id's 40 characters.
    public init(id: ReplicationID) { self.init(table: [UInt8](id.text.utf8)) }

    private init(table mark: [UInt8]) {
        self.mark = mark
        var table = [UInt8](repeating: 0, count: mark.count)
        var k = 0
        for i in mark.indices.dropFirst() {
            while k > 0 && mark[i] != mark[k] { k = Int(table[k - 1]) }
            if mark[i] == mark[k] { k += 1 }
            table[i] = UInt8(k)
        }
        fallback = table
    }

    /// Feeds `bytes`; returns how many of them lie up to and with the mark's last byte, nil when the
    /// mark isn't complete yet. What follows the mark is the stream.
    public mutating func feed(_ bytes: Bytes) -> Int? {
        for i in 0..<bytes.count {
            let c = bytes[i]
            while matched > 0 && c != mark[matched] { matched = Int(fallback[matched - 1]) }
            if c == mark[matched] { matched += 1 }
            if matched == mark.count {
                matched = 0
                return i + 1
            }
        }
        return nil
    }

    public var text: String { String(decoding: mark, as: UTF8.self) }
}
