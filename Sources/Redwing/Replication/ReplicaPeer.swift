// SPDX-License-Identifier: BSD-3-Clause
//
// A replica of ours: its session, its cursor in the stream, its place in the snapshot it is sent.

import Configuration
import Memory
import RESP
import Replication
import Wing

/// What the room keeps of a client that is, or is about to be, a replica.
final class ReplicaPeer {
    var session: ReplicaSession
    var listeningPort = 0
    var announcedIP = ""
    /// Its place in the stream, once its snapshot has begun or it was continued.
    var cursor: StreamBuffer.Cursor?
    /// What replication says to it beside snapshot and stream, and before them; its client's reply
    /// stays empty.
    let lines = ByteBuffer()
    /// Bytes of the stream it took in this second, and in the last whole one.
    var taken: Int64 = 0
    var rate: Int64 = 0
    /// When it passed the soft limit, in ms; 0 while it is below.
    var softLimitSince: Int64 = 0
    /// The stream goes to it.
    var flows = false
    /// Its socket took no more; EPOLLOUT will tell.
    var isFull = false
    /// The snapshot it is served from, and the next byte to send of it.
    var sync: FullSync?
    var fileOffset: UInt64 = 0
    /// Bytes of the closing mark already sent.
    var markSent = 0
    /// It doesn't count an empty line from its master (`capa newline`, ours).
    var takesNewlines = false

    init(name: String, at now: Instant) { session = ReplicaSession(name: name, at: now) }
}

extension Client {
    /// The replica's peer, made when the client first says REPLCONF, SYNC or PSYNC.
    func peerAsReplica() -> ReplicaPeer {
        if let peer = attachments.replica { return peer }
        let peer = ReplicaPeer(name: replicaName, at: ReplicationRoom.now)
        attachments.replica = peer
        return peer
    }

    /// As Redis names a replica in its log: the address with the port it listens on.
    var replicaName: String {
        let peer = attachments.replica
        let ip = replicaIP
        let port = peer?.listeningPort ?? 0
        return port > 0 ? "\(ip):\(port)" : "\(ip):<unknown-replica-port>"
    }

    /// The announced address, else the one its connection comes from.
    var replicaIP: String {
        if let peer = attachments.replica, !peer.announcedIP.isEmpty { return peer.announcedIP }
        guard let colon = peerName.lastIndex(of: ":") else { return peerName }
        let host = peerName[..<colon]
        return host.hasPrefix("[") && host.hasSuffix("]")
            ? String(host.dropFirst().dropLast()) : String(host)
    }
}

extension ReplicationRoom {
    func perform(_ actions: [ReplicaSession.Action], _ client: Client, _ peer: ReplicaPeer) {
        for action in actions { perform(action, client, peer) }
    }

    private func perform(_ action: ReplicaSession.Action, _ client: Client, _ peer: ReplicaPeer) {
        if client.isClosed { return }
        switch action {
        case .sendFullResync(let id, let offset):
            attach(peer, at: offset)
            say("+FULLRESYNC \(id) \(offset)\r\n", to: client, peer)
        case .placeCursor(let offset): attach(peer, at: offset)
        case .sendFile(let size):
            peer.fileOffset = 0
            say("$\(size)\r\n", to: client, peer)
        case .goOnline:
            peer.flows = true
            let sync = peer.sync
            peer.sync = nil
            sync?.left(client)
            refreshGoodReplicas()
            server.refreshGate()
            server.wantsWrite(client)
        case .sendNewline:
            say("\n", to: client, peer)
        case .closeWithError(let text):
            // No replica any more: this is a reply like any other.
            client.flags.remove(.replica)
            client.reply.out.append(text: text)
            client.flags.insert(.closeAfterReply)
            server.wantsWrite(client)
        case .close: server.freeSoon(client)
        case .log(let line): log(line)
        }
    }

    func say(_ line: String, to client: Client, _ peer: ReplicaPeer) {
        peer.lines.append(text: line)
        server.wantsWrite(client)
    }

    private func attach(_ peer: ReplicaPeer, at offset: Int64) {
        if let cursor = peer.cursor { stream.detach(cursor) }
        peer.cursor = stream.attach(at: offset)
    }

