// SPDX-License-Identifier: BSD-3-Clause
//
// Whether the link is what limits a full sync. Compression costs the master most of a snapshot's time
// and the replica a good part of its load; it is only worth that where the bytes wait for the wire.
// They do when they pile up before the fastest replica though its window has room for more than is
// under way. A replica that reads slowly has none, and gains nothing from having to decompress as
// well. (The kernel's own count of the time that a full window cost, tcpi_rwnd_limited, knows of
// little under BBR, which paces itself by what the peer reads.)
//
// Until it is known the writer stays close to the fastest replica: it could write gigabytes in the
// time that it takes to see what the link is like. Where the link is fast it never notices.

public struct LinkWidth: Equatable, Sendable {
    /// Of the replica that is furthest, at one moment.
    public struct Sample: Equatable, Sendable {
        public var replica: Int
        /// Bytes of the snapshot that it has been sent, and that are written besides.
        public var sent: UInt64
        public var lag: UInt64
        /// Its window takes more than is under way.
        public var hasRoom: Bool

        public init(replica: Int, sent: UInt64, lag: UInt64, hasRoom: Bool) {
            self.replica = replica
            self.sent = sent
            self.lag = lag
            self.hasRoom = hasRoom
        }
    }

    /// Samples are judged together.
    static let pace = Duration_ms(ms: 100)
    /// More than the buffers of two sockets.
    static let much: UInt64 = 8 << 20
    static let little: UInt64 = 1 << 20
    /// How far before the fastest replica the writer may be until something is known.
    static let leash: UInt64 = 16 << 20
    /// Judgements that the window is full before it is taken for the replica's nature.
    static let convincing = 5

    public private(set) var isNarrow = false
    private var isKnown = false
    /// Bytes sent before what is to be found out began.
    private var base: UInt64 = 0
    private var fullInARow = 0
    private var replica: Int?
    private var open = 0
    private var full = 0
    private var since: Instant?

    public init() {}

    /// How far the writer may go for all that is known of the link, when `sent` bytes are through.
    public func end(sent: UInt64) -> UInt64 { isKnown ? .max : sent + Self.leash }

    /// Nothing can be found out about it.
    public mutating func giveUp() { isKnown = true }

    /// To be called every few milliseconds.
    public mutating func look(_ sample: Sample, at now: Instant) {
        if sample.replica != replica { begin(sample.replica, at: now) }
        if isNarrow, sample.lag < Self.little {
            // With what compression saved it has room; without it, that is to be seen anew.
            (isNarrow, isKnown, base) = (false, false, sample.sent)
        }
        if sample.sent >= base + 2 * Self.leash { isKnown = true }
        if sample.lag < Self.much {
            (open, full, since) = (0, 0, now)
            return
        }
        if sample.hasRoom { open += 1 } else { full += 1 }
        if let since, now - since >= Self.pace { judge(at: now) }
    }

    private mutating func begin(_ replica: Int, at now: Instant) {
        self.replica = replica
        (open, full, since) = (0, 0, now)
    }

    private mutating func judge(at now: Instant) {
        isNarrow = open > full
        fullInARow = isNarrow ? 0 : fullInARow + 1
        if isNarrow || fullInARow == Self.convincing { isKnown = true }
        (open, full, since) = (0, 0, now)
    }
}
