// SPDX-License-Identifier: BSD-3-Clause
//
// Requests: whole, byte by byte, several at once, and each kind of broken one.

import Memory
import Testing

@testable import RESP

/// Feeds `text` in pieces of `step` bytes and gathers what comes out, a line an outcome.
func outcomes(_ text: String, step: Int, limits: RequestLimits = RequestLimits()) -> [String] {
    var parser = RequestParser()
    var arguments = Arguments()
    let buffer = ByteBuffer()
    var lines: [String] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        buffer.append(Array(rest.prefix(step)))
        rest = rest.dropFirst(step)
        scan: while !buffer.isEmpty {
            switch parser.parse(buffer.bytes, limits: limits, into: &arguments) {
            case .request(let size):
                lines.append(arguments.all.map(\.string).joined(separator: "|"))
                buffer.consume(size)
            case .empty(let size):
                buffer.consume(size)
            case .incomplete: break scan
            case .violation(let text): return lines + ["! " + text]
            case .noBulk(let byte):
                return lines + ["! expected '$', got '\(Character(UnicodeScalar(byte)))'"]
            }
        }
    }
    return lines
}

@Suite("A glance at requests")
struct RequestOutlineTests {
    @Test(arguments: [
        ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "20 k||"),
        ("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1", "26 k||"),
        ("*5\r\n$4\r\nZADD\r\n$1\r\nk\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\nb\r\n", "42 k|1|a"),
        ("", nil), ("PING\r\n", nil), ("*1\r\n$4\r\nPING\r\n", nil), ("*-1\r\n", nil),
        ("*2\r\n$3\r\nGET\r\n:1\r\n", nil), ("*2\r\n$3\r\nGET\r\n$-1\r\n", nil),
        ("*2\r\n$3\r\nGET\r\n$999999999999999999\r\nk\r\n", nil),
        ("*2\r\n$9999999999999999999\r\n", nil),
    ])
    func saysWhatIsThere(_ text: String, _ expected: String?) {
        let shown = Bytes.with(text) { bytes in
            RequestParser.outline(bytes).map {
                "\($0.size) \($0.key.string)|\($0.second.string)|\($0.third.string)"
            }
        }
        #expect(shown == expected)
        guard let expected, let size = Int(expected.split(separator: " ")[0]) else { return }
        // No prefix of a request shows anything.
        for count in 0..<size {
            let isNothing = Bytes.with(text) { RequestParser.outline($0.prefix(count)) == nil }
            #expect(isNothing, "of \(count) bytes")
        }
    }
}

@Suite("Requests")
struct RequestParserTests {
    @Test(arguments: [
        ("*1\r\n$4\r\nPING\r\n", ["PING"]),
        ("*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$1\r\nA\r\n", ["GET|", "A"]),
        ("PING\r\nset a  'b c' \"d\\x41\\n\"\n", ["PING", "set|a|b c|dA\n"]),
        ("\r\n\r\n*0\r\n*-1\r\nPING\r\n", ["PING"]),
        ("*1\r\n$x\r\n", ["! invalid bulk length"]),
        ("*x\r\n", ["! invalid multibulk length"]),
        ("*1048577\r\n", ["! invalid multibulk length"]),
        ("*99999999999999999999\r\n", ["! invalid multibulk length"]),
        ("*1\r\n$-1\r\n", ["! invalid bulk length"]),
        ("*1\r\n$536870913\r\n", ["! invalid bulk length"]),
        ("*1\r\n$04\r\nPING\r\n", ["! invalid bulk length"]),
        ("*01\r\n", ["! invalid multibulk length"]),
        ("*-0\r\n", ["! invalid multibulk length"]),
        ("*1\r\n:3\r\n", ["! expected '$', got ':'"]),
        ("set a \"b\r\n", ["! unbalanced quotes in request"]),
        ("set a 'b'c\r\n", ["! unbalanced quotes in request"]),
    ])
    func wholeAndInPieces(_ text: String, _ expected: [String]) {
        for step in 1...max(1, text.utf8.count) {
            #expect(outcomes(text, step: step) == expected, "in pieces of \(step)")
        }
    }

    @Test func longLinesAreRefused() {
        let line = String(repeating: "a", count: 65_600)
        #expect(outcomes(line, step: 1000) == ["! too big inline request"])
        #expect(outcomes("*" + line, step: 1000) == ["! too big mbulk count string"])
        #expect(outcomes("*1\r\n$" + line, step: 1000) == ["! too big bulk count string"])
    }

    @Test func strangersGetLess() {
        let limits = RequestLimits.unauthenticated
        #expect(
            outcomes("*11\r\n", step: 9, limits: limits) == ["! unauthenticated multibulk length"])
        #expect(
            outcomes("*1\r\n$16385\r\n", step: 20, limits: limits)
                == ["! unauthenticated bulk length"])
    }
}

@Suite("Replies")
struct ReplyTests {
    func written(_ version: Int = 2, _ body: (Reply) -> Void) -> String {
        let out = ByteBuffer()
        body(Reply(out, version: version))
        return out.bytes.string
    }

    @Test func forms() {
        #expect(written { $0.integer(-12) } == ":-12\r\n")
        #expect(written { $0.bulk("abc") } == "$3\r\nabc\r\n")
        #expect(written { $0.bulk(Int64.min) } == "$20\r\n-9223372036854775808\r\n")
        #expect(written { $0.null() } == "$-1\r\n")
        #expect(written(3) { $0.null() } == "_\r\n")
        #expect(written(3) { $0.map(2) } == "%2\r\n")
        #expect(written { $0.map(2) } == "*4\r\n")
        #expect(written { $0.error("ERR a\r\nb") } == "-ERR a  b\r\n")
    }

    @Test(arguments: [0, 1, 5, 100, 5000])
    func headerBehindBody(_ count: Int) {
        let text = written { reply in
            reply.ok()
            let mark = reply.openArray()
            for i in 0..<count { reply.integer(i) }
            reply.closeArray(mark, count: count)
        }
        let body = (0..<count).map { ":\($0)\r\n" }.joined()
        #expect(text == "+OK\r\n*\(count)\r\n" + body)
    }
}
