// SPDX-License-Identifier: BSD-3-Clause
//
// The form of a log line, and where lines go.

import Configuration
import Glibc
import Logging
import Memory
import Testing

@testable import Redwing

@Suite(.serialized)
struct LoggingTests {
    @Test(
        arguments: [
            (0, "01 Jan 1970 00:00:00.000"), (1_795_227_932_355, "21 Nov 2026 02:25:32.355"),
            (951_827_696_789, "29 Feb 2000 12:34:56.789"),
            (1_709_251_199_999, "29 Feb 2024 23:59:59.999"),
            (4_107_542_400_000, "01 Mar 2100 00:00:00.000"), (-1, "31 Dec 1969 23:59:59.999"),
        ] as [(Int64, String)])
    func times(ms: Int64, text: String) {
        let buffer = ByteBuffer()
        buffer.commit(LogLine.writeTime(ms, to: buffer.reserve(64)))
        #expect(buffer.bytes.string == text)
    }

    @Test(
        arguments: [
            (LogRole.master, 2, "77:M 01 Jan 1970 00:00:00.001 * hello\n"),
            (.replica, 3, "77:S 01 Jan 1970 00:00:00.001 # hello\n"),
            (.child, 0, "77:C 01 Jan 1970 00:00:00.001 . hello\n"),
            (.sentinel, 1, "77:X 01 Jan 1970 00:00:00.001 - hello\n"),
        ] as [(LogRole, UInt8, String)])
    func lines(role: LogRole, level: UInt8, text: String) {
        let buffer = ByteBuffer()
        let place = buffer.reserve(LogLine.maximumSize)
        buffer.commit(
            LogLine.write(pid: 77, role: role, localMs: 1, level: level, Bytes("hello"), to: place))
        #expect(buffer.bytes.string == text)
    }

    @Test func longMessagesAreCut() {
        let buffer = ByteBuffer()
        let place = buffer.reserve(LogLine.maximumSize)
        let n = Bytes.with(String(repeating: "x", count: 5000)) {
            LogLine.write(pid: .min, role: .master, localMs: 0, level: 9, $0, to: place)
        }
        #expect(n <= LogLine.maximumSize)
    }

    @Test func linesOfTheLevelGoToTheFile() {
        let path = "/tmp/redwing-log-\(getpid())"
        let configuration = Configuration()
        configuration.logfile = path
        configuration.loglevel = .verbose
        Log.configure(configuration)
        defer {
            Log.configure(Configuration())
            ProcessCalls.remove(path)
        }
        var built = 0
        func text(_ name: String) -> String {
            built += 1
            return name
        }
        Log.debug(text("mine: off"))
        Log.verbose(text("mine: one"))
        Log.warning(text("mine: two"))
        Log.raw(.notice, "mine: three")
        Log.logger.error("mine: four", metadata: ["offset": "12"])
        let buffer = ByteBuffer()
        let descriptor = unsafe open(path, O_RDONLY)
        let n = unsafe read(descriptor, buffer.reserve(4096).pointer, 4096)
        close(descriptor)
        buffer.commit(max(0, n))
        // The log is the process's own: tests that run beside this one write to it as well.
        let lines = buffer.bytes.string.split(separator: "\n").filter { $0.contains("mine: ") }
        #expect(built == 2)
        #expect(
            lines.map { $0.drop { $0 != "." }.dropFirst(5) } == [
                "- mine: one", "# mine: two", "* mine: three", "# mine: four offset=12",
            ])
        #expect(lines.allSatisfy { $0.hasPrefix("\(getpid()):") })
    }
}
