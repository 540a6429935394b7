// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Replication

@Suite struct PacingTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var replica: PaceInput
        var production: Int64 = 100
        var pause: Int64
        var isOver = false
    }

    static func replica(_ pending: Int64, rate: Int64 = 0, syncing: Bool = false) -> PaceInput {
        PaceInput(pending: pending, rate: rate, isSyncing: syncing)
    }

    static let table: [Row] = [
        Row(
            testDescription: "below half nobody waits", replica: replica(500, syncing: true),
            pause: 0),
        Row(testDescription: "then a little", replica: replica(501, syncing: true), pause: 1),
        Row(
            testDescription: "at the limit the most", replica: replica(1000, syncing: true),
            pause: 50),
        Row(
            testDescription: "a sync may go beyond it", replica: replica(1900, syncing: true),
            pause: 50),
        Row(
            testDescription: "but not for ever", replica: replica(2001, syncing: true), pause: 50,
            isOver: true),
        Row(
            testDescription: "a fast reader is waited for", replica: replica(900, rate: 25),
            pause: 40),
        Row(testDescription: "a slow one isn't", replica: replica(900, rate: 24), pause: 0),
        Row(
            testDescription: "and goes at the limit", replica: replica(1001, rate: 24), pause: 0,
            isOver: true),
        Row(
            testDescription: "one that takes nothing isn't waited for by a lone write",
            replica: replica(900), production: 0, pause: 0),
        Row(
            testDescription: "nor kept above the limit when nobody writes",
            replica: replica(1001), production: 0, pause: 0, isOver: true),
        Row(
            testDescription: "one that takes a little is, if little is written",
            replica: replica(900, rate: 1), production: 3, pause: 40),
    ]

    @Test(arguments: table) func paces(row: Row) {
        let pacing = Pacing(limit: 1000)
        #expect(pacing.pause([row.replica], production: row.production) == row.pause)
        #expect(pacing.isOver(row.replica, production: row.production) == row.isOver)
    }

    @Test func withoutALimitNobodyWaits() {
        let pacing = Pacing(limit: 0)
        let far = Self.replica(1 << 40)
        #expect(pacing.pause([far], production: 1) == 0 && !pacing.isOver(far, production: 1))
    }
}
