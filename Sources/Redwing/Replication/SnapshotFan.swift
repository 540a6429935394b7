// SPDX-License-Identifier: BSD-3-Clause
//
// `repl-spool no`: the child's pipe is handed to all replicas' sockets in step, by tee and splice, as
// pages. The slowest sets the pace; one that doesn't move is dropped after repl-timeout.

import Glibc
import Memory
import RESP
import Replication
import Wing

final class SnapshotFan: EventHandler {
    unowned let sync: FullSync
    private let pipe: Int32
    private let fan: PipeFan
    private var sinks: [(client: Client, index: Int32, sent: UInt64)] = []
    private var childHasEnded = false
    private var isDone = false
    private var watchesPipe = false
    private var moved: UInt64 = 0
    private static let turnLimit = 1 << 20

    init(_ sync: FullSync, pipe: Int32) {
        self.sync = sync
        self.pipe = pipe
        fan = PipeFan(pipe)
        super.init()
        for client in sync.members {
            let index = fan.add(client.fd)
            if index < 0 {
                sync.room.server.freeSoon(client)
            } else {
                sinks.append((client, index, 0))
            }
        }
        try? SystemCalls.setNonBlocking(pipe)
        watchPipe(true)
    }

    func remove(_ client: Client) {
        guard let sink = sinks.first(where: { $0.client === client }) else { return }
        fan.remove(sink.index)
        sinks.removeAll { $0.client === client }
        step()
    }

    func childEnded() {
        childHasEnded = true
        step()
    }

    func stop() {
        if isDone { return }
        isDone = true
        watchPipe(false)
        SystemCalls.close(pipe)
    }

    override func ready(_ readiness: Readiness) { step() }

    /// A socket has room again.
    func socketReady() { step() }

    /// Bytes wait for this member's socket to take them.
    func owes(_ client: Client) -> Bool {
        guard let sink = sinks.first(where: { $0.client === client }) else { return false }
        return (fan.sink(sink.index)?.pending ?? 0) > 0
    }

    private func step() {
        if isDone { return }
        // The line and the preamble go first; whoever writes their last byte calls again.
        let waits = sinks.contains { $0.client.attachments.replica?.lines.isEmpty == false }
        if waits { return watchPipe(false) }
        let n = fan.step(Self.turnLimit)
        report()
        if isDone { return }
        if n >= 0 { return arm() }
        // It is empty and has ended, or nobody is left to hand its bytes to.
        watchPipe(false)
        if n == Int(WING_E_END) {
            if childHasEnded { finish() }
        } else if n != -Int(EPIPE) {
            fail(TransferCalls.reason(Int32(clamping: n)))
        }
    }

    /// Watches what can move next: the pipe, or the sockets that are behind.
    private func arm() {
        watchPipe(fan.wantsSource)
        let loop = sync.room.server.loop
        for sink in sinks {
            let pending = fan.sink(sink.index)?.pending ?? 0
            loop.setInterest(sink.client.fd, pending > 0 ? [.read, .write] : .read)
        }
    }

    /// A pipe that has lost its writer is reported whatever it is watched for: rest is only where it
    /// isn't watched at all.
    private func watchPipe(_ wanted: Bool) {
        if wanted == watchesPipe { return }
        watchesPipe = wanted
        let loop = sync.room.server.loop
        if wanted { try? loop.watch(pipe, .read, self) } else { loop.unwatch(pipe) }
    }

    private func fail(_ reason: String) {
        Log.warning("Diskless rdb transfer, error reading from the child's pipe: \(reason)")
        for sink in sinks { sync.room.server.freeSoon(sink.client) }
    }

    /// Tells the sessions what has gone, and drops whom an error has ended.
    private func report() {
        for i in sinks.indices.reversed() where i < sinks.count {
            guard let state = fan.sink(sinks[i].index) else { continue }
            let client = sinks[i].client
            if state.error != 0 {
                let reason = TransferCalls.reason(state.error)
                Log.warning("Diskless rdb transfer, write error sending DB to replica: \(reason)")
                sync.room.server.freeSoon(client)
                continue
            }
            let sent = state.sent
            guard sent > sinks[i].sent, let peer = client.attachments.replica else { continue }
            let count = sent - sinks[i].sent
            sinks[i].sent = sent
            peer.fileOffset = sent
            moved = max(moved, sent)
            sync.room.server.statistics.replicationOutputBytes += count
            sync.room.perform(
                peer.session.sent(Int64(count), at: ReplicationRoom.now), client, peer)
        }
    }

    private func finish() {
        Log.notice(
            "Diskless rdb transfer, done reading from pipe, \(sinks.count) replicas still up.")
        let size = moved
        stop()
        sync.conclude(size)
    }
}
