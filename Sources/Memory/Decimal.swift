// SPDX-License-Identifier: BSD-3-Clause
//
// Integers as decimal text, both ways, without an allocation.

/// Decimal text of 64-bit integers, by Redis's strict rule: an optional minus, no plus, no leading
/// zero, no space, in range.
public enum Decimal {
    /// The longest text: "-9223372036854775808".
    public static let maximumSize = 20

    /// Writes `value` at `place`, which has room for `maximumSize` bytes; returns the bytes written. What
    /// was behind them in that room is overwritten, except where `value` is one of 0 to 99.
    @inlinable
    public static func write(_ value: Int64, to place: Address) -> Int {
        let magnitude = value.magnitude
        if value < 0 {
            place.store(UInt8(0x2D))
            return 1 &+ write(magnitude, to: place + 1)
        }
        if magnitude < 10 {
            place.store(UInt8(0x30) &+ UInt8(truncatingIfNeeded: magnitude))
            return 1
        }
        if magnitude < 100 {
            let (tens, ones) = UInt16(truncatingIfNeeded: magnitude)
                .quotientAndRemainder(dividingBy: 10)
            place.store((0x3030 &+ (ones << 8 | tens)).littleEndian)
            return 2
        }
        return write(magnitude, to: place)
    }

    /// Eight digits at a time, the first of them without the zeros before it: no loop and no branch
    /// that depends on how many there are.
    @inlinable
    static func write(_ magnitude: UInt64, to place: Address) -> Int {
        if magnitude >= 100_000_000 { return writeLong(magnitude, to: place) }
        let digits = eightDigits(magnitude)
        let leading = min(7, digits.trailingZeroBitCount >> 3)
        place.store(((digits | zeros) >> UInt64(leading &* 8)).littleEndian)
        return 8 &- leading
    }

    @usableFromInline @inline(never)
    static func writeLong(_ magnitude: UInt64, to place: Address) -> Int {
        let (front, back) = magnitude.quotientAndRemainder(dividingBy: 100_000_000)
        let n = write(front, to: place)
        place.store((eightDigits(back) | zeros).littleEndian, at: n)
        return n &+ 8
    }

    @usableFromInline static let zeros: UInt64 = 0x3030_3030_3030_3030

    /// The digits of a number below 10^8, a byte each, the first in the lowest. Halves to fours, fours to
    /// pairs, pairs to digits, all of a step in one word; a product and a shift divide, exact in these
    /// ranges (10486 / 2^20 for a hundred, 103 / 2^10 for ten).
    @inlinable @inline(__always)
    static func eightDigits(_ value: UInt64) -> UInt64 {
        let (front, back) = UInt32(truncatingIfNeeded: value)
            .quotientAndRemainder(dividingBy: 10_000)
        let fours = UInt64(front) | UInt64(back) << 32
        let hundreds = ((fours &* 10486) >> 20) & 0x0000_007F_0000_007F
        let pairs = hundreds | (fours &- hundreds &* 100) << 16
        let tens = ((pairs &* 103) >> 10) & 0x000F_000F_000F_000F
        return tens | (pairs &- tens &* 10) << 8
    }

    /// The number of decimal digits of `value`.
    @inlinable
    public static func digits(_ value: UInt64) -> Int {
        var n = 1
        var rest = value
        while rest >= 10_000 {
            rest /= 10_000
            n &+= 4
        }
        return rest < 100 ? (rest < 10 ? n : n &+ 1) : (rest < 1000 ? n &+ 2 : n &+ 3)
    }

    /// False for most of what is no number: it shows at once.
    @inlinable @inline(__always)
    public static func maySpell(_ bytes: Bytes) -> Bool {
        if bytes.isEmpty || bytes.count > maximumSize { return false }
        let first = bytes.start.byte(at: 0)
        return first &- 0x30 <= 9 || first == 0x2D
    }

    /// The integer that `bytes` spells, or nil when it is not exactly how we would write one.
    @inlinable @inline(__always)
    public static func parse(_ bytes: Bytes) -> Int64? {
        maySpell(bytes) ? parseDigits(bytes) : nil
    }

    @usableFromInline
    static func parseDigits(_ bytes: Bytes) -> Int64? {
        let n = bytes.count
        var at = 0
        let first = bytes.start.byte(at: 0)
        let negative = first == 0x2D
        if negative {
            at = 1
            if n == 1 { return nil }
        }
        let lead = bytes.start.byte(at: at)
        if lead == 0x30 { return n == 1 ? 0 : nil }
        if lead < 0x31 || lead > 0x39 { return nil }
        var value = UInt64(lead &- 0x30)
        at &+= 1
        while at < n {
            let digit = bytes.start.byte(at: at) &- 0x30
            if digit > 9 { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
            if overflow || carry { return nil }
            value = sum
            at &+= 1
        }
        if negative {
            return value <= UInt64(1) << 63 ? Int64(truncatingIfNeeded: 0 &- value) : nil
        }
        return value < UInt64(1) << 63 ? Int64(value) : nil
    }
}
