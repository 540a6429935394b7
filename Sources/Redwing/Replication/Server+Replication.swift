// SPDX-License-Identifier: BSD-3-Clause
//
// Where replication meets the rest of the server: what clients, keys and dispatch ask of it.

import Configuration
import Glibc
import Keyspace
import Memory
import RESP
import Replication

extension ServerRooms {
    /// Set once, before anything is served.
    mutating func open(_ room: ReplicationRoom) { replicationRoom = room }
}

extension Server {
    var replication: ReplicationRoom? { rooms.replicationRoom }

    /// This server follows a master.
    public var isReplica: Bool { config.replicaof != nil }
    /// A replica that ordinary clients may not write to.
    var isReadOnlyReplica: Bool { isReplica && config.replicaReadOnly }
    /// The link is down and stale data must not be served.
    var isStale: Bool {
        guard !config.replicaServeStaleData, let link = rooms.replicationRoom?.link else {
            return false
        }
        return link.isReplica && !link.isConnected
    }
    /// Too few good replicas for a write (min-replicas-to-write).
    func replicaCountRefusal() -> String? {
        guard config.minReplicasToWrite > 0, config.minReplicasMaxLag > 0, !isReplica,
            let room = rooms.replicationRoom, room.goodReplicas < config.minReplicasToWrite
        else { return nil }
        return "NOREPLICAS Not enough good replicas to write."
    }
    /// Bytes that maxmemory doesn't count: they go by themselves when replicas and the disk have
    /// taken them, and evicting keys would only make more of them.
    var uncountedMemory: Int { replicaBufferBytes + aofBufferBytes }

    /// The master's request was applied: offset, sub-replicas, backlog.
    func masterApplied(_ client: Client, _ bytes: Bytes) {
        rooms.replicationRoom?.applied(client, bytes)
    }

    /// A command of the master's wrote a reply, which it must not get; an error is worth a line.
    func masterWasReplied(_ client: Client) {
        noteMasterError(client, from: 0)
    }

    /// Looks at the reply that begins at `mark`. An error means that our data is no longer the
    /// master's: it is logged, counted, and INFO says so until the next full sync.
    func noteMasterError(_ client: Client, from mark: Int) {
        let out = client.reply.out
        guard out.count > mark, out.bytes[mark] == UInt8(ascii: "-") else { return }
        statistics.unexpectedErrorReplies += 1
        let line = out.bytes.dropFirst(mark + 1).prefix(128).array.prefix {
            $0 != 0x0D && $0 != 0x0A
        }
        let text = String(decoding: line, as: UTF8.self)
        // The last found command isn't the one at hand when that is unknown.
        let name = client.count > 0 ? client[0].prefix(64).string.lowercased() : "?"
        rooms.replicationRoom?.masterErrors.note("\(name): \(text)")
        Log.warning(
            "== CRITICAL == This replica is sending an error to its master: '\(text)' after processing "
                + "the command '\(name)'")
    }

    func masterProtocolError(_ client: Client) {
        rooms.replicationRoom?.masterLost(client, reason: "protocol error", isTrusted: false)
    }

    /// A replica sent an empty line.
    func replicaGaveSign(_ client: Client) {
        client.attachments.replica?.session.alive(at: ReplicationRoom.now)
    }

    /// Writes what is due to a replica: replication's own lines, then the snapshot or the stream.
    /// A command's reply, or a message, would be read as a part of these.
    func replicaIsWritable(_ client: Client) {
        guard let room = rooms.replicationRoom, let peer = client.attachments.replica
        else { return }
        if !client.reply.out.isEmpty { return replicaWasReplied(client) }
        guard write(peer.lines, to: client), room.feed(client), !client.isClosed else { return }
        if watchInput(client), client.flags.contains(.closeAfterReply) { free(client) }
    }

    private func replicaWasReplied(_ client: Client) {
        if client.flags.contains(.closeSoon) { return }
        Log.warning(
            "Replica generated a reply to command '\(client.command?.name ?? "<unknown>")', "
                + "disconnecting it: \(client.describe())")
        freeSoon(client)
    }

    /// A lost master is kept as the cached one, by its position; the connection is freed in any case.
    func cacheMaster(_ client: Client) -> Bool {
        rooms.replicationRoom?.masterLost(client, reason: "connection lost", isTrusted: true)
        return false
    }

    /// Who takes write commands now.
    func activeSinks(replicas: Bool, aof: Bool) -> [any CommandSink] {
        // What is loaded was propagated in its time.
        if loading { return [] }
        var sinks: [any CommandSink] = []
        // First: when the stream is sent in the middle of a turn, the file has what is in it.
        if aof, let file = rooms.appendOnlyFile, file.takesCommands { sinks.append(file) }
        if replicas, let room = rooms.replicationRoom, room.takesCommands { sinks.append(room) }
        return sinks
    }

