// SPDX-License-Identifier: BSD-3-Clause
//
// Requests: whole, byte by byte, several at once, and each kind of broken one.

import Memory
import Testing

@testable import RESP

/// Feeds `text` in pieces of `step` bytes and gathers what comes out, a line an outcome.
func outcomes(_ text: String, step: Int, limits: RequestLimits = RequestLimits()) -> [String] {
    var parser = RequestParser()
    let buffer = ByteBuffer()
    var lines: [String] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        buffer.append(Array(rest.prefix(step)))
        rest = rest.dropFirst(step)
        scan: while !buffer.isEmpty {
            switch parser.parse(buffer.bytes, limits: limits) {
            case .request(let size):
                lines.append(parser.arguments.all.map(\.string).joined(separator: "|"))
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

/// The requests that a window finds at the head of `text`, a line each, and the bytes they take.
func windowed(_ text: String, limits: RequestLimits = RequestLimits()) -> (
    lines: [String], size: Int
) {
    var window = RequestWindow()
    return Bytes.with(text) { bytes in
        window.fill(from: bytes, limits: limits)
        var lines: [String] = []
        var size = 0
        for index in 0..<window.count {
            lines.append(window.arguments(of: index).all.map(\.string).joined(separator: "|"))
            size += window.size(of: index)
        }
        return (lines, size)
    }
}

@Suite("A window of requests")
struct RequestWindowTests {
    static let get = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    static let set = "*3\r\n$3\r\nSET\r\n$12\r\nkey of twelv\r\n$0\r\n\r\n"

    @Test(arguments: [
        (get, ["GET|k"]), (get + set + get, ["GET|k", "SET|key of twelv|", "GET|k"]),
        ("*1\r\n$4\r\nPING\r\n", ["PING"]),
        // What isn't plain is left to the parser, and what stands behind it as well.
        ("", []), ("PING\r\n", []), ("*0\r\n", []), ("*-1\r\n", []), ("*00002\r\n", []),
        (get + "PING\r\n" + get, ["GET|k"]), (get + "*0\r\n" + get, ["GET|k"]),
        (get + "*2\r\n$3\r\nGET\r\n:1\r\n", ["GET|k"]),
        (get + "*2\r\n$3\r\nGET\r\n$-1\r\n", ["GET|k"]),
        (get + "*2\r\n$3\r\nGET\r\n$:\r\n", ["GET|k"]),
        (get + "*2\r\n$3\r\nGET\r\n$999999999999999999\r\nk\r\n", ["GET|k"]),
        (get + "*2\r\n$9999999999999999999\r\n", ["GET|k"]),
        (get + "*1048577\r\n", ["GET|k"]), (get + "*513\r\n", ["GET|k"]),
    ])
    func takesWhatIsPlain(_ text: String, _ expected: [String]) {
        #expect(windowed(text).lines == expected)
    }

    @Test func agreesWithTheParserOnEachPrefix() {
        let text = Self.get + Self.get + "*3\r\n$3\r\nSET\r\n$10\r\nkkkkkkkkkk\r\n$0\r\n\r\n"
        for count in 0...text.utf8.count {
            let prefix = String(decoding: text.utf8.prefix(count), as: UTF8.self)
            let found = windowed(prefix)
            #expect(found.lines == outcomes(prefix, step: max(1, count)), "of \(count) bytes")
            #expect(windowed(String(prefix.utf8.prefix(found.size))!).size == found.size)
        }
    }

    @Test func holdsNoMoreThanItHasRoomFor() {
        let many = String(repeating: Self.get, count: RequestWindow.capacity + 5)
        #expect(windowed(many).lines.count == RequestWindow.capacity)
        let wide = "*100\r\n" + String(repeating: "$1\r\na\r\n", count: 100)
        #expect(windowed(String(repeating: wide, count: 9)).lines.count == 5)
    }

    @Test func strangersGetLess() {
        let limits = RequestLimits.unauthenticated
        let wide = "*11\r\n" + String(repeating: "$1\r\na\r\n", count: 11)
        #expect(windowed(wide, limits: limits).lines.isEmpty)
        #expect(
            windowed("*1\r\n$16385\r\n" + String(repeating: "a", count: 16387), limits: limits)
                .lines.isEmpty)
        #expect(windowed(Self.get, limits: limits).lines == ["GET|k"])
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
