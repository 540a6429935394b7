// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Replication

/// What can happen to the link, as data.
enum LinkEvent: Sendable, Equatable {
    case follow(Int)
    case promote
    case connected, connectFailed
    case line(String)
    case bytes(Int64)
    case transferred, loaded, loadFailed
    case lost(ReplicaLink.CachedMaster?)
    case tick
}

typealias Act = ReplicaLink.Action

extension ReplicaLink {
    mutating func handle(_ event: LinkEvent, at now: Instant) -> [Action] {
        switch event {
        case .follow(let port):
            return follow(Master(host: "m", port: port), own: nil, position: nil, at: now)
        case .promote: return promote()
        case .connected: return connected(at: now)
        case .connectFailed: return connectFailed("Connection refused", at: now)
        case .line(let line): return received(line: line, at: now)
        case .bytes(let n):
            received(bytes: n, at: now)
            return []
        case .transferred: return transferred(at: now)
        case .loaded: return loaded(db: 3, at: now)
        case .loadFailed: return loadFailed("bad RDB", at: now)
        case .lost(let position): return linkLost("reset", position: position, at: now)
        case .tick: return tick(at: now)
        }
    }
}

let stateA = ReplicaLink.CachedMaster(id: idA, offset: 500, db: 0)

@Suite struct ReplicaLinkTests {
    struct Step: Sendable {
        var event: LinkEvent
        var actions: [Act]
        var at: Double?
    }

