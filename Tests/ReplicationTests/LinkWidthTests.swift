// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Replication

@Suite struct LinkWidthTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// MiB sent and behind, and what looks of 2 ms meet in turn.
        var sent: UInt64 = 0
        var lag: UInt64
        var rooms: [Bool]
        var milliseconds: Int64 = 120
        var isNarrow = false
        var isKnown = false
    }

    static let rows: [Row] = [
        Row(
            testDescription: "bytes wait for the wire", lag: 16, rooms: [true], isNarrow: true,
            isKnown: true),
        Row(
            testDescription: "most of the time", lag: 16, rooms: [true, true, false],
            isNarrow: true, isKnown: true),
        Row(testDescription: "bytes wait for the replica", lag: 16, rooms: [true, false, false]),
        Row(
            testDescription: "for long", lag: 16, rooms: [true, false, false], milliseconds: 600,
            isKnown: true),
        Row(testDescription: "nothing waits", lag: 2, rooms: [true]),
        Row(
            testDescription: "and much has gone through", sent: 40, lag: 2, rooms: [true],
            isKnown: true),
        Row(testDescription: "too short a look", lag: 16, rooms: [true], milliseconds: 90),
    ]

    private func watch(_ width: inout LinkWidth, _ row: Row, replica: Int = 1, from: Int64 = 0) {
        var turn = 0
        for ms in stride(from: from, through: from + row.milliseconds, by: 2) {
            width.look(
                LinkWidth.Sample(
                    replica: replica, sent: row.sent << 20, lag: row.lag << 20,
                    hasRoom: row.rooms[turn % row.rooms.count]), at: Instant(ms: ms))
            turn += 1
        }
    }

    @Test(arguments: rows) func verdicts(row: Row) {
        var width = LinkWidth()
        #expect(!width.isNarrow && width.end(sent: 5) == 5 + LinkWidth.leash)
        watch(&width, row)
        #expect(width.isNarrow == row.isNarrow)
        #expect((width.end(sent: 5) == .max) == row.isKnown)
    }

    @Test func aLinkThatGetsRoomIsWideAgain() {
        var width = LinkWidth()
        watch(&width, Self.rows[0])
        #expect(width.isNarrow)
        watch(&width, Row(testDescription: "", lag: 5, rooms: [true]), from: 200)
        #expect(width.isNarrow)
        watch(&width, Row(testDescription: "", sent: 90, lag: 0, rooms: [true]), from: 400)
        #expect(!width.isNarrow)
        // And the writer is kept close again, until it is seen that it has room for plain strings too.
        #expect(width.end(sent: 5) == 5 + LinkWidth.leash)
        watch(&width, Row(testDescription: "", sent: 125, lag: 0, rooms: [true]), from: 600)
        #expect(!width.isNarrow && width.end(sent: 5) == .max)
    }

    @Test func anotherReplicaIsJudgedAnew() {
        var width = LinkWidth()
        watch(&width, Row(testDescription: "", lag: 16, rooms: [false], milliseconds: 50))
        watch(&width, Row(testDescription: "", lag: 16, rooms: [true]), replica: 2, from: 52)
        #expect(width.isNarrow)
    }

    @Test func aLinkOfWhichNothingIsKnownKeepsNobodyWaiting() {
        var width = LinkWidth()
        width.giveUp()
        #expect(width.end(sent: 0) == .max && !width.isNarrow)
    }
}
