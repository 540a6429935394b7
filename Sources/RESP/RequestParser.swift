// SPDX-License-Identifier: BSD-3-Clause
//
// Finding requests in what a client sent: RESP multibulk, or an inline line as telnet sends it. The
// words stay where they are; the parser remembers how far it came in a multibulk request, so that one
// which arrives in a thousand pieces is looked at once (an inline one, of 64 KiB at most, is looked at
// from its beginning each time). Every length is checked before it is believed, and nothing is
// reserved for bytes that have not come.

import Memory

/// The bounds a request must keep.
public struct RequestLimits: Sendable {
    /// Bytes of one word (proto-max-bulk-len).
    public var bulk = 512 << 20
    /// Words of one request.
    public var words = 1024 * 1024
    /// Bytes of a line without its end.
    public var line = 64 << 10
    public init() {}
    /// For what kept its bounds before.
    public static var none: RequestLimits {
        var limits = RequestLimits()
        limits.bulk = .max
        limits.words = .max
        return limits
    }
    /// What somebody who hasn't authenticated may send.
    public static var unauthenticated: RequestLimits {
        var limits = RequestLimits()
        limits.bulk = 16384
        limits.words = 10
        return limits
    }
}

/// How a step of the parser ended.
public enum RequestOutcome: Equatable {
    /// A request is complete; its words are in `arguments`, its bytes are the first `size`.
    case request(size: Int)
    /// An empty request (an empty line, `*0`): take `size` bytes off and go on.
    case empty(size: Int)
    /// More bytes must come.
    case incomplete
    /// The peer broke the protocol; the text is Redis's, behind "ERR Protocol error: ".
    case violation(String)
    /// The same for a byte where a `$` belongs.
    case noBulk(UInt8)
}

/// The state between two reads. `parse` is given all unread bytes each time; offsets are from there.
public struct RequestParser: ~Copyable {
    /// Where the next unseen byte stands.
    var position = 0
    /// Words of the multibulk request still to come; 0 between requests.
    var wordsLeft = 0
    /// The size of the word being awaited, or -1 while its header is.
    var bulkSize = -1
    /// The words found so far.
    private var words = WordList()
    /// Words of inline requests, which may need unescaping, live here.
    private let inlineStore = ByteBuffer()
    /// Whether the request at hand came as multibulk (so its bytes may go into the stream as they are).
    public private(set) var isMultibulk = false

    public init() {}

    /// Whether a request has begun.
    public var isMidRequest: Bool { position > 0 }

    /// The words of the request that `parse` found complete.
    public var arguments: Arguments { words.arguments }

    /// How many more bytes the awaited word needs, as far as they are known; a hint for the read size.
    public func missing(have: Int) -> Int {
        bulkSize > 0 ? max(0, position + bulkSize + 2 - have) : 0
    }

    public mutating func parse(_ bytes: Bytes, limits: RequestLimits) -> RequestOutcome {
        if wordsLeft == 0 {
            if bytes.isEmpty { return .incomplete }
            words.removeAll()
            if bytes.start.byte(at: 0) != UInt8(ascii: "*") {
                return parseInline(bytes, limits)
            }
            isMultibulk = true
            var at = 1
            guard let count = Self.header(bytes, &at) else {
                return Self.headerFault(
                    bytes, from: 1, lineLimit: limits.line,
                    tooLong: "too big mbulk count string", bad: "invalid multibulk length")
            }
            if count > limits.words {
                return .violation(
                    limits.words == 10
                        ? "unauthenticated multibulk length" : "invalid multibulk length")
            }
            if count <= 0 { return .empty(size: at) }
            wordsLeft = count
            bulkSize = -1
            position = at
        }
        while wordsLeft > 0 {
            if bulkSize < 0 {
                if position >= bytes.count { return .incomplete }
                let mark = bytes.start.byte(at: position)
                if mark != UInt8(ascii: "$") { return .noBulk(mark) }
                var at = position + 1
                guard let size = Self.header(bytes, &at) else {
                    return Self.headerFault(
                        bytes, from: position + 1, lineLimit: limits.line,
                        tooLong: "too big bulk count string", bad: "invalid bulk length")
                }
                if size < 0 || size > limits.bulk {
                    return .violation(
                        limits.bulk == 16384 && size > 0
                            ? "unauthenticated bulk length" : "invalid bulk length")
                }
                bulkSize = size
                position = at
            }
            if bytes.count &- position < bulkSize &+ 2 { return .incomplete }
            // Offsets until the request is complete: the bytes may move between two reads.
            words.append(Bytes(start: Address(UInt(bitPattern: position)), count: bulkSize))
            position &+= bulkSize &+ 2
            bulkSize = -1
            wordsLeft &-= 1
        }
        words.rebase(on: bytes.start)
        let size = position
        position = 0
        return .request(size: size)
    }

