// SPDX-License-Identifier: BSD-3-Clause
//
// The latency monitor: for each kind of event the spikes above `latency-monitor-threshold`, one a
// second at most, the last 160.

import Configuration
import Memory
import Platform

struct LatencyEvents {
    struct Sample {
        /// Unix time in seconds.
        let time: Int64
        var milliseconds: Int64
    }

    struct Series {
        /// The oldest first.
        var samples: [Sample] = []
        var highest: Int64 = 0
        private static let most = 160

        mutating func add(_ milliseconds: Int64, at time: Int64) {
            highest = max(highest, milliseconds)
            if let last = samples.last, last.time == time {
                samples[samples.count - 1].milliseconds = max(last.milliseconds, milliseconds)
                return
            }
            if samples.count == Self.most { samples.removeFirst() }
            samples.append(Sample(time: time, milliseconds: milliseconds))
        }
    }

    private(set) var series: [String: Series] = [:]

    mutating func add(_ event: String, _ milliseconds: Int64, at time: Int64) {
        series[event, default: Series()].add(milliseconds, at: time)
    }

    mutating func reset(_ event: String) -> Bool { series.removeValue(forKey: event) != nil }

    mutating func resetAll() -> Int {
        defer { series = [:] }
        return series.count
    }
}

extension Server {
    /// When a step begins whose time the monitor is to be told; 0, and no clock is read, while it is
    /// off.
    @inline(__always)
    var latencyStart: Int64 { config.latencyMonitorThreshold > 0 ? redwing_monotonic_ns() : 0 }

    /// The step that began at `start` is over.
    @inline(__always)
    func observe(latency event: StaticString, since start: Int64) {
        if start != 0 { observed(event, nanoseconds: redwing_monotonic_ns() - start) }
    }

    private func observed(_ event: StaticString, nanoseconds: Int64) {
        observe(latency: "\(event)", microseconds: nanoseconds / 1000)
    }

    /// Something that keeps clients waiting took so long. `event` by Redis's words: "fork",
    /// "expire-cycle", "aof-write", …
    func observe(latency event: String, microseconds: Int64) {
        let threshold = config.latencyMonitorThreshold
        guard threshold > 0, microseconds / 1000 >= threshold else { return }
        rooms.observation.latency.add(event, microseconds / 1000, at: now / 1000)
    }
}

/// A series as a picture of characters, `rows` high, each column a sample with its age below.
enum Sparkline {
    private static let fill: [UInt8] = Array("_o#".utf8)
    private static let columns = 80

    static func render(_ samples: [(value: Double, label: String)], rows: Int) -> String {
        let low = samples.map(\.value).min() ?? 0
        let high = samples.map(\.value).max() ?? 0
        let span = high > low ? high - low : 1
        var parts: [String] = []
        for start in stride(from: 0, to: samples.count, by: columns) {
            let part = samples[start..<min(start + columns, samples.count)]
            parts.append(block(Array(part), rows: rows, low: low, span: span))
        }
        return parts.joined(separator: "\n")
    }

    private static func block(
        _ samples: [(value: Double, label: String)], rows: Int, low: Double, span: Double
    ) -> String {
        let steps = fill.count * rows
        var lines: [[UInt8]] = []
        for row in 0..<rows {
            lines.append(
                samples.map { sample in
                    let step = min(
                        max(Int((sample.value - low) * Double(steps) / span), 0), steps - 1)
                    let level = step - (rows - row - 1) * fill.count
                    if level < 0 { return 0x20 }
                    return level < fill.count ? fill[level] : UInt8(ascii: "|")
                })
        }
        // A line of air, then the labels from top to bottom.
        let labels = samples.map { Array($0.label.utf8) }
        lines.append(Array(repeating: 0x20, count: samples.count))
        for i in 0..<(labels.map(\.count).max() ?? 0) {
            lines.append(labels.map { i < $0.count ? $0[i] : 0x20 })
        }
        return lines.map { String(decoding: $0, as: UTF8.self) + "\n" }.joined()
    }
}
