// SPDX-License-Identifier: BSD-3-Clause
//
// A command's words, found in place in the query buffer, and the list that gathers them.

import Memory

/// The words of a command, its name first: a view of a `WordList`, or of a part of a `RequestWindow`.
/// Two words of memory, nothing counted. Good until the list or the query buffer changes.
public struct Arguments: BitwiseCopyable {
    @usableFromInline let words: Address
    public let count: Int

    @inlinable @inline(__always)
    init(words: Address, count: Int) {
        self.words = words
        self.count = count
    }

    public static var none: Arguments { Arguments(words: .null, count: 0) }

    /// The word at `index`; an index out of bounds traps.
    @inlinable @inline(__always)
    public subscript(index: Int) -> Bytes {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "no such word")
        return words.load(Bytes.self, at: index &* WordList.size)
    }

    public var all: [Bytes] { (0..<count).map { self[$0] } }

    /// Runs `body` on `words` as arguments, good only inside.
    public static func with<R>(_ words: [Bytes], _ body: (Arguments) throws -> R) rethrows -> R {
        var list = WordList()
        for word in words { list.append(word) }
        defer { extendLifetime(list) }
        return try body(list.arguments)
    }
}

/// Owns the places of words, not their bytes. Reused from command to command, so that finding words
/// allocates nothing once it has grown.
public struct WordList: ~Copyable {
    /// Bytes that a word's place takes.
    @usableFromInline static let size = 16
    /// Memory beyond that is given back between two requests.
    private static let kept = 1024 * size

    @usableFromInline let store = ByteBuffer()

    public init() {}

    /// The words; they are the list's as long as it lives and isn't changed.
    @inlinable @inline(__always)
    public var arguments: Arguments {
        Arguments(words: store.bytes.start, count: store.count / Self.size)
    }

    @inlinable @inline(__always)
    public mutating func append(_ word: Bytes) {
        store.reserve(Self.size).store(word)
        store.commit(Self.size)
    }

    public mutating func removeAll() { store.removeAll(keeping: Self.kept) }

    /// Turns offsets, as the parser gathers them, into places behind `base`.
    mutating func rebase(on base: Address) {
        let words = store.bytes.start
        for at in stride(from: 0, to: store.count, by: Self.size) {
            let word = words.load(Bytes.self, at: at)
            words.store(
                Bytes(start: base + Int(bitPattern: word.start.raw), count: word.count), at: at)
        }
    }
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

    public func append(request words: [String]) {
        append(text: "*\(words.count)\r\n")
        for word in words { append(text: "$\(word.utf8.count)\r\n\(word)\r\n") }
    }
}
