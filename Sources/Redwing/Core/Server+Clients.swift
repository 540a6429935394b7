// SPDX-License-Identifier: BSD-3-Clause
//
// Clients come and go: accepting, describing, freeing, timing out.

import Configuration
import Glibc
import Keyspace
import Memory
import RESP

/// One listening socket.
final class Listener: EventHandler {
    enum Kind { case tcp, unix, tls }
    let fd: Int32
    let kind: Kind
    unowned let server: Server
    private let pacing: LocalPacing?
    /// Clients taken in one turn, so that a storm of connects doesn't starve the others.
    private static let acceptsPerTurn = 1000

    init(_ server: Server, fd: Int32, kind: Kind) {
        self.server = server
        self.fd = fd
        self.kind = kind
        pacing = kind == .unix ? nil : LocalPacing(listener: fd)
    }

    override func ready(_ readiness: Readiness) {
        for _ in 0..<Self.acceptsPerTurn {
            do {
                guard let peer = try SystemCalls.accept(fd) else { return }
                server.accepted(peer, kind, pacing)
            } catch {
                Log.warning("Accepting client connection: \(error.reason)")
                return
            }
        }
    }
}

extension Server {
    func accepted(_ fd: Int32, _ kind: Listener.Kind, _ pacing: LocalPacing?) {
        if clients.count >= config.maxclients {
            if kind != .tls {
                Bytes.with("-ERR max number of clients reached\r\n") {
                    _ = SystemCalls.send(fd, $0)
                }
            }
            statistics.rejectedConnections += 1
            SystemCalls.close(fd)
            return
        }
        // A TLS session may hold bytes that no arrival announces; a short read of a UNIX socket doesn't
        // say that it is empty.
        let client = addClient(fd, onArrival: kind == .tcp)
        statistics.connections += 1
        if kind == .unix {
            client.flags.insert(.unixSocket)
            client.peerName = "\(config.unixsocket):0"
            client.localName = client.peerName
        } else {
            SystemCalls.setNoDelay(fd, true)
            if config.tcpKeepalive > 0 {
                SystemCalls.setKeepalive(fd, interval: config.tcpKeepalive)
            }
            client.peerName = Self.endpointText(fd, peer: true)
            client.localName = Self.endpointText(fd, peer: false)
            pacing?.settle(fd, staysHere: client.isOfThisMachine)
            // Who speaks TLS is told behind the handshake.
            if kind == .tcp, refusedByProtectedMode(client) { return }
        }
        if kind == .tls, !startTLS(client) {
            free(client)
            return
        }
        Log.verbose(
            kind == .unix
                ? "Accepted connection to \(config.unixsocket)" : "Accepted \(client.peerName)")
    }

    static func endpointText(_ fd: Int32, peer: Bool) -> String {
        guard let (ip, port) = SystemCalls.endpoint(fd, peer: peer) else { return "?:0" }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }

    /// A client on `fd`, watched for requests.
    func addClient(_ fd: Int32, onArrival: Bool = false) -> Client {
        let client = Client(server: self, id: nextClientID, fd: fd, database: keyspace.databases[0])
        nextClientID += 1
        client.isAdmitted = !requiresPassword
        client.authenticated = client.isAdmitted
        clients[client.id] = client
        do {
            try SystemCalls.setNonBlocking(fd)
            try loop.watch(fd, .read, client, onArrival: onArrival)
        } catch {
            Log.warning("Error registering fd event for the new client: \(error) (fd=\(fd))")
            freeSoon(client)
        }
        return client
    }

    func refusedByProtectedMode(_ client: Client) -> Bool {
        guard config.protectedMode, BindAddress.areEverywhere(config.bind), !requiresPassword else {
            return false
        }
        if client.isLocal { return false }
        client.reply.raw(
            "-DENIED Redis is running in protected mode because protected mode is enabled, no bind address was specified, no authentication password is requested to clients. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a bind address or an authentication password. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"
        )
        let text = client.reply.out.bytes
        _ = client.transport?.write(text) ?? SystemCalls.send(client.fd, text)
        statistics.rejectedConnections += 1
        free(client)
        return true
    }

    /// Ends `client`: everything that knows it lets go, the connection is closed.
    public func free(_ client: Client) {
        if client.flags.contains(.closed) { return }
        if client.flags.contains(.protected) { return freeSoon(client) }
        if client.flags.contains(.master), cacheMaster(client) { return }
        client.flags.insert(.closed)
        endWait(client)
        client.transaction = nil
        unwatchAll(client)
        if client.flags.contains(.postponed) { postponed.removeAll { $0 === client } }
        if client.flags.contains(.pendingWrite) { forgetWrites(of: client) }
        if client.flags.contains(.monitor) { monitors.removeAll { $0 === client } }
        willFree(client)
        if client.fd >= 0 {
            loop.unwatch(client.fd)
            if let transport = client.transport { transport.close() }
            SystemCalls.close(client.fd)
            client.fd = -1
        }
        client.query.removeAll(keeping: 0)
        clients[client.id] = nil
        closedClients.append(client)
    }

    /// Ends `client` before the loop sleeps; for places where somebody up the stack still uses it.
    public func freeSoon(_ client: Client) {
        if !client.flags.isDisjoint(with: [.closed]) { return }
        client.flags.insert(.closeSoon)
        pendingFree.append(client)
        loop.busy = true
    }

    func freePending() {
        if !pendingFree.isEmpty {
            let batch = pendingFree
            pendingFree = []
            for client in batch { free(client) }
        }
        if !closedClients.isEmpty { closedClients = [] }
    }

    /// All clients, each turn of the cron: idle ones are closed, big buffers given back.
    func clientsCron() {
        let seconds = now / 1000
        for client in clients.values {
            if config.timeout > 0,
                client.flags.isDisjoint(
                    with: [.replica, .master, .blocked, .postponed, .pubsub, .monitor]),
                seconds - client.lastInteraction > Int64(config.timeout)
            {
                Log.verbose("Closing idle client")
                free(client)
                continue
            }
            rooms.observation.recentInput.note(client.query.capacity, at: now)
            rooms.observation.recentOutput.note(client.reply.out.capacity, at: now)
            if client.query.isEmpty, client.query.capacity > 0 {
                client.query.removeAll(keeping: 0)
            }
            client.query.shrink(below: 32 << 10)
            if client.reply.out.isEmpty { client.reply.out.removeAll(keeping: 1 << 10) }
            checkOutputLimit(client)
        }
    }
}

extension Server {
    /// Rooms that keep something of `client` let it go.
    func willFree(_ client: Client) {
        rooms.pubsub.removeAll(of: client)
        stopTracking(client)
        if client.attachments.replica != nil { rooms.replicationRoom?.forget(client) }
    }
}
