// SPDX-License-Identifier: BSD-3-Clause
//
// The smallest parts of redis.conf: words with quotes and escapes, integers, amounts of memory.

import Memory

enum Syntax {
    /// The words of a line: separated by white space; "…" knows \n \r \t \b \a \xHH and \c for c;
    /// '…' knows \'. A closing quote ends its word. Nil for an open quote or one inside a word's end.
    static func split(_ line: some Collection<UInt8>) -> Words? {
        let line = [UInt8](line)
        var words: Words = []
        var at = 0
        while true {
            while at < line.count && line[at].isSpace { at += 1 }
            guard at < line.count, line[at] != 0 else { return words }
            var word: [UInt8] = []
            guard take(line, &at, &word) else { return nil }
            words.append(word)
        }
    }

    private static func take(_ line: [UInt8], _ at: inout Int, _ word: inout [UInt8]) -> Bool {
        while at < line.count, line[at] != 0, !line[at].isSpace {
            switch line[at] {
            case UInt8(ascii: "\""):
                return takeQuoted(line, &at, &word)
            case UInt8(ascii: "'"):
                return takeSingleQuoted(line, &at, &word)
            default:
                word.append(line[at])
                at += 1
            }
        }
        return true
    }

    private static func takeQuoted(_ line: [UInt8], _ at: inout Int, _ word: inout [UInt8]) -> Bool
    {
        at += 1
        while at < line.count {
            let c = line[at]
            if c == UInt8(ascii: "\"") { return endQuote(line, &at) }
            if c == UInt8(ascii: "\\"), at + 3 < line.count, line[at + 1] == UInt8(ascii: "x"),
                let high = hex(line[at + 2]), let low = hex(line[at + 3])
            {
                word.append(high << 4 | low)
                at += 4
            } else if c == UInt8(ascii: "\\"), at + 1 < line.count {
                word.append(escape(line[at + 1]))
                at += 2
            } else {
                word.append(c)
                at += 1
            }
        }
        return false
    }

    private static func takeSingleQuoted(_ line: [UInt8], _ at: inout Int, _ word: inout [UInt8])
        -> Bool
    {
        at += 1
        while at < line.count {
            let c = line[at]
            if c == UInt8(ascii: "'") { return endQuote(line, &at) }
            if c == UInt8(ascii: "\\"), at + 1 < line.count, line[at + 1] == UInt8(ascii: "'") {
                word.append(UInt8(ascii: "'"))
                at += 2
            } else {
                word.append(c)
                at += 1
            }
        }
        return false
    }

    /// A closing quote must be followed by white space or the end.
    private static func endQuote(_ line: [UInt8], _ at: inout Int) -> Bool {
        at += 1
        return at >= line.count || line[at].isSpace
    }

    private static func escape(_ c: UInt8) -> UInt8 {
        switch c {
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "a"): return 7
        default: return c
        }
    }

    private static func hex(_ c: UInt8) -> UInt8? {
        switch c {
        case 0x30...0x39: return c - 0x30
        case 0x61...0x66: return c - 0x57
        case 0x41...0x46: return c - 0x37
        default: return nil
        }
    }

    /// The word in double quotes, such that `split` gives it back.
    static func quoted(_ word: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        var out: [UInt8] = [UInt8(ascii: "\"")]
        for c in word {
            switch c {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): out += [UInt8(ascii: "\\"), c]
            case 10: out += Array("\\n".utf8)
            case 13: out += Array("\\r".utf8)
            case 9: out += Array("\\t".utf8)
            case 7: out += Array("\\a".utf8)
            case 8: out += Array("\\b".utf8)
            case 32...126: out.append(c)
            default: out += Array("\\x".utf8) + [digits[Int(c >> 4)], digits[Int(c & 15)]]
            }
        }
        return out + [UInt8(ascii: "\"")]
    }

    /// The text cut at every single space, empty parts included (CONFIG SET's form of lists).
    static func cutAtSpaces(_ text: [UInt8]) -> Words {
        text.isEmpty
            ? [] : text.split(separator: 32, omittingEmptySubsequences: false).map(Array.init)
    }
}

enum Number {
    /// A 64-bit integer by Redis's strict rule.
    static func integer(_ word: [UInt8]) -> Int? {
        Bytes.with(word) { Decimal.parse($0).map(Int.init) }
    }

    /// "100", "5k" (5000), "5kb" (5120), and so on with b, m, mb, g, gb in any case.
    static func memory(_ word: [UInt8]) -> Int? {
        let text = String(decoding: word, as: UTF8.self).lowercased()
        let digits = text.prefix { $0 >= "0" && $0 <= "9" }
        let factor: Int
        switch text.dropFirst(digits.count) {
        case "", "b": factor = 1
        case "k": factor = 1000
        case "kb": factor = 1024
        case "m": factor = 1_000_000
        case "mb": factor = 1 << 20
        case "g": factor = 1_000_000_000
        case "gb": factor = 1 << 30
        default: return nil
        }
        // Redis's strtoll takes no digits at all for zero.
        guard let value = digits.isEmpty ? 0 : Int(digits) else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    /// The shortest exact form: "1gb", "64mb", "3kb", "1000".
    static func memoryText(_ value: Int) -> String {
        if value != 0 && value % (1 << 30) == 0 { return "\(value >> 30)gb" }
        if value != 0 && value % (1 << 20) == 0 { return "\(value >> 20)mb" }
        if value != 0 && value % (1 << 10) == 0 { return "\(value >> 10)kb" }
        return "\(value)"
    }
}
