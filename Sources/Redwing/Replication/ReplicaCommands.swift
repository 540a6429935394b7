// SPDX-License-Identifier: BSD-3-Clause
//
// What replicas say to us: REPLCONF, SYNC, PSYNC.

import Configuration
import Memory
import RESP
import Replication

extension CommandTable {
    static func replicaCommands() -> [Command] {
        [
            Command(
                "replconf", -1, "admin noscript loading stale busy", "admin dangerous",
                since: "3.0.0", group: "server",
                "Of replication: a replica tells its master of itself."
            ) { client in
                client.server.replication?.replconf(client)
            },
            Command(
                "sync", 1, "admin noscript", "admin dangerous", since: "1.0.0", group: "server",
                "Of replication: asks for all data, then all writes."
            ) { client in
                client.server.replication?.sync(client)
            },
            Command(
                "psync", -3, "admin noscript", "admin dangerous", since: "2.8.0", group: "server",
                "Of replication: asks for all writes from an offset on, or for all data."
            ) { client in
                client.server.replication?.sync(client)
            },
        ]
    }
}

extension ReplicationRoom {
    // MARK: REPLCONF

    func replconf(_ client: Client) {
        guard client.count % 2 == 1 else { return client.syntaxError() }
        var at = 1
        while at < client.count {
            let value = client[at + 1]
            if client.word(at, is: "listening-port") {
                guard let port = client.integer(at + 1) else { return }
                client.peerAsReplica().listeningPort = Int(Int32(truncatingIfNeeded: port))
            } else if client.word(at, is: "ip-address") {
                guard value.count < 46 else {
                    return client.reply.error(
                        "ERR REPLCONF ip-address provided by replica instance is too long: \(value.count) bytes"
                    )
                }
                client.peerAsReplica().announcedIP = Self.printable(value)
            } else if client.word(at, is: "capa") {
                let peer = client.peerAsReplica()
                if value.equalsIgnoringCase("eof") { peer.session.capabilities.insert(.eof) }
                if value.equalsIgnoringCase("psync2") { peer.session.capabilities.insert(.psync2) }
                if value.equalsIgnoringCase("newline") { peer.takesNewlines = true }
            } else if client.word(at, is: "ack") {
                acknowledged(client, value)
                return
            } else if client.word(at, is: "getack") {
                if link.isReplica, client.flags.contains(.master) { sendAck() }
                return
            } else if client.word(at, is: "rdb-only") {
                guard let flag = client.integer(at + 1, in: 0...1) else { return }
                client.peerAsReplica().session.isSnapshotOnly = flag == 1
            } else {
                return client.reply.error("ERR Unrecognized REPLCONF option: \(client[at].string)")
            }
            at += 2
        }
        if let peer = client.attachments.replica { peer.session.name = client.replicaName }
        client.reply.ok()
    }

    /// An address as INFO and the log may show it: a space, a comma or a line end in it would make
    /// something else of their lines.
    private static func printable(_ address: Bytes) -> String {
        let shown = address.array.map { byte in
            (0x21...0x7E).contains(byte) && byte != UInt8(ascii: ",") ? byte : UInt8(ascii: "?")
        }
        return String(decoding: shown, as: UTF8.self)
    }

    private func acknowledged(_ client: Client, _ value: Bytes) {
        guard client.flags.contains(.replica), let peer = client.attachments.replica,
            let offset = Decimal.parse(value)
        else { return }
        let before = peer.session.acknowledged
        perform(
            peer.session.acknowledged(offset, end: stream.end, at: Self.now), client, peer)
        if peer.session.acknowledged != before {
            serveWaiting()
            failoverCheck()
        }
    }

    // MARK: SYNC, PSYNC

    func sync(_ client: Client) {
        if !client.flags.isDisjoint(with: [.replica, .monitor]) { return }
        let isPsync = client.count >= 3
        if isPsync, client.count > 3, client.word(3, is: "failover") {
            guard failoverRequested(client) else { return }
        }
        if failover != nil {
            return client.reply.raw("-NOMASTERLINK Can't SYNC while failing over\r\n")
        }
        if link.isReplica && !link.isConnected {
            return client.reply.raw(
                "-NOMASTERLINK Can't SYNC while not connected with my master\r\n")
        }
        if !client.reply.out.isEmpty {
            return client.reply.error("ERR SYNC and PSYNC are invalid with pending output")
        }
        let peer = client.peerAsReplica()
        Log.notice("Replica \(client.replicaName) asks for synchronization")
        if isPsync {
            guard let offset = Decimal.parse(client[2]) else {
                Log.warning(
                    "Replica \(client.replicaName) asks for synchronization but with a wrong offset"
                )
                return client.reply.error("ERR value is not an integer or out of range")
            }
            if goOn(client, peer, id: client[1].string, offset: offset) { return }
            if !client[1].prefix(1).string.hasPrefix("?") {
                server.statistics.syncPartialError += 1
            }
        }
        fullSync(client, peer, old: !isPsync)
    }

    /// A partial resync, if what is asked for is what we hold.
    private func goOn(_ client: Client, _ peer: ReplicaPeer, id: String, offset: Int64) -> Bool {
        let verdict = history.decide(
            psync: id, offset: offset, replica: client.replicaName, stream: stream)
        switch verdict {
        case .full(let lines):
            for line in lines { log(line) }
            return false
        case .goOn(let position, let lines):
            for line in lines { log(line) }
            becomeReplica(client)
            server.statistics.syncPartialOk += 1
            let named = peer.session.capabilities.contains(.psync2) ? " \(history.id)" : ""
            say("+CONTINUE\(named)\r\n", to: client, peer)
            peer.cursor = stream.attach(at: position)
            perform(peer.session.continued(at: Self.now), client, peer)
            refreshGoodReplicas()
            return true
        }
    }

    private func becomeReplica(_ client: Client) {
        client.flags.insert(.replica)
        replicas.append(client)
        withoutReplicasSince = nil
        SystemCalls.setNoDelay(client.fd, !server.config.replDisableTcpNodelay)
    }

    private func fullSync(_ client: Client, _ peer: ReplicaPeer, old: Bool) {
        refreshSettings()
        server.statistics.syncFull += 1
        becomeReplica(client)
        peer.session.waitForSnapshot(old: old, at: Self.now)
        if !stream.isActive {
            // The first one: what came before was not counted, so it begins a history of its own.
            if !link.isReplica {
                history.begin(Self.freshID())
                Log.notice(
                    "Replication backlog created, my new replication IDs are '\(history.id)' and '\(history.secondID)'"
                )
            }
            stream.activate()
            feed.forgetDB()
        }
        switch planner.arrived(peer.session.capabilities, child: child, syncing: syncing) {
        case .join(_, _, let line):
            log(line)
            fullSync?.join(client)
            fullSync?.serve()
        case .wait(let line): log(line)
        case .start: startDueSnapshot()
        }
    }
}
