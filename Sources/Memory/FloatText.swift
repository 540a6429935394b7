// SPDX-License-Identifier: BSD-3-Clause
//
// Floating point numbers as text, both ways, exactly as Redis reads and writes them: scores as
// doubles with 17 digits, INCRBYFLOAT's values as 80-bit numbers in plain decimal notation.

import Platform

public enum FloatText {
    /// Room for any double's text.
    public static let maximumSize = 40
    /// Room for any 80-bit number's text in plain notation.
    public static let maximumLongSize = 5 * 1024

    // MARK: Parsing

    /// The double that all of `bytes` spells (strtod: also "inf", hexadecimal, exponents). Nil when
    /// it begins with white space, is empty, NaN, or too large or too small (Redis's rule); with `anySize`
    /// too large is infinite and too small is 0.
    public static func parseDouble(_ bytes: Bytes, anySize: Bool = false) -> Double? {
        if let short = parseShort(bytes) { return short }
        var value = 0.0
        let isNumber = unsafe withText(bytes) {
            unsafe redwing_parse_double($0, bytes.count, anySize ? 1 : 0, &value)
        }
        return isNumber ? value : nil
    }

    /// The double that strtod reads when all of `bytes` has to be part of it: white space before it is
    /// allowed, and no text at all is 0.
    public static func parseAsStrtod(_ bytes: Bytes, anySize: Bool = false) -> Double? {
        bytes.isEmpty ? 0 : parseDouble(bytes.withoutLeadingSpace, anySize: anySize)
    }

    /// Digits with at most one point and 19 digits at most, without strtod. Nil for everything else, and
    /// where the last bit would be in doubt.
    ///
    /// Digits and power of ten are exact in 80 bits (10^19 takes 45 bits behind its twos), so the quotient
    /// is the true value rounded to 64 bits. Rounding that once more, to 53, is right unless its last
    /// 11 bits lie within one of the middle, where strtod decides.
    @inline(__always)
    private static func parseShort(_ bytes: Bytes) -> Double? {
        let n = bytes.count
        if n == 0 || n > 21 { return nil }
        let negative = bytes.start.byte(at: 0) == UInt8(ascii: "-")
        let lead = negative ? 1 : 0
        var at = lead
        var mantissa: UInt64 = 0
        takeDigits(bytes, from: &at, into: &mantissa)
        var digits = at &- lead
        var scale = 0
        if at < n {
            if bytes.start.byte(at: at) != UInt8(ascii: ".") { return nil }
            at &+= 1
            scale = n &- at
            digits &+= scale
            takeDigits(bytes, from: &at, into: &mantissa)
            if at < n { return nil }
        }
        if digits == 0 || digits > 19 { return nil }
        if digits <= 15 {
            // Both are exact in a double, so the quotient is rounded once, as strtod's result is.
            let value = scale > 0 ? Double(mantissa) / power(scale) : Double(mantissa)
            return negative ? -value : value
        }
        let value = scale > 0 ? Float80(mantissa) / Float80(power(scale)) : Float80(mantissa)
        let tail = value.significandBitPattern & 0x7FF
        if tail >= 0x3FF && tail <= 0x401 { return nil }
        return negative ? -Double(value) : Double(value)
    }

    /// Appends the digits from `at` on to `mantissa`, and moves `at` behind them. Eight at a time: most
    /// scores are times, of 10 or 13 digits, or fractions of 17. What doesn't fit wraps.
    @inline(__always)
    private static func takeDigits(_ bytes: Bytes, from at: inout Int, into mantissa: inout UInt64)
    {
        let n = bytes.count
        while n &- at >= 8,
            let eight = eightDigits(UInt64(littleEndian: bytes.start.load(UInt64.self, at: at)))
        {
            mantissa = mantissa &* 100_000_000 &+ eight
            at &+= 8
        }
        while at < n {
            let digit = bytes.start.byte(at: at) &- 0x30
            if digit > 9 { return }
            mantissa = mantissa &* 10 &+ UInt64(digit)
            at &+= 1
        }
    }

    /// The number that 8 bytes spell, the first of them in the lowest bits; nil when one is no digit.
    /// Neighbours are joined: digits to pairs, pairs to fours, fours to all.
    @inline(__always)
    private static func eightDigits(_ text: UInt64) -> UInt64? {
        let upper: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
        let zeros: UInt64 = 0x3030_3030_3030_3030
        if text & upper != zeros || (text &+ 0x0606_0606_0606_0606) & upper != zeros { return nil }
        let ones = text ^ zeros
        let pairs = (ones &* 10 &+ ones >> 8) & 0x00FF_00FF_00FF_00FF
        let fours = (pairs &* 100 &+ pairs >> 16) & 0x0000_FFFF_0000_FFFF
        return (fours &* 10_000 &+ fours >> 32) & 0xFFFF_FFFF
    }

