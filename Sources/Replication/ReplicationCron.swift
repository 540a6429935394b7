// SPDX-License-Identifier: BSD-3-Clause
//
// What replication owes once a second, in Redis's order. The facts come in, the duties go out; the
// machines of the link and of the sessions decide their own timeouts in their `tick`.

public struct ReplicationCron: Equatable, Sendable {
    /// Both sides as they are now.
    public struct Facts: Equatable, Sendable {
        public var isReplica = false
        /// The link to our master is up and speaks PSYNC.
        public var acknowledges = false
        /// The link to our master is up.
        public var masterLinkUp = false
        /// Replicas in any state.
        public var replicas = 0
        public var onlineReplicas = 0
        public var backlogIsActive = false
        /// Since when there is no replica; nil while there is one.
        public var withoutReplicasSince: Instant?
        /// repl-backlog-ttl in seconds; 0: never released.
        public var backlogTTL = 3600
        /// repl-ping-replica-period in seconds.
        public var pingPeriod = 10
        /// Clients are paused for a failover: the stream must stand still.
        public var pausedForFailover = false
        /// An AOF is written, which needs the scripts as well.
        public var appendOnly = false
        /// The script cache holds something.
        public var scriptsCached = false
        /// rdb-del-sync-files, and no save points, and no AOF.
        public var deletesSyncFiles = false
        /// Our RDB file was made by or for a sync only.
        public var rdbIsFromSync = false
        /// Replicas that a sync still reads that file for.
        public var syncing = 0
        /// A snapshot child that only served replicas runs, and none of them is left.
        public var childIsIdle = false

        public init() {}
    }

    public enum Duty: Equatable, Sendable {
        /// `link.tick`: attempts to connect, timeouts.
        case tickLink
        case sendAck
        case pingReplicas
        /// `session.tick` of each replica: newlines before the snapshot, timeouts.
        case tickSessions
        /// A newline to each online sub-replica, out of band: our own link is down, they get no PING.
        case newlineToSubReplicas
        /// Take a new replication id, clear the second one, free the backlog.
        case releaseBacklog(LogLine)
        case flushScriptCache
        /// `planner.due`.
        case planSnapshot
        case removeSyncFile
        case refreshGoodReplicas
        case endIdleChild
    }

    /// Ticks so far; PINGs are counted in them.
    public private(set) var ticks = 0

    public init() {}

    public mutating func tick(_ facts: Facts, at now: Instant) -> [Duty] {
        var duties: [Duty] = []
        if facts.isReplica { duties.append(.tickLink) }
        if facts.acknowledges { duties.append(.sendAck) }
        let pings = ticks % max(1, facts.pingPeriod) == 0
        if !facts.isReplica && facts.replicas > 0 && pings && !facts.pausedForFailover {
            duties.append(.pingReplicas)
        }
        if facts.replicas > 0 { duties.append(.tickSessions) }
        if facts.isReplica && !facts.masterLinkUp && facts.onlineReplicas > 0 {
            duties.append(.newlineToSubReplicas)
        }
        if let line = release(facts, at: now) { duties.append(.releaseBacklog(line)) }
        if facts.replicas == 0 && !facts.appendOnly && facts.scriptsCached {
            duties.append(.flushScriptCache)
        }
        if facts.childIsIdle { duties.append(.endIdleChild) }
        duties.append(.planSnapshot)
        if facts.deletesSyncFiles && facts.rdbIsFromSync && facts.syncing == 0 {
            duties.append(.removeSyncFile)
        }
        duties.append(.refreshGoodReplicas)
        ticks += 1
        return duties
    }

    /// Without replicas the backlog is given up after its time to live, on masters only, and with a
    /// new id: writes are no longer counted then, so the old id and an offset would lie about the
    /// data (a promoted sibling could be continued into something else).
    private func release(_ facts: Facts, at now: Instant) -> LogLine? {
        guard !facts.isReplica, facts.replicas == 0, facts.backlogIsActive, facts.backlogTTL > 0,
            let since = facts.withoutReplicasSince, now - since > .seconds(facts.backlogTTL)
        else { return nil }
        return LogLine(
            .notice,
            "Replication backlog freed after \(facts.backlogTTL) seconds without connected replicas."
        )
    }
}

extension ReplicationCron: CustomStringConvertible {
    public var description: String { "cron ticks=\(ticks)" }
}
