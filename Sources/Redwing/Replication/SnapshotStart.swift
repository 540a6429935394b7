// SPDX-License-Identifier: BSD-3-Clause
//
// Starting snapshots for replicas: when the planner says so, in the form it says.

import Configuration
import Glibc
import Keyspace
import Memory
import Platform
import Replication
import Wing

extension ReplicationRoom {
    /// What a newcomer meets: the child that runs, or a spool that is still there.
    var child: SnapshotPlanner.Child {
        if let fullSync, !fullSync.isRunning, fullSync.isJoinable {
            return .spool(offset: fullSync.offset, joinable: true)
        }
        return runningChild
    }

    /// The child that runs, as the planner sees it.
    private var runningChild: SnapshotPlanner.Child {
        if let fullSync, fullSync.isRunning {
            switch fullSync.target {
            case .disk:
                // Only one who still waits for its end can share what it was granted.
                let leader = fullSync.members.lazy.compactMap { $0.attachments.replica }.first
                return .disk(
                    leader: leader.map {
                        SnapshotPlanner.Leader(
                            capabilities: $0.session.capabilities, offset: fullSync.offset)
                    })
            case .socket: return .socket
            case .spool: return .spool(offset: fullSync.offset, joinable: fullSync.isJoinable)
            }
        }
        switch server.persistence.job {
        case .saveToDisk: return .disk(leader: nil)
        case .sendToReplicas: return .socket
        case .rewriteAOF: return .other
        case nil: return server.persistence.load != nil ? .other : .none
        }
    }

    /// Those who wait for a snapshot to start.
    var queue: [SnapshotPlanner.Waiting] {
        replicas.compactMap { client in
            guard let peer = client.attachments.replica, let since = peer.session.waitingSince,
                !client.flags.contains(.closeSoon)
            else { return nil }
            return SnapshotPlanner.Waiting(
                id: Int(client.id), since: since, capabilities: peer.session.capabilities)
        }
    }

    /// Starts the snapshot that is due, if one is: each second, at an arrival, at a child's end.
    func startDueSnapshot() {
        joinSpool()
        guard
            let start = planner.due(queue, child: runningChild, syncing: syncing, at: Self.now)
        else { return }
        let clients = start.replicas.compactMap { server.clients[UInt64($0)] }
        log(start.log)
        // Pages of a pipe can't be handed to a session: it gets its bytes out of a spool.
        let copies = start.target == .socket && clients.contains { $0.transport != nil }
        let sync = FullSync(self, target: copies ? .spool : start.target, offset: stream.end)
        if let reason = fork(sync) {
            Log.warning("BGSAVE for replication failed: \(reason)")
            return refuseWaiting()
        }
        // The replicas of this snapshot begin in the middle of the stream: it must say its db again.
        feed.forgetDB()
        server.flushScriptCacheForReplication()
        fullSync = sync
        for client in clients { sync.join(client) }
        sync.forked(server.persistence.child, keys: server.persistence.keysAtStart)
        sync.serve()
    }

    /// All who wait, the queued ones as well, are told and let go: no replicas any more, they ask again.
    private func refuseWaiting() {
        for waiting in queue {
            guard let client = server.clients[UInt64(waiting.id)],
                let peer = client.attachments.replica
            else { continue }
            replicas.removeAll { $0 === client }
            perform(peer.session.snapshotRefused(), client, peer)
        }
        if replicas.isEmpty { withoutReplicasSince = Self.now }
    }

    /// Those in the queue whose turn has come share a spool that is still whole.
    private func joinSpool() {
        for waiting in queue.sorted(by: { $0.since < $1.since }) {
            let limit = planner.settings.maxConcurrent
            guard let fullSync, fullSync.isJoinable, limit == 0 || syncing < limit else { return }
            guard waiting.capabilities.contains(.eof),
                let client = server.clients[UInt64(waiting.id)]
            else { continue }
            fullSync.join(client)
            fullSync.serve()
        }
    }

    /// What the snapshot says of the stream; nil where the stream's db is not known: then what
    /// follows could not be applied behind it.
    var snapshotReplication: SnapshotInfo.Replication? {
        guard stream.isActive else { return nil }
        let db: Int
        if let master {
            db = master.database.index
        } else if link.isReplica {
            guard let cached = link.cached, cached.db >= 0 else { return nil }
            db = cached.db
        } else {
            db = max(0, feed.db)
        }
        return SnapshotInfo.Replication(streamDB: db, id: history.id.text, offset: stream.end)
    }

