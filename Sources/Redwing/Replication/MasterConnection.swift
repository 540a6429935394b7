// SPDX-License-Identifier: BSD-3-Clause
//
// The connection to our master until the stream runs on it: handshake lines, then the snapshot into a
// file or into the loader. Nothing is ever read that belongs to what comes after: lines are peeked at
// first, bodies are read to their last byte and no further.

import Configuration
import Glibc
import Keyspace
import Memory
import Platform
import RESP
import Replication
import Wing

final class MasterConnection: EventHandler {
    enum Phase {
        case connecting, securing, lines, body(Body), idle
    }

    /// A snapshot that is received into a file.
    final class Body {
        let file: Int32
        let path: String
        let size: ReplicaLink.Transfer.Size
        let receiver = SocketReceiver()
        var offset: UInt64 = 0
        var written: UInt64 = 0

        init(file: Int32, path: String, size: ReplicaLink.Transfer.Size) {
            self.file = file
            self.path = path
            self.size = size
        }

        deinit { SystemCalls.close(file) }
    }

    unowned let room: ReplicationRoom
    private(set) var fd: Int32
    var phase = Phase.connecting
    /// The session on the connection, with tls-replication.
    var transport: TLSConnection?
    /// What came of a line through the session.
    let line = ByteBuffer()
    /// A complete body that is being loaded.
    private var received: Body?
    /// What the socket had no room for.
    private let out = ByteBuffer()
    static let longestLine = 64 << 10
    /// A line that has begun must end within Redis's limit for the handshake.
    private static let lineLimit = Duration_ms.seconds(5)
    private var lineSince: Instant?
    /// Bytes between two requests to the kernel to begin writing them to disk.
    private static let writeBehind: UInt64 = 8 << 20
    /// Bytes taken in a turn, and in one system call.
    static let turnLimit = 1 << 20
    private static let pieceSize = 256 << 10
    var server: Server { room.server }

    init(_ room: ReplicationRoom, fd: Int32) throws {
        self.room = room
        self.fd = fd
        super.init()
        try server.loop.watch(fd, [.write], self)
    }

    deinit { close() }

    func close() {
        guard fd >= 0 else { return }
        server.loop.unwatch(fd)
        transport?.close()
        SystemCalls.close(fd)
        fd = -1
        abandonBody()
        phase = .idle
    }

    /// Gives the descriptor away: the stream runs on it from now on, or the loader reads from it.
    func release() -> Int32 {
        let mine = fd
        server.loop.unwatch(mine)
        fd = -1
        phase = .idle
        return mine
    }

    /// The loader reads from the descriptor: no event is ours, and we write only.
    func lend() -> Int32 {
        server.loop.unwatch(fd)
        phase = .idle
        return fd
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        switch phase {
        case .connecting:
            let code = SystemCalls.socketError(fd)
            if code != 0 {
                lost(String(describing: SystemError(call: "connect", code: code).reason))
                return
            }
            SystemCalls.setNoDelay(fd, true)
            if server.config.tlsReplication { secure() } else { connected() }
        case .securing: shakeHands()
        case .lines:
            if readiness.contains(.write) { flushOut() }
            if let transport {
                readLines(over: transport)
            } else if readiness.contains(.read) {
                readLines()
            }
        case .body(let body): receive(body)
        case .idle: break
        }
    }

    func connected() {
        phase = .lines
        server.loop.setInterest(fd, .read)
        room.perform(room.link.connected(at: ReplicationRoom.now))
    }

    func lost(_ reason: String) {
        room.perform(room.link.linkLost(reason, position: nil, at: ReplicationRoom.now))
    }

    // MARK: Lines

