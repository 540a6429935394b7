// SPDX-License-Identifier: BSD-3-Clause
//
// Where a full sync is, in the numbers that INFO shows on both sides: bytes, of how many, percent,
// rate, seconds left.

/// How fast something grows, over the last second or two: a phase that waited, or a peer that has
/// changed its pace, doesn't blur it.
public struct RateMeter: Equatable, Sendable {
    private struct Mark: Equatable, Sendable {
        var at: Instant
        var count: Int64
    }

    private static let window = Duration_ms(ms: 1000)
    /// The first bytes fill buffers, at any speed.
    private static let shortest = Duration_ms(ms: 100)

    /// When the first bytes came; nil before.
    public private(set) var began: Instant?
    public private(set) var count: Int64 = 0
    private var older = Mark(at: Instant(ms: 0), count: 0)
    private var newer = Mark(at: Instant(ms: 0), count: 0)

    public init() {}

    public mutating func add(_ more: Int64, at now: Instant) {
        if began == nil {
            began = now
            newer = Mark(at: now, count: 0)
            older = newer
        } else if now - newer.at >= Self.window {
            older = newer
            newer = Mark(at: now, count: count)
        }
        count += more
    }

    /// Bytes a second.
    public func rate(at now: Instant) -> Int64 {
        guard began != nil else { return 0 }
        return (count - older.count) * 1000 / max(Self.shortest, now - older.at).ms
    }

    /// Bytes a second since the first one.
    public func average(at now: Instant) -> Int64 {
        guard let began else { return 0 }
        return count * 1000 / max(Self.shortest, now - began).ms
    }
}

public struct SyncProgress: Equatable, Sendable {
    public var bytes: Int64
    /// Nil when nobody knows.
    public var total: Int64?
    /// `total` is reckoned from the keys that are written so far.
    public var isEstimate = false
    public var rate: Int64

    public init(bytes: Int64, total: Int64?, isEstimate: Bool = false, rate: Int64) {
        self.bytes = bytes
        // What is there already is no less than all.
        self.total = total.map { max($0, bytes) }
        self.isEstimate = isEstimate && total != nil
        self.rate = rate
    }

    /// The size that a snapshot of `keys` keys will have, when `written` of them took `bytes`.
    public static func estimate(bytes: Int64, written: Int64, keys: Int64) -> Int64? {
        guard bytes > 0, written > 0, keys > 0 else { return nil }
        // A stream may claim any number of keys.
        let size = Double(bytes) * Double(max(keys, written)) / Double(written)
        return Int64(exactly: size.rounded())
    }

    /// With two decimals.
    public var percent: String {
        let whole = total ?? 0
        let hundredths = whole > 0 ? Int64(Double(bytes) / Double(whole) * 10_000) : 0
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// Seconds, -1 when unknown.
    public var secondsLeft: Int64 {
        guard let total else { return -1 }
        return total == bytes ? 0 : rate > 0 ? (total - bytes) / rate : -1
    }
}
