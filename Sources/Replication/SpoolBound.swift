// SPDX-License-Identifier: BSD-3-Clause
//
// How a spool stays within repl-spool-size. The child appends, each replica reads at its own pace:
//
//     0 ······ punched ───── slowest ───── fastest ───── written ── ─ ─ end
//      given back └─────────────── held ──────────────────┘   room   = punched + repl-spool-size
//
// The child sleeps at `end`, so the spool never holds more. What all have passed is given back in
// steps, which moves the end. Where only some are behind the others starve at the bound: whoever
// keeps them starving is dropped, the slowest first. "Behind" is more than a quarter of the spool: one
// that is too slow for the others never has less before it, for a step is half of the spool at most.
// Replicas of one speed take turns in being behind, as the scheduler has it, and catch up while the
// others wait. So it takes two seconds without once catching up; or, once the others have starved for a
// tenth of the time in which they were served, half a second in which nearly always the same one was
// behind: the fast ones are to finish within 1.3 times of what they need without the slow ones.

public struct SpoolBound: Equatable, Sendable {
    /// How far a replica has read.
    public struct Place: Equatable, Sendable {
        public var id: Int
        public var offset: UInt64

        public init(id: Int, offset: UInt64) {
            self.id = id
            self.offset = offset
        }
    }

    public enum Action: Equatable, Sendable {
        /// Nobody needs these bytes any more.
        case giveBack(offset: UInt64, count: UInt64)
        /// Too slow for the others; the spool holds `held` bytes.
        case drop(id: Int, held: UInt64)
    }

    /// What sendfile sent lies, as pages of the file, in sockets until a peer has read it. Whole
    /// folios that are punched out live on there; of one that is punched in part the kernel zeroes
    /// that part in place. So holes begin and end where no folio of the page cache can lie across.
    static let largestFolio: UInt64 = 2 << 20
    /// Giving back costs a call that locks the file: not more often than this, where room is plenty.
    static let largestStep: UInt64 = 16 << 20
    /// How long others must have been kept starving by one that didn't catch up meanwhile.
    static let patience = Duration_ms(ms: 2000)
    /// And in all, when they have starved for more than this part of the time in which they were served,
    /// by one that was behind in so much of it.
    static let shortPatience = Duration_ms(ms: 500)
    static let starvedPart = 0.1
    static let guiltyPart = 0.95
    /// A look that comes late proves nothing about the replicas for the time that we didn't run: it counts
    /// so much for the long patience, and nothing for the short one.
    static let longestLook = Duration_ms(ms: 20)

    /// Bytes at the front that are given back: always whole folios.
    public private(set) var punched: UInt64 = 0
    /// Milliseconds for which a replica has kept others starving, less those in which it didn't.
    private var blame: [Int: Int64] = [:]
    /// Milliseconds in which the fastest starved, and in which it didn't.
    private var starved: Int64 = 0
    private var served: Int64 = 0
    /// Milliseconds of starving since one was dropped, and those of them in which a replica was behind.
    private var tried: Int64 = 0
    private var guilt: [Int: Int64] = [:]
    private var lookedAt: Instant?

    public init() {}

    /// Where the writer has to stop.
    public func end(limit: UInt64) -> UInt64 { punched + limit }

    /// Bytes that the spool holds.
    public func held(written: UInt64) -> UInt64 { written - min(written, punched) }

    /// Every few milliseconds. `childWrites`: more will be written, if there is room.
    public mutating func look(
        _ places: [Place], written: UInt64, childWrites: Bool, limit: UInt64, at now: Instant
    ) -> [Action] {
        let passed = now - (lookedAt ?? now)
        let isLate = passed > Self.longestLook
        let elapsed = min(passed, Self.longestLook)
        lookedAt = now
        guard let slowest = places.min(by: { $0.offset < $1.offset }),
            let fastest = places.max(by: { $0.offset < $1.offset })
        else { return [] }
        var actions: [Action] = []
        if let count = dispensable(before: slowest.offset, written: written, limit: limit) {
            actions.append(.giveBack(offset: punched, count: count))
            punched += count
        }
        let held = held(written: written)
        let starves = childWrites && held >= limit && !isBehind(fastest, written, limit)
        let behind = places.filter { isBehind($0, written, limit) }
        judge(behind, starves: starves, elapsed)
        if !isLate { weigh(behind, starves: starves, elapsed) }
        if starves, isTooSlow(slowest) {
            actions.append(.drop(id: slowest.id, held: held))
            blame[slowest.id] = nil
            guilt = [:]
            tried = 0
        }
        return actions
    }

    private func isBehind(_ place: Place, _ written: UInt64, _ limit: UInt64) -> Bool {
        written - min(written, place.offset) > limit / 4
    }

    /// A spool that is less than half full is kept whole, for those who may still join.
    private func dispensable(before offset: UInt64, written: UInt64, limit: UInt64) -> UInt64? {
        let step = max(Self.largestFolio, min(Self.largestStep, limit / 4))
        guard written > limit / 2, offset >= punched + step else { return nil }
        return (offset - punched) & ~(Self.largestFolio - 1)
    }

    /// For the long patience.
    private mutating func judge(_ behind: [Place], starves: Bool, _ elapsed: Duration_ms) {
        let before = blame
        blame = [:]
        for place in behind {
            let more = before[place.id, default: 0] + (starves ? elapsed.ms : -elapsed.ms)
            if more > 0 { blame[place.id] = more }
        }
    }

    /// For the short one.
    private mutating func weigh(_ behind: [Place], starves: Bool, _ elapsed: Duration_ms) {
        guard starves else {
            served += elapsed.ms
            return
        }
        starved += elapsed.ms
        tried += elapsed.ms
        for place in behind { guilt[place.id, default: 0] += elapsed.ms }
    }

    private func isTooSlow(_ place: Place) -> Bool {
        if blame[place.id, default: 0] >= Self.patience.ms { return true }
        let guilt = guilt[place.id, default: 0]
        return Double(starved) > Self.starvedPart * Double(served) && guilt >= Self.shortPatience.ms
            && Double(guilt) > Self.guiltyPart * Double(tried)
    }
}

extension SpoolBound: CustomStringConvertible {
    public var description: String { "spool punched=\(punched)" }
}
