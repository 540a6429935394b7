// SPDX-License-Identifier: BSD-3-Clause
//
// Our side as a replica: from REPLICAOF to the stream, and back to it after every fault.
//
//   none ──follow──► connect ──due──► connecting ──► handshake(pong, auth, port, ip, capa, psync)
//     ▲                 ▲                                │ +CONTINUE        │ +FULLRESYNC, SYNC
//     └────promote──────┼─── any fault, with a delay ────┤                  ▼
//                       │                                │     transfer(header, receiving, loading)
//                       └────── link lost ◄── connected ◄┴──────────────────┘
//
// One command is in flight at a time. Every line of the peer is untrusted: one out of turn drops the
// link by name and we try again. The old data set is kept until the new one has arrived.

/// A value: events in, actions out, no sockets and no clock. `deadline` says when `tick` is due.
public struct ReplicaLink: Equatable, Sendable {
    public struct Master: Hashable, Sendable, CustomStringConvertible {
        public var host: String
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        public var description: String { "\(host):\(port)" }
    }

    /// What the configuration says; the shell sets it whenever it changes.
    public struct Settings: Equatable, Sendable {
        public var user: String?
        public var password: String?
        /// replica-announce-port, else the TLS port with tls-replication, else the port.
        public var announcedPort = 6379
        public var announcedIP: String?
        /// repl-timeout.
        public var timeout = Duration_ms.seconds(60)
        public var disklessLoad = DisklessLoad.disabled

        public init() {}
    }

    /// repl-diskless-load.
    public enum DisklessLoad: Equatable, Sendable { case disabled, onEmptyDB, swapDB }

    /// A state of the data that we could be continued from: kept when the link to a master is lost.
    public struct CachedMaster: Equatable, Sendable {
        public var id: ReplicationID
        public var offset: Int64
        /// The db the stream had selected, -1 when unknown.
        public var db: Int

        public init(id: ReplicationID, offset: Int64, db: Int) {
            self.id = id
            self.offset = offset
            self.db = db
        }
    }

    public enum Step: Equatable, Sendable {
        case pong, auth, port, ip, capa
        /// PSYNC is sent; what was asked.
        case psync(CachedMaster?)
    }

    public struct Transfer: Equatable, Sendable {
        public enum Size: Equatable, Sendable {
            case bytes(Int64)
            case mark(String)
        }
        public enum Phase: Equatable, Sendable {
            /// Waiting for `$<size>` or `$EOF:<mark>`.
            case header
            /// Bytes come in and go into a file.
            case receiving(Size)
            /// Bytes come in and are parsed at once, by the loader.
            case parsing(Size)
            /// The file is complete and is being loaded.
            case loading
        }
        /// The history we will have after it; nil after a plain SYNC.
        public var history: CachedMaster?
        public var phase = Phase.header
        public var read: Int64 = 0
        /// How fast the body comes.
        public var meter = RateMeter()
        public var lastIO: Instant
        /// The last newline sent to the master while loading.
        var newline: Instant
    }

    public enum State: Equatable, Sendable {
        /// We are a master.
        case none
        /// REPL_STATE_CONNECT: the next attempt is due at `at`.
        case connect(at: Instant)
        case connecting(since: Instant)
        case handshake(Step, since: Instant)
        case transfer(Transfer)
        /// The stream runs. A master that knows no PSYNC gets no ACKs and is never cached.
        case connected(since: Instant, lastIO: Instant, psync: Bool)
    }

    public enum Command: Equatable, Sendable {
        case ping
        case auth(user: String?, password: String)
        case listeningPort(Int)
        case ipAddress(String)
        case capabilities
        /// `PSYNC id offset [FAILOVER]`; "?" and -1 ask for a full sync.
        case psync(id: String, offset: Int64, failover: Bool)
        case sync
    }