    /// Takes one line at a time, and no byte beyond it.
    private func readLines() {
        while fd >= 0, case .lines = phase {
            let buffer = ByteBuffer(capacity: 1024)
            var n = TransferCalls.peek(fd, buffer, 1024)
            if n == 1024 { n = TransferCalls.peek(fd, buffer, Self.longestLine) }
            if n == 0 { return lost("connection closed by the master") }
            if n < 0 {
                let code = errno
                if code == EAGAIN || code == EINTR { return }
                return lost(SystemError(call: "recv", code: code).reason)
            }
            let bytes = buffer.bytes
            guard let end = bytes.firstIndex(of: 0x0A) else {
                // Half a line: wait for the rest, but not for ever for a line that never ends.
                if n >= Self.longestLine { return lost("a line of more than \(n) bytes") }
                if TransferCalls.hasEnded(fd) {
                    return lost(
                        "connection closed by the master behind '\(bytes.printable(most: 64))', which is no line"
                    )
                }
                let now = ReplicationRoom.now
                let since = lineSince ?? now
                lineSince = since
                if now - since > Self.lineLimit {
                    return lost("the line '\(bytes.printable(most: 64))' doesn't end")
                }
                pollForLine()
                return
            }
            lineSince = nil
            TransferCalls.take(fd, end + 1)
            took(line: bytes[0..<end])
        }
    }

    /// A line came, without its newline.
    func took(line: Bytes) {
        let end = line.count
        let isWhole = end > 0 && line[end - 1] == 0x0D
        // What a master says is printable, and short: anything else is only logged.
        let text = (isWhole ? line[0..<(end - 1)] : line).printable(most: 256)
        room.perform(
            room.link.received(
                line: text, keyspaceIsEmpty: server.keyspace.count == 0, at: ReplicationRoom.now))
    }

    /// The peeked part stays in the socket, so the loop would call again at once: look again later.
    private func pollForLine() {
        server.loop.setInterest(fd, [])
        server.loop.schedule(after: 5) { [weak self] in
            guard let self, self.fd >= 0, case .lines = self.phase else { return }
            self.server.loop.setInterest(self.fd, .read)
        }
    }

    func send(_ command: ReplicaLink.Command) {
        switch command {
        case .ping: write(["PING"])
        case .auth(let user, let password): write(["AUTH"] + (user.map { [$0] } ?? []) + [password])
        case .listeningPort(let port): write(["REPLCONF", "listening-port", "\(port)"])
        case .ipAddress(let ip): write(["REPLCONF", "ip-address", ip])
        case .capabilities:
            write(["REPLCONF", "capa", "eof", "capa", "psync2", "capa", "newline"])
        case .psync(let id, let offset, let failover):
            write(["PSYNC", id, "\(offset)"] + (failover ? ["FAILOVER"] : []))
        case .sync: out.append("SYNC\r\n")
        }
        flushOut()
    }

    private func write(_ words: [String]) {
        out.append(request: words)
    }

    func sendNewline() {
        out.append("\n")
        flushOut()
    }

    private func flushOut() {
        while fd >= 0, !out.isEmpty {
            switch transport?.write(out.bytes) ?? SystemCalls.write(fd, out.bytes) {
            case .bytes(let n): out.consume(n)
            case .wouldBlock, .end:
                server.loop.setInterest(fd, [.read, .write])
                return
            case .failed: return  // The next read tells.
            }
        }
        if let transport {
            _ = transport.flush()
            if transport.wantsRoom { return server.loop.setInterest(fd, [.read, .write]) }
        }
        if case .lines = phase { server.loop.setInterest(fd, .read) }
    }

    // MARK: The body

    func receiveBody(_ size: ReplicaLink.Transfer.Size) {
        let path = "temp-\(server.now / 1000).\(getpid()).rdb"
        let file = TransferCalls.create(path)
        if file < 0 {
            let reason = SystemError.last("open").reason
            let text =
                "Opening the temp file needed for MASTER <-> REPLICA synchronization: \(reason)"
            room.perform(room.link.loadFailed(text, at: ReplicationRoom.now))
            return
        }
        let body = Body(file: file, path: path, size: size)
        phase = .body(body)
        room.bodyBegins(file, size)
    }

    func abandonBody() {
        if case .body(let body) = phase {
            TransferCalls.remove(body.path)
            phase = .lines
        }
        dropReceived()
    }

