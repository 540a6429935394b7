// SPDX-License-Identifier: BSD-3-Clause
//
// One snapshot for all replicas that wait for it, from its child's start to the last byte sent.
//
//   disk    the child writes the RDB file as BGSAVE does; then sendfile from it, each at its own pace
//   spool   the child writes into an unlinked file, which is sent with sendfile while it still grows;
//           what all have passed is punched out, and at repl-spool-size the child waits (SpoolBound)
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
    /// How far the child may write into the spool, and what of it is given back.
    var gate: SpoolGate?
    private var width = LinkWidth()
    private var bound = SpoolBound()
    private var ticker: TimerID?
    private var fan: SnapshotFan?
    private var child: ChildProcess?
    /// When the child began, and how many keys it writes.
    private var began = ReplicationRoom.now
    private var keys = 0
    private var toldOfGrowth = false

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
        guard target == .spool, bound.punched == 0, !isOutdated, child != nil || size != nil
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
        if let size {
            room.perform(
                peer.session.snapshotEnded(size: total(size), at: ReplicationRoom.now), client, peer
            )
        }
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
    func forked(_ child: ChildProcess?, keys: Int) {
        self.child = child
        self.keys = keys
        began = ReplicationRoom.now
        switch target {
        case .disk: break
        case .spool:
            boundSpool()
            ticker = room.server.loop.schedule(after: Self.tick_ms, every: Self.tick_ms) {
                [weak self] in
                self?.spoolTick()
            }
        case .socket: fan = SnapshotFan(self, pipe: pipe)
        }
    }

    /// The child ended; `size` is nil when it failed.
    func ended(size: UInt64?) {
        child = nil
        if target == .socket, let fan, size != nil {
            // The pipe may still hold the last bytes; the fan tells when it is empty, and the size.
            fan.childEnded()
            return
        }
        conclude(size)
    }

    /// Nobody needs it any more.
    func stopChild() { child?.stop() }

    /// All bytes are known, or there are none to come.
    func conclude(_ size: UInt64?) {
        self.size = size
        for client in members {
            guard let peer = client.attachments.replica else { continue }
            let actions = peer.session.snapshotEnded(
                size: size.map { total($0) }, at: ReplicationRoom.now)
            room.perform(actions, client, peer)
            if !client.isClosed { room.server.wantsWrite(client) }
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

    /// Bytes lie ready for this member: that they don't go is its own doing.
    func owes(_ client: Client, _ peer: ReplicaPeer) -> Bool {
        // With the size the closing mark is ready as well.
        if size != nil || !peer.lines.isEmpty { return true }
        switch target {
        case .disk: return false
        case .spool: return peer.fileOffset < TransferCalls.size(file)
        case .socket: return fan?.owes(client) ?? false
        }
    }

    /// What the child has written, of how much.
    var snapshotProgress: SyncProgress? {
        guard let child else { return nil }
        let bytes = Int64(clamping: child.bytesWritten)
        let total = SyncProgress.estimate(
            bytes: bytes, written: Int64(clamping: child.keysWritten), keys: Int64(keys))
        let elapsed = max(1, (ReplicationRoom.now - began).ms)
        return SyncProgress(
            bytes: bytes, total: total, isEstimate: true, rate: bytes * 1000 / elapsed)
    }

    /// Bytes that the spool holds.
    var spoolBytes: UInt64 { target == .spool ? bound.held(written: TransferCalls.size(file)) : 0 }

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
        if n == 0 {
            return size == nil ? .nothingYet : .failed("the snapshot is shorter than announced")
        }
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
            room.server.wantsWrite(client)
        }
        if size != nil && members.allSatisfy({ $0.attachments.replica?.session.isSyncing != true })
        {
            stopTicking()
            return
        }
        boundSpool()
    }

    private func boundSpool() {
        let limit = UInt64(room.server.config.replSpoolSize)
        let places = members.compactMap { client -> SpoolBound.Place? in
            guard let peer = client.attachments.replica, peer.session.isSyncing else { return nil }
            return SpoolBound.Place(id: Int(client.id), offset: peer.fileOffset)
        }
        let actions = bound.look(
            places, written: TransferCalls.size(file), childWrites: isRunning, limit: limit,
            at: ReplicationRoom.now)
        for action in actions { perform(action, limit) }
        if isRunning { measureLink(places) }
        let sent = places.map(\.offset).max() ?? 0
        gate?.open(upTo: min(bound.end(limit: limit), width.end(sent: sent)))
    }

    /// Has the child compress while the link is what the bytes wait for.
    private func measureLink(_ places: [SpoolBound.Place]) {
        guard let gate, let furthest = places.max(by: { $0.offset < $1.offset }),
            let client = room.server.clients[UInt64(furthest.id)]
        else { return }
        guard let hasRoom = TransferCalls.peerHasRoom(client.fd) else { return width.giveUp() }
        let written = TransferCalls.size(file)
        width.look(
            LinkWidth.Sample(
                replica: furthest.id, sent: furthest.offset,
                lag: written - min(written, furthest.offset), hasRoom: hasRoom),
            at: ReplicationRoom.now)
        if width.isNarrow == gate.isNarrow { return }
        gate.isNarrow = width.isNarrow
        if room.server.config.rdbcompression {
            Log.verbose(
                width.isNarrow
                    ? "The link limits the full sync: compressing from here on"
                    : "The link has room: the full sync isn't compressed from here on")
        }
    }

    private func perform(_ action: SpoolBound.Action, _ limit: UInt64) {
        switch action {
        case .giveBack(let offset, let count): giveBack(offset, count)
        case .drop(let id, let held):
            guard let client = room.server.clients[UInt64(id)] else { return }
            Log.warning(
                "The spool of the full sync holds \(held) bytes, repl-spool-size is \(limit): dropping the "
                    + "slowest replica \(client.replicaName)")
            room.server.freeSoon(client)
        }
    }

    private func giveBack(_ offset: UInt64, _ count: UInt64) {
        let code = redwing_spool_punch(file, offset, count)
        guard code < 0, !toldOfGrowth else { return }
        // The sync is worth more than the bound.
        toldOfGrowth = true
        Log.warning(
            "The spool of the full sync grows beyond repl-spool-size, nothing of it can be given back: "
                + SystemError(call: "fallocate", code: -code).reason)
    }
}
