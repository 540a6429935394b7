// SPDX-License-Identifier: BSD-3-Clause
//
// MULTI, EXEC, DISCARD, WATCH: commands gathered now and run together later, unless a watched key
// changes in between.

import Keyspace
import Memory
import RESP

/// What a client has queued since MULTI: whole requests, as they came, parsed again by EXEC.
struct Transaction {
    struct Step {
        let command: Command
        /// In one of the chunks, which stay where they are.
        let request: Bytes
    }
    private(set) var steps: [Step] = []
    /// Flags of any of the commands: a transaction with a write is a write.
    private(set) var flags: CommandFlags = []
    /// Never grown, so that nothing is copied twice and little memory lies idle.
    private var chunks: [ByteBuffer] = []
    private var chunkBytes = 0

    var memoryUsage: Int { chunkBytes + steps.capacity * MemoryLayout<Step>.stride }

    private static let chunkLimit = 64 << 10

    /// `request` is a RESP array.
    mutating func queue(_ command: Command, _ request: Bytes) {
        let size = request.count
        if chunks.last.map({ $0.room < size }) ?? true {
            chunks.append(ByteBuffer(capacity: max(size, min(chunkBytes, Self.chunkLimit))))
            chunkBytes += chunks[chunks.count - 1].capacity
        }
        let chunk = chunks[chunks.count - 1]
        let start = chunk.count
        chunk.append(request)
        steps.append(Step(command: command, request: chunk.bytes.dropFirst(start)))
        flags.formUnion(command.flags)
    }
}

struct WatchedKey: Hashable {
    let database: Int
    let key: [UInt8]
    /// It was there, but logically expired, when it was watched.
    let wasExpired: Bool
}

/// Who watches which key.
struct WatchTable {
    private(set) var watchers: [WatchedKeyID: [Client]] = [:]
    struct WatchedKeyID: Hashable {
        let database: Int
        let key: [UInt8]
    }
    var isEmpty: Bool { watchers.isEmpty }

    mutating func add(_ client: Client, _ key: WatchedKey) {
        watchers[WatchedKeyID(database: key.database, key: key.key), default: []].append(client)
    }

    mutating func remove(_ client: Client, _ key: WatchedKey) {
        let id = WatchedKeyID(database: key.database, key: key.key)
        watchers[id]?.removeAll { $0 === client }
        if watchers[id]?.isEmpty == true { watchers[id] = nil }
    }

    /// Spoils the transactions of all who watch `key`.
    func touch(_ key: Bytes, _ database: Int) {
        for client in watchers[WatchedKeyID(database: database, key: key.array)] ?? [] {
            client.flags.insert(.dirtyCas)
        }
    }

    /// Spoils those who watch any key of `database` (nil: of all) that `exists` says is affected.
    func touchAll(_ database: Int?, where affected: (Int, [UInt8]) -> Bool) {
        for (id, clients) in watchers where database == nil || id.database == database {
            if affected(id.database, id.key) {
                for client in clients { client.flags.insert(.dirtyCas) }
            }
        }
    }
}

extension CommandTable {
    static func transactions() -> [Command] {
        [
            Command(
                "multi", 1, "noscript loading stale fast in_multi frame busy", "transaction",
                since: "1.2.0",
                "Begins a transaction.", Transactions.multi),
            Command(
                "exec", 1,
                "noscript loading stale skip_monitor skip_slowlog in_multi ends_multi frame runs_queue",
                "transaction",
                since: "1.2.0",
                "Runs the commands of the transaction.", Transactions.exec),
            Command(
                "discard", 1, "noscript loading stale fast in_multi ends_multi busy", "transaction",
                since: "2.0.0",
                "Gives the transaction up.", Transactions.discard),
            Command(
                "watch", -2, "noscript loading stale fast in_multi busy", keys: (1, -1, 1),
                "transaction",
                since: "2.2.0",
                "Lets the next transaction run only if these keys stay as they are.",
                Transactions.watch),
            Command(
                "unwatch", 1, "noscript loading stale fast busy", "transaction", since: "2.2.0",
                "Forgets the keys of WATCH.", Transactions.unwatch),
        ]
    }
}