    public enum Action: Equatable, Sendable {
        /// Open a non-blocking connection. Answer: `connected` or `connectFailed`.
        case connect(Master)
        case send(Command)
        /// Close the connection and forget what it still holds.
        case close
        /// Make ready for the body: a temp file, or the loader when `parse`.
        case startTransfer(Transfer.Size, parse: Bool)
        /// Remove the temp file, stop the loader; the data set is as it was.
        case abortTransfer
        /// The body is complete: load it. Answer: `loaded` or `loadFailed`.
        case load
        /// The new data set is in place: take the master's id and offset (nil: a new id of our own),
        /// drop the sub-replicas, begin the backlog anew, read the stream.
        case adopt(CachedMaster?)
        /// +CONTINUE: go on reading the stream at this state; nothing else changes.
        case resume(CachedMaster)
        /// The master has a new id; ours becomes the second one. Sub-replicas must ask again.
        case rename(ReplicationID)
        case sendAck
        case sendNewline
        /// The failover we asked our target to take part in was accepted or refused.
        case failoverAnswered(accepted: Bool)
        case log(LogLine)

        static func notice(_ text: String) -> Action { .log(LogLine(.notice, text)) }
        static func warning(_ text: String) -> Action { .log(LogLine(.warning, text)) }
    }

    public var settings: Settings
    public private(set) var master: Master?
    public internal(set) var state: State = .none
    /// What the next PSYNC will ask for.
    public internal(set) var cached: CachedMaster?
    /// When the link was lost; INFO's master_link_down_since_seconds. Nil while it is up, and before
    /// it was for the first time.
    public internal(set) var downSince: Instant?
    /// Full syncs that failed in a row: the delay before the next grows with them.
    public internal(set) var failures = 0
    /// The next PSYNC carries FAILOVER.
    public internal(set) var failover = false

    public init(settings: Settings = Settings()) { self.settings = settings }

    // MARK: Orders

    /// REPLICAOF host port: leave what was, connect at once. `own` is our own state when we were a
    /// master, so that we can be continued if the new master knows it; `position` is where we stand
    /// in the old master's stream if the link to it was up.
    public mutating func follow(
        _ next: Master, own: CachedMaster?, position: CachedMaster?, failover: Bool = false,
        at now: Instant
    ) -> [Action] {
        var actions: [Action] = []
        switch state {
        case .none:
            cached = own
            if own != nil { actions.append(Self.synthesized) }
        case .connect: break
        case .connecting, .handshake: actions.append(.close)
        case .transfer: actions += [.close, .abortTransfer]
        case .connected(_, _, let psync):
            cached = psync ? position : nil
            if cached != nil { actions.append(.notice("Caching the disconnected master state.")) }
            actions.append(.close)
            downSince = now
        }
        master = next
        self.failover = failover
        failures = 0
        state = .connect(at: now)
        return actions + tick(at: now)
    }

    /// REPLICAOF NO ONE. The shell shifts the id, keeps the backlog and its sub-replicas.
    public mutating func promote() -> [Action] {
        var actions: [Action] = []
        switch state {
        case .none: return []
        case .connect: break
        case .connecting, .handshake, .connected: actions.append(.close)
        case .transfer: actions += [.close, .abortTransfer]
        }
        if cached != nil { actions.append(.notice("Discarding previously cached master state.")) }
        cached = nil
        master = nil
        failover = false
        downSince = nil
        failures = 0
        state = .none
        return actions
    }

    /// At start-up with `replicaof` in the configuration: `restored` comes from the RDB's own fields.
    public mutating func start(_ next: Master, restored: CachedMaster?, at now: Instant) -> [Action]
    {
        master = next
        cached = restored
        state = .connect(at: now)
        return (restored == nil ? [] : [Self.synthesized]) + tick(at: now)
    }

    private static let synthesized = Action.notice(
        "Before turning into a replica, using my own master parameters to synthesize a cached master: "
            + "I may be able to synchronize with the new master with just a partial transfer.")

    // MARK: Faults

    /// Wait and connect again. `delay` nil: as long as the failed syncs in a row ask for.
    mutating func retry(after delay: Duration_ms?, at now: Instant, _ actions: [Action]) -> [Action]
    {
        state = .connect(at: now + (delay ?? backoff))
        return actions
    }

