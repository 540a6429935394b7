// SPDX-License-Identifier: BSD-3-Clause
//
// Where replication meets the rest of the server: what clients, keys and dispatch ask of it.

import Configuration
import Keyspace
import Memory

extension Server {
    /// This server follows a master.
    public var isReplica: Bool { false }
    /// A replica that ordinary clients may not write to.
    var isReadOnlyReplica: Bool { isReplica && config.replicaReadOnly }
    /// The link is down and stale data must not be served.
    var isStale: Bool { false }
    /// Too few good replicas for a write (min-replicas-to-write).
    func replicaCountRefusal() -> String? { nil }
    /// Writers are paused for a failover: nothing may be deleted by expiry.
    var isPausedForFailover: Bool { false }

    /// The master's request was applied: offset, sub-replicas, backlog.
    func masterApplied(_ client: Client, _ bytes: Bytes) {}
    /// A command of the master's wrote a reply, which it must not get; an error is worth a line.
    func masterWasReplied(_ client: Client) {}
    func masterProtocolError(_ client: Client) {}
    /// A replica sent an empty line.
    func replicaGaveSign(_ client: Client) {}
    /// Writes more of the snapshot or the stream to a replica; false when it was freed.
    func feedReplica(_ client: Client) -> Bool { true }
    /// A lost master is kept as the cached one; true when the caller has nothing left to do.
    func cacheMaster(_ client: Client) -> Bool { false }

    /// Who takes write commands now.
    func activeSinks(replicas: Bool, aof: Bool) -> [any CommandSink] { [] }

    /// The stream's position for a snapshot's own fields; nil where there is none.
    func snapshotReplication() -> SnapshotInfo.Replication? { nil }
    /// Takes over id and offset from the snapshot that was loaded at start-up.
    func restoreReplication(_ summary: LoadSummary) {}
    /// Follows the configured master, once the data is loaded.
    func beginReplication() {}
    /// A child ended: replicas that waited for it, or for its place, are served.
    func childEnded(_ job: Persistence.Job) {}
    /// Gives replicas what is left of the stream, before the end.
    func flushReplicas() {}
}