enum Transactions {
    static func multi(_ c: Client) {
        if c.flags.contains(.multi) { return c.reply.error("ERR MULTI calls can not be nested") }
        c.flags.insert(.multi)
        c.transaction = Transaction()
        c.reply.ok()
    }

    static func discard(_ c: Client) {
        if !c.flags.contains(.multi) { return c.reply.error("ERR DISCARD without MULTI") }
        c.server.endTransaction(c)
        c.reply.ok()
    }

    static func watch(_ c: Client) {
        if c.flags.contains(.multi) {
            return c.reply.error("ERR WATCH inside MULTI is not allowed")
        }
        for i in 1..<c.count {
            let expired = c.server.isLogicallyExpired(c[i], in: c.database)
            let key = WatchedKey(database: c.database.index, key: c[i].array, wasExpired: expired)
            if c.watchedKeys.contains(where: { $0.database == key.database && $0.key == key.key }) {
                continue
            }
            c.watchedKeys.append(key)
            c.server.watchers.add(c, key)
        }
        c.reply.ok()
    }

    static func unwatch(_ c: Client) {
        c.server.unwatchAll(c)
        c.flags.remove(.dirtyCas)
        c.reply.ok()
    }

    static func exec(_ c: Client) {
        let server = c.server
        defer { if !server.monitors.isEmpty { server.showToMonitors(c) } }
        guard c.flags.contains(.multi), let transaction = c.transaction else {
            return c.reply.error("ERR EXEC without MULTI")
        }
        if server.watchedKeyExpired(c) { c.flags.insert(.dirtyCas) }
        if c.flags.contains(.dirtyExec) {
            c.reply.raw("-EXECABORT Transaction discarded because of previous errors.\r\n")
            return server.endTransaction(c)
        }
        if c.flags.contains(.dirtyCas) {
            c.reply.nullArray()
            return server.endTransaction(c)
        }
        server.unwatchAll(c)
        // A write inside makes the whole fail on a replica that became read-only since.
        let outerArguments = c.arguments
        let outerRequest = c.request
        let outerCommand = c.command
        let denied = c.flags.contains(.denyBlocking)
        c.flags.insert(.denyBlocking)
        c.flags.remove(.multi)
        server.inExec = true
        server.beginGroup()
        c.reply.array(transaction.steps.count)
        var parser = RequestParser()
        for step in transaction.steps {
            // It was within the limits when it was queued.
            _ = parser.parse(step.request, limits: .none)
            c.arguments = parser.arguments
            c.request = step.request
            c.command = step.command
            if let text = server.accessRefusalInExec(c, step.command) {
                c.reply.error(text)
                continue
            }
            let mark = c.reply.out.count
            server.call(c, step.command)
            if c.flags.contains(.master) { server.noteMasterError(c, from: mark) }
        }
        extendLifetime(parser)
        server.endGroup()
        server.inExec = false
        if !denied { c.flags.remove(.denyBlocking) }
        c.arguments = outerArguments
        c.request = outerRequest
        c.command = outerCommand
        server.endTransaction(c)
    }
}

extension Server {
    /// Keeps the request at hand for EXEC.
    func queue(_ client: Client, _ command: Command) {
        if client.request.isEmpty {
            // It came as a line.
            let encoded = ByteBuffer()
            encoded.append(request: client.arguments.all)
            client.transaction?.queue(command, encoded.bytes)
        } else {
            client.transaction?.queue(command, client.request)
        }
        client.reply.raw("+QUEUED\r\n")
        replied(client)
    }

    func endTransaction(_ client: Client) {
        client.transaction = nil
        client.flags.subtract([.multi, .dirtyCas, .dirtyExec])
        unwatchAll(client)
    }

    func unwatchAll(_ client: Client) {
        for key in client.watchedKeys { watchers.remove(client, key) }
        client.watchedKeys = []
    }

    /// A watched key has logically expired since it was watched.
    func watchedKeyExpired(_ client: Client) -> Bool {
        client.watchedKeys.contains { watched in
            !watched.wasExpired
                && Bytes.with(watched.key) {
                    isLogicallyExpired($0, in: keyspace.databases[watched.database])
                }
        }
    }
}
