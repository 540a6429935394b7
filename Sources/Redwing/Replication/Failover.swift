// SPDX-License-Identifier: BSD-3-Clause
//
// FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT ms]: the master hands its place to a replica that
// has everything, writers being paused meanwhile; then it follows that replica, and is continued.

import Memory
import RESP
import Replication

/// A failover that was asked for and isn't over.
struct Failover {
    enum Stage { case waitingForSync, inProgress }
    var stage = Stage.waitingForSync
    /// The replica asked for; nil: whichever catches up first.
    var target: ReplicaLink.Master?
    var isForced = false
    /// When waiting is over; nil: never.
    var deadline: Instant?
}

extension ReplicationRoom {
    var failoverState: String {
        switch failover?.stage {
        case nil: return "no-failover"
        case .waitingForSync: return "waiting-for-sync"
        case .inProgress: return "failover-in-progress"
        }
    }

    func failover(_ client: Client) {
        var next = Failover()
        var timeout: Int64 = 0
        var isAbort = false
        var at = 1
        while at < client.count {
            if client.word(at, is: "timeout"), at + 1 < client.count, timeout == 0 {
                guard let ms = client.integer(at + 1) else { return }
                if ms <= 0 {
                    return client.reply.error("ERR FAILOVER timeout must be greater than 0")
                }
                timeout = ms
                at += 2
            } else if client.word(at, is: "abort"), !isAbort {
                isAbort = true
                at += 1
            } else if client.word(at, is: "to"), at + 2 < client.count, next.target == nil {
                guard let port = client.integer(at + 2) else { return }
                next.target = ReplicaLink.Master(
                    host: client[at + 1].string, port: Int(clamping: port))
                at += 3
            } else if client.word(at, is: "force"), !next.isForced {
                next.isForced = true
                at += 1
            } else {
                return client.syntaxError()
            }
        }
        if isAbort {
            guard client.count == 2 else { return client.syntaxError() }
            guard failover != nil else { return client.reply.error("ERR No failover in progress.") }
            abortFailover("Failover manually aborted")
            return client.reply.ok()
        }
        if failover != nil { return client.reply.error("ERR FAILOVER already in progress.") }
        if link.isReplica {
            return client.reply.error("ERR FAILOVER is not valid when server is a replica.")
        }
        if replicas.isEmpty {
            return client.reply.error("ERR FAILOVER requires connected replicas.")
        }
        if next.isForced && (timeout == 0 || next.target == nil) {
            return client.reply.error(
                "ERR FAILOVER with force option requires both a timeout and target HOST and IP.")
        }
        if let target = next.target {
            guard let replica = replica(at: target) else {
                return client.reply.error("ERR FAILOVER target HOST and PORT is not a replica.")
            }
            guard replica.attachments.replica?.session.isOnline == true else {
                return client.reply.error("ERR FAILOVER target replica is not online.")
            }
            Log.notice("FAILOVER requested to \(target.host):\(target.port).")
        } else {
            Log.notice("FAILOVER requested to any replica.")
        }
        if timeout > 0 { next.deadline = Self.now + Duration_ms(ms: timeout) }
        failover = next
        // Nothing may be written until it is over.
        server.pause(.failover, until: Int64.max, onlyWrites: true)
        wantsAcks = true
        client.reply.ok()
        failoverCheck()
    }

    private func replica(at place: ReplicaLink.Master) -> Client? {
        replicas.first {
            $0.replicaIP == place.host && $0.attachments.replica?.listeningPort == place.port
        }
    }

    /// Somebody acknowledged something: has the target, or anyone, everything now?
    func failoverCheck() {
        guard let failover, failover.stage == .waitingForSync else { return }
        let candidates = failover.target.map { replica(at: $0).map { [$0] } ?? [] } ?? replicas
        let end = stream.end
        guard
            let done = candidates.first(where: {
                guard let session = $0.attachments.replica?.session else { return false }
                return session.isOnline && session.acknowledged >= end
            }), let peer = done.attachments.replica
        else { return }
        let target = ReplicaLink.Master(host: done.replicaIP, port: peer.listeningPort)
        Log.notice("Failover target \(target.host):\(target.port) is synced, failing over.")
        handOver(to: target)
    }

    func failoverTick() {
        guard let failover, failover.stage == .waitingForSync else { return }
        wantsAcks = true
        if let deadline = failover.deadline, Self.now >= deadline {
            if failover.isForced, let target = failover.target {
                Log.notice(
                    "FAILOVER to \(target.host):\(target.port) time out exceeded, failing over.")
                handOver(to: target)
            } else {
                abortFailover("Replica never caught up before timeout")
            }
        } else {
            failoverCheck()
        }
    }

    private func handOver(to target: ReplicaLink.Master) {
        failover?.stage = .inProgress
        failover?.target = target
        follow(target, failover: true)
    }

    func abortFailover(_ reason: String) {
        guard let current = failover else { return }
        let name = current.target.map { "\($0.host):\($0.port)" } ?? "any replica"
        Log.notice("FAILOVER to \(name) aborted: \(reason)")
        failover = nil
        if current.stage == .inProgress { promote() }
        server.endPause(.failover)
    }

    /// The target answered our `PSYNC … FAILOVER`.
    func failoverAnswered(_ accepted: Bool) {
        guard failover != nil else { return }
        if accepted {
            failover = nil
            server.endPause(.failover)
        } else {
            abortFailover("Failover target rejected psync request")
        }
    }

    /// `PSYNC <our id> <offset> FAILOVER`: our master wants us to take over. False: refused.
    func failoverRequested(_ client: Client) -> Bool {
        Log.warning("Failover request received for replid \(client[1].string).")
        guard link.isReplica else {
            client.reply.error("ERR PSYNC FAILOVER can't be sent to a master.")
            return false
        }
        guard client[1].string.lowercased() == history.id.text.lowercased() else {
            client.reply.error("ERR PSYNC FAILOVER replid must match my replid.")
            return false
        }
        promote()
        Log.notice("MASTER MODE enabled (failover request from '\(client.describe())')")
        return true
    }
}
