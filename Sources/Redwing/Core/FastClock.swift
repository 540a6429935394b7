// SPDX-License-Identifier: BSD-3-Clause
//
// The time between two commands. A clock_gettime for each was 4 to 5 % of a pipelined GET; the CPU's
// cycle counter, set right by the real clock every few milliseconds, costs a fifth of that.

import Platform

/// CLOCK_MONOTONIC in ns, cheap to ask. Where the counter isn't steady, the real clock answers.
struct FastClock {
    private var ticks: UInt64 = 0
    private var nanoseconds: Int64
    private let firstTicks: UInt64
    private let firstNanoseconds: Int64
    /// ns a tick, times 2³²; 0 until it was measured over `baseline`.
    private var scale: UInt64 = 0
    private let isSteady = redwing_ticks_are_steady() != 0
    private static let baseline: Int64 = 50_000_000

    init() {
        firstTicks = redwing_ticks()
        firstNanoseconds = redwing_monotonic_ns()
        nanoseconds = firstNanoseconds
    }

    /// The real clock is asked again behind so much time.
    private static let exactFor: Int64 = 5_000_000

    /// The time, where that needs no real clock yet. A counter that jumped (a machine that slept or moved)
    /// is noticed here.
    @inline(__always)
    func readIfExact() -> Int64? {
        if scale == 0 { return nil }
        let time = read()
        return UInt64(bitPattern: time &- nanoseconds) < UInt64(Self.exactFor) ? time : nil
    }

    /// Reads the real clock.
    mutating func synchronize() -> Int64 {
        let now = redwing_monotonic_ns()
        nanoseconds = now
        guard isSteady else { return now }
        ticks = redwing_ticks()
        let elapsed = now - firstNanoseconds
        if elapsed > Self.baseline, ticks > firstTicks {
            scale = UInt64(Double(elapsed) / Double(ticks - firstTicks) * 4_294_967_296)
        }
        return now
    }

    @inline(__always)
    func read() -> Int64 {
        if scale == 0 { return redwing_monotonic_ns() }
        let passed = redwing_ticks() &- ticks
        let product = passed.multipliedFullWidth(by: scale)
        return nanoseconds &+ Int64(truncatingIfNeeded: product.high << 32 | product.low >> 32)
    }
}
