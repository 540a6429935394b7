// SPDX-License-Identifier: BSD-3-Clause
//
// Integers as decimal text, both ways, without an allocation.

/// Decimal text of 64-bit integers, by Redis's strict rule: an optional minus, no plus, no leading
/// zero, no space, in range.
public enum Decimal {
    /// The longest text: "-9223372036854775808".
    public static let maximumSize = 20

    /// Writes `value` at `place`, which has room for `maximumSize` bytes; returns the bytes written.
    @inlinable
    public static func write(_ value: Int64, to place: Address) -> Int {
        var magnitude = value.magnitude
        if magnitude < 10 {
            if value < 0 {
                place.store(UInt8(0x2D))
                place.store(UInt8(0x30) &+ UInt8(truncatingIfNeeded: magnitude), at: 1)
                return 2
            }
            place.store(UInt8(0x30) &+ UInt8(truncatingIfNeeded: magnitude))
            return 1
        }
        let lead = value < 0 ? 1 : 0
        let size = digits(magnitude) &+ lead
        var at = size
        while magnitude >= 10 {
            let (quotient, pair) = magnitude.quotientAndRemainder(dividingBy: 100)
            let (tens, ones) = UInt16(truncatingIfNeeded: pair).quotientAndRemainder(dividingBy: 10)
            at &-= 2
            place.store(0x3030 &+ (ones << 8 | tens), at: at)
            magnitude = quotient
        }
        // The first digit, unless the last pair had it.
        if at > lead {
            place.store(UInt8(0x30) &+ UInt8(truncatingIfNeeded: magnitude), at: lead)
        }
        if value < 0 { place.store(UInt8(0x2D)) }
        return size
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

    /// The integer that `bytes` spells, or nil when it is not exactly how we would write one.
    @inlinable
    public static func parse(_ bytes: Bytes) -> Int64? {
        let n = bytes.count
        if n == 0 || n > maximumSize { return nil }
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
