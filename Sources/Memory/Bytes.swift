// SPDX-License-Identifier: BSD-3-Clause
//
// A view of bytes that somebody else owns: an argument in a query buffer, a member in a listpack, a
// key in its entry. It is a pair of words, so it costs nothing to pass on.

import Platform

/// A view of `count` bytes from `start`. It keeps nothing alive: it is good until its owner changes,
/// for a command's argument until the command returns. Copy (`array`, `string`) what must last.
@safe
public struct Bytes: BitwiseCopyable {
    public let start: Address
    public let count: Int

    @inlinable @inline(__always)
    public init(start: Address, count: Int) {
        self.start = start
        self.count = count
    }

    @inlinable @inline(__always)
    public init(_ buffer: UnsafeRawBufferPointer) {
        start = unsafe buffer.baseAddress.map { unsafe Address($0) } ?? .null
        count = buffer.count
    }

    /// The bytes of a literal, which live as long as the program.
    @inlinable @inline(__always)
    public init(_ literal: StaticString) {
        unsafe start = Address(UnsafeRawPointer(literal.utf8Start))
        count = literal.utf8CodeUnitCount
    }

    @inlinable @inline(__always)
    public static var empty: Bytes { Bytes(start: .null, count: 0) }

    @inlinable @inline(__always)
    public var isEmpty: Bool { count == 0 }

    /// The byte at `index`; an index out of bounds traps.
    @inlinable @inline(__always)
    public subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "byte index out of bounds")
        return start.byte(at: index)
    }

    /// A part of the view; a range out of bounds traps.
    @inlinable @inline(__always)
    public subscript(range: Range<Int>) -> Bytes {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range out of bounds")
        return Bytes(start: start + range.lowerBound, count: range.count)
    }

    @inlinable
    public func dropFirst(_ n: Int) -> Bytes { self[min(n, count)..<count] }

    @inlinable
    public func prefix(_ n: Int) -> Bytes { self[0..<min(n, count)] }

    @inlinable @inline(__always)
    public var buffer: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: count == 0 ? nil : UnsafeRawPointer(start.pointer), count: count)
    }

    public var array: [UInt8] { unsafe [UInt8](buffer) }

    /// The bytes as text; what is not UTF-8 is replaced, so use it for logs and names only.
    public var string: String { unsafe String(decoding: buffer, as: UTF8.self) }

    /// The first `most` bytes for a log: what isn't printable ASCII as \xHH, "..." where more follows.
    public func printable(most: Int) -> String {
        let text = prefix(most).array.map { c in
            if c >= 0x20 && c < 0x7F { return String(UnicodeScalar(c)) }
            return (c < 0x10 ? "\\x0" : "\\x") + String(c, radix: 16)
        }.joined()
        return count > most ? text + "..." : text
    }

    /// Runs `body` on a view of `bytes`, good only inside.
    @inlinable
    public static func with<R>(_ bytes: [UInt8], _ body: (Bytes) throws -> R) rethrows -> R {
        try unsafe bytes.withUnsafeBytes { unsafe try body(Bytes($0)) }
    }

    /// Runs `body` on a view of the UTF-8 bytes of `text`, good only inside.
    @inlinable
    public static func with<R>(_ text: String, _ body: (Bytes) throws -> R) rethrows -> R {
        var copy = text
        return try copy.withUTF8 { unsafe try body(Bytes(UnsafeRawBufferPointer($0))) }
    }

    /// What stands behind the white space at its beginning.
    public var withoutLeadingSpace: Bytes {
        var at = 0
        while at < count, start.byte(at: at).isSpace { at += 1 }
        return dropFirst(at)
    }

    /// Equal without regard to ASCII case; `literal` is given in lower case.
    @inlinable
    public func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        guard count == literal.utf8CodeUnitCount else { return false }
        let other = Bytes(literal)
        for i in 0..<count {
            if start.byte(at: i).lowerCased != other.start.byte(at: i) { return false }
        }
        return true
    }
}

extension UInt8 {
    /// A capital letter of ASCII as the small one; any other byte as it is, as Redis's words are compared.
    @inlinable @inline(__always)
    public var lowerCased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }

    /// isspace(3) of the C locale.
    @inlinable @inline(__always)
    public var isSpace: Bool { self == 0x20 || self &- 0x09 < 5 }
}

extension Bytes: Equatable, Comparable {
    @inlinable @inline(__always)
    public static func == (a: Bytes, b: Bytes) -> Bool {
        a.count == b.count && a.start.equals(b.start, count: a.count)
    }

    /// Order of memcmp, a shorter one before a longer with the same beginning (Redis's order of members).
    @inlinable
    public static func < (a: Bytes, b: Bytes) -> Bool { a.compare(b) < 0 }

    /// Negative, zero or positive as in memcmp, then by length.
    @inlinable
    public func compare(_ other: Bytes) -> Int {
        let shared = min(count, other.count)
        if shared > 0 {
            let order = unsafe memcmp(start.pointer, other.start.pointer, shared)
            if order != 0 { return Int(order) }
        }
        return count - other.count
    }

    @inlinable
    public static func == (a: Bytes, b: StaticString) -> Bool { a == Bytes(b) }
}

extension Bytes: CustomStringConvertible {
    public var description: String { string }
}
