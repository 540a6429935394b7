// SPDX-License-Identifier: BSD-3-Clause
//
// TLS for clients and for the link to a master: contexts made at the start and by CONFIG SET,
// handshakes of clients, and what a ready socket means when there is a session on it.

import Configuration
import Memory
import Platform
import RESP

/// The contexts in use. One that can't be made leaves the old ones in place.
struct TLSContexts {
    let incoming: TLSContext
    let outgoing: TLSContext

    init(_ config: Configuration) throws(TLSSettings.Fault) {
        let settings = try TLSSettings(config)
        incoming = try TLSContext(settings, outgoing: false)
        outgoing = try TLSContext(settings, outgoing: true)
    }
}

extension Server {
    /// Somebody needs a certificate.
    private var usesTLS: Bool { config.tlsPort != 0 || config.tlsReplication || config.tlsCluster }

    /// At the start, before there is a socket.
    func openTLS() throws {
        if usesTLS, !configureTLS() {
            throw StartError(description: "Failed to configure TLS. Check logs for more info.")
        }
        for directive in [
            "tls-cert-file", "tls-key-file", "tls-key-file-pass", "tls-client-cert-file",
            "tls-client-key-file", "tls-client-key-file-pass", "tls-dh-params-file",
            "tls-ca-cert-file",
            "tls-ca-cert-dir", "tls-protocols", "tls-ciphers", "tls-ciphersuites",
            "tls-prefer-server-ciphers", "tls-session-caching", "tls-session-cache-size",
            "tls-session-cache-timeout", "tls-replication", "tls-cluster",
        ] {
            onChange(directive) { [unowned self] in
                // Files may be named one by one before anybody needs them.
                guard usesTLS, !configureTLS() else { return nil }
                return "Unable to configure tls-cert-file. Check server logs."
            }
        }
    }

    private func configureTLS() -> Bool {
        do throws(TLSSettings.Fault) {
            rooms.tls = try TLSContexts(config)
            return true
        } catch {
            Log.warning(error.text)
            return false
        }
    }

    /// Begins an encrypted session on a client just accepted; false when there can't be one.
    func startTLS(_ client: Client) -> Bool {
        let auth: Int32
        switch config.tlsAuthClients {
        case .no: auth = Int32(REDWING_TLS_AUTH_NO)
        case .optional: auth = Int32(REDWING_TLS_AUTH_OPTIONAL)
        case .yes: auth = Int32(REDWING_TLS_AUTH_YES)
        }
        guard let contexts = rooms.tls,
            let connection = TLSConnection(contexts.incoming, fd: client.fd, auth: auth)
        else { return false }
        client.transport = connection
        client.flags.insert(.tls)
        return true
    }

    /// The session of a connection that we made; nil when there is no certificate.
    func makeOutgoingTLS(_ fd: Int32) -> TLSConnection? {
        rooms.tls.flatMap { TLSConnection($0.outgoing, fd: fd) }
    }

    /// An event of a client that has a session.
    func ready(_ client: Client, _ readiness: Readiness, over transport: TLSConnection) {
        guard transport.isEstablished else { return shakeHands(client, transport) }
        // A read may have waited for room to write.
        if readiness.contains(.read) || transport.wantsRoom { readable(client) }
        if readiness.contains(.write), client.fd >= 0 { wantsWrite(client) }
    }

    private func shakeHands(_ client: Client, _ transport: TLSConnection) {
        switch transport.handshake() {
        case .wantsRead: loop.setInterest(client.fd, .read)
        case .wantsWrite: loop.setInterest(client.fd, .write)
        case .failed(let reason):
            Log.warning("Error accepting a client connection: \(reason)")
            free(client)
        case .done:
            loop.setInterest(client.fd, .read)
            if refusedByProtectedMode(client) { return }
            if !client.reply.out.isEmpty { wantsWrite(client) }
            // The first request may have come with the last words of the handshake.
            readable(client)
        }
    }

    /// Nothing is left to write but what the session itself may hold: watches for requests. False
    /// while the session waits for room.
    func watchInput(_ client: Client) -> Bool {
        let waits = client.transport?.wantsRoom ?? false
        loop.setInterest(client.fd, waits ? [.read, .write] : .read)
        return !waits
    }
}
