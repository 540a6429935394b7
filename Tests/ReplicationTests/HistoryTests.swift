// SPDX-License-Identifier: BSD-3-Clause
import Memory
import Testing

@testable import Replication

@Suite struct ReplicationHistoryTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var asked: String
        var offset: Int64
        var held: ClosedRange<Int64>? = 100...200
        var outcome: PartialResync
    }

    static let rows: [Row] = [
        Row(
            testDescription: "the first byte held is sent on", asked: idA.text, offset: 101,
            outcome: accepted(101, 100)),
        Row(
            testDescription: "one who has everything gets nothing and is online", asked: idA.text,
            offset: 201, outcome: accepted(201, 0)),
        Row(
            testDescription: "ids are compared without case", asked: idA.text.uppercased(),
            offset: 150, outcome: accepted(150, 51)),
        Row(
            testDescription: "a byte too early", asked: idA.text, offset: 100,
            outcome: .full([lack(100)])),
        Row(
            testDescription: "a byte from the future", asked: idA.text, offset: 202,
            outcome: .full([lack(202), future])),
        Row(
            testDescription: "a negative offset", asked: idA.text, offset: -1,
            outcome: .full([lack(-1)])),
        Row(
            testDescription: "without a backlog", asked: idA.text, offset: 150, held: nil,
            outcome: .full([lack(150, "I hold none")])),
        Row(
            testDescription: "the second id up to its offset", asked: idB.text, offset: 120,
            outcome: accepted(120, 81)),
        Row(
            testDescription: "the second id beyond its offset", asked: idB.text, offset: 121,
            outcome: .full([
                LogLine(
                    .notice,
                    "Partial resynchronization not accepted: Requested offset for second ID was "
                        + "121, but I can reply up to 120")
            ])),
        Row(
            testDescription: "a foreign id", asked: idC.text, offset: 150,
            outcome: .full([
                LogLine(
                    .notice,
                    "Partial resynchronization not accepted: Replication ID mismatch (Replica asked "
                        + "for '\(idC)', my replication IDs are '\(idA)' and '\(idB)')")
            ])),
        Row(
            testDescription: "a wish for everything", asked: "?", offset: -1,
            outcome: .full([LogLine(.notice, "Full resync requested by replica r")])),
    ]

    static func accepted(_ offset: Int64, _ bytes: Int64) -> PartialResync {
        .goOn(
            position: offset - 1,
            log: [
                LogLine(
                    .notice,
                    "Partial resynchronization request from r accepted. Sending \(bytes) bytes of "
                        + "backlog starting from offset \(offset).")
            ])
    }
    static func lack(_ offset: Int64, _ range: String = "I hold 101 to 200") -> LogLine {
        LogLine(
            .notice,
            "Unable to partial resync with replica r for lack of backlog (Replica request was: "
                + "\(offset)). \(range).")
    }
    static let future = LogLine(
        .warning,
        "Warning: replica r tried to PSYNC with an offset that is greater than the master "
            + "replication offset.")

    @Test(arguments: rows) func requests(row: Row) {
        let history = ReplicationHistory(id: idA, secondID: idB, secondOffset: 120)
        let got = history.decide(
            psync: row.asked, offset: row.offset, replica: "r", held: row.held, end: 200)
        #expect(got == row.outcome)
    }

    @Test func aPromotedReplicaContinuesItsSiblings() {
        var history = ReplicationHistory(id: idA)
        let line = history.shift(idB, at: 200)
        #expect(
            line.text == "Setting secondary replication ID to \(idA), valid up to offset: 201. New "
                + "replication ID is \(idB)")
        let held: ClosedRange<Int64> = 100...300
        let sibling = history.decide(
            psync: idA.text, offset: 201, replica: "r", held: held, end: 300)
        guard case .goOn(let position, _) = sibling else { Issue.record("refused"); return }
        #expect(position == 200)
        let diverged = history.decide(
            psync: idA.text, offset: 202, replica: "r", held: held, end: 300)
        guard case .full = diverged else { Issue.record("accepted"); return }
        history.begin(idC)
        #expect(history.secondID == .none && history.secondOffset == -1)
        let zeros = history.decide(
            psync: ReplicationID.none.text, offset: 150, replica: "r", held: held, end: 300)
        guard case .full = zeros else { Issue.record("40 zeros are no history"); return }
    }

    @Test(arguments: [
        "", "abc", String(repeating: "a", count: 39), String(repeating: "é", count: 20),
    ])
    func aBadIdIsNone(text: String) { #expect(ReplicationID(text) == nil) }

    @Test func aFreshIdIsHexadecimal() {
        #expect(
            ReplicationID(random: [0xAB, 1]).text == "ab01" + String(repeating: "0", count: 36))
    }
}

@Suite struct EOFMarkTests {
    @Test func theMarkIsFoundHoweverItIsCut() throws {
        let mark = [UInt8]("aabaabaac0123456789012345678901234567890".utf8)
        let body =
            [UInt8]("REDIS aabaabaabaab aabaabaac012".utf8) + [UInt8](mark.prefix(39)) + [0x61]
        let whole = body + mark + [UInt8]("tail".utf8)
        for size in 1...whole.count {
            var finder = try #require(EOFMark(mark))
            var end: Int?
            var fed = 0
            while fed < whole.count && end == nil {
                let part = Array(whole[fed..<min(fed + size, whole.count)])
                if let found = Bytes.with(part, { finder.feed($0) }) { end = fed + found }
                fed += part.count
            }
            #expect(end == body.count + mark.count, "chunks of \(size)")
        }
    }

    /// Which full syncs bring what became of our own data.
    @Test(arguments: [
        (idA, 100, true), (idA, 250, true), (idA, 99, false), (idB, 100, true), (idB, 99, false),
        (idC, 100, false), (ReplicationID.none, 100, false),
    ])
    func ownHistory(of id: ReplicationID, at offset: Int64, leads: Bool) {
        let history = ReplicationHistory(id: idA, secondID: idB, secondOffset: 50)
        #expect(history.leads(to: id, at: offset, from: 100) == leads)
        #expect(!ReplicationHistory(id: idA).leads(to: .none, at: 100, from: 100))
    }

    @Test func aMarkHas40Bytes() {
        #expect(EOFMark([1, 2, 3]) == nil)
        #expect(EOFMark(id: idA).mark.count == 40)
    }

    @Test(arguments: [
        ("$12", ReplicaLink.Transfer.Size.bytes(12)), ("$0", nil), ("$-1", nil), ("$+12", nil),
        ("$", nil),
        ("$12x", nil), ("$99999999999999999999", nil), ("$9223372036854775807", nil), ("+OK", nil),
        ("$EOF:short", nil),
        ("$EOF:" + String(repeating: "m", count: 40), .mark(String(repeating: "m", count: 40))),
        ("$EOF:" + String(repeating: "m", count: 39), nil),
        ("$EOF:" + String(repeating: "m", count: 41), nil),
    ])
    func headers(line: String, size: ReplicaLink.Transfer.Size?) {
        #expect(ReplicaLink.Transfer.Size(header: line) == size)
    }
}
