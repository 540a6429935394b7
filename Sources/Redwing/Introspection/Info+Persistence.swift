// SPDX-License-Identifier: BSD-3-Clause
//
// INFO persistence and INFO stats.

import Configuration
import Keyspace
import Memory

extension Server {
    func persistenceInfo(_ info: inout InfoText) {
        let saving = persistence.job == .saveToDisk || persistence.job == .sendToReplicas
        let rewriting = persistence.job == .rewriteAOF
        let elapsed = childRuns ? now / 1000 - persistence.startedAt : -1
        let copied = persistence.child?.copiedBytes ?? 0
        let done = persistence.child?.keysWritten ?? 0
        let total = childRuns ? persistence.keysAtStart : 0
        info.section("Persistence")
        info.field("loading", loading)
        info.field("async_loading", !loading && persistence.load != nil)
        info.field("current_cow_peak", copied)
        info.field("current_cow_size", copied)
        info.field("current_cow_size_age", childRuns ? elapsed : 0)
        info.field(
            "current_fork_perc", decimal(total > 0 ? Double(done) * 100 / Double(total) : 0, 2))
        info.field("current_save_keys_processed", done)
        info.field("current_save_keys_total", total)
        info.field("rdb_changes_since_last_save", dirty)
        info.field("rdb_bgsave_in_progress", saving)
        info.field("rdb_last_save_time", persistence.lastSave)
        info.field("rdb_last_bgsave_status", persistence.lastStatusOk ? "ok" : "err")
        info.field("rdb_last_bgsave_time_sec", persistence.lastSeconds)
        info.field("rdb_current_bgsave_time_sec", saving ? elapsed : -1)
        info.field("rdb_saves", persistence.saves)
        info.field("rdb_last_cow_size", persistence.lastCopiedBytes)
        info.field("rdb_last_load_keys_expired", persistence.lastLoad.keysExpired)
        info.field("rdb_last_load_keys_loaded", persistence.lastLoad.keysLoaded)
        info.lines(aofInfo(rewriteSeconds: rewriting ? elapsed : -1))
        info.field("module_fork_in_progress", 0)
        info.field("module_fork_last_cow_size", 0)
        info.lines(aofSizeInfo())
        if loading, let load = persistence.load { loadInfo(load, &info) }
    }

    private func loadInfo(_ load: LoadJob, _ info: inout InfoText) {
        let total = max(load.total, 1)
        let loaded = load.progress.bytes
        let elapsed = max(0, now / 1000 - load.startedAt)
        let left = total > loaded ? total - loaded : 0
        let eta = loaded == 0 ? 1 : elapsed * Int64(clamping: left) / Int64(clamping: loaded)
        info.field("loading_start_time", load.startedAt)
        info.field("loading_total_bytes", load.total)
        info.field("loading_rdb_used_mem", load.progress.usedMemory)
        info.field("loading_loaded_bytes", loaded)
        info.field("loading_loaded_perc", decimal(Double(loaded) * 100 / Double(total), 2))
        info.field("loading_eta_seconds", eta)
    }

    func statsInfo(_ info: inout InfoText) {
        let stats = statistics
        let observation = rooms.observation
        info.section("Stats")
        info.field("total_connections_received", stats.connections)
        info.field("total_commands_processed", stats.commands)
        info.field("instantaneous_ops_per_sec", observation.commandRate.perSecond)
        info.field("total_net_input_bytes", stats.inputBytes)
        info.field("total_net_output_bytes", stats.outputBytes)
        info.field("total_net_repl_input_bytes", stats.replicationInputBytes)
        info.field("total_net_repl_output_bytes", stats.replicationOutputBytes)
        info.field("instantaneous_input_kbps", observation.inputRate.kibPerSecond)
        info.field("instantaneous_output_kbps", observation.outputRate.kibPerSecond)
        info.field("instantaneous_input_repl_kbps", observation.replicationInputRate.kibPerSecond)
        info.field("instantaneous_output_repl_kbps", observation.replicationOutputRate.kibPerSecond)
        info.field("rejected_connections", stats.rejectedConnections)
        info.field("sync_full", stats.syncFull)
        info.field("sync_partial_ok", stats.syncPartialOk)
        info.field("sync_partial_err", stats.syncPartialError)
        info.field("expired_keys", stats.expired)
        info.field("expired_stale_perc", decimal(stats.expiredStalePercent, 2))
        info.field("expired_time_cap_reached_count", stats.expiredTimeCapReached)
        info.field("expire_cycle_cpu_milliseconds", stats.expireCycleMicroseconds / 1000)
        info.field("evicted_keys", stats.evicted)
        info.field("keyspace_hits", stats.hits)
        info.field("keyspace_misses", stats.misses)
        info.field("pubsub_channels", rooms.pubsub.channels.count)
        info.field("pubsub_patterns", rooms.pubsub.distinctPatterns)
        info.field("latest_fork_usec", stats.latestForkMicroseconds)
        info.field("total_forks", stats.forks)
        info.field("migrate_cached_sockets", 0)
        info.field("slave_expires_tracked_keys", rooms.expiry.own.count)
        info.field("active_defrag_hits", 0)
        info.field("active_defrag_misses", 0)
        info.field("active_defrag_key_hits", 0)
        info.field("active_defrag_key_misses", 0)
        let tracking = trackingTotals
        info.field("tracking_total_keys", tracking.keys)
        info.field("tracking_total_items", tracking.items)
        info.field("tracking_total_prefixes", tracking.prefixes)
        info.field("unexpected_error_replies", stats.unexpectedErrorReplies)
        info.field("total_reads_processed", stats.reads)
        info.field("total_writes_processed", stats.writes)
        // There are no I/O threads here.
        info.field("io_threaded_reads_processed", 0)
        info.field("io_threaded_writes_processed", 0)
    }
}
