// SPDX-License-Identifier: BSD-3-Clause
//
// Rates, peaks, latency series and their pictures.

import Testing

@testable import Redwing

@Suite struct ObservationTests {
    @Test func aRateIsTheMeanOfSixteenSamples() {
        var rate = Rate()
        rate.add(1000, at: 5000)
        #expect(rate.perSecond == 0)
        for i in 1...16 { rate.add(1000 + UInt64(i) * 50, at: 5000 + Int64(i) * 100) }
        #expect(rate.perSecond == 500)
        // CONFIG RESETSTAT sets the counter back: no negative rate.
        rate.add(0, at: 6700)
        #expect(rate.perSecond == 468)
    }

    @Test func aPeakIsForgottenAfterEightSeconds() {
        var peak = RecentPeak()
        peak.note(500, at: 10_000)
        peak.note(20, at: 12_000)
        #expect(peak.value == 500)
        peak.note(10, at: 18_500)
        #expect(peak.value == 20)
        peak.note(1, at: 60_000)
        #expect(peak.value == 1)
    }

    @Test(arguments: [
        (0.0, 2, "0.00"), (1.005, 1, "1.0"), (99.999, 2, "100.00"), (-0.25, 1, "-0.2"),
        (12.5, 0, "12"),
        (.infinity, 2, "inf"),
    ])
    func decimals(value: Double, digits: Int, text: String) {
        #expect(decimal(value, digits) == text)
    }

    @Test(arguments: [
        (0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_572_864, "1.50M"), (3 << 30, "3.00G"),
    ])
    func sizesForPeople(bytes: Int, text: String) {
        #expect(InfoText.human(bytes) == text)
    }

    @Test func aSecondHasOneSpikeAndASeriesAHundredAndSixty() {
        var events = LatencyEvents()
        events.add("fork", 20, at: 1)
        events.add("fork", 90, at: 1)
        events.add("fork", 30, at: 1)
        #expect(events.series["fork"]?.samples.map(\.milliseconds) == [90])
        for second in 2...200 { events.add("fork", 10, at: Int64(second)) }
        #expect(events.series["fork"]?.samples.count == 160)
        #expect(events.series["fork"]?.highest == 90)
        #expect(events.resetAll() == 1)
    }

    @Test func aSparklineHasItsHighestSampleOnTop() {
        let text = Sparkline.render([(1, "9s"), (10, "10s"), (5, "1m")], rows: 2)
        #expect(text == " # \n_|#\n   \n911\ns0m\n s \n")
    }
}
