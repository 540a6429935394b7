// SPDX-License-Identifier: BSD-3-Clause
//
// Position records of the AOF: their text, and what a reader knows at each place of a file.

import Keyspace
import Memory
import Testing

@testable import Redwing

private let id = String(repeating: "a", count: 40)
private let other = String(repeating: "b", count: 40)

private func position(_ id: String, _ offset: Int64, _ db: Int = 0) -> String {
    "\(id.prefix(1)) \(offset) \(db)"
}

private func text(_ found: SnapshotInfo.Replication?) -> String? {
    found.map { position($0.id, $0.offset, $0.streamDB) }
}

@Suite struct AOFRecordTests {
    @Test(arguments: [
        AOFRecord(id: nil, offset: 0, db: 0, size: 0),
        AOFRecord(id: id, offset: Int64.max, db: 15, size: 1),
        AOFRecord(id: other, offset: 12345, db: 3, size: 1 << 40),
    ])
    func aRecordIsReadAsItWasWritten(_ record: AOFRecord) {
        let out = ByteBuffer()
        record.write(to: out)
        let lines = out.bytes.string.components(separator: "\r\n")
        #expect(Array(lines[0..<3]) == ["*2", "$4", "ECHO"])
        #expect(lines[3] == "$\(lines[4].utf8.count)")
        #expect(Bytes.with(lines[4]) { AOFRecord($0) } == record)
    }

    @Test(arguments: [
        "", "repl", "repl 1", "repl 1 2", "repl 1 2 3 4 5", "repl -1 0 0", "repl 1 -1 0",
        "repl 1 0 -1", "repl x 0 0",
        "REPL 1 0 0", "repl 1 0 0 ", " repl 1 0 0", "repl  1 0 0", "repl short 1 0 0", "hello",
    ])
    func whatIsNoRecordIsTakenForNone(_ text: String) {
        #expect(Bytes.with(text) { AOFRecord($0) } == nil)
    }

    enum Event { case record(String?, Int64, Int, end: UInt64), command(end: UInt64) }

    @Test(
        arguments: [
            ([], "a 100 2"),
            // Behind the preamble a command without a record: another server wrote it.
            ([.command(end: 10)], nil),
            ([.record(nil, 150, 40, end: 10)], "a 100 2"),
            ([.record(nil, 150, 40, end: 10), .command(end: 50)], "a 150 0"),
            ([.record(nil, 150, 40, end: 10), .command(end: 30)], nil),
            ([.record(nil, 150, 40, end: 10), .command(end: 30), .command(end: 50)], "a 150 0"),
            // A command that isn't in the batch, or only in part.
            ([.record(nil, 150, 40, end: 10), .command(end: 50), .command(end: 60)], nil),
            ([.record(nil, 150, 40, end: 10), .command(end: 60)], nil),
            // A mere move, also behind something unknown.
            ([.record(nil, 114, 0, end: 10)], "a 114 0"),
            ([.command(end: 10), .record(nil, 200, 0, end: 20)], "a 200 0"),
            // Another history.
            (
                [.record(other, 7, 0, end: 10), .record(nil, 9, 5, end: 20), .command(end: 25)],
                "b 9 0"
            ),
        ] as [([Event], String?)])
    func theReaderKnowsThePosition(_ events: [Event], _ expected: String?) {
        var positions = AOFPositions(
            base: SnapshotInfo.Replication(streamDB: 2, id: id, offset: 100))
        for event in events {
            switch event {
            case .record(let id, let offset, let size, let end):
                positions.read(AOFRecord(id: id, offset: offset, db: 0, size: size), end: end)
            case .command(let end): positions.applied(end: end)
            }
        }
        #expect(text(positions.current) == expected)
    }

    @Test func withoutAnIdThereIsNoPosition() {
        var positions = AOFPositions()
        positions.read(AOFRecord(id: nil, offset: 5, db: 0, size: 0), end: 10)
        #expect(positions.current == nil)
        positions.read(AOFRecord(id: id, offset: 5, db: 0, size: 0), end: 20)
        #expect(text(positions.current) == "a 5 0")
    }
}

extension String {
    fileprivate func components(separator: Character) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
