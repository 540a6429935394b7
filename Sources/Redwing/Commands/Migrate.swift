// SPDX-License-Identifier: BSD-3-Clause
//
// MIGRATE: keys go to another server by RESTORE, and away from here once that one has them. It blocks
// until the timeout, as in Redis, so that no key is ever in both or in neither for others to see.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func migration() -> [Command] {
        [
            Command(
                "migrate", -6, "write random movablekeys", keys: (3, 3, 1), "keyspace dangerous",
                keyFinder: Migrate.keys, since: "2.6.0",
                "Moves keys to another server.", Migrate.run)
        ]
    }
}

enum Migrate {
    private struct Request {
        var host = ""
        var port = 0
        var database: Int64 = 0
        var timeout: Int64 = 1000
        var copy = false
        var replace = false
        var user: Bytes?
        var password: Bytes?
        /// Where the keys stand among the arguments.
        var keys = 3..<4
    }

    /// The key, or those behind KEYS.
    static func keys(_ words: Arguments) -> [Int] {
        if words.count > 6, words[3].isEmpty {
            for i in 6..<words.count where words[i].equalsIgnoringCase("keys") {
                return Array((i + 1)..<words.count)
            }
        }
        return [3]
    }

    static func run(_ c: Client) {
        guard var request = parse(c) else { return }
        request.host = c[1].string
        request.port = Int(Decimal.parse(c[2]) ?? 0)
        let present = request.keys.filter { c.lookupRead(c[$0]) != nil }
        if present.isEmpty { return c.reply.raw("+NOKEY\r\n") }
        // A kept connection may have been closed by the other side since: then a new one is tried.
        if !send(c, request, present, mayRetry: true) {
            _ = send(c, request, present, mayRetry: false)
        }
        c.server.rooms.peers.arm(c.server.loop)
    }

    private static func parse(_ c: Client) -> Request? {
        var request = Request()
        var at = 6
        while at < c.count {
            let more = c.count - 1 - at
            if c.word(at, is: "copy") {
                request.copy = true
            } else if c.word(at, is: "replace") {
                request.replace = true
            } else if c.word(at, is: "auth"), more >= 1 {
                request.password = c[at + 1]
                at += 1
            } else if c.word(at, is: "auth2"), more >= 2 {
                (request.user, request.password) = (c[at + 1], c[at + 2])
                at += 2
            } else if c.word(at, is: "keys") {
                if !c[3].isEmpty {
                    c.reply.error(
                        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
                    )
                    return nil
                }
                request.keys = (at + 1)..<c.count
                break
            } else {
                c.syntaxError()
                return nil
            }
            at += 1
        }
        guard let timeout = c.integer(5), let database = c.integer(4) else { return nil }
        request.timeout = timeout <= 0 ? 1000 : timeout
        request.database = database
        return request
    }

    /// False when nothing was done and a new connection may do better; else the reply is written.
    private static func send(
        _ c: Client, _ request: Request, _ present: [Int], mayRetry: Bool
    ) -> Bool {
        let peers = c.server.rooms.peers
        let start = EventLoop.monotonic
        let (sum, overflow) = start.addingReportingOverflow(request.timeout)
        let deadline = overflow ? Int64.max : sum
        var gone: [Int] = []
        defer { propagate(c, gone) }
        do throws(PeerSocket.Failure) {
            let (socket, wasKept) = try peers.take(
                request.host, port: request.port, deadline: deadline)
            let selects = socket.database != request.database
            let (out, sent) = restores(c, request, present, selects: selects)
            do throws(PeerSocket.Failure) {
                try socket.write(out.bytes, deadline: deadline)
                try readReplies(c, request, sent, socket, selects, deadline, &gone)
                return true
            } catch {
                peers.drop(request.host, port: request.port)
                let isLate = EventLoop.monotonic >= deadline
                if mayRetry, wasKept, gone.isEmpty, !isLate { return false }
                throw error
            }
        } catch {
            switch error {
            case .connecting: c.reply.raw("-IOERR error or timeout connecting to the client\r\n")
            case .writing: c.reply.raw("-IOERR error or timeout writing to target instance\r\n")
            case .reading: c.reply.raw("-IOERR error or timeout reading to target instance\r\n")
            }
            return true
        }
    }

    /// All requests in one buffer, and the keys that are in it: those that died meanwhile aren't.
    private static func restores(
        _ c: Client, _ request: Request, _ present: [Int], selects: Bool
    ) -> (ByteBuffer, [Int]) {
        let out = ByteBuffer()
        if let password = request.password {
            out.append(request: [Bytes("AUTH")] + (request.user.map { [$0] } ?? []) + [password])
        }
        if selects {
            Bytes.with(String(request.database)) { out.append(request: [Bytes("SELECT"), $0]) }
        }
        var sent: [Int] = []
        for index in present {
            guard let entry = c.database.find(c[index]) else { continue }
            var ttl: Int64 = 0
            if let expiry = entry.expiry {
                ttl = expiry - c.server.now
                if ttl < 0 { continue }
                ttl = max(1, ttl)
            }
            let writer = RDBWriter.memory(compression: c.server.config.rdbcompression)
            writer.beginDump(ValueRDB.type(of: entry))
            ValueRDB.write(entry, to: writer)
            writer.endDump()
            guard writer.finish() == 0 else { continue }
            Bytes.with(String(ttl)) { digits in
                out.append(
                    request: [Bytes("RESTORE"), c[index], digits, writer.memory]
                        + (request.replace ? [Bytes("REPLACE")] : []))
            }
            sent.append(index)
        }
        return (out, sent)
    }

    /// Each key goes when the other side says that it has it; the first refusal is the reply.
    private static func readReplies(
        _ c: Client, _ request: Request, _ sent: [Int], _ socket: PeerSocket, _ selects: Bool,
        _ deadline: Int64, _ gone: inout [Int]
    ) throws(PeerSocket.Failure) {
        var early: [UInt8]?
        for _ in 0..<((request.password == nil ? 0 : 1) + (selects ? 1 : 0)) {
            let line = try socket.readLine(deadline: deadline)
            if early == nil, line.first == UInt8(ascii: "-") { early = line }
        }
        var refusal: [UInt8]?
        for index in sent {
            let line: [UInt8]
            do throws(PeerSocket.Failure) {
                line = try socket.readLine(deadline: deadline)
            } catch {
                if refusal == nil { throw error }
                c.server.rooms.peers.drop(request.host, port: request.port)
                break
            }
            if let bad = early ?? (line.first == UInt8(ascii: "-") ? line : nil) {
                if refusal == nil { refusal = bad }
            } else if !request.copy {
                c.server.remove(c[index], in: c.database)
                c.changed(c[index], .generic, "del")
                gone.append(index)
            }
        }
        if let refusal {
            socket.database = -1
            let text = String(decoding: refusal.dropFirst(), as: UTF8.self)
            c.reply.error("ERR Target instance replied with error: \(text)")
        } else {
            socket.database = request.database
            c.reply.ok()
        }
    }

    /// Replicas and the AOF see that keys went, not where to.
    private static func propagate(_ c: Client, _ gone: [Int]) {
        if !gone.isEmpty { c.propagateInstead([Bytes("DEL")] + gone.map { c[$0] }) }
    }
}
