// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Replication

@Suite struct SyncProgressTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var progress: SyncProgress
        var percent: String
        var secondsLeft: Int64
    }

    static let rows: [Row] = [
        Row(
            testDescription: "nothing known",
            progress: SyncProgress(bytes: 5, total: nil, isEstimate: true, rate: 5),
            percent: "0.00",
            secondsLeft: -1),
        Row(
            testDescription: "in the middle",
            progress: SyncProgress(bytes: 333, total: 1000, rate: 100),
            percent: "33.30", secondsLeft: 6),
        Row(
            testDescription: "standing still", progress: SyncProgress(bytes: 1, total: 2, rate: 0),
            percent: "50.00", secondsLeft: -1),
        Row(
            testDescription: "done", progress: SyncProgress(bytes: 9, total: 9, rate: 0),
            percent: "100.00", secondsLeft: 0),
        Row(
            testDescription: "more than was reckoned",
            progress: SyncProgress(bytes: 9, total: 3, isEstimate: true, rate: 1),
            percent: "100.00",
            secondsLeft: 0),
        Row(
            testDescription: "the largest size a peer can announce",
            progress: SyncProgress(bytes: 1 << 62, total: .max, rate: 1), percent: "50.00",
            secondsLeft: .max - 1 << 62),
    ]

    @Test(arguments: rows) func numbers(row: Row) {
        #expect(row.progress.percent == row.percent)
        #expect(row.progress.secondsLeft == row.secondsLeft)
    }

    @Test func sizesAreReckonedFromKeys() {
        #expect(SyncProgress.estimate(bytes: 100, written: 10, keys: 40) == 400)
        #expect(SyncProgress.estimate(bytes: 100, written: 50, keys: 40) == 100)
        #expect(SyncProgress.estimate(bytes: 100, written: 0, keys: 40) == nil)
        #expect(SyncProgress.estimate(bytes: 0, written: 1, keys: 40) == nil)
        #expect(SyncProgress.estimate(bytes: .max, written: 1, keys: .max) == nil)
    }

    @Test func aRateIsOfTheLastSecondOrTwo() {
        var meter = RateMeter()
        #expect(meter.rate(at: at(7)) == 0 && meter.average(at: at(7)) == 0)
        for tenth in 0..<40 { meter.add(100, at: at(10 + Double(tenth) / 10)) }
        #expect(meter.began == at(10) && meter.count == 4000)
        #expect((900...1100).contains(meter.rate(at: at(14))))
        // Ten times as fast, then nothing.
        for tenth in 0..<30 { meter.add(1000, at: at(14 + Double(tenth) / 10)) }
        #expect((9000...11000).contains(meter.rate(at: at(17))))
        #expect(meter.rate(at: at(100)) < 300)
        #expect(meter.average(at: at(17)) == 34_000 / 7)
    }

    @Test func theFirstBytesFillBuffers() {
        var meter = RateMeter()
        meter.add(1000, at: at(1))
        #expect(meter.rate(at: at(1)) == 10_000)
    }
}