    /// The number between `at` and the next CRLF; moves `at` behind it. Nil: not there yet, or bad.
    @inline(__always)
    static func header(_ bytes: Bytes, _ at: inout Int) -> Int? {
        var value = 0
        var i = at
        let end = bytes.count
        var negative = false
        if i < end, bytes.start.byte(at: i) == 0x2D {
            negative = true
            i &+= 1
        }
        let first = i
        while i < end {
            let c = bytes.start.byte(at: i) &- 0x30
            if c > 9 { break }
            // 18 digits can't overflow; no valid length has more.
            if i &- first > 18 { return nil }
            value = value &* 10 &+ Int(c)
            i &+= 1
        }
        if i == first || i &+ 1 >= end { return nil }
        if bytes.start.byte(at: i) != 0x0D { return nil }
        // No number is written with a zero before it, and zero has no sign.
        if bytes.start.byte(at: first) == 0x30, i &- first > 1 || negative { return nil }
        at = i &+ 2
        return negative ? -value : value
    }

    /// Why `header` had nothing: the line is not complete, too long, or no number.
    static func headerFault(
        _ bytes: Bytes, from: Int, lineLimit: Int, tooLong: String, bad: String
    ) -> RequestOutcome {
        var i = from
        while i < bytes.count {
            if bytes.start.byte(at: i) == 0x0D {
                // CR is there; the LF must be as well before the line is judged.
                return i + 1 < bytes.count ? .violation(bad) : .incomplete
            }
            i += 1
        }
        return bytes.count - from > lineLimit ? .violation(tooLong) : .incomplete
    }

    /// A line of words, with Redis's quoting.
    private mutating func parseInline(_ bytes: Bytes, _ limits: RequestLimits) -> RequestOutcome {
        isMultibulk = false
        var end = 0
        while end < bytes.count, bytes.start.byte(at: end) != 0x0A { end += 1 }
        // However much of the line came at once.
        if end > limits.line { return .violation("too big inline request") }
        if end == bytes.count { return .incomplete }
        let size = end + 1
        if end > 0, bytes.start.byte(at: end - 1) == 0x0D { end -= 1 }
        inlineStore.removeAll()
        guard let found = InlineWords.split(bytes[0..<end], into: inlineStore) else {
            return .violation("unbalanced quotes in request")
        }
        if found.isEmpty { return .empty(size: size) }
        for word in found {
            words.append(
                Bytes(start: inlineStore.bytes.start + word.lowerBound, count: word.count))
        }
        return .request(size: size)
    }
}

/// Splitting a line into words: blanks between, "…" with \n \r \t \b \a \xHH escapes, '…' with \' only.
public enum InlineWords {
    /// Appends the words' bytes to `store` and returns their ranges in it; nil when quotes don't close.
    public static func split(_ line: Bytes, into store: ByteBuffer) -> [Range<Int>]? {
        var words: [Range<Int>] = []
        var i = 0
        func blank(_ c: UInt8) -> Bool { c.isSpace || c == 0 }
        while true {
            while i < line.count, blank(line[i]) { i += 1 }
            if i == line.count { return words }
            let begin = store.count
            var quote: UInt8 = 0
            word: while true {
                if i == line.count {
                    if quote != 0 { return nil }
                    break
                }
                let c = line[i]
                if quote == UInt8(ascii: "\"") {
                    if c == UInt8(ascii: "\\"), i + 3 < line.count,
                        line[i + 1] == UInt8(ascii: "x"),
                        let high = hex(line[i + 2]), let low = hex(line[i + 3])
                    {
                        store.append(high << 4 | low)
                        i += 4
                        continue
                    }
                    if c == UInt8(ascii: "\\"), i + 1 < line.count {
                        store.append(escaped(line[i + 1]))
                        i += 2
                        continue
                    }
                    if c == quote {
                        // A closing quote must end the word.
                        if i + 1 < line.count, !blank(line[i + 1]) { return nil }
                        i += 1
                        break word
                    }
                } else if quote == UInt8(ascii: "'") {
                    if c == UInt8(ascii: "\\"), i + 1 < line.count, line[i + 1] == quote {
                        store.append(quote)
                        i += 2
                        continue
                    }
                    if c == quote {
                        if i + 1 < line.count, !blank(line[i + 1]) { return nil }
                        i += 1
                        break word
                    }
                } else if blank(c) {
                    break word
                } else if c == UInt8(ascii: "\"") || c == UInt8(ascii: "'") {
                    quote = c
                    i += 1
                    continue
                }
                store.append(c)
                i += 1
            }
            words.append(begin..<store.count)
        }
    }

    private static func hex(_ c: UInt8) -> UInt8? {
        switch c {
        case 0x30...0x39: c - 0x30
        case 0x41...0x46: c - 0x41 + 10
        case 0x61...0x66: c - 0x61 + 10
        default: nil
        }
    }

    private static func escaped(_ c: UInt8) -> UInt8 {
        switch c {
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "a"): 0x07
        default: c
        }
    }
}