    /// Nil when the child runs, else why not.
    private func fork(_ sync: FullSync) -> String? {
        guard let position = snapshotReplication else {
            return
                "BGSAVE for replication: replication information not available, can't generate the RDB file right now. Try later."
        }
        switch sync.target {
        case .disk:
            return server.startBackgroundSave(replication: position) { [unowned self, sync] ok in
                fileEnded(sync, ok: ok)
            }
        case .spool:
            do {
                sync.file = try TransferCalls.makeSpool(onDisk: server.config.replSpool == .disk)
            } catch {
                return "\(error)"
            }
            guard let gate = SpoolGate(sync.file) else { return "no memory for the spool's gate" }
            sync.gate = gate
            return forkWriter(
                sync, keeping: sync.file, position, isWorthCompressing: { gate.isNarrow }
            ) { gate.writer($0) }
        case .socket:
            switch TransferCalls.pipe(size: 1 << 20) {
            case .failure(let error): return error.reason
            case .success(let (reading, writing)):
                let reason = forkWriter(sync, keeping: writing, position) {
                    RDBWriter.descriptor(writing, $0)
                }
                SystemCalls.close(writing)
                if reason == nil { sync.pipe = reading } else { SystemCalls.close(reading) }
                return reason
            }
        }
    }

    /// A child that writes plain RDB, through the writer that `open` makes for `fd`.
    private func forkWriter(
        _ sync: FullSync, keeping fd: Int32, _ position: SnapshotInfo.Replication,
        isWorthCompressing: (() -> Bool)? = nil,
        _ open: @escaping (RDBWriter.Options) -> RDBWriter
    ) -> String? {
        var snapshot = server.snapshotWriter(server.snapshotInfo(replication: position))
        snapshot.isWorthCompressing = isWorthCompressing
        let keyspace = server.keyspace
        var options = server.writerOptions
        options.syncBytes = 0
        let reason = server.startChild(.sendToReplicas, title: "redis-rdb-to-slaves", keeping: [fd])
        {
            report in
            let writer = open(options)
            guard writer.isValid else { return -ENOMEM }
            snapshot.write(keyspace, to: writer) {
                report.progress(keys: $0, bytes: writer.bytesWritten)
            }
            return writer.finish()
        } finished: { [unowned self, sync] end in
            writerEnded(sync, end)
        }
        if reason == nil {
            Log.notice(
                "Background RDB transfer started by pid \(server.persistence.child?.pid ?? 0)")
        }
        return reason
    }

    private func writerEnded(_ sync: FullSync, _ end: ChildEnd) {
        if end.succeeded {
            Log.notice("Background RDB transfer terminated with success")
        } else if end.signal != 0 || end.exitCode == Int32(WING_FORK_EXIT_STOPPED) {
            Log.warning(
                "Background transfer terminated by signal \(end.signal != 0 ? end.signal : SIGUSR1)"
            )
        } else {
            Log.warning("Background transfer error")
        }
        let size = sync.target == .spool ? TransferCalls.size(sync.file) : 0
        sync.ended(size: end.succeeded ? size : nil)
        startDueSnapshot()
    }

    /// BGSAVE is done: its file is what the replicas get.
    private func fileEnded(_ sync: FullSync, ok: Bool) {
        var size: UInt64?
        if ok {
            let fd = TransferCalls.openToRead(server.config.dbfilename)
            if fd >= 0 {
                sync.file = fd
                size = TransferCalls.size(fd)
                rdbIsFromSync = true
            } else {
                let reason = SystemError.last("open").reason
                Log.warning("SYNC failed. Can't open/stat DB after BGSAVE: \(reason)")
            }
        }
        sync.ended(size: size)
        startDueSnapshot()
    }

    /// Another child than ours has ended: who waited for that may go on.
    func otherChildEnded() { startDueSnapshot() }

    /// Its last member has gone on or away. The child, if it runs, is ended by the cron.
    func fullSyncIsIdle(_ sync: FullSync) {
        guard !sync.isRunning else { return }
        sync.stopTicking()
        if fullSync === sync { fullSync = nil }
    }
}
