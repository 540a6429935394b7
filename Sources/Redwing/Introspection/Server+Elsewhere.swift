// SPDX-License-Identifier: BSD-3-Clause
//
// What INFO and MEMORY ask of other rooms. Each line goes to its room when that room has an answer.

import Configuration
import Keyspace
import Memory
import Replication

extension Server {
    // MARK: Replication

    /// The lines of INFO replication.
    func replicationInfo() -> String {
        replication?.info() ?? "role:master\r\nconnected_slaves:0\r\n"
    }
    /// What is held of the stream, once for the backlog and all replicas.
    var streamBytes: Int { replication?.stream.memory ?? 0 }
    /// What of it is held for replicas, beyond the backlog.
    var replicaBufferBytes: Int {
        guard let room = replication, !room.replicas.isEmpty else { return 0 }
        return max(0, room.stream.memory - room.stream.backlogSize)
    }

    /// DEBUG CHANGE-REPL-ID: as if this master's history were another one.
    func changeReplicationID() { replication?.history.begin(ReplicationRoom.freshID()) }

    // MARK: The append only file
    /// DEBUG LOADAOF; the reason when it can't be.
    func reloadAOF() -> String? { loadAOF() }

    var aofBufferBytes: Int { rooms.appendOnlyFile?.memory ?? 0 }

    func aofInfo(rewriteSeconds: Int64) -> String {
        let aof = aofInfo
        var info = InfoText()
        info.field("aof_enabled", aof.enabled)
        info.field("aof_rewrite_in_progress", aof.rewriteInProgress)
        info.field("aof_rewrite_scheduled", aof.rewriteScheduled)
        info.field("aof_last_rewrite_time_sec", aof.lastRewriteSeconds)
        info.field("aof_current_rewrite_time_sec", aof.currentRewriteSeconds)
        info.field("aof_last_bgrewrite_status", aof.lastRewriteOk ? "ok" : "err")
        info.field("aof_rewrites", aof.rewrites)
        info.field("aof_rewrites_consecutive_failures", aof.failuresInARow)
        info.field("aof_last_write_status", aof.lastWriteOk ? "ok" : "err")
        info.field("aof_last_cow_size", aof.lastCopiedBytes)
        return info.text
    }

    /// The lines of an AOF that is on.
    func aofSizeInfo() -> String {
        let aof = aofInfo
        guard aof.enabled else { return "" }
        var info = InfoText()
        info.field("aof_current_size", aof.currentSize)
        info.field("aof_base_size", aof.baseSize)
        info.field("aof_pending_rewrite", 0)
        info.field("aof_buffer_length", aof.bufferLength)
        info.field("aof_rewrite_buffer_length", aof.rewriteBufferLength)
        info.field("aof_pending_bio_fsync", aof.pendingSyncs)
        info.field("aof_delayed_fsync", aof.delayedSyncs)
        return info.text
    }

    // MARK: Lazy freeing
    var pendingFreeObjects: Int { keyspace.remainsCount }
}
