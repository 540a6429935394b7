// SPDX-License-Identifier: BSD-3-Clause
//
// Floats as Redis reads and writes them.

import Memory
import Testing

struct FloatTextTests {
    @Test(
        arguments: [
            (3.0, "3"), (-0.0, "-0"), (0.0, "0"), (0.1, "0.10000000000000001"), (1e20, "1e+20"),
            (1e-7, "9.9999999999999995e-08"), (-2.5, "-2.5"),
            (4503599627370496, "4503599627370496"),
            (.infinity, "inf"), (-.infinity, "-inf"),
            (.leastNonzeroMagnitude, "4.9406564584124654e-324"),
            (-1.7976931348623157e308, "-1.7976931348623157e+308"),
        ] as [(Double, String)])
    func writesDoubles(value: Double, text: String) {
        #expect(FloatText.string(value) == text)
    }

    @Test(
        arguments: [
            ("3", 3), ("3.0", 3), ("-1.25", -1.25), ("0.1", 0.1), ("123456.789", 123456.789),
            (".5", 0.5),
            ("5.", 5), ("1e3", 1000), ("0x10", 16), ("inf", .infinity), ("-Infinity", -.infinity),
            ("5e-324", .leastNonzeroMagnitude), ("+7", 7), ("", nil), (" 1", nil), ("1 ", nil),
            ("nan", nil),
            ("1e400", nil), ("1e-400", nil), ("-", nil), (".", nil), ("1.2.3", nil), ("abc", nil),
            ("0.1234:678", nil), ("0.123456/8", nil), ("0.12345678.1", nil),
            ("0.1234567e2", 12.34567),
            ("0.12345678", 0.12345678), ("7.1234567890123456", 7.1234567890123456),
            ("999999999999999", 999_999_999_999_999), ("0.30000000000000004", 0.30000000000000004),
        ] as [(String, Double?)])
    func readsDoubles(text: String, value: Double?) {
        #expect(Bytes.with(text) { FloatText.parseDouble($0) } == value)
    }

    @Test(
        arguments: [
            ("1e400", .infinity), ("-1e400", -.infinity), ("1e-400", 0), ("5", 5), ("x", nil),
            ("nan", nil),
        ] as [(String, Double?)])
    func readsDoublesOfAnySize(text: String, value: Double?) {
        #expect(Bytes.with(text) { FloatText.parseDouble($0, anySize: true) } == value)
    }

    /// One to twenty digits, the point anywhere; and what doubles print, which ends in doubtful bits.
    @Test func shortPathEqualsStrtod() {
        for round in 0..<40_000 {
            var text = String(
                (0..<Int.random(in: 1...20)).map { _ in "0123456789".randomElement() ?? "0" })
            if round % 3 > 0 {
                text.insert(
                    ".", at: text.index(text.startIndex, offsetBy: Int.random(in: 0...text.count)))
            }
            if round % 5 == 0 { text = FloatText.string(Double(Int.random(in: 1...1_000_000)) / 7) }
            if round % 2 == 0 { text = "-" + text }
            #expect(Bytes.with(text) { FloatText.parseDouble($0) } == Double(text), "\(text)")
        }
    }

    /// Halves between two doubles, where rounding twice would go wrong.
    @Test(arguments: [
        "9007199254740993", "9007199254740995", "9007199254740993.000", "900719925474099.3125",
        "4503599627370497.5", "4503599627370498.5", "18014398509481986", "0.5000000000000000001",
    ])
    func halvesAreRoundedOnce(text: String) {
        #expect(Bytes.with(text) { FloatText.parseDouble($0) } == Double(text))
    }

    @Test(arguments: [
        ("3", "3"), ("10.5", "10.5"), ("0.1", "0.1"), ("5.0e3", "5000"), ("-0", "0"),
        ("inf", "inf"),
        ("1e17", "100000000000000000"), ("0.00000000000000001", "0.00000000000000001"),
    ])
    func writesLongDoubles(text: String, out: String) {
        let buffer = ByteBuffer()
        if let value = Bytes.with(text, { FloatText.parseLongDouble($0) }) {
            buffer.append(human: value)
        }
        #expect(buffer.bytes.string == out)
    }

    @Test(arguments: ["", " 1", "1 ", "nan", "x"])
    func refusesLongDoubles(text: String) {
        #expect(Bytes.with(text) { FloatText.parseLongDouble($0) } == nil)
    }
}