    struct Story: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var settings = ReplicaLink.Settings()
        var steps: [Step]
        /// The one-line description at the end.
        var ends: String
    }

    static func step(_ event: LinkEvent, _ actions: Act..., at: Double? = nil) -> Step {
        Step(event: event, actions: actions, at: at)
    }

    static let master = ReplicaLink.Master(host: "m", port: 1)
    static let begin: [Step] = [
        step(
            .follow(1), .notice("Connecting to MASTER m:1"), .connect(master),
            .notice("MASTER <-> REPLICA sync started"), at: 10),
        step(
            .connected, .notice("Non blocking connect for SYNC fired the event."), .send(.ping)),
    ]
    static let pong = Act.notice("Master replied to PING, replication can continue...")
    static let ask: [Step] =
        begin + [
            step(.line("+PONG"), pong, .send(.listeningPort(6379))),
            step(.line("+OK"), .send(.capabilities)),
            step(
                .line("+OK"), .notice("Partial resynchronization not possible (no cached master)"),
                .send(.psync(id: "?", offset: -1, failover: false))),
        ]
    static let full: [Step] =
        ask + [
            step(.line("")),
            step(.line("+FULLRESYNC \(idA) 100"), .notice("Full resync from master: \(idA):100")),
            step(.line("")),
        ]
    static let body: [Step] =
        full + [
            step(
                .line("$30"),
                .notice("MASTER <-> REPLICA sync: receiving 30 bytes from master to disk"),
                .startTransfer(.bytes(30), parse: false)),
            step(.bytes(30)),
        ]
    static let history = ReplicaLink.CachedMaster(id: idA, offset: 100, db: 3)
    static let up: [Step] =
        body + [
            step(.transferred, .load),
            step(.tick, at: 10.5),
            step(.tick, .sendNewline, at: 11),
            step(
                .loaded, .adopt(history), .notice("MASTER <-> REPLICA sync: Finished with success"),
                .sendAck, at: 12),
        ]

    static func settings(_ change: (inout ReplicaLink.Settings) -> Void) -> ReplicaLink.Settings {
        var settings = ReplicaLink.Settings()
        change(&settings)
        return settings
    }

    static let reconnect: [Act] = [
        .notice("Connecting to MASTER m:1"), .connect(master),
        .notice("MASTER <-> REPLICA sync started"),
    ]

    static let wrongSyntax = "(expected +FULLRESYNC <40 characters> <offset up to 2^62>)"

    static let table: [Story] = [
        Story(
            testDescription: "a full sync to disk, from nothing to the stream", steps: up,
            ends: "connected last_io=12000ms psync=true master=m:1"),
        Story(
            testDescription: "a password and an announced address",
            settings: settings {
                $0.user = "u"
                $0.password = "p"
                $0.announcedIP = "1.2.3.4"
                $0.announcedPort = 7
            },
            steps: begin + [
                step(
                    .line("-NOAUTH Authentication required."), pong,
                    .send(.auth(user: "u", password: "p"))),
                step(.line("+OK"), .send(.listeningPort(7))),
                step(
                    .line("-ERR what"),
                    .notice(
                        "(Non critical) Master does not understand REPLCONF listening-port: -ERR what"
                    ),
                    .send(.ipAddress("1.2.3.4"))),
                step(.line("+OK"), .send(.capabilities)),
            ], ends: "handshake step=capa since=10000ms master=m:1"),
        Story(
            testDescription: "a wrong password",
            settings: settings { $0.password = "p" },
            steps: begin + [
                step(.line("+PONG"), pong, .send(.auth(user: nil, password: "p"))),
                step(
                    .line("-WRONGPASS"), .warning("Unable to AUTH to MASTER: -WRONGPASS"), .close),
            ], ends: "connect at=11000ms failures=0 master=m:1"),
        Story(
            testDescription: "a master that is loading is asked again in a second",
            steps: begin + [
                step(
                    .line("-LOADING Redis"),
                    .warning(
                        "Error reply to PING from master: '-LOADING Redis' (expected +PONG, or an error "
                            + "that asks for AUTH)"), .close),
                step(.tick, at: 10.9),
                Step(event: .tick, actions: reconnect, at: 11),
            ], ends: "connecting since=11000ms master=m:1"),
        Story(
            testDescription: "a refused connection is tried again in a second",
            steps: [
                begin[0],
                step(
                    .connectFailed,
                    .warning("Error condition on socket for SYNC: Connection refused"), .close),
            ], ends: "connect at=11000ms failures=0 master=m:1"),
        Story(
            testDescription: "no answer to the connection",
            steps: [
                begin[0], step(.tick, at: 69.9),
                step(.tick, .warning("Timeout connecting to the MASTER..."), .close, at: 70),
            ], ends: "connect at=71000ms failures=0 master=m:1"),
        Story(
            testDescription: "a master without a link of its own",
            steps: ask + [
                step(
                    .line("-NOMASTERLINK Can't"),
                    .notice(
                        "Master is currently unable to PSYNC but should be in the future: "
                            + "-NOMASTERLINK Can't"), .close)
            ], ends: "connect at=11000ms failures=0 master=m:1"),
        Story(
            testDescription: "a master without PSYNC is sent SYNC, gets no ACK and is not cached",
            steps: ask + [
                step(
                    .line("-ERR unknown command"),
                    .notice(
                        "Master does not support PSYNC or is in error state (reply: -ERR unknown "
                            + "command)"), .notice("Retrying with SYNC..."), .send(.sync)),
                step(
                    .line("$1"),
                    .notice("MASTER <-> REPLICA sync: receiving 1 bytes from master to disk"),
                    .startTransfer(.bytes(1), parse: false)),
                step(.transferred, .load),
                step(
                    .loaded, .adopt(nil), .notice("MASTER <-> REPLICA sync: Finished with success")),
                step(.lost(stateA), .warning("Connection with master lost."), .close, at: 20),
            ], ends: "connect at=20000ms failures=0 master=m:1"),
        Story(
            testDescription: "a full resync without an id is asked for again, not loaded",
            steps: ask + [
                step(
                    .line("+FULLRESYNC x"),
                    .warning(
                        "Master replied with wrong +FULLRESYNC syntax. The line was '+FULLRESYNC x' "
                            + wrongSyntax), .close)
            ], ends: "connect at=11000ms failures=1 master=m:1"),
        Story(
            testDescription: "an offset that sums would overflow with is asked for again",
            steps: ask + [
                step(
                    .line("+FULLRESYNC \(idA) 4611686018427387905"),
                    .warning(
                        "Master replied with wrong +FULLRESYNC syntax. The line was '+FULLRESYNC \(idA) "
                            + "4611686018427387905' " + wrongSyntax), .close)
            ], ends: "connect at=11000ms failures=1 master=m:1"),
        Story(
            testDescription: "what is no reply to PSYNC is told with what would be one",
            steps: ask + [
                step(
                    .line("HTTP/1.1 400"),
                    .warning(
                        "Unexpected reply to PSYNC from master: HTTP/1.1 400 (expected +FULLRESYNC <id> "
                            + "<offset>, or +CONTINUE)"), .notice("Retrying with SYNC..."),
                    .send(.sync))
            ], ends: "transfer phase=header read=0 history=unknown master=m:1"),
        Story(
            testDescription: "+CONTINUE to one who asked for everything is nonsense",
            steps: ask + [
                step(
                    .line("+CONTINUE"),
                    .warning(
                        "Unexpected reply to PSYNC from master: '+CONTINUE' to a request for a full "
                            + "resynchronization"), .close)
            ], ends: "connect at=11000ms failures=1 master=m:1"),
        Story(
            testDescription: "the master aborts, and the delays grow",
            steps: full + [
                step(
                    .line("-ERR no disk"),
                    .warning("MASTER aborted replication with an error: ERR no disk"), .close,
                    .abortTransfer)
            ]
                + begin.map {
                    Step(
                        event: $0.event == .follow(1) ? .tick : $0.event,
                        actions: $0.actions, at: 11)
                }
                + full.dropFirst(2) + [
                    step(
                        .line("HTTP/1.1"),
                        .warning(
                            "Bad protocol from MASTER, the first byte is not '$' (we received "
                                + "'HTTP/1.1'), are you sure the host and port are right? (expected "
                                + "$<bytes> or $EOF:<40 characters>)"), .close,
                        .abortTransfer)
                ], ends: "connect at=13000ms failures=2 master=m:1"),
        Story(
            testDescription: "a transfer that stands still",
            steps: body + [
                step(.tick, at: 69.9),
                step(
                    .tick,
                    .warning(
                        "Timeout receiving bulk data from MASTER... If the problem persists try to "
                            + "set the 'repl-timeout' parameter in redis.conf to a larger value."),
                    .close, .abortTransfer, at: 70),
            ], ends: "connect at=71000ms failures=1 master=m:1"),
        Story(
            testDescription: "a transfer that breaks",
            steps: full + [
                step(
                    .line("$30"),
                    .notice("MASTER <-> REPLICA sync: receiving 30 bytes from master to disk"),
                    .startTransfer(.bytes(30), parse: false)),
                step(.bytes(7)),
                step(
                    .lost(nil),
                    .warning("I/O error trying to sync with MASTER: reset (byte 7 of 30)"), .close,
                    .abortTransfer),
            ], ends: "connect at=11000ms failures=1 master=m:1"),
        Story(
            testDescription: "a corrupted RDB off the socket",
            settings: settings { $0.disklessLoad = .swapDB },
            steps: full + [
                step(
                    .line("$EOF:" + idC.text),
                    .notice(
                        "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to "
                            + "parser"), .startTransfer(.mark(idC.text), parse: true)),
                step(.loadFailed, .warning("bad RDB"), .close, .abortTransfer),
            ], ends: "connect at=11000ms failures=1 master=m:1"),
        Story(
            testDescription: "a lost link is continued",
            steps: up + [
                step(
                    .lost(stateA), .warning("Connection with master lost."), .close,
                    .notice("Caching the disconnected master state."), at: 20),
                Step(event: .tick, actions: reconnect, at: 20),
                begin[1],
                step(.line("+PONG"), pong, .send(.listeningPort(6379))),
                step(.line("+OK"), .send(.capabilities)),
                step(
                    .line("+OK"),
                    .notice("Trying a partial resynchronization (request \(idA):501)."),
                    .send(.psync(id: idA.text, offset: 501, failover: false))),
                step(
                    .line("+CONTINUE \(idB)"),
                    .notice("Successful partial resynchronization with master."),
                    .warning("Master replication ID changed to \(idB)"), .rename(idB),
                    .resume(ReplicaLink.CachedMaster(id: idB, offset: 500, db: 0)),
                    .notice(
                        "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization."),
                    .sendAck, at: 21),
            ], ends: "connected last_io=21000ms psync=true master=m:1"),
        Story(
            testDescription: "a silent master, and a stream we can't trust, are not cached",
            steps: up + [
                step(
                    .tick, .warning("MASTER timeout: no data nor PING received..."),
                    .warning("Connection with master lost."), .close, at: 72)
            ], ends: "connect at=72000ms failures=0 master=m:1"),
        Story(
            testDescription: "a master that throws us out at once is asked once a second",
            steps: up + [
                step(.lost(nil), .warning("Connection with master lost."), .close, at: 12.5)
            ], ends: "connect at=13500ms failures=0 master=m:1"),
        Story(
            testDescription: "another master in the middle of a transfer",
            steps: body + [
                Step(
                    event: .follow(2),
                    actions: [
                        .close, .abortTransfer, .notice("Connecting to MASTER m:2"),
                        .connect(ReplicaLink.Master(host: "m", port: 2)),
                        .notice("MASTER <-> REPLICA sync started"),
                    ], at: 30)
            ], ends: "connecting since=30000ms master=m:2"),
        Story(
            testDescription: "promotion in the middle of a load",
            steps: body + [
                step(.transferred, .load), step(.promote, .close, .abortTransfer), step(.loaded),
            ],
            ends: "none"),
    ]

    @Test(arguments: table) func stories(story: Story) {
        var link = ReplicaLink(settings: story.settings)
        var now = 0.0
        for (i, step) in story.steps.enumerated() {
            now = step.at ?? now
            let got = link.handle(step.event, at: at(now))
            #expect(got == step.actions, "step \(i): \(step.event)")
        }
        #expect(link.description == story.ends)
    }

    /// Before the first link nothing was lost.
    @Test func aLinkIsDownSinceItWasLost() {
        var link = ReplicaLink()
        for step in Self.up {
            _ = link.handle(step.event, at: at(step.at ?? 10))
            #expect(link.downSince == nil)
        }
        _ = link.handle(.lost(stateA), at: at(20))
        #expect(link.downSince == at(20))
        _ = link.handle(.connectFailed, at: at(21))
        #expect(link.downSince == at(20))
    }

    @Test func aDemotedMasterOffersItsOwnState() {
        var link = ReplicaLink()
        let actions = link.follow(Self.master, own: stateA, position: nil, at: at(1))
        #expect(link.cached == stateA && actions.count == 4)
        _ = link.promote()
        #expect(link.cached == nil && link.state == .none && link.master == nil)
    }

    @Test func aFailoverIsAskedForOnce() {
        var link = ReplicaLink()
        _ = link.follow(Self.master, own: stateA, position: nil, failover: true, at: at(1))
        for event in [LinkEvent.connected, .line("+PONG"), .line("+OK")] {
            _ = link.handle(event, at: at(1))
        }
        let asked = link.handle(.line("+OK"), at: at(1))
        #expect(asked.last == .send(.psync(id: idA.text, offset: 501, failover: true)))
        let refused = link.handle(.line("-ERR no"), at: at(1))
        #expect(refused.first == .failoverAnswered(accepted: false) && !link.failover)
    }

    /// Any order of events: no trap, at most one connection, a transfer is always ended, and a link
    /// that waits always has a deadline.
    @Test(arguments: 0..<200) func anyOrderOfEvents(seed: Int) {
        var random = Seeded(state: UInt64(seed))
        var link = ReplicaLink()
        link.settings.disklessLoad = seed % 2 == 0 ? .swapDB : .disabled
        var now = at(0)
        var isOpen = false
        var isTransferring = false
        let lines = [
            "+PONG", "+OK", "", "-ERR x", "-LOADING", "+FULLRESYNC \(idA) 5", "+CONTINUE",
            "+CONTINUE \(idB)", "$10", "$EOF:\(idC)", "-NOMASTERLINK", "garbage",
        ]
        for _ in 0..<400 {
            let events: [LinkEvent] = [
                .follow(1), .promote, .connected, .connected, .connectFailed, .bytes(3),
                .transferred, .loaded, .loadFailed, .lost(stateA), .lost(nil), .tick, .tick,
            ]
            let useLine = Int.random(in: 0..<3, using: &random) > 0
            let event =
                useLine
                ? LinkEvent.line(lines[Int.random(in: 0..<lines.count, using: &random)])
                : events[Int.random(in: 0..<events.count, using: &random)]
            now = now + Duration_ms(ms: Int64.random(in: 0...3000, using: &random))
            for action in link.handle(event, at: now) {
                switch action {
                case .connect:
                    #expect(!isOpen, "two connections, seed \(seed)")
                    isOpen = true
                case .close: isOpen = false
                case .send, .sendAck, .sendNewline:
                    #expect(isOpen, "a send into nowhere, seed \(seed)")
                case .startTransfer:
                    #expect(!isTransferring, "two transfers, seed \(seed)")
                    isTransferring = true
                case .abortTransfer: isTransferring = false
                case .adopt:
                    #expect(isTransferring, "adopted from nowhere, seed \(seed)")
                    isTransferring = false
                case .load: #expect(isTransferring)
                case .resume, .rename, .failoverAnswered, .log: break
                }
            }
            #expect((link.deadline == nil) == (link.state == .none), "seed \(seed)")
            #expect(!link.isConnected || link.downSince == nil, "seed \(seed)")
            #expect(!link.description.contains("\n"))
        }
    }
}
