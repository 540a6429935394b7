// SPDX-License-Identifier: BSD-3-Clause
//
// Connections that MIGRATE makes to other servers. They block the server up to a deadline, as in Redis,
// and are kept a while for the next MIGRATE to the same place.

import Glibc
import Memory

/// One connection. A failure leaves it unusable: the holder drops it.
final class PeerSocket {
    enum Failure: Error { case connecting, writing, reading }

    private let fd: Int32
    private let input = ByteBuffer()
    /// The database that the peer has selected; -1 when that isn't known.
    var database: Int64 = -1
    var lastUse: Int64

    /// Waits for the connection until `deadline`, in ms of the monotonic clock.
    init(_ host: String, port: Int, deadline: Int64) throws(Failure) {
        do throws(SystemError) {
            fd = try SystemCalls.connect(host, port: port)
        } catch {
            throw .connecting
        }
        lastUse = EventLoop.monotonic
        SystemCalls.setNoDelay(fd, true)
        // A refused connection is writable as well: the write says so, in Redis's words.
        guard TransferCalls.isWritable(fd, milliseconds: Self.left(deadline)) else {
            throw .connecting
        }
    }

    deinit { SystemCalls.close(fd) }

    private static func left(_ deadline: Int64) -> Int32 {
        Int32(truncatingIfNeeded: min(max(0, deadline - EventLoop.monotonic), Int64(Int32.max)))
    }

    func write(_ bytes: Bytes, deadline: Int64) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            switch SystemCalls.send(fd, rest.prefix(64 << 10)) {
            case .bytes(let n): rest = rest.dropFirst(n)
            case .wouldBlock:
                let wait = Self.left(deadline)
                if wait == 0 || !TransferCalls.isWritable(fd, milliseconds: wait) { throw .writing }
            case .end, .failed: throw .writing
            }
        }
    }

    /// A reply of one line, without its end.
    func readLine(deadline: Int64) throws(Failure) -> [UInt8] {
        while true {
            let bytes = input.bytes
            for i in 0..<bytes.count where bytes[i] == 0x0A {
                var line = bytes.prefix(i)
                if i > 0, line[i - 1] == 0x0D { line = line.prefix(i - 1) }
                let copy = line.array
                input.consume(i + 1)
                return copy
            }
            // Replies to RESTORE are short; what doesn't end is no Redis.
            if bytes.count > 64 << 10 { throw .reading }
            switch SystemCalls.receive(fd, into: input.reserve(4096), 4096) {
            case .bytes(let n): input.commit(n)
            case .wouldBlock:
                let wait = Self.left(deadline)
                if wait == 0 || !TransferCalls.isReadable(fd, milliseconds: wait) { throw .reading }
            case .end, .failed: throw .reading
            }
        }
    }
}

/// The connections that are kept, by host and port.
final class PeerSockets {
    private var sockets: [String: PeerSocket] = [:]
    private var isArmed = false
    private static let most = 64
    private static let idleLimit: Int64 = 10_000

    /// A kept connection, or a new one. The second value: it was kept, so the peer may have closed it.
    func take(_ host: String, port: Int, deadline: Int64) throws(PeerSocket.Failure) -> (
        PeerSocket, Bool
    ) {
        let name = "\(host):\(port)"
        if let socket = sockets[name] {
            socket.lastUse = EventLoop.monotonic
            return (socket, true)
        }
        if sockets.count >= Self.most, let victim = sockets.keys.randomElement() {
            sockets[victim] = nil
        }
        let socket = try PeerSocket(host, port: port, deadline: deadline)
        sockets[name] = socket
        return (socket, false)
    }

    func drop(_ host: String, port: Int) { sockets["\(host):\(port)"] = nil }

    /// Closes what nobody used for ten seconds, for as long as there is something.
    func arm(_ loop: EventLoop) {
        if isArmed || sockets.isEmpty { return }
        isArmed = true
        loop.schedule(after: 1000) { [weak self, unowned loop] in
            guard let self else { return }
            isArmed = false
            let now = EventLoop.monotonic
            sockets = sockets.filter { now - $0.value.lastUse <= Self.idleLimit }
            arm(loop)
        }
    }
}
