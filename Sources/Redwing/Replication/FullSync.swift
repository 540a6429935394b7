// SPDX-License-Identifier: BSD-3-Clause
//
// One snapshot for all replicas that wait for it, from its child's start to the last byte sent.
//
//   disk    the child writes the RDB file as BGSAVE does; then sendfile from it, each at its own pace
//   spool   the child writes into an unlinked file, which is sent with sendfile while it still grows;
//           what all have passed is punched out, so that the file stays small
//   socket  the child writes into a pipe, which a fan hands to all sockets in step

import Configuration
import Glibc
import Memory
import Platform
import RESP
import Replication
import Wing

/// How a step of sending a snapshot ended.
enum SendStep {
    case sent(Int)
    /// The socket takes no more now.
    case full
    /// All that the child has written is sent.
    case nothingYet
    case failed(String)
}

final class FullSync {
    unowned let room: ReplicationRoom
    let target: ReplicaSession.Target
    /// The stream's end when the child was forked.
    let offset: Int64
    let mark: EOFMark
    private(set) var members: [Client] = []
    /// The snapshot's file, -1 before there is one.
    var file: Int32 = -1
    /// The reading end of the child's pipe, the fan's once there is one.
    var pipe: Int32 = -1
    /// Bytes of the RDB, once they are known.
    private(set) var size: UInt64?
    /// Bytes at the front of the spool that are given back.
    private var punched: UInt64 = 0
    private var ticker: TimerID?
    private var fan: SnapshotFan?
    var child: SnapshotChild?
    private var childIsPaused = false

    init(_ room: ReplicationRoom, target: ReplicaSession.Target, offset: Int64) {
        self.room = room
        self.target = target
        self.offset = offset
        mark = EOFMark(id: ReplicationRoom.freshID())
    }

    deinit { if file >= 0 { SystemCalls.close(file) } }

    /// Our data set is another one now: what the child writes is of no use to anyone new.
    var isOutdated = false

    /// A replica that joins now can have all of it.
    var isJoinable: Bool {
        guard target == .spool, punched == 0, !isOutdated, child != nil || size != nil
        else { return false }
        return room.stream.start <= offset
    }

    var isRunning: Bool { child != nil }

    func join(_ client: Client) {
        guard let peer = client.attachments.replica else { return }
        members.append(client)
        peer.sync = self
        peer.fileOffset = 0
        peer.markSent = 0
        let actions = peer.session.snapshotStarted(
            target, id: room.history.id, offset: offset, at: ReplicationRoom.now)
        room.perform(actions, client, peer)
        guard target != .disk else { return }
        room.say("$EOF:\(mark.text)\r\n", to: client, peer)
        if let size { room.perform(peer.session.snapshotEnded(size: total(size), at: ReplicationRoom.now), client, peer) }
    }

    private func total(_ size: UInt64) -> Int64 {
        Int64(size) + (target == .disk ? 0 : Int64(EOFMark.size))
    }

    /// A member is gone, or done.
    func left(_ client: Client) {
        members.removeAll { $0 === client }
        fan?.remove(client)
        if members.isEmpty { room.fullSyncIsIdle(self) }
    }

    // MARK: The child

    /// The child runs and writes, the members are known: serve the spool as it grows, or the pipe.
    func forked(_ child: SnapshotChild) {
        self.child = child
        switch target {
        case .disk: break
        case .spool:
            ticker = room.server.loop.schedule(after: Self.tick_ms, every: Self.tick_ms) { [weak self] in
                self?.spoolTick()
            }
        case .socket: fan = SnapshotFan(self, pipe: pipe)
        }
    }

    /// The child ended; `size` is nil when it failed.
    func ended(size: UInt64?) {
        child = nil
        self.size = size
        if target == .socket, let fan, size != nil {
            // The pipe may still hold the last bytes; the fan tells when it is empty.
            fan.childEnded()
            return
        }
        conclude(size)
    }

    /// All bytes are known, or there are none to come.
    func conclude(_ size: UInt64?) {
        self.size = size
        for client in members {
            guard let peer = client.attachments.replica else { continue }
            let actions = peer.session.snapshotEnded(
                size: size.map { total($0) }, at: ReplicationRoom.now)
            room.perform(actions, client, peer)
            if !client.isClosed { room.server.writable(client) }
        }
        if size == nil || target == .disk || members.isEmpty { stopTicking() }
        if members.isEmpty { room.fullSyncIsIdle(self) }
    }

    /// Writes what can be written to the members: they may have joined behind the last tick.
    func serve() {
        for client in members { room.server.wantsWrite(client) }
    }

    /// A member's socket may have room again.
    func socketReady() { fan?.socketReady() }

    func stopTicking() {
        if let ticker { room.server.loop.cancel(ticker) }
        ticker = nil
        fan?.stop()
        fan = nil
    }

    // MARK: Sending