    /// 10 to the `n`, n from 1 to 19; exact, as doubles are up to 10^22. A switch is a table to the
    /// compiler, and needs no look at whether it was made already.
    @inline(__always)
    private static func power(_ n: Int) -> Double {
        switch n {
        case 1: 1e1
        case 2: 1e2
        case 3: 1e3
        case 4: 1e4
        case 5: 1e5
        case 6: 1e6
        case 7: 1e7
        case 8: 1e8
        case 9: 1e9
        case 10: 1e10
        case 11: 1e11
        case 12: 1e12
        case 13: 1e13
        case 14: 1e14
        case 15: 1e15
        case 16: 1e16
        case 17: 1e17
        case 18: 1e18
        default: 1e19
        }
    }

    /// The 80-bit number that all of `bytes` spells; the same rule as `parseDouble`.
    public static func parseLongDouble(_ bytes: Bytes) -> Float80? {
        // Redis copies into a buffer of this size and refuses what is longer.
        guard bytes.count < maximumLongSize else { return nil }
        var value: Float80 = 0
        return unsafe withText(bytes) { unsafe redwing_parse_long_double($0, bytes.count, &value) }
            ? value : nil
    }

    /// Calls `parse` on a null-terminated copy; true when it returned 0.
    private static func withText(_ bytes: Bytes, _ parse: (UnsafePointer<CChar>) -> Int32) -> Bool {
        guard bytes.count > 0 else { return false }
        let first = bytes.start.byte(at: 0)
        if first.isSpace { return false }
        return unsafe withUnsafeTemporaryAllocation(byteCount: bytes.count + 1, alignment: 1) {
            room in
            let place = unsafe room.baseAddress.map { unsafe Address($0) } ?? .null
            place.copy(from: bytes)
            place.store(UInt8(0), at: bytes.count)
            return unsafe parse(
                UnsafePointer(place.pointer.assumingMemoryBound(to: CChar.self))) == 0
        }
    }

    // MARK: Formatting

    /// Writes a double as ZSCORE answers it: an integer without point or exponent, else "%.17g";
    /// "inf", "-inf". `place` has room for `maximumSize`; returns the bytes written.
    public static func write(_ value: Double, to place: Address) -> Int {
        // Whole numbers this small print the same as integers, minus zero excepted.
        if value > -4503599627370495 && value < 4503599627370496 {
            let whole = Int64(value)
            if Double(whole) == value && (whole != 0 || value.sign == .plus) {
                return Decimal.write(whole, to: place)
            }
        }
        if value.isInfinite {
            place.copy(from: Bytes(value > 0 ? "inf" : "-inf"))
            return value > 0 ? 3 : 4
        }
        if value.isNaN {
            place.copy(from: Bytes("nan"))
            return 3
        }
        let text = unsafe place.pointer.assumingMemoryBound(to: CChar.self)
        return Int(unsafe redwing_format_double(text, maximumSize, value))
    }

    /// Writes an 80-bit number as INCRBYFLOAT answers it: "%.17Lf" without trailing zeros or a bare
    /// point, "0" for "-0". `place` has room for `maximumLongSize`; returns the bytes written.
    public static func writeHuman(_ value: Float80, to place: Address) -> Int {
        if value.isInfinite {
            place.copy(from: Bytes(value > 0 ? "inf" : "-inf"))
            return value > 0 ? 3 : 4
        }
        var copy = value
        let text = unsafe place.pointer.assumingMemoryBound(to: CChar.self)
        var n = Int(unsafe redwing_format_long_double(text, maximumLongSize, &copy))
        while n > 0 && place.byte(at: n - 1) == UInt8(ascii: "0") { n -= 1 }
        if n > 0 && place.byte(at: n - 1) == UInt8(ascii: ".") { n -= 1 }
        if n == 2 && place.byte(at: 0) == UInt8(ascii: "-")
            && place.byte(at: 1) == UInt8(ascii: "0")
        {
            place.store(UInt8(ascii: "0"))
            n = 1
        }
        return n
    }

    /// The double with so many digits behind the point, 20 at most, and no exponent ("%.4f").
    public static func fixed(_ value: Double, _ digits: Int) -> String {
        let buffer = ByteBuffer(capacity: 352)
        let place = buffer.reserve(352)
        let text = unsafe place.pointer.assumingMemoryBound(to: CChar.self)
        buffer.commit(Int(unsafe redwing_format_fixed(text, 352, Int32(min(digits, 20)), value)))
        return buffer.bytes.string
    }

    public static func string(_ value: Double) -> String {
        let buffer = ByteBuffer(capacity: maximumSize)
        buffer.append(double: value)
        return buffer.bytes.string
    }
}

extension ByteBuffer {
    /// The double as ZSCORE answers it.
    public func append(double value: Double) {
        commit(FloatText.write(value, to: reserve(FloatText.maximumSize)))
    }

    /// The 80-bit number as INCRBYFLOAT answers it.
    public func append(human value: Float80) {
        commit(FloatText.writeHuman(value, to: reserve(FloatText.maximumLongSize)))
    }
}