    func receive(_ body: Body) {
        if let transport { return receive(body, over: transport) }
        var budget = Self.turnLimit
        while budget > 0 {
            let left = body.size.total.map { Int($0 - Int64(body.offset)) } ?? Int.max
            let n = body.receiver.receive(
                fd, into: body.file, &body.offset, min(left, Self.pieceSize))
            if n == 0 { return }
            if n < 0 { return bodyFailed(body, Int32(n)) }
            budget -= n
            if took(n, of: body) { return complete(body) }
        }
    }

    /// Another `n` bytes are in the file; true when they were the last.
    func took(_ n: Int, of body: Body) -> Bool {
        server.statistics.replicationInputBytes += UInt64(n)
        server.statistics.inputBytes += UInt64(n)
        room.link.received(bytes: Int64(n), at: ReplicationRoom.now)
        if body.offset - body.written >= Self.writeBehind {
            _ = redwing_write_behind(
                body.file, Int64(body.written), Int64(body.offset - body.written))
            body.written = body.offset
        }
        if isComplete(body) { return true }
        room.bodyGrew()
        wing_turn_offer()
        return false
    }

    private func isComplete(_ body: Body) -> Bool {
        switch body.size {
        case .bytes(let size): return body.offset == UInt64(size)
        case .mark(let mark):
            // The master sends nothing behind the mark before our first ACK: it is the file's tail.
            let count = EOFMark.size
            guard body.offset >= UInt64(count) else { return false }
            let buffer = ByteBuffer(capacity: count)
            let n = TransferCalls.read(body.file, buffer, count, at: body.offset - UInt64(count))
            guard n == count else { return false }
            guard buffer.bytes.array == Array(mark.utf8) else { return false }
            return ftruncate(body.file, off_t(body.offset) - off_t(count)) == 0
        }
    }

    func bodyFailed(_ body: Body, _ code: Int32) {
        if code == WING_E_END { return lost("connection closed by the master") }
        let reason = TransferCalls.reason(code)
        if code == -ENOSPC || code == -EIO || code == -EDQUOT {
            let text =
                "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA "
                + "synchronization: \(reason)"
            room.perform(room.link.loadFailed(text, at: ReplicationRoom.now))
            return
        }
        lost(reason)
    }

    /// The file is whole. Nothing comes before our ACK, and a hang-up would be an event without end: the
    /// stream, or the next newline, finds out.
    func complete(_ body: Body) {
        phase = .idle
        server.loop.unwatch(fd)
        received = body
        room.perform(room.link.transferred(at: ReplicationRoom.now))
    }

    /// The received file, for the loader.
    var receivedFile: Int32? { received?.file }

    /// The received file gets its name when it was loaded and its bytes are on disk, on another thread: what
    /// a crash leaves is the old file or the new one, whole, and one that doesn't load replaces nothing.
    /// (Redis renames first, and waits for the disk before it loads.)
    func keepReceived() {
        guard let body = received else { return }
        received = nil
        let target = server.config.dbfilename
        let held = Handover(body)
        server.jobs.submit {
            let body = held.value
            if fsync(body.file) != 0 {
                let reason = SystemError.last("fsync").reason
                Log.warning(
                    "Failed trying to sync the temp DB to disk in MASTER <-> REPLICA synchronization: \(reason)"
                )
                TransferCalls.remove(body.path)
            } else if !TransferCalls.move(body.path, to: target) {
                let reason = SystemError.last("rename").reason
                Log.warning(
                    "Failed trying to rename the temp DB into \(target) in MASTER <-> REPLICA synchronization: \(reason)"
                )
                TransferCalls.remove(body.path)
            } else {
                TransferCalls.syncDirectory()
            }
        }
    }

    /// The received file is of no use.
    private func dropReceived() {
        if let body = received { TransferCalls.remove(body.path) }
        received = nil
    }
}

extension Bytes {
    fileprivate func firstIndex(of byte: UInt8) -> Int? {
        for i in 0..<count where self[i] == byte { return i }
        return nil
    }
}
