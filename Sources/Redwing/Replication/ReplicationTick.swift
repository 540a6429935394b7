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
        if isParsing { connection?.sendNewline() }
        for duty in cron.tick(facts, at: Self.now) { perform(duty) }
        // What replicas were behind with is given back also when nobody writes any more.
        stream.trim()
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
        facts.scriptsCached = server.rooms.scripting?.replicatedIsEmpty == false
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
        guard let fullSync, fullSync.isRunning else { return false }
        return planner.isIdle(
            child: child, served: fullSync.members.count,
            savePoints: !server.config.savePoints.isEmpty)
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
        case .flushScriptCache: server.flushScriptCacheForReplication()
        case .planSnapshot: startDueSnapshot()
        case .removeSyncFile:
            Log.notice("Removing the RDB file used to feed replicas in a persistence-less instance")
            removeSyncFile()
        case .refreshGoodReplicas: refreshGoodReplicas()
        case .endIdleChild:
            if fullSync?.target == .disk {
                Log.notice(
                    "BGSAVE for SYNC, last replica dropped and no save points, killing fork child.")
            } else {
                Log.notice("Diskless rdb transfer, last replica dropped, killing fork child.")
            }
            fullSync?.stopChild()
        }
    }

    private func tickSessions() {
        let now = Self.now
        let timeout = Duration_ms.seconds(server.config.replTimeout)
        for client in replicas {
            guard let peer = client.attachments.replica else { continue }
            let owed = peer.sync?.owes(client, peer) ?? true
            perform(peer.session.tick(timeout: timeout, owed: owed, at: now), client, peer)
        }
    }

    /// Out of band: an online sub-replica takes an empty line for a sign of life, and doesn't count
    /// it. Stock Redis would count it into its offset, and so be continued at the wrong byte: only
    /// who said `capa newline` gets it. It stands where the cursor has everything, between commands.
    private func sendNewlines() {
        for client in replicas {
            guard let peer = client.attachments.replica, peer.flows, !peer.isFull,
                peer.takesNewlines
            else { continue }
            guard let cursor = peer.cursor, stream.pending(cursor) == 0 else { continue }
            say("\n", to: client, peer)
        }
    }

    // MARK: Replicas that are behind

    private var pacing: Pacing {
        let hard = server.config.replicaOutputBufferLimit.hard
        return Pacing(limit: hard > 0 ? Int64(max(hard, server.config.replBacklogSize)) : 0)
    }

    private func pace(of peer: ReplicaPeer) -> PaceInput? {
        guard let cursor = peer.cursor else { return nil }
        return PaceInput(
            pending: stream.pending(cursor), rate: max(peer.rate, peer.taken),
            isSyncing: isGettingOn(peer.session))
    }

    /// Its full sync moves: bytes flow, or it loads and gives signs of life. A replica that was sent
    /// a file is online by then, though it takes nothing of the stream before it has loaded it.
    private func isGettingOn(_ session: ReplicaSession) -> Bool {
        let now = Self.now
        let patience = Duration_ms.seconds(3)
        switch session.state {
        case .idle, .waitBgsaveStart: return false
        case .waitBgsaveEnd: return true
        case .sendBulk(_, _, let moved), .streaming(_, _, _, let moved):
            return now - moved < patience && isFast(session, at: now)
        case .awaitingAck: return now - session.acknowledgedAt < patience
        case .online(let since):
            return session.acknowledged == 0 && now - session.acknowledgedAt < patience
                && now - since < .seconds(server.config.replTimeout)
        }
    }

    /// Fast enough for writers to wait: 8 MiB/s, once there is something to judge by.
    private func isFast(_ session: ReplicaSession, at now: Instant) -> Bool {
        let meter = session.meter
        guard let began = meter.began, now - began >= .seconds(3) else { return true }
        return meter.average(at: now) >= 8 << 20
    }

    /// Each second: what was written, and what each replica took of it.
    private func measure() {
        production = stream.end - producedTo
        producedTo = stream.end
        for client in replicas {
            guard let peer = client.attachments.replica else { continue }
            peer.rate = peer.taken
            peer.taken = 0
        }
    }

    /// Before the loop sleeps, when something was written in this turn: waits, serving the replicas,
    /// as long as the pace asks for.
    func waitForReplicas() {
        // Most turns end here: nobody is far behind.
        guard let slowest = stream.slowest, stream.end - slowest > Self.pacedFrom else { return }
        let pacing = pacing
        // At full speed much may gather in the second until the next look.
        if pacing.limit > 0, stream.end - slowest > pacing.limit { dropFarBehind(pacing) }
        let inputs = replicas.compactMap { $0.attachments.replica.flatMap { pace(of: $0) } }
        let pause = pacing.pause(inputs, production: production)
        guard pause > 0 else { return }
        let end = Self.now + Duration_ms(ms: pause)
        while Self.now < end {
            for client in replicas {
                guard let peer = client.attachments.replica, peer.cursor != nil else { continue }
                server.writable(client)
            }
            TransferCalls.sleep(microseconds: 500)
        }
    }

    /// No limit is so low that fewer pending bytes would matter.
    private static let pacedFrom: Int64 = 1 << 20

    /// A replica that leaves too much of the stream lying is dropped, as `client-output-buffer-limit
    /// replica` says.
    private func checkReplicaLimits() {
        measure()
        let limit = server.config.replicaOutputBufferLimit
        let pacing = pacing
        for client in replicas {
            guard let peer = client.attachments.replica, let pace = pace(of: peer) else { continue }
            let soft = Int64(max(limit.soft, server.config.replBacklogSize))
            if pacing.isOver(pace, production: production) {
                overLimit(client)
            } else if limit.soft > 0, pace.pending > soft,
                !pacing.isWorthWaiting(pace, production: production)
            {
                if peer.softLimitSince == 0 { peer.softLimitSince = server.now }
                if (server.now - peer.softLimitSince) / 1000 > Int64(limit.softSeconds) {
                    overLimit(client)
                }
            } else {
                peer.softLimitSince = 0
            }
        }
    }

    private func dropFarBehind(_ pacing: Pacing) {
        for client in replicas {
            guard let peer = client.attachments.replica, let pace = pace(of: peer),
                pacing.isOver(pace, production: production)
            else { continue }
            overLimit(client)
        }
    }

    private func overLimit(_ client: Client) {
        if client.flags.contains(.closeSoon) { return }
        Log.warning(
            "Client \(client.describe()) scheduled to be closed ASAP for overcoming of output buffer limits."
        )
        server.freeSoon(client)
    }
}