    /// 1 s, 2 s, 4 s … 60 s.
    var backoff: Duration_ms { .seconds(min(60, 1 << min(max(failures - 1, 0), 6))) }

    /// A full sync came to nothing.
    mutating func syncFailed(_ line: LogLine?, at now: Instant) -> [Action] {
        failures += 1
        var actions = line.map { [Action.log($0)] } ?? []
        actions += [.close, .abortTransfer]
        return retry(after: nil, at: now, actions)
    }

    /// The other end closed, or a read or write failed. `position` is where we stand in the stream,
    /// nil when that can't be trusted any more (a protocol error).
    public mutating func linkLost(
        _ reason: String, position: CachedMaster?, at now: Instant
    ) -> [Action] {
        switch state {
        case .none, .connect: return []
        case .connecting: return connectFailed(reason, at: now)
        case .handshake(let step, _): return handshakeLost(step, reason, at: now)
        case .transfer(let transfer): return transferLost(transfer, reason, at: now)
        case .connected(let since, _, let psync):
            var actions: [Action] = [.warning("Connection with master lost."), .close]
            cached = psync ? position : nil
            if cached != nil { actions.append(.notice("Caching the disconnected master state.")) }
            downSince = now
            // At once, but a master that throws us out again and again is asked once a second.
            let quick = now - since < .seconds(1)
            return retry(after: .seconds(quick ? 1 : 0), at: now, actions)
        }
    }

    // MARK: Time

    /// When `tick` has something to do; nil: never, in this state.
    public var deadline: Instant? {
        switch state {
        case .none: return nil
        case .connect(let at): return at
        case .connecting(let since), .handshake(_, let since): return since + settings.timeout
        case .transfer(let transfer):
            if transfer.phase == .loading { return transfer.newline + .seconds(1) }
            return transfer.lastIO + settings.timeout
        case .connected(_, let lastIO, _): return lastIO + settings.timeout
        }
    }

    /// What is due now: an attempt to connect, a timeout, a newline while we load. Harmless when
    /// nothing is. `position` as in `linkLost`.
    public mutating func tick(position: CachedMaster? = nil, at now: Instant) -> [Action] {
        guard let deadline, now >= deadline, let master else { return [] }
        switch state {
        case .none: return []
        case .connect:
            state = .connecting(since: now)
            return [
                .notice("Connecting to MASTER \(master)"), .connect(master),
                .notice("MASTER <-> REPLICA sync started"),
            ]
        case .connecting, .handshake:
            return retry(
                after: .seconds(1), at: now,
                [.warning("Timeout connecting to the MASTER..."), .close])
        case .transfer(var transfer):
            if transfer.phase == .loading {
                transfer.newline = now
                state = .transfer(transfer)
                return [.sendNewline]
            }
            return syncFailed(
                LogLine(
                    .warning,
                    "Timeout receiving bulk data from MASTER... If the problem persists try to set "
                        + "the 'repl-timeout' parameter in redis.conf to a larger value."), at: now)
        case .connected:
            let timeout = Action.warning("MASTER timeout: no data nor PING received...")
            return [timeout] + linkLost("timeout", position: position, at: now)
        }
    }

    /// Bytes of the stream have come.
    public mutating func streamed(at now: Instant) {
        switch state {
        case .connected(let since, _, let psync):
            state = .connected(since: since, lastIO: now, psync: psync)
        case .none, .connect, .connecting, .handshake, .transfer: break
        }
    }

    // MARK: What INFO and ROLE ask

    public var isReplica: Bool { master != nil }

    public var isConnected: Bool {
        switch state {
        case .connected: return true
        case .none, .connect, .connecting, .handshake, .transfer: return false
        }
    }

    public var transfer: Transfer? {
        switch state {
        case .transfer(let transfer): return transfer
        case .none, .connect, .connecting, .handshake, .connected: return nil
        }
    }

    /// The state's name in ROLE.
    public var role: String {
        switch state {
        case .none: return "none"
        case .connect: return "connect"
        case .connecting: return "connecting"
        case .handshake: return "handshake"
        case .transfer: return "sync"
        case .connected: return "connected"
        }
    }
}
