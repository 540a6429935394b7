// SPDX-License-Identifier: BSD-3-Clause

import Testing

@testable import Redwing

@Suite("Pauses")
struct PausesTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: @Sendable (inout Pauses) -> Void
        var isEmpty = false
        var onlyWrites = true
        var nextEnd: Int64?
    }

    static let rows: [Row] = [
        Row(testDescription: "none", steps: { _ in }, isEmpty: true),
        Row(
            testDescription: "a longer one for the same purpose holds",
            steps: {
                $0.add(.client, until: 10, onlyWrites: true)
                $0.add(.client, until: 5, onlyWrites: true)
            }, nextEnd: 10),
        Row(
            testDescription: "a stricter one for the same purpose holds",
            steps: {
                $0.add(.client, until: 10, onlyWrites: false)
                $0.add(.client, until: 20, onlyWrites: true)
            }, onlyWrites: false, nextEnd: 20),
        Row(
            testDescription: "the strictest of two purposes holds",
            steps: {
                $0.add(.failover, until: .max, onlyWrites: true)
                $0.add(.client, until: 10, onlyWrites: false)
            }, onlyWrites: false, nextEnd: 10),
        Row(
            testDescription: "what is over leaves the other",
            steps: {
                $0.add(.failover, until: .max, onlyWrites: true)
                $0.add(.client, until: 10, onlyWrites: false)
                $0.endDue(at: 10)
            }, nextEnd: .max),
        Row(
            testDescription: "the end of one purpose leaves the other",
            steps: {
                $0.add(.failover, until: .max, onlyWrites: true)
                $0.add(.client, until: 10, onlyWrites: true)
                $0.end(.failover)
            }, nextEnd: 10),
        Row(
            testDescription: "all over",
            steps: {
                $0.add(.client, until: 10, onlyWrites: true)
                $0.endDue(at: 11)
            }, isEmpty: true),
    ]

    @Test(arguments: rows)
    func holds(_ row: Row) {
        var pauses = Pauses()
        row.steps(&pauses)
        #expect(pauses.isEmpty == row.isEmpty)
        #expect(pauses.onlyWrites == row.onlyWrites)
        #expect(pauses.nextEnd == row.nextEnd)
    }

    @Test("A span that is too long to be counted never ends")
    func spans() {
        #expect(EventLoop.deadline(after: .max) == .max)
        #expect(EventLoop.deadline(after: .min) <= EventLoop.monotonic)
    }
}