    /// The stream's position for a snapshot's own fields; nil where there is none.
    func snapshotReplication() -> SnapshotInfo.Replication? {
        rooms.replicationRoom?.snapshotReplication
    }

    /// Takes over id and offset from the snapshot that was loaded at start-up.
    func restoreReplication(_ summary: LoadSummary) {
        guard let found = summary.info.replication else { return }
        rooms.replicationRoom?.restore(found)
    }

    /// Follows the configured master, once the data is loaded.
    func beginReplication() { rooms.replicationRoom?.begin() }

    /// A child ended: replicas that waited for its place are served.
    func childEnded(_ job: Persistence.Job) {
        let room = rooms.replicationRoom
        loop.schedule(after: 0) { room?.startDueSnapshot() }
    }

    /// Gives replicas what is left of the stream, before the end.
    func flushReplicas() { rooms.replicationRoom?.finish() }

    // MARK: What replication asks of the rest

    /// All clients that wait for keys or replicas are told to ask again: another server decides now.
    func unblockForRoleChange() {
        for client in Array(blocking.blocked.values) where !client.flags.contains(.master) {
            client.reply.raw(
                "-UNBLOCKED force unblocked, instance state changed (master -> replica?)\r\n")
            client.flags.insert(.closeAfterReply)
            endWait(client)
            wantsWrite(client)
        }
    }

    /// `client` waits for ACKs; `timeoutReply` answers with what there is then.
    func blockForReplicas(
        _ client: Client, milliseconds: Int64, _ timeoutReply: @escaping (Client) -> Void
    ) {
        blocking.nextOrder += 1
        startWait(
            client,
            Wait(
                keys: [], type: nil, command: nil, words: [],
                deadline: milliseconds == 0 ? nil : EventLoop.deadline(after: milliseconds),
                order: blocking.nextOrder, timeoutReply: timeoutReply))
    }

}

extension ReplicationRoom {
    /// Our own writes go into the stream while somebody may ask for it; a replica makes no stream of
    /// its own.
    var takesCommands: Bool { stream.isActive && !follows }

    /// What the RDB at start-up says of the stream behind it.
    func restore(_ found: SnapshotInfo.Replication) {
        guard StreamOffset.isPlausible(found.offset) else {
            if found.offset != -1 {
                Log.warning(
                    "The data says that it is at offset \(found.offset) of its replication stream, which can't be: it is served without a history."
                )
            }
            return
        }
        guard let id = ReplicationID(found.id), found.streamDB >= 0 else { return }
        stream.restart(at: found.offset)
        if server.isReplica {
            // We were continued up to there: ask our master to go on.
            history.adopt(id)
            restored = ReplicaLink.CachedMaster(id: id, offset: found.offset, db: found.streamDB)
        } else {
            // A restarted master has what it had: who followed it up to there can go on.
            history = ReplicationHistory(
                id: history.id, secondID: id, secondOffset: found.offset + 1)
            stream.activate()
            withoutReplicasSince = Self.now
        }
    }

    /// Before the end: replicas get what is left of the stream, so that they can be continued by who
    /// comes after us. Closing a socket with unread ACKs would take back what is on its way: so we
    /// say that nothing follows, and wait for their end.
    func finish() {
        let limit = Self.now + .seconds(max(1, server.config.shutdownTimeout))
        let waiting = replicas.filter { $0.attachments.replica?.flows ?? false }
        for client in waiting {
            guard let peer = client.attachments.replica else { continue }
            while Self.now < limit, !client.isClosed, let cursor = peer.cursor,
                stream.pending(cursor) > 0 || !peer.lines.isEmpty
                    || client.transport?.wantsRoom == true
            {
                TransferCalls.waitWritable(client.fd, milliseconds: 50)
                server.writable(client)
            }
        }
        for client in waiting where !client.isClosed {
            client.transport?.close()
            _ = shutdown(client.fd, Int32(SHUT_WR))
        }
        let grace = min(limit, Self.now + .seconds(1))
        let sink = ByteBuffer(capacity: 4096)
        for client in waiting where !client.isClosed {
            var isOpen = true
            while isOpen && Self.now < grace {
                TransferCalls.waitReadable(client.fd, milliseconds: 20)
                switch SystemCalls.read(client.fd, into: sink.reserve(4096), 4096) {
                case .bytes, .wouldBlock: break
                case .end, .failed: isOpen = false
                }
            }
        }
    }

    /// Opens for business: the cron, and the master that the configuration names.
    func begin() {
        refreshSettings()
        follows = server.config.replicaof != nil
        server.loop.schedule(after: 1000, every: 1000) { [unowned self] in tick() }
        if let master = server.config.replicaof {
            let target = ReplicaLink.Master(host: master.host, port: master.port)
            perform(link.start(target, restored: restored, at: Self.now))
            restored = nil
        }
        server.refreshGate()
    }
}
