// SPDX-License-Identifier: BSD-3-Clause
//
// The replication cron, once a second, and the starts of snapshots for replicas.

import Configuration
import Memory
import RESP
import Replication

extension ReplicationRoom {
    func tick() {
        refreshSettings()
        tellOfParsing()
        for duty in cron.tick(facts, at: Self.now) { perform(duty) }
        checkReplicaLimits()
        failoverTick()
    }

    private var facts: ReplicationCron.Facts {
        let config = server.config
        var facts = ReplicationCron.Facts()
        facts.isReplica = link.isReplica
        facts.masterLinkUp = link.isConnected
        facts.acknowledges = master != nil && link.isConnected && linkAcknowledges
        facts.replicas = replicas.count
        facts.onlineReplicas = replicas.count { $0.attachments.replica?.session.isOnline ?? false }
        facts.backlogIsActive = stream.isActive
        facts.withoutReplicasSince = replicas.isEmpty ? withoutReplicasSince : nil
        facts.backlogTTL = config.replBacklogTtl
        facts.pingPeriod = config.replPingReplicaPeriod
        facts.pausedForFailover = failover != nil
        facts.appendOnly = config.appendonly
        facts.deletesSyncFiles = deletesSyncFiles && !link.isReplica
        facts.rdbIsFromSync = rdbIsFromSync
        facts.syncing = syncing
        facts.childIsIdle = childIsIdle
        return facts
    }

    private var linkAcknowledges: Bool {
        switch link.state {
        case .connected(_, _, let psync): return psync
        case .none, .connect, .connecting, .handshake, .transfer: return false
        }
    }

    /// Full syncs that run now.
    var syncing: Int { replicas.count { $0.attachments.replica?.session.isSyncing ?? false } }

    private var childIsIdle: Bool {
        // A BGSAVE to disk is of use without replicas as well.
        guard let fullSync, fullSync.isRunning, fullSync.target != .disk || deletesSyncFiles
        else { return false }
        return planner.isIdle(child: child, served: fullSync.members.count, forReplicasOnly: true)
    }

    private func perform(_ duty: ReplicationCron.Duty) {
        switch duty {
        case .tickLink: tickLink()
        case .sendAck: sendAck()
        case .pingReplicas:
            feed.ping()
            flush()
        case .tickSessions: tickSessions()
        case .newlineToSubReplicas: sendNewlines()
        case .releaseBacklog(let line):
            history.begin(Self.freshID())
            stream.deactivate()
            feed.forgetDB()
            log(line)
        case .flushScriptCache: break
        case .planSnapshot: startDueSnapshot()
        case .removeSyncFile:
            Log.notice("Removing the RDB file used to feed replicas in a persistence-less instance")
            removeSyncFile()
        case .refreshGoodReplicas: refreshGoodReplicas()
        case .endIdleChild:
            Log.notice("Diskless rdb transfer, last replica dropped, killing fork child.")
            fullSync?.child?.stop()
        }
    }

    private func tickSessions() {
        let now = Self.now
        let timeout = Duration_ms.seconds(server.config.replTimeout)
        for client in replicas {
            guard let peer = client.attachments.replica else { continue }
            perform(peer.session.tick(timeout: timeout, at: now), client, peer)
        }
    }

    /// Out of band: an online sub-replica takes an empty line for a sign of life, and doesn't count
    /// it. Stock Redis would count it into its offset, and so be continued at the wrong byte: only
    /// who said `capa newline` gets it. It stands where the cursor has everything, between commands.
    private func sendNewlines() {
        for client in replicas {
            guard let peer = client.attachments.replica, peer.flows, !peer.isFull, peer.takesNewlines
            else { continue }
            guard let cursor = peer.cursor, stream.pending(cursor) == 0 else { continue }
            client.reply.out.append("\n")
            server.wantsWrite(client)
        }
    }

    /// A replica that leaves too much of the stream lying is dropped, as `client-output-buffer-limit
    /// replica` says; one in the middle of its full sync moves bytes and keeps its place.
    private func checkReplicaLimits() {
        let limit = server.config.replicaOutputBufferLimit
        for client in replicas {
            guard let peer = client.attachments.replica, let cursor = peer.cursor, peer.session.isOnline
            else { continue }
            let pending = stream.pending(cursor)
            let hard = max(limit.hard, limit.hard > 0 ? server.config.replBacklogSize : 0)
            if limit.hard > 0, pending > Int64(hard) {
                overLimit(client, pending)
            } else if limit.soft > 0, pending > Int64(max(limit.soft, server.config.replBacklogSize)) {
                if client.softLimitSince == 0 { client.softLimitSince = server.now }
                if server.now - client.softLimitSince > Int64(limit.softSeconds) * 1000 {
                    overLimit(client, pending)
                }
            } else {
                client.softLimitSince = 0
            }
        }
    }

    private func overLimit(_ client: Client, _ pending: Int64) {
        Log.warning(
            "Client \(client.describe()) scheduled to be closed ASAP for overcoming of output buffer limits.")
        server.freeSoon(client)
    }
}
