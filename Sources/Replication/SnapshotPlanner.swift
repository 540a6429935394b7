// SPDX-License-Identifier: BSD-3-Clause
//
// When a snapshot for replicas starts, where it goes, and who is in it. Pure functions over a
// summary of who waits and which child runs; the shell forks.

public struct SnapshotPlanner: Equatable, Sendable {
    /// repl-spool: how a diskless snapshot gets from the child to the sockets.
    public enum Spool: Equatable, Sendable { case no, memory, disk }

    public struct Settings: Equatable, Sendable {
        /// repl-diskless-sync.
        public var diskless = false
        /// repl-diskless-sync-delay, in seconds: gathers replicas for one snapshot.
        public var delay = 5
        /// repl-diskless-sync-max-replicas: so many don't wait out the delay; 0: they do.
        public var maxReplicas = 0
        /// repl-max-concurrent-syncs: so many full syncs at once, the rest queue; 0: no limit.
        public var maxConcurrent = 0
        public var spool = Spool.no

        public init() {}
    }

    /// The child that runs, as far as replicas are concerned.
    public enum Child: Equatable, Sendable {
        case none
        /// A snapshot to disk. `leader` is a replica that waits for its end, with what it can read
        /// and the stream position of its data; nil when nobody does (BGSAVE, a save point).
        case disk(leader: Leader?)
        /// A snapshot to sockets; nobody can join it.
        case socket
        /// A spooled snapshot. It can be joined while its beginning and the stream since are held.
        case spool(offset: Int64, joinable: Bool)
        /// An AOF rewrite: no second child beside it.
        case other
    }

    public struct Leader: Equatable, Sendable {
        public var capabilities: Capabilities
        public var offset: Int64

        public init(capabilities: Capabilities, offset: Int64) {
            self.capabilities = capabilities
            self.offset = offset
        }
    }

    /// One that waits for a snapshot to begin; `id` is the shell's.
    public struct Waiting: Equatable, Sendable {
        public var id: Int
        public var since: Instant
        public var capabilities: Capabilities

        public init(id: Int, since: Instant, capabilities: Capabilities) {
            self.id = id
            self.since = since
            self.capabilities = capabilities
        }
    }

    /// What becomes of a replica that has just asked for a full sync.
    public enum Arrival: Equatable, Sendable {
        /// It shares the running snapshot, which has the data up to `offset`.
        case join(ReplicaSession.Target, offset: Int64, LogLine)
        case wait(LogLine)
        /// Ask `due` at once.
        case start
    }

    public struct Start: Equatable, Sendable {
        public var target: ReplicaSession.Target
        /// Whom it is for, longest wait first.
        public var replicas: [Int]
        public var log: LogLine
    }

    public var settings: Settings

    public init(settings: Settings = Settings()) { self.settings = settings }

    /// `syncing` is how many full syncs run now.
    public func arrived(
        _ capabilities: Capabilities, child: Child, syncing: Int
    ) -> Arrival {
        if settings.maxConcurrent > 0 && syncing >= settings.maxConcurrent {
            return .wait(
                LogLine(
                    .notice,
                    "\(syncing) full syncs run, repl-max-concurrent-syncs is "
                        + "\(settings.maxConcurrent). Waiting for the end of one"))
        }
        switch child {
        case .disk(let leader):
            // What was agreed with the one who waits must suit the newcomer: it must be able to do
            // all that the other can.
            if let leader, leader.capabilities.isSubset(of: capabilities) {
                let log = LogLine(.notice, "Waiting for end of BGSAVE for SYNC")
                return .join(.disk, offset: leader.offset, log)
            }
            return .wait(
                LogLine(
                    .notice,
                    "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for "
                        + "SYNC"))
        case .spool(let offset, let joinable) where joinable && capabilities.contains(.eof):
            let text = "Joining the running snapshot from its beginning"
            return .join(.spool, offset: offset, LogLine(.notice, text))
        case .socket, .spool:
            return .wait(
                LogLine(
                    .notice,
                    "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC"))
        case .none:
            if settings.diskless && capabilities.contains(.eof) && settings.delay > 0 {
                return .wait(LogLine(.notice, "Delay next BGSAVE for diskless SYNC"))
            }
            return .start
        case .other:
            return .wait(
                LogLine(
                    .notice,
                    "No BGSAVE in progress, but another BG operation is active. BGSAVE for "
                        + "replication delayed"))
        }
    }

    /// The snapshot that shall start now, if any. Asked each second, at an arrival that says
    /// `start`, and when a child ends.
    public func due(_ waiting: [Waiting], child: Child, syncing: Int, at now: Instant) -> Start? {
        guard child == .none, !waiting.isEmpty else { return nil }
        var order = waiting.sorted { $0.since < $1.since }
        if settings.maxConcurrent > 0 {
            order = Array(order.prefix(max(0, settings.maxConcurrent - syncing)))
        }
        guard let first = order.first else { return nil }
        let target = self.target(order)
        if target != .disk && settings.delay > 0 {
            let waited = now - first.since > .seconds(settings.delay)
            let enough = settings.maxReplicas > 0 && order.count >= settings.maxReplicas
            guard waited || enough else { return nil }
        }
        let name = target == .disk ? "disk" : "replicas sockets"
        return Start(
            target: target, replicas: order.map(\.id),
            log: LogLine(.notice, "Starting BGSAVE for SYNC with target: \(name)"))
    }

    /// Sockets only when that is wished and everyone can read a transfer of unknown length.
    public func target(_ waiting: [Waiting]) -> ReplicaSession.Target {
        let least = waiting.reduce(Capabilities(rawValue: -1)) {
            $0.intersection($1.capabilities)
        }
        guard settings.diskless && least.contains(.eof) else { return .disk }
        switch settings.spool {
        case .no: return .socket
        case .memory, .disk: return .spool
        }
    }

    /// Places in the queue, from 1, in the order in which they will be served.
    public func places(_ waiting: [Waiting]) -> [(id: Int, place: Int)] {
        waiting.sorted { $0.since < $1.since }.enumerated().map { ($1.id, $0 + 1) }
    }

    /// A snapshot child that nobody waits for any more. A file on disk is of use without replicas as
    /// well, when there are save points.
    public func isIdle(child: Child, served: Int, savePoints: Bool) -> Bool {
        switch child {
        case .none, .other: return false
        case .disk: return served == 0 && !savePoints
        case .socket, .spool: return served == 0
        }
    }
}
