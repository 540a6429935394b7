// SPDX-License-Identifier: BSD-3-Clause
//
// INFO's section on replication: every field of Redis 6.0.7 in its order, those of 7.0, and ours.

import Configuration
import Keyspace
import Memory
import Replication

extension ReplicationRoom {
    /// The lines of the section, without its heading.
    func info() -> String {
        var text = ""
        func line(_ name: String, _ value: Any) { text += "\(name):\(value)\r\n" }
        line("role", link.isReplica ? "slave" : "master")
        if let master = link.master { replicaLines(master, line) }
        line("connected_slaves", listed.count)
        if server.config.minReplicasToWrite > 0 && server.config.minReplicasMaxLag > 0 {
            line("min_slaves_good_slaves", goodReplicas)
        }
        for (i, client) in listed.enumerated() { replicaLine(i, client, line) }
        line("master_failover_state", failoverState)
        line("master_replid", history.id)
        line("master_replid2", history.secondID)
        line("master_repl_offset", stream.end)
        line("second_repl_offset", history.secondOffset)
        line("repl_backlog_active", stream.isActive ? 1 : 0)
        line("repl_backlog_size", stream.backlogSize)
        line("repl_backlog_first_byte_offset", stream.firstByteOffset)
        line("repl_backlog_histlen", stream.historyLength)
        line("repl_spool_size", server.config.replSpoolSize)
        line("repl_spool_bytes", fullSync?.spoolBytes ?? 0)
        for (i, client) in listed.enumerated() { syncLine(i, client, line) }
        return text
    }

    private var listed: [Client] {
        replicas.filter { $0.attachments.replica?.session.infoState != nil }
    }

    private func replicaLines(_ master: ReplicaLink.Master, _ line: (String, Any) -> Void) {
        let now = Self.now
        line("master_host", master.host)
        line("master_port", master.port)
        line("master_link_status", link.isConnected ? "up" : "down")
        line("master_last_io_seconds_ago", lastIO(now))
        line("master_sync_in_progress", link.transfer == nil ? 0 : 1)
        line("slave_read_repl_offset", stream.end + Int64(transactionBytes.count))
        line("slave_repl_offset", stream.end)
        // What the loader has parsed since the last second counts already.
        tellOfParsing()
        if let transfer = link.transfer { transferLines(transfer, now, line) }
        if !link.isConnected {
            line("master_link_down_since_seconds", link.downSince.map { (now - $0).seconds } ?? -1)
        }
        line("slave_priority", server.config.replicaPriority)
        line("slave_read_only", server.config.replicaReadOnly ? 1 : 0)
        line("replica_announced", server.config.replicaAnnounced ? 1 : 0)
        line("replica_empty_master_guard_refused", guardRefusal == nil ? 0 : 1)
        line("master_stream_errors", masterErrors.count)
        if masterErrors.count > 0 { line("master_stream_last_error", masterErrors.last) }
    }

    private func lastIO(_ now: Instant) -> Int64 {
        if heard { return 0 }
        switch link.state {
        case .connected(_, let lastIO, _): return (now - lastIO).seconds
        case .none, .connect, .connecting, .handshake, .transfer: return -1
        }
    }

    private func transferLines(
        _ transfer: ReplicaLink.Transfer, _ now: Instant, _ line: (String, Any) -> Void
    ) {
        let phase: String
        let progress: SyncProgress
        switch transfer.phase {
        case .header:
            phase = "waiting"
            progress = SyncProgress(bytes: 0, total: nil, rate: 0)
        case .receiving(let size):
            phase = "receiving"
            progress = SyncProgress(
                bytes: transfer.read, total: size.total, rate: transfer.meter.rate(at: now))
        case .parsing(let size):
            phase = "parsing"
            progress = SyncProgress(
                bytes: transfer.read, total: size.total ?? loader?.estimatedSize,
                isEstimate: size.total == nil, rate: transfer.meter.rate(at: now))
        case .loading:
            phase = "loading"
            progress = loader?.fileProgress ?? SyncProgress(bytes: 0, total: nil, rate: 0)
        }
        let total = progress.total ?? 0
        line("master_sync_total_bytes", total)
        line("master_sync_read_bytes", progress.bytes)
        line("master_sync_left_bytes", total - progress.bytes)
        line("master_sync_perc", progress.percent)
        line("master_sync_last_io_seconds_ago", (now - transfer.lastIO).seconds)
        line("master_sync_phase", phase)
        line("master_sync_total_is_estimate", progress.isEstimate ? 1 : 0)
        line("master_sync_rate_bytes_per_sec", progress.rate)
        line("master_sync_eta_seconds", progress.secondsLeft)
        line("master_sync_loaded_keys", loader?.progress.keys ?? 0)
    }

    private func replicaLine(_ i: Int, _ client: Client, _ line: (String, Any) -> Void) {
        guard let peer = client.attachments.replica, let state = peer.session.infoState else {
            return
        }
        let lag = peer.session.lag(at: Self.now)
        line(
            "slave\(i)",
            "ip=\(client.replicaIP),port=\(peer.listeningPort),state=\(state),"
                + "offset=\(peer.session.acknowledged),lag=\(lag)")
    }

    /// Where a replica's full sync is; a line of our own, since parsers of `slaveN` are strict.
    private func syncLine(_ i: Int, _ client: Client, _ line: (String, Any) -> Void) {
        guard let peer = client.attachments.replica else { return }
        let session = peer.session
        let rate = session.meter.rate(at: Self.now)
        let phase: String
        let progress: SyncProgress
        switch session.state {
        case .waitBgsaveStart:
            let place = planner.places(queue).first { $0.id == Int(client.id) }?.place ?? 0
            line("slave\(i)_sync", "phase=queued,place=\(place)")
            return
        case .waitBgsaveEnd:
            phase = "snapshot"
            progress = peer.sync?.snapshotProgress ?? SyncProgress(bytes: 0, total: nil, rate: 0)
        case .sendBulk(let sent, let size, _):
            phase = "sending"
            progress = SyncProgress(bytes: sent, total: size, rate: rate)
        case .streaming(_, let sent, let size, _):
            phase = "streaming"
            progress = SyncProgress(
                bytes: sent, total: size ?? peer.sync?.snapshotProgress?.total,
                isEstimate: size == nil, rate: rate)
        case .awaitingAck:
            phase = "loading"
            let sent = session.meter.count
            progress = SyncProgress(bytes: sent, total: sent, rate: rate)
        case .idle, .online: return
        }
        let pending = peer.cursor.map { stream.pending($0) } ?? 0
        line(
            "slave\(i)_sync",
            "phase=\(phase),bytes=\(progress.bytes),total=\(progress.total ?? -1),"
                + "estimated=\(progress.isEstimate ? 1 : 0),perc=\(progress.percent),"
                + "rate=\(progress.rate),eta=\(progress.secondsLeft),pending=\(pending)")
    }
}
