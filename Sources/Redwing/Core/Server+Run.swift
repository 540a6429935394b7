// SPDX-License-Identifier: BSD-3-Clause
//
// Start, the turn of the loop, the cron, the end.

import Configuration
import Glibc
import Memory
import Platform

/// A word of `bind`: an address or a name, `*` for all of IPv4, `::*` for all of IPv6; one with a `-`
/// before it is fine if this machine doesn't have it.
struct BindAddress {
    /// Nil for all of the family.
    let host: String?
    let family: Int32
    let mayBeMissing: Bool
    let text: String

    init(_ word: String) {
        mayBeMissing = word.hasPrefix("-")
        text = mayBeMissing ? String(word.dropFirst()) : word
        host = text == "*" || text == "::*" ? nil : text
        family = text == "*" ? AF_INET : text == "::*" ? AF_INET6 : AF_UNSPEC
    }

    static let everywhere = [BindAddress("-::*"), BindAddress("*")]
    /// Whoever wrote these needn't have thought of the world outside: protected mode holds.
    static func areEverywhere(_ words: [String]) -> Bool {
        words.allSatisfy { BindAddress($0).host == nil }
    }
}

extension Server {
    /// Opens the listening sockets. Nothing is served before `run`.
    public func listen() throws {
        try openTLS()
        try listen(port: config.port, .tcp)
        try listen(port: config.tlsPort, .tls)
        if !config.unixsocket.isEmpty {
            do {
                let fd = try SystemCalls.listenUnix(
                    config.unixsocket, permissions: UInt32(config.unixsocketperm),
                    backlog: config.tcpBacklog)
                try add(Listener(self, fd: fd, kind: .unix))
            } catch let error as SystemError {
                Log.warning("Opening Unix socket: \(error.call): \(error.reason)")
                throw error
            }
        }
    }

    private func listen(port: Int, _ kind: Listener.Kind) throws {
        if port == 0 { return }
        let addresses =
            config.bind.isEmpty ? BindAddress.everywhere : config.bind.map { BindAddress($0) }
        var failure: SystemError?
        let before = listeners.count
        for address in addresses {
            do {
                let fd = try SystemCalls.listenTCP(
                    address.host, port: port, backlog: config.tcpBacklog, family: address.family)
                try add(Listener(self, fd: fd, kind: kind))
            } catch let error as SystemError {
                failure = error
                let isMissing = error.code == EADDRNOTAVAIL || error.code == EAFNOSUPPORT
                if isMissing, address.mayBeMissing { continue }
                Log.warning(
                    "Could not create server TCP listening socket \(address.text):\(port): \(error.call): \(error.reason)"
                )
                // As long as one of several is there, as in Redis 6.0.
                if !isMissing { throw error }
            }
        }
        if listeners.count == before, let failure { throw failure }
    }

    private func add(_ listener: Listener) throws {
        try loop.watch(listener.fd, .read, listener)
        listeners.append(listener)
    }

    /// Serves until `stop`.
    public func run() {
        scheduleCron()
        refreshGate()
        memoryCron()
        ProcessCalls.ask(for: .short)
        loop.run(before: { beforeSleep() }, after: { readClocks() })
    }

    /// Starts the cron, or gives it another frequency.
    func scheduleCron() {
        if let cronTimer { loop.cancel(cronTimer) }
        cronTimer = loop.schedule(after: 1, every: Int64(1000 / max(1, config.hz))) {
            [unowned self] in cron()
        }
    }

    func beforeSleep() {
        expireKeysFast()
        freeRemains()
        runUnprocessed()
        rooms.replicationRoom?.askForAcks()
        if isTracking { sendInvalidations() }
        flushAOF()
        rooms.replicationRoom?.beforeSleep()
        flushReplies()
        freePending()
        if !pendingWrites.isEmpty { loop.busy = true }
    }

    /// serverCron: `hz` times a second.
    func cron() {
        cronTurns += 1
        clientsCron()
        observationCron()
        saveIfDue()
        memoryCron()
        expireKeys()
        aof?.cron()
        refreshGate()
    }
}