    func send(to client: Client, _ peer: ReplicaPeer, limit: Int) -> SendStep {
        if let size, peer.fileOffset >= size {
            return target == .disk ? .nothingYet : sendMark(client, peer)
        }
        let left = size.map { Int(min(UInt64(limit), $0 - peer.fileOffset)) } ?? limit
        if client.transport != nil { return copy(to: client, peer, limit: left) }
        let n = TransferCalls.send(client.fd, file, &peer.fileOffset, left)
        if n > 0 { return .sent(n) }
        if n == 0 { return .full }
        if n == Int(WING_E_END) {
            return size == nil ? .nothingYet : .failed("the snapshot is shorter than announced")
        }
        return .failed(TransferCalls.reason(Int32(n)))
    }

    private func sendMark(_ client: Client, _ peer: ReplicaPeer) -> SendStep {
        let left = Array(mark.mark[peer.markSent...])
        if left.isEmpty { return .nothingYet }
        let result = Bytes.with(left) {
            client.transport?.write($0) ?? SystemCalls.send(client.fd, $0)
        }
        switch result {
        case .bytes(let n):
            peer.markSent += n
            return .sent(n)
        case .wouldBlock, .end: return .full
        case .failed(let code): return .failed(SystemError(call: "write", code: code).reason)
        }
    }

    /// Where the kernel can't encrypt, the bytes pass through us.
    private func copy(to client: Client, _ peer: ReplicaPeer, limit: Int) -> SendStep {
        let buffer = ByteBuffer(capacity: 64 << 10)
        let n = TransferCalls.read(file, buffer, min(limit, 64 << 10), at: peer.fileOffset)
        if n < 0 { return .failed(SystemError.last("pread").reason) }
        if n == 0 { return size == nil ? .nothingYet : .failed("the snapshot is shorter than announced") }
        switch client.transport?.write(buffer.bytes) ?? .failed(EBADF) {
        case .bytes(let n):
            peer.fileOffset += UInt64(n)
            return .sent(n)
        case .wouldBlock, .end: return .full
        case .failed(let code): return .failed(SystemError(call: "write", code: code).reason)
        }
    }

    // MARK: The spool

    /// A page-cache file doesn't tell that it grew; a look each few milliseconds costs nothing
    /// beside the transfer.
    private static let tick_ms: Int64 = 2

    private func spoolTick() {
        for client in members {
            guard let peer = client.attachments.replica, !peer.isFull, peer.lines.isEmpty
            else { continue }
            room.server.writable(client)
        }
        if size != nil && members.allSatisfy({ $0.attachments.replica?.session.isSyncing != true }) {
            stopTicking()
            return
        }
        boundSpool()
    }

    /// What sendfile sent lies, as pages of the file, in sockets until a peer has read it. Whole folios
    /// that are punched out live on there; of one that is punched in part the kernel zeroes that part
    /// in place. So holes begin and end where no folio of the page cache can lie across.
    private static let largestFolio: UInt64 = 2 << 20

    /// Gives back what all have passed. At the bound the child waits while everyone is behind; when
    /// only some are, the slowest is dropped, by name.
    private func boundSpool() {
        let limit = UInt64(room.server.config.replSpoolSize)
        let places = members.compactMap { client -> (Client, UInt64)? in
            guard let peer = client.attachments.replica, peer.session.isSyncing else { return nil }
            return (client, peer.fileOffset)
        }
        guard let slowest = places.min(by: { $0.1 < $1.1 }), let fastest = places.max(by: { $0.1 < $1.1 })
        else { return }
        let written = TransferCalls.size(file)
        if written > limit / 2, slowest.1 > punched + (16 << 20) {
            let length = (slowest.1 - punched) & ~(Self.largestFolio - 1)
            if redwing_spool_punch(file, Int64(punched), Int64(length)) == 0 {
                punched += length
            }
        }
        let held = written - min(written, punched)
        let fastestLag = written - min(written, fastest.1)
        if held >= limit, fastestLag < limit / 2, places.count > 1 {
            Log.warning(
                "The spool of the full sync holds \(held) bytes, repl-spool-size is \(limit): dropping the "
                    + "slowest replica \(slowest.0.replicaName)")
            room.server.freeSoon(slowest.0)
        } else if held >= limit, !childIsPaused {
            childIsPaused = true
            child?.pause()
        } else if childIsPaused, held < limit / 2 || fastestLag < limit / 4 {
            childIsPaused = false
            child?.resume()
        }
    }

    /// An unlinked file: in memory, or in the data directory.
    static func makeSpool(onDisk: Bool) throws(SystemError) -> Int32 {
        let fd = onDisk ? redwing_spool_disk() : redwing_spool_memory()
        if fd < 0 { throw SystemError(call: "spool", code: -fd) }
        return fd
    }
}

/// A snapshot's child as its full sync sees it.
final class SnapshotChild {
    private weak var process: ChildProcess?

    init(_ process: ChildProcess?) { self.process = process }

    /// Nobody needs it any more.
    func stop() {
        resume()
        process?.stop()
    }
    func pause() { if let pid = process?.pid { _ = kill(pid, SIGSTOP) } }
    func resume() { if let pid = process?.pid { _ = kill(pid, SIGCONT) } }
}
