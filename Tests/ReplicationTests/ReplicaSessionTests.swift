// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Replication

enum SessionEvent: Sendable, Equatable {
    case wait(old: Bool)
    case continued
    case started(ReplicaSession.Target)
    case refused
    case ended(Int64?)
    case sent(Int64)
    case ack(Int64)
    case tick
    /// The same while nothing lies ready for it.
    case idleTick
    case onlySnapshot
}

extension ReplicaSession {
    mutating func handle(_ event: SessionEvent, at now: Instant) -> [Action] {
        switch event {
        case .wait(let old):
            waitForSnapshot(old: old, at: now)
            return []
        case .continued: return continued(at: now)
        case .started(let target): return snapshotStarted(target, id: idA, offset: 5, at: now)
        case .refused: return snapshotRefused()
        case .ended(let size): return snapshotEnded(size: size, at: now)
        case .sent(let n): return sent(n, at: now)
        case .ack(let offset): return acknowledged(offset, end: 100, at: now)
        case .tick: return tick(timeout: .seconds(60), owed: true, at: now)
        case .idleTick: return tick(timeout: .seconds(60), owed: false, at: now)
        case .onlySnapshot:
            isSnapshotOnly = true
            return []
        }
    }
}

@Suite struct ReplicaSessionTests {
    typealias Act = ReplicaSession.Action
    struct Step: Sendable {
        var event: SessionEvent
        var actions: [Act]
        var at: Double?
    }
    struct Story: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var steps: [Step]
        var ends: String
    }

    static func step(_ event: SessionEvent, _ actions: Act..., at: Double? = nil) -> Step {
        Step(event: event, actions: actions, at: at)
    }
    static let granted = Act.sendFullResync(idA, offset: 5)
    static let done = Act.notice("Synchronization with replica r succeeded")
    static let handed = Act.notice(
        "Streamed RDB transfer with replica r succeeded (socket). Waiting for REPLCONF ACK from "
            + "slave to enable streaming")
    static let onlySnapshot = Act.notice(
        "RDB transfer completed, rdb only replica (r) should be disconnected asap")
    static func timedOut(_ phase: String) -> Act {
        .warning("Disconnecting timedout replica (\(phase)): r")
    }

    static let table: [Story] = [
        Story(
            testDescription: "from a file",
            steps: [
                step(.wait(old: false)), step(.tick, .sendNewline), step(.started(.disk), granted),
                step(.tick, .sendNewline), step(.ended(10), .sendFile(size: 10)), step(.sent(9)),
                step(.tick), step(.sent(1), .goOnline, done), step(.ack(7)),
            ], ends: "online offset=7 r"),
        Story(
            testDescription: "from a socket child, online at the first ACK",
            steps: [
                step(.wait(old: false)), step(.started(.socket), granted), step(.tick),
                step(.sent(9)), step(.ended(10)), step(.sent(1), handed), step(.tick),
                step(.ack(5), .goOnline, done),
            ], ends: "online offset=5 r"),
        Story(
            testDescription: "a spool's last byte may have gone before the child's end is known",
            steps: [
                step(.wait(old: false)), step(.started(.spool), granted), step(.sent(10)),
                step(.ended(10), handed),
            ], ends: "awaiting_ack since=0ms r"),
        Story(
            testDescription: "an old SYNC client gets no line and owes no ACK",
            steps: [
                step(.wait(old: true)), step(.started(.disk), .placeCursor(offset: 5)),
                step(.ended(1), .sendFile(size: 1)), step(.sent(1), .goOnline, done),
                step(.tick, at: 1000),
            ], ends: "online offset=0 r"),
        Story(
            testDescription: "a child that fails",
            steps: [
                step(.wait(old: false)), step(.started(.disk), granted),
                step(.ended(nil), .warning("SYNC failed. BGSAVE child returned an error"), .close),
            ], ends: "wait_bgsave_end offset=5 r"),
        Story(
            testDescription: "a child that can't be started",
            steps: [
                step(.wait(old: false)),
                step(
                    .refused, .closeWithError("-ERR BGSAVE failed, replication can't continue\r\n")),
            ], ends: "idle r"),
        Story(
            testDescription: "one that stalls in the middle of the file",
            steps: [
                step(.wait(old: false)), step(.started(.disk), granted),
                step(.ended(10), .sendFile(size: 10), at: 5), step(.sent(1), at: 6),
                step(.tick, at: 66), step(.tick, timedOut("full sync"), .close, at: 66.1),
            ], ends: "send_bulk sent=1/10 r"),
        Story(
            testDescription: "one that stalls in the middle of a socket sync",
            steps: [
                step(.wait(old: false)), step(.started(.socket), granted), step(.idleTick, at: 100),
                step(.sent(1), at: 101), step(.tick, at: 161),
                step(.tick, timedOut("full sync"), .close, at: 162),
            ], ends: "streaming target=socket sent=1/? r"),
        Story(
            testDescription: "one that takes nothing of a socket sync, not even its beginning",
            steps: [
                step(.wait(old: false)), step(.started(.socket), granted), step(.tick, at: 60),
                step(.tick, timedOut("full sync"), .close, at: 61),
            ], ends: "streaming target=socket sent=0/? r"),
        Story(
            testDescription: "one that has taken all there is, while the child is silent",
            steps: [
                step(.wait(old: false)), step(.started(.spool), granted), step(.sent(5)),
                step(.idleTick, at: 59), step(.idleTick, at: 500), step(.tick, at: 560),
                step(.tick, timedOut("full sync"), .close, at: 561),
            ], ends: "streaming target=spool sent=5/? r"),
        Story(
            testDescription: "one that wants no stream, from a file",
            steps: [
                step(.onlySnapshot), step(.wait(old: false)), step(.started(.disk), granted),
                step(.ended(10), .sendFile(size: 10)), step(.sent(10), onlySnapshot, .close),
            ], ends: "idle r"),
        Story(
            testDescription: "one that wants no stream, from a spool",
            steps: [
                step(.onlySnapshot), step(.wait(old: false)), step(.started(.spool), granted),
                step(.ended(10)), step(.sent(10), onlySnapshot, .close),
            ], ends: "idle r"),
        Story(
            testDescription: "one that never acknowledges a socket sync",
            steps: [
                step(.wait(old: false)), step(.started(.socket), granted), step(.sent(1)),
                step(.ended(1), handed), step(.tick, timedOut("full sync"), .close, at: 61),
            ], ends: "awaiting_ack since=0ms r"),
        Story(
            testDescription: "a silent one, after a partial resync",
            steps: [
                step(.continued, .goOnline), step(.ack(3), at: 5), step(.tick, at: 65),
                step(.tick, timedOut("streaming sync"), .close, at: 65.1),
            ], ends: "online offset=3 r"),
        Story(
            testDescription: "an ACK from the future",
            steps: [
                step(.continued, .goOnline),
                step(
                    .ack(101),
                    .warning(
                        "Replica r acknowledged offset 101, our stream ends at 100: disconnecting it"
                    ),
                    .close),
            ], ends: "online offset=0 r"),
    ]

    @Test(arguments: table) func stories(story: Story) {
        var session = ReplicaSession(name: "r", at: at(0))
        session.capabilities = [.eof, .psync2]
        var now = 0.0
        for (i, step) in story.steps.enumerated() {
            now = step.at ?? now
            #expect(session.handle(step.event, at: at(now)) == step.actions, "step \(i)")
        }
        #expect(session.description == story.ends)
    }

    @Test func lagAndGoodness() {
        var session = ReplicaSession(name: "r", at: at(0))
        #expect(session.lag(at: at(9)) == 0 && !session.isGood(maxLag: 10, at: at(0)))
        _ = session.continued(at: at(0))
        #expect(session.lag(at: at(10.9)) == 10 && session.isGood(maxLag: 10, at: at(10.9)))
        #expect(!session.isGood(maxLag: 10, at: at(11)))
    }

    @Test(arguments: 0..<50) func anyOrderOfEvents(seed: Int) {
        var random = Seeded(state: UInt64(seed))
        var session = ReplicaSession(name: "r", at: at(0))
        var now = at(0)
        for _ in 0..<300 {
            let events: [SessionEvent] = [
                .wait(old: Bool.random(using: &random)), .continued, .started(.disk),
                .started(.socket), .started(.spool), .refused, .ended(nil), .ended(10), .sent(3),
                .sent(3), .ack(4), .tick, .idleTick,
            ]
            now = now + Duration_ms(ms: Int64.random(in: 0...2000, using: &random))
            let before = session
            let event = events[Int.random(in: 0..<events.count, using: &random)]
            let actions = session.handle(event, at: now)
            if actions.contains(.goOnline) { #expect(session.isOnline, "seed \(seed)") }
            if session.isOnline && !before.isOnline { #expect(actions.contains(.goOnline)) }
            #expect(
                (session.waitingSince != nil)
                    == (session.description.hasPrefix("wait_bgsave_start")))
        }
    }
}
