// SPDX-License-Identifier: BSD-3-Clause
//
// Start, the turn of the loop, the cron, the end.

import Configuration
import Glibc
import Memory
import Platform

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
        let addresses: [(String?, Int32)] =
            config.bind.isEmpty
            ? [("*6", AF_INET6), (nil, AF_INET)]
            : config.bind.map { ($0, AF_UNSPEC) }
        var failure: SystemError?
        let before = listeners.count
        for (address, family) in addresses {
            do {
                let host = address == "*6" ? nil : address == "*" ? nil : address
                let fd = try SystemCalls.listenTCP(
                    host, port: port, backlog: config.tcpBacklog, family: family)
                try add(Listener(self, fd: fd, kind: kind))
            } catch let error as SystemError {
                failure = error
                // A machine without IPv6 is fine; an address that is asked for by name must work.
                if family == AF_INET6, error.code == EAFNOSUPPORT || error.code == EADDRNOTAVAIL { continue }
                Log.warning("Could not create server TCP listening socket \(address == "*6" ? "*" : address ?? "*"):\(port): \(error.call): \(error.reason)")
                if address != nil, error.code == EADDRNOTAVAIL || error.code == EAFNOSUPPORT { continue }
                throw error
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
        loop.beforeSleep = { [unowned self] in beforeSleep() }
        loop.afterSleep = { [unowned self] in readWallClock() }
        scheduleCron()
        refreshGate()
        memoryCron()
        loop.run()
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
        endPauseIfDue()
        saveIfDue()
        memoryCron()
        expireKeys()
        aof?.cron()
        refreshGate()
    }
}
