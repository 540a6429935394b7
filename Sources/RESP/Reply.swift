// SPDX-License-Identifier: BSD-3-Clause
//
// Writing replies: RESP2, and RESP3 where a client asked for it with HELLO 3. Every method appends
// to the connection's output buffer; nothing is allocated on the way.

import Memory

/// Appends replies to `out`.
public struct Reply {
    public let out: ByteBuffer
    /// 2 or 3.
    public var version: Int

    public init(_ out: ByteBuffer, version: Int = 2) {
        self.out = out
        self.version = version
    }

    @inlinable @inline(__always)
    var resp3: Bool { version == 3 }

    /// Bytes that are a whole reply, or a part of one, already. Also where a choice of literals could
    /// be a `String` as well, which would be counted and copied.
    @inlinable @inline(__always)
    public func raw(_ literal: StaticString) { out.append(literal) }

    @inlinable @inline(__always)
    public func raw(_ bytes: Bytes) { out.append(bytes) }

    @inlinable @inline(__always)
    public func ok() { out.append("+OK\r\n") }

    /// A simple string, without CR or LF in it: `status("QUEUED")`.
    @inlinable
    public func status(_ text: StaticString) {
        out.append(UInt8(ascii: "+"))
        out.append(text)
        out.append("\r\n")
    }

    public func status(_ text: String) {
        out.append(UInt8(ascii: "+"))
        out.append(text: text)
        out.append("\r\n")
    }

    @inlinable @inline(__always)
    public func integer(_ value: Int64) { prefixed(UInt8(ascii: ":"), value) }

    @inlinable @inline(__always)
    public func integer(_ value: Int) { prefixed(UInt8(ascii: ":"), Int64(value)) }

    /// `:1` or `:0`, for the many commands that answer so in RESP2 and RESP3.
    @inlinable @inline(__always)
    public func integer(_ value: Bool) { raw(value ? ":1\r\n" : ":0\r\n") }

    /// A marker byte, a number, CRLF.
    @inlinable @inline(__always)
    func prefixed(_ marker: UInt8, _ value: Int64) {
        let place = out.reserve(Decimal.maximumSize + 3)
        place.store(marker)
        let n = 1 + Decimal.write(value, to: place + 1)
        place.store(UInt16(0x0A0D), at: n)
        out.commit(n + 2)
    }

    @inlinable @inline(__always)
    public func bulk(_ bytes: Bytes) {
        let place = out.reserve(bytes.count + Decimal.maximumSize + 5)
        place.store(UInt8(ascii: "$"))
        var n = 1 + Decimal.write(Int64(bytes.count), to: place + 1)
        place.store(UInt16(0x0A0D), at: n)
        n += 2
        (place + n).copy(from: bytes)
        n += bytes.count
        place.store(UInt16(0x0A0D), at: n)
        out.commit(n + 2)
    }

    public func bulk(_ text: String) { Bytes.with(text) { bulk($0) } }
    @inlinable public func bulk(_ text: StaticString) { bulk(Bytes(text)) }
    public func bulk(_ array: [UInt8]) { Bytes.with(array) { bulk($0) } }

    /// An integer as a bulk string.
    @inlinable
    public func bulk(_ value: Int64) {
        let digits = Decimal.digits(value.magnitude) + (value < 0 ? 1 : 0)
        prefixed(UInt8(ascii: "$"), Int64(digits))
        out.append(decimal: value)
        out.append("\r\n")
    }

    /// The null of a bulk string: `$-1`, in RESP3 `_`.
    @inlinable @inline(__always)
    public func null() { raw(resp3 ? "_\r\n" : "$-1\r\n") }

    /// The null of an array: `*-1`, in RESP3 `_`.
    @inlinable
    public func nullArray() { raw(resp3 ? "_\r\n" : "*-1\r\n") }

    @inlinable @inline(__always)
    public func array(_ count: Int) { prefixed(UInt8(ascii: "*"), Int64(count)) }

    /// A map of `count` pairs: in RESP2 a flat array of twice as many elements.
    @inlinable
    public func map(_ count: Int) {
        if resp3 { prefixed(UInt8(ascii: "%"), Int64(count)) } else { array(count * 2) }
    }

    @inlinable
    public func set(_ count: Int) { prefixed(UInt8(ascii: resp3 ? "~" : "*"), Int64(count)) }

    @inlinable
    public func push(_ count: Int) { prefixed(UInt8(ascii: resp3 ? ">" : "*"), Int64(count)) }

    @inlinable
    public func attribute(_ count: Int) { prefixed(UInt8(ascii: "|"), Int64(count)) }

    /// A truth value: `:1`/`:0`, in RESP3 `#t`/`#f`.
    @inlinable
    public func boolean(_ value: Bool) {
        if resp3 { raw(value ? "#t\r\n" : "#f\r\n") } else { integer(value) }
    }

    /// An error: the code word and the text, without the dash and the line end.
    /// CR and LF inside become spaces, so that a peer's bytes can't break the framing.
    public func error(_ text: String) { Bytes.with(text) { error($0) } }

    /// The same where a peer's bytes are in the text, which needn't be UTF-8.
    public func error(_ text: Bytes) {
        out.append(UInt8(ascii: "-"))
        for i in 0..<text.count {
            let c = text[i]
            out.append(c == 0x0D || c == 0x0A ? 0x20 : c)
        }
        out.append("\r\n")
    }

    @inlinable
    public func error(_ text: StaticString) {
        out.append(UInt8(ascii: "-"))
        out.append(text)
        out.append("\r\n")
    }

    /// Room for an array's header whose count is known only later; give it to `close`.
    @inlinable
    public func openArray() -> Int { out.count }

    /// Puts `*count` before everything written since `mark`.
    public func closeArray(_ mark: Int, count: Int, marker: UInt8 = UInt8(ascii: "*")) {
        let body = out.count - mark
        // Room for the header twice: where it is written first, and where the body then ends.
        let scratch = out.reserve(2 * (Decimal.maximumSize + 3)) + (Decimal.maximumSize + 3)
        scratch.store(marker)
        let digits = 1 + Decimal.write(Int64(count), to: scratch + 1)
        scratch.store(UInt16(0x0A0D), at: digits)
        let size = digits + 2
        let start = out.bytes.start + mark
        (start + size).move(from: start, count: body)
        start.copy(from: scratch, count: size)
        out.commit(size)
    }
}
