// SPDX-License-Identifier: BSD-3-Clause
//
// Our side as a replica: the link's actions performed, the master's stream applied and passed on.

import Configuration
import Glibc
import Keyspace
import Memory
import RESP
import Replication

extension ReplicationRoom {
    func perform(_ actions: [ReplicaLink.Action]) {
        for action in actions { perform(action) }
        server.refreshGate()
        armLinkTimer()
    }

    private func perform(_ action: ReplicaLink.Action) {
        switch action {
        case .connect(let master): connect(master)
        case .send(let command): connection?.send(command)
        case .close: closeLink()
        case .startTransfer(let size, let parse): startTransfer(size, parse: parse)
        case .abortTransfer: abortTransfer()
        case .load: loadReceivedFile()
        case .adopt(let history): adopt(history)
        case .resume(let state): resume(state)
        case .rename(let id): rename(id)
        case .sendAck: sendAck()
        case .sendNewline: connection?.sendNewline()
        case .failoverAnswered(let accepted): failoverAnswered(accepted)
        case .log(let line): log(line)
        }
    }

    // MARK: The connection

    private func connect(_ master: ReplicaLink.Master) {
        do {
            let source = server.config.bindSourceAddr
            let fd = try SystemCalls.connect(
                master.host, port: master.port, from: source.isEmpty ? nil : source)
            connection = try MasterConnection(self, fd: fd)
        } catch {
            let reason = (error as? SystemError)?.reason ?? "\(error)"
            server.loop.schedule(after: 0) { [self] in
                perform(link.connectFailed(reason, at: Self.now))
            }
        }
    }

    private func closeLink() {
        connection?.close()
        connection = nil
        if let client = master {
            master = nil
            dropTransaction()
            client.flags.remove(.master)
            server.freeSoon(client)
        }
    }

    func tickLink() {
        if heard {
            heard = false
            link.streamed(at: Self.now)
        }
        tellOfParsing()
        perform(link.tick(position: position, at: Self.now))
    }

    func sendAck() {
        guard let master, master.fd >= 0 else { return }
        // The answer to GETACK counts what came before it; so does every other ACK.
        let offset = "\(stream.end)"
        let text = "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$\(offset.utf8.count)\r\n\(offset)\r\n"
        masterOut(master, text)
    }

    /// Replies of the master's commands are thrown away, so what we do say goes to the socket at once.
    private func masterOut(_ client: Client, _ text: String) {
        Bytes.with(text) { bytes in
            if client.reply.out.isEmpty {
                switch client.transport?.write(bytes) ?? SystemCalls.send(client.fd, bytes) {
                case .bytes(let n): client.reply.out.append(bytes.dropFirst(n))
                case .wouldBlock, .end: client.reply.out.append(bytes)
                case .failed: return
                }
            } else {
                client.reply.out.append(bytes)
            }
        }
        if !client.reply.out.isEmpty || client.transport?.wantsRoom == true {
            server.wantsWrite(client)
        }
    }

    // MARK: Into the stream

    /// The descriptor becomes a client that applies what comes, from `state` on.
    private func becomeStream(db: Int) {
        guard let connection else { return }
        let transport = connection.transport
        let fd = connection.release()
        self.connection = nil
        let client = server.addClient(fd)
        client.transport = transport
        if transport != nil { client.flags.insert(.tls) }
        client.flags.insert(.master)
        client.isAdmitted = true
        client.authenticated = true
        client.peerName = Server.endpointText(fd, peer: true)
        client.localName = Server.endpointText(fd, peer: false)
        if db >= 0 && db < server.keyspace.databases.count {
            client.database = server.keyspace.databases[db]
        }
        master = client
        dropTransaction()
        feed.assumeDB(db)
        // The stream's first bytes may have come, decrypted, with what stood before it.
        if transport?.hasPending == true { server.resume(client) }
    }

    /// A full sync is done: its history is ours now. Whoever followed us must ask again.
    private func adopt(_ state: ReplicaLink.CachedMaster?) {
        dropReplicas()
        masterErrors = MasterErrors()
        fullSync?.isOutdated = true
        server.rooms.expiry.own.removeAll()
        if let state { history.adopt(state.id) } else { history.begin(Self.freshID()) }
        stream.restart(at: state?.offset ?? 0)
        stream.activate()
        becomeStream(db: state?.db ?? 0)
        server.refreshGate()
    }

    private func resume(_ state: ReplicaLink.CachedMaster) {
        if !stream.isActive { stream.activate() }
        becomeStream(db: max(0, state.db))
        server.refreshGate()
    }

    /// `+CONTINUE <new id>`: our sub-replicas hear of the new id when they ask again.
    private func rename(_ id: ReplicationID) {
        history.rename(id, at: stream.end)
        dropReplicas()
    }

    /// Disconnects all replicas: they will ask for a (partial) resync.
    func dropReplicas() {
        for client in replicas { server.free(client) }
    }

    // MARK: Applying

    /// A request of the master's was applied: it counts, and goes on byte for byte. Those of a
    /// transaction do so together, so that nobody is ever continued from its middle.
    func applied(_ client: Client, _ bytes: Bytes) {
        if client.flags.contains(.multi) || holdsTransaction {
            transactionBytes.append(bytes)
            holdsTransaction = true
            if client.flags.contains(.multi) { return }
            holdsTransaction = false
            stream.append(transactionBytes.bytes)
            transactionBytes.removeAll(keeping: 64 << 10)
        } else {
            stream.append(bytes)
        }
        if stream.end &- flushedTo > Self.flushInterval { flush() }
    }

    private func dropTransaction() {
        transactionBytes.removeAll()
        holdsTransaction = false
    }

    /// The connection to the master has ended, or must end. `isTrusted` is false after a protocol
    /// error: then what we have is not known to be a prefix of the master's stream.
    func masterLost(_ client: Client, reason: String, isTrusted: Bool) {
        guard master === client else { return }
        feed.assumeDB(client.database.index)
        master = nil
        client.flags.remove(.master)
        dropTransaction()
        perform(link.linkLost(reason, position: isTrusted ? position : nil, at: Self.now))
    }

    // MARK: The full sync's body

    private func startTransfer(_ size: ReplicaLink.Transfer.Size, parse: Bool) {
        if parse { parseFromSocket(size) } else { connection?.receiveBody(size) }
    }

    private func abortTransfer() {
        connection?.abandonBody()
        if let loader {
            loader.cancel()
            self.loader = nil
            server.endLoading()
        }
    }
}