    /// The replica is freed: everything that was kept for it goes.
    func forget(_ client: Client) {
        guard let peer = client.attachments.replica else { return }
        if let cursor = peer.cursor { stream.detach(cursor) }
        peer.cursor = nil
        peer.flows = false
        let wasListed = replicas.contains { $0 === client }
        replicas.removeAll { $0 === client }
        client.attachments.replica = nil
        peer.sync?.left(client)
        peer.sync = nil
        guard wasListed else { return }
        if replicas.isEmpty { withoutReplicasSince = Self.now }
        refreshGoodReplicas()
        Log.warning("Connection with replica \(peer.session.name) lost.")
    }

    /// What `client`, if it is a replica, has still to get of the stream.
    func held(for client: Client) -> (blocks: Int, bytes: Int) {
        guard let cursor = client.attachments.replica?.cursor else { return (0, 0) }
        let bytes = Int(stream.pending(cursor))
        return ((bytes + StreamBuffer.blockSize - 1) / StreamBuffer.blockSize, bytes)
    }

    // MARK: Writing

    /// Bytes of the stream for one replica in one go, so that a fast one doesn't keep the others waiting.
    private static let turnLimit = 1 << 20
    /// Bytes of a snapshot for one replica in a turn, about 0.2 ms: clients are answered in between.
    private static let pieceSize = 256 << 10

    /// Sends what is due to this replica: snapshot or stream. True when nothing is left for now.
    func feed(_ client: Client) -> Bool {
        guard let peer = client.attachments.replica else { return true }
        peer.isFull = false
        switch peer.session.state {
        case .sendBulk: return sendSnapshot(client, peer)
        case .streaming(let target, _, _, _):
            guard target == .socket, let sync = peer.sync, sync.size == nil else {
                return sendSnapshot(client, peer)
            }
            // A socket child's bytes are handed out in step; only the mark is each one's own.
            sync.socketReady()
            return false
        case .online: return peer.flows ? sendStream(client, peer) : true
        case .idle, .waitBgsaveStart, .waitBgsaveEnd, .awaitingAck: return true
        }
    }

    private func sendSnapshot(_ client: Client, _ peer: ReplicaPeer) -> Bool {
        guard let sync = peer.sync else { return true }
        var budget = Self.pieceSize
        while budget > 0 {
            let step = sync.send(to: client, peer, limit: budget)
            switch step {
            case .sent(let n):
                budget -= n
                server.statistics.replicationOutputBytes += UInt64(n)
                server.statistics.outputBytes += UInt64(n)
                perform(peer.session.sent(Int64(n), at: Self.now), client, peer)
                if client.isClosed { return false }
                switch peer.session.state {
                case .sendBulk, .streaming: continue
                case .online: return peer.flows ? sendStream(client, peer) : true
                case .idle, .waitBgsaveStart, .waitBgsaveEnd, .awaitingAck: return true
                }
            case .full:
                peer.isFull = true
                server.loop.setInterest(client.fd, [.read, .write])
                return false
            case .nothingYet:
                _ = server.watchInput(client)
                return false
            case .failed(let reason):
                Log.warning("Write error sending DB to replica: \(reason)")
                server.free(client)
                return false
            }
        }
        server.loop.setInterest(client.fd, [.read, .write])
        peer.isFull = true
        // Who was answered before this piece may be waiting for our CPU.
        wing_turn_offer()
        return false
    }

    private func sendStream(_ client: Client, _ peer: ReplicaPeer) -> Bool {
        guard let cursor = peer.cursor else { return true }
        var budget = Self.turnLimit
        while budget > 0 {
            let chunk = stream.chunk(of: cursor)
            if chunk.isEmpty { return true }
            let result = client.transport?.write(chunk) ?? SystemCalls.send(client.fd, chunk)
            switch result {
            case .bytes(let n):
                stream.advance(cursor, by: n)
                peer.taken += Int64(n)
                budget -= n
                server.statistics.replicationOutputBytes += UInt64(n)
                server.statistics.outputBytes += UInt64(n)
            case .wouldBlock, .end:
                peer.isFull = true
                server.loop.setInterest(client.fd, [.read, .write])
                return false
            case .failed(let code):
                let reason = SystemError(call: "write", code: code).reason
                Log.verbose("Error writing to client: \(reason)")
                server.free(client)
                return false
            }
        }
        peer.isFull = true
        server.loop.setInterest(client.fd, [.read, .write])
        return false
    }

    func refreshGoodReplicas() {
        let now = Self.now
        let lag = server.config.minReplicasMaxLag
        goodReplicas = replicas.count {
            $0.attachments.replica?.session.isGood(maxLag: lag, at: now) ?? false
        }
    }
}
