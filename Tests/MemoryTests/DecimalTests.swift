// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Memory

/// Powers of ten and of two with their neighbours, both signs, and numbers of each length.
private func samples() -> [Int64] {
    var found: [Int64] = [0, .min, .min + 1, .max, .max - 1]
    for base: Int64 in [2, 10] {
        var power: Int64 = 1
        while true {
            found += [power - 1, power, power + 1, 1 - power, -power, -1 - power]
            let (next, overflow) = power.multipliedReportingOverflow(by: base)
            if overflow { break }
            power = next
        }
    }
    var generator = SystemRandomNumberGenerator()
    for bits in 1...63 {
        for _ in 0..<50 {
            let value = Int64.random(in: 0...(Int64.max >> (63 - bits)), using: &generator)
            found += [value, -value]
        }
    }
    return found
}

@Test func decimalsAreWrittenAndReadAsSwiftDoes() {
    let buffer = ByteBuffer(capacity: Decimal.maximumSize)
    for value in samples() {
        buffer.removeAll()
        buffer.commit(Decimal.write(value, to: buffer.reserve(Decimal.maximumSize)))
        #expect(buffer.bytes.string == String(value))
        #expect(Decimal.parse(buffer.bytes) == value)
        #expect(Decimal.digits(value.magnitude) == String(value.magnitude).count)
    }
    #expect(Decimal.digits(.max) == 20)
}

/// Some replies have their text in place before they know its length.
@Test func numbersBelowAHundredLeaveWhatIsBehindThem() {
    let buffer = ByteBuffer(capacity: Decimal.maximumSize)
    for value: Int64 in 0...99 {
        buffer.removeAll()
        for _ in 0..<Decimal.maximumSize { buffer.append(UInt8(ascii: "x")) }
        let n = Decimal.write(value, to: buffer.bytes.start)
        #expect(buffer.bytes.string == String(value) + String(repeating: "x", count: 20 - n))
    }
}

@Test(arguments: [
    "", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1.0", "1e3", "9223372036854775808",
    "-9223372036854775809", "99999999999999999999", "184467440737095516160",
])
func whatIsNoDecimalIsRefused(text: String) {
    Bytes.with(text) { #expect(Decimal.parse($0) == nil, "\(text)") }
}
