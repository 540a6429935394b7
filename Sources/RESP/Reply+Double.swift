// SPDX-License-Identifier: BSD-3-Clause
//
// Floating point replies: a bulk string in RESP2, a type of its own in RESP3.

import Memory

extension Reply {
    /// A score: "%.17g", integers without a point; in RESP3 `,`.
    public func double(_ value: Double) {
        if version != 3 { return bulk(double: value) }
        out.append(UInt8(ascii: ","))
        out.append(double: value)
        out.append("\r\n")
    }

    /// The same text as a bulk string in either version.
    public func bulk(double value: Double) {
        // The text first, behind room for the header that only its length decides: "$n" or "$nn".
        let place = out.reserve(FloatText.maximumSize + 7)
        let n = FloatText.write(value, to: place + 5)
        place.store(UInt8(ascii: "$"))
        let digits = 1 + Decimal.write(Int64(n), to: place + 1)
        if digits == 2 { (place + 4).move(from: place + 5, count: n) }
        place.store(UInt16(0x0A0D), at: digits)
        place.store(UInt16(0x0A0D), at: digits + 2 + n)
        out.commit(digits + n + 4)
    }
}
