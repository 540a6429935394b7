// SPDX-License-Identifier: BSD-3-Clause
//
// What people and Sentinel say: REPLICAOF, SLAVEOF, ROLE, WAIT.

import Configuration
import Memory
import RESP
import Replication

extension CommandTable {
    static func replicationCommands() -> [Command] {
        [
            Command(
                "replicaof", -3, "admin noscript stale ends_load", "admin dangerous",
                since: "5.0.0", group: "server",
                "Makes the server a replica of another, or a master."
            ) { client in
                client.server.replication?.replicaof(client)
            },
            Command(
                "slaveof", -3, "admin noscript stale ends_load", "admin dangerous",
                since: "1.0.0", group: "server",
                "Makes the server a replica of another, or a master."
            ) { client in
                client.server.replication?.replicaof(client)
            },
            Command(
                "role", 1, "readonly noscript loading stale fast", "dangerous",
                since: "2.8.12", group: "server",
                "Tells whether the server is a master or a replica, and of its peers."
            ) { client in
                client.server.replication?.role(client)
            },
            Command(
                "wait", 3, "noscript", "keyspace", since: "3.0.0", group: "generic",
                "Waits until so many replicas have acknowledged the connection's writes."
            ) { client in
                client.server.replication?.wait(client)
            },
            Command(
                "failover", -1, "admin noscript stale", "admin dangerous",
                since: "6.2.0", group: "server",
                "Makes a replica the master in this server's place."
            ) { client in
                client.server.replication?.failover(client)
            },
        ]
    }
}

extension ReplicationRoom {
    // MARK: REPLICAOF

    func replicaof(_ client: Client) {
        if failover != nil {
            return client.reply.error("ERR REPLICAOF not allowed while failing over.")
        }
        if client.count == 3, client.word(1, is: "no"), client.word(2, is: "one") {
            if link.isReplica {
                promote()
                Log.notice("MASTER MODE enabled (user request from '\(client.describe())')")
            }
            return client.reply.ok()
        }
        let force = client.count == 4 && client.word(3, is: "force")
        if client.count != 3 && !force { return client.wrongArity() }
        if client.flags.contains(.replica) {
            return client.reply.error("ERR Command is not valid when client is a replica.")
        }
        guard let port = client.integer(2, in: 0...65535, orError: "ERR Invalid master port") else {
            return
        }
        let target = ReplicaLink.Master(host: client[1].string, port: Int(port))
        if let master = link.master, master.port == target.port,
            master.host.lowercased() == target.host.lowercased(), !force
        {
            Log.notice(
                "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed."
            )
            return client.reply.raw("+OK Already connected to specified master\r\n")
        }
        guardIsForced = force
        follow(target)
        Log.notice(
            "REPLICAOF \(target.host):\(target.port) enabled (user request from '\(client.describe())')"
        )
        client.reply.ok()
    }

    /// Turns to a master: at the start, by command, in a failover.
    func follow(_ target: ReplicaLink.Master, failover: Bool = false) {
        refreshSettings()
        let wasMaster = !link.isReplica
        // The new master may have been continued from us, and know our id.
        let own = wasMaster ? position : nil
        server.config.replicaof = MasterAddress(host: target.host, port: target.port)
        follows = true
        Log.started(as: .replica)
        // A replica's own clients must not wait for what it can no longer decide.
        server.unblockForRoleChange()
        perform(link.follow(target, own: own, position: position, failover: failover, at: Self.now))
        if wasMaster { dropReplicas() }
        server.refreshGate()
    }

    /// REPLICAOF NO ONE: what was replicated stays, under a new id; replicas of ours can go on.
    func promote() {
        server.config.replicaof = nil
        follows = false
        Log.started(as: .master)
        let wasReplica = link.isReplica
        perform(link.promote())
        guard wasReplica else { return }
        log(history.shift(Self.freshID(), at: stream.end))
        // They must learn the new id; being continued costs them nothing.
        dropReplicas()
        feed.forgetDB()
        if !stream.isActive { stream.activate() }
        withoutReplicasSince = Self.now
        guardRefusal = nil
        server.refreshGate()
    }

    // MARK: ROLE

    func role(_ client: Client) {
        let reply = client.reply
        if let master = link.master {
            reply.array(5)
            reply.bulk("slave")
            reply.bulk(master.host)
            reply.integer(master.port)
            reply.bulk(link.role)
            reply.integer(link.isConnected ? stream.end : Int64(-1))
            return
        }
        let listed = replicas.filter { $0.attachments.replica?.session.infoState == "online" }
        reply.array(3)
        reply.bulk("master")
        reply.integer(stream.end)
        reply.array(listed.count)
        for replica in listed {
            guard let peer = replica.attachments.replica else { continue }
            reply.array(3)
            reply.bulk(replica.replicaIP)
            reply.bulk("\(peer.listeningPort)")
            reply.bulk("\(peer.session.acknowledged)")
        }
    }

    // MARK: WAIT

    func wait(_ client: Client) {
        if link.isReplica {
            return client.reply.error(
                "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated."
            )
        }
        guard let wanted = client.integer(1) else { return }
        guard
            let timeout = client.integer(
                2, orError: "ERR timeout is not an integer or out of range")
        else { return }
        if timeout < 0 { return client.reply.error("ERR timeout is negative") }
        // Unlike in Redis 6, where it is the end of the stream behind the client's last command of
        // any kind: others' writes are nothing that this client waits for.
        let offset = min(client.writtenTo, stream.end)
        let have = count(acknowledging: offset)
        if have >= wanted || !client.mayBlock {
            return client.reply.integer(have)
        }
        client.attachments.waitFor = (Int(clamping: wanted), offset)
        waiting.append(client)
        server.blockForReplicas(client, milliseconds: timeout) { [unowned self] client in
            client.reply.integer(self.count(acknowledging: client.attachments.waitFor?.offset ?? 0))
        }
        wantsAcks = true
    }

    private func count(acknowledging offset: Int64) -> Int {
        replicas.count {
            guard let session = $0.attachments.replica?.session else { return false }
            return session.isOnline && session.acknowledged >= offset
        }
    }

    /// After an ACK: those in WAIT whose number is reached.
    func serveWaiting() {
        if waiting.isEmpty { return }
        waiting.removeAll { $0.isClosed || $0.wait == nil }
        for client in waiting {
            guard let (wanted, offset) = client.attachments.waitFor else { continue }
            if count(acknowledging: offset) >= wanted { server.unblock(client, error: nil) }
        }
        waiting.removeAll { $0.isClosed || $0.wait == nil }
    }
}
