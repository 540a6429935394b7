// SPDX-License-Identifier: BSD-3-Clause
//
// What names an entry of a stream: the time it was added and a number within that millisecond.

import Memory

/// 128 bits, ordered; as text "ms-seq".
public struct StreamID: Hashable, Comparable, BitwiseCopyable, Sendable {
    public var ms: UInt64
    public var seq: UInt64

    @inlinable @inline(__always)
    public init(_ ms: UInt64, _ seq: UInt64) {
        self.ms = ms
        self.seq = seq
    }

    @inlinable public static var zero: StreamID { StreamID(0, 0) }
    @inlinable public static var max: StreamID { StreamID(UInt64.max, UInt64.max) }

    @inlinable @inline(__always)
    public static func < (a: StreamID, b: StreamID) -> Bool {
        a.ms != b.ms ? a.ms < b.ms : a.seq < b.seq
    }

    /// The id right after this one, nil behind the last possible.
    public var next: StreamID? {
        if seq < UInt64.max { return StreamID(ms, seq + 1) }
        return ms < UInt64.max ? StreamID(ms + 1, 0) : nil
    }

    /// The id right before this one, nil before 0-0.
    public var previous: StreamID? {
        if seq > 0 { return StreamID(ms, seq - 1) }
        return ms > 0 ? StreamID(ms - 1, UInt64.max) : nil
    }

    /// The id that an entry gets when a client leaves the choice to us: the clock's time, but behind
    /// `last` also when the clock went back. Nil when there is none left.
    public static func generated(now: Int64, after last: StreamID) -> StreamID? {
        let time = UInt64(bitPattern: now)
        return time > last.ms ? StreamID(time, 0) : last.next
    }

    // MARK: Text

    /// The longest text: two numbers of 20 digits and the dash.
    public static let maximumText = 41

    /// Writes "ms-seq" at `place`, which has room for `maximumText` bytes; returns the bytes written.
    @inlinable
    public func write(to place: Address) -> Int {
        let n = Self.write(ms, to: place)
        place.store(UInt8(ascii: "-"), at: n)
        return n &+ 1 &+ Self.write(seq, to: place + (n &+ 1))
    }

    @inlinable
    static func write(_ value: UInt64, to place: Address) -> Int {
        if value <= UInt64(Int64.max) {
            return Decimal.write(Int64(truncatingIfNeeded: value), to: place)
        }
        // Above Int64's range: all digits but the last, then the last.
        let n = Decimal.write(Int64(truncatingIfNeeded: value / 10), to: place)
        place.store(UInt8(0x30) &+ UInt8(truncatingIfNeeded: value % 10), at: n)
        return n + 1
    }

    public var array: [UInt8] { Array("\(ms)-\(seq)".utf8) }

    /// "ms-seq", or "ms" with `missing` for the rest; nil for anything else. What strtoull reads as a
    /// number is one, as for Redis: white space and a plus before it, leading zeros.
    public static func parse(_ text: Bytes, missing: UInt64) -> StreamID? {
        guard text.count < 128 else { return nil }
        var dash = 0
        while dash < text.count && text[dash] != UInt8(ascii: "-") { dash += 1 }
        guard let ms = number(text.prefix(dash)) else { return nil }
        if dash == text.count { return StreamID(ms, missing) }
        guard let seq = number(text.dropFirst(dash + 1)) else { return nil }
        return StreamID(ms, seq)
    }

    /// "ms-*": the time is given, the number is ours to choose.
    public static func parsePartial(_ text: Bytes) -> UInt64? {
        guard text.count > 2, text.count < 128, text[text.count - 1] == UInt8(ascii: "*"),
            text[text.count - 2] == UInt8(ascii: "-")
        else { return nil }
        return number(text.prefix(text.count - 2))
    }

    private static func number(_ text: Bytes) -> UInt64? {
        var digits = text.withoutLeadingSpace
        if digits.count > 0, digits[0] == UInt8(ascii: "+") { digits = digits.dropFirst(1) }
        if digits.isEmpty { return nil }
        var value: UInt64 = 0
        for i in 0..<digits.count {
            let digit = digits[i] &- 0x30
            if digit > 9 { return nil }
            let (scaled, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
            if over || carry { return nil }
            value = sum
        }
        return value
    }
}
