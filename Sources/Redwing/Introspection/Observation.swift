// SPDX-License-Identifier: BSD-3-Clause
//
// What the server knows about its own work: sampled rates, the slow log, latency spikes. One object
// hangs from the server; INFO and the commands of this room read it.

import Configuration
import Keyspace
import Memory

public final class Observation {
    /// Rates of the last 1.6 seconds: 16 samples, one each 100 ms.
    var commandRate = Rate()
    var inputRate = Rate()
    var outputRate = Rate()
    var replicationInputRate = Rate()
    var replicationOutputRate = Rate()
    private var lastSample: Int64 = 0
    /// When the verbose log was last told of clients and keys.
    fileprivate var lastReport: Int64 = 0

    /// used_memory at the end of the start.
    var startupMemory = 0
    /// Largest buffers of any client in the last seconds.
    var recentInput = RecentPeak()
    var recentOutput = RecentPeak()

    let oomScore = OomScore()
    /// What the kernel was last told that this process is.
    private var oomClass: OomClass?

    var slowLog = SlowLog()
    var latency = LatencyEvents()

    /// What a changed directive asks of other rooms; see `Server.onChange`.
    var changeHandlers: [String: () -> String?] = [:]

    public init() {}

    /// Tells the kernel what this process is when that changed, or the settings did.
    func applyOomScore(_ config: Configuration, isReplica: Bool, anew: Bool = false) -> Bool {
        let now = isReplica ? OomClass.replica : .master
        if now == oomClass && !anew { return true }
        oomClass = now
        return oomScore.apply(config, now)
    }

    /// The cron's part, each 100 ms.
    func sample(_ statistics: Statistics, at now: Int64) {
        if now - lastSample < 100 && now >= lastSample { return }
        lastSample = now
        commandRate.add(statistics.commands, at: now)
        inputRate.add(statistics.inputBytes, at: now)
        outputRate.add(statistics.outputBytes, at: now)
        replicationInputRate.add(statistics.replicationInputBytes, at: now)
        replicationOutputRate.add(statistics.replicationOutputBytes, at: now)
    }

    func resetRates() {
        commandRate = Rate()
        inputRate = Rate()
        outputRate = Rate()
        replicationInputRate = Rate()
        replicationOutputRate = Rate()
    }
}

/// Redis's instantaneous metric: the mean of 16 rates.
struct Rate {
    private var samples: [Int64] = Array(repeating: 0, count: 16)
    private var next = 0
    private var lastCount: UInt64 = 0
    private var lastTime: Int64 = 0

    mutating func add(_ count: UInt64, at now: Int64) {
        let time = now - lastTime
        let done = count >= lastCount ? count - lastCount : 0
        // The first reading has nothing to be compared with.
        if lastTime > 0, time > 0 {
            samples[next] = Int64(clamping: done) * 1000 / time
            next = (next + 1) % samples.count
        }
        lastCount = count
        lastTime = now
    }

    var perSecond: Int64 { samples.reduce(0, +) / Int64(samples.count) }
    var kibPerSecond: String { decimal(Double(perSecond) / 1024, 2) }
}

/// The largest value of the last eight seconds, a slot for each.
struct RecentPeak {
    private var slots: [Int] = Array(repeating: 0, count: 8)
    private var second: Int64 = 0

    mutating func note(_ value: Int, at now: Int64) {
        let this = now / 1000
        if this != second {
            // Slots between the last note and now are stale.
            for passed in 1...min(8, max(1, Int(clamping: this - second))) {
                slots[Int((second + Int64(passed)) % 8)] = 0
            }
            second = this
        }
        let at = Int(this % 8)
        slots[at] = max(slots[at], value)
    }

    var value: Int { slots.max() ?? 0 }
}

extension Server {
    /// Runs `body` when CONFIG SET changes `directive`; a returned reason refuses the change.
    public func onChange(_ directive: String, _ body: @escaping () -> String?) {
        rooms.observation.changeHandlers[directive] = body
    }

    /// The cron's part of this room.
    func observationCron() {
        let observation = rooms.observation
        observation.sample(statistics, at: now)
        _ = observation.applyOomScore(config, isReplica: isReplica)
        statistics.peakMemory = max(statistics.peakMemory, usedMemory)
        if now - observation.lastReport >= 5000 || now < observation.lastReport {
            observation.lastReport = now
            logUse()
        }
    }

    /// Each 5 seconds, for those who look at the verbose log.
    private func logUse() {
        for database in keyspace.databases where database.count > 0 || database.volatileCount > 0 {
            Log.verbose(
                "DB \(database.index): \(database.count) keys (\(database.volatileCount) volatile) in \(database.keys.bytes / 8) slots HT."
            )
        }
        let replicas = clients.values.count { $0.flags.contains(.replica) }
        Log.verbose(
            "\(clients.count - replicas) clients connected (\(replicas) replicas), \(usedMemory) bytes in use"
        )
    }
}

/// `value` with so many digits behind the point, as printf's "%.2f".
func decimal(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (abs(value) * scale).rounded(.toNearestOrEven)
    guard scaled < 9e18 else { return "\(value)" }
    let whole = UInt64(scaled)
    let unit = UInt64(scale)
    let sign = value < 0 && whole > 0 ? "-" : ""
    if digits == 0 { return "\(sign)\(whole)" }
    let fraction = String(whole % unit)
    let zeros = String(repeating: "0", count: digits - fraction.utf8.count)
    return "\(sign)\(whole / unit).\(zeros)\(fraction)"
}
