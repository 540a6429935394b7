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
        let size = digits(magnitude) &+ (value < 0 ? 1 : 0)
        var at = size
        while magnitude >= 10 {
            let (quotient, remainder) = magnitude.quotientAndRemainder(dividingBy: 10)
            at &-= 1
            place.store(UInt8(0x30) &+ UInt8(truncatingIfNeeded: remainder), at: at)
            magnitude = quotient
        }
        at &-= 1
        place.store(UInt8(0x30) &+ UInt8(truncatingIfNeeded: magnitude), at: at)
        if value < 0 { place.store(UInt8(0x2D)) }
        return size
    }

    /// The number of decimal digits of `value`.
    @inlinable
    public static func digits(_ value: UInt64) -> Int {
        var n = 1
        var bound: UInt64 = 10
        while value >= bound {
            n &+= 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        return n
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
