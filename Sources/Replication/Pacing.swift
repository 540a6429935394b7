// SPDX-License-Identifier: BSD-3-Clause
//
// When writers must wait for replicas. The stream that a replica has still to get is held once, but it
// is held in memory: beyond `client-output-buffer-limit replica` the replica would have to be
// dropped, and with it all of its full sync, only to begin again under the same load for ever. So a
// replica that gets on is waited for a little, and one that doesn't is dropped.

/// One replica as the pace sees it.
public struct PaceInput: Equatable, Sendable {
    /// Bytes of the stream it has still to get.
    public var pending: Int64
    /// Bytes of the stream that it took in the last second, or in this one if they are more.
    public var rate: Int64
    /// It is in its full sync, and that gets on: its bytes flow, or it loads and gives signs of life.
    public var isSyncing: Bool

    public init(pending: Int64, rate: Int64, isSyncing: Bool) {
        self.pending = pending
        self.rate = rate
        self.isSyncing = isSyncing
    }
}

public struct Pacing: Equatable, Sendable {
    /// `client-output-buffer-limit replica`, hard, or the backlog's size if that is more; 0: none.
    public var limit: Int64
    /// The longest pause in a turn of the loop, ms.
    public static let longestPause: Int64 = 50

    public init(limit: Int64) { self.limit = limit }

    /// A replica is worth waiting for while it syncs, or while it takes a good part of what is
    /// written: one behind a slow line would bring all writers down to its own speed, and one that
    /// takes nothing isn't waited for when nobody writes either.
    public func isWorthWaiting(_ replica: PaceInput, production: Int64) -> Bool {
        replica.isSyncing || (replica.rate > 0 && replica.rate >= production / 4)
    }

    /// How long the writers wait in this turn, in ms: from half of the limit on, growing to the
    /// limit.
    public func pause(_ replicas: [PaceInput], production: Int64) -> Int64 {
        guard limit > 0 else { return 0 }
        var longest: Int64 = 0
        for replica in replicas where replica.pending > limit / 2 {
            guard isWorthWaiting(replica, production: production) else { continue }
            let over = min(replica.pending, limit) - limit / 2
            longest = max(longest, 1 + over * (Self.longestPause - 1) / max(1, limit - limit / 2))
        }
        return longest
    }

    /// Whether the replica's time is over: above the limit and not worth waiting for, or above it
    /// twice. Between the two the writers wait the most that they may for one that gets on.
    public func isOver(_ replica: PaceInput, production: Int64) -> Bool {
        guard limit > 0, replica.pending > limit else { return false }
        return replica.pending > 2 * limit || !isWorthWaiting(replica, production: production)
    }
}
