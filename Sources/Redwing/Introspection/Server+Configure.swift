// SPDX-License-Identifier: BSD-3-Clause
//
// What a setting asks of the running server, beyond being read where it is used: at the start and
// at CONFIG SET.

import Configuration
import Keyspace
import Memory
import RESP

/// Settings that can't be: the server doesn't start.
struct StartError: Error, CustomStringConvertible {
    let description: String
}

extension Server {
    /// At the end of `init`: what has a copy of settings gets them.
    func applyConfiguration() throws {
        for rename in config.renamedCommands {
            if commands[rename.name] == nil {
                throw rename.line.wrong(
                    "No such command in rename-command", usage: CommandRename.usage)
            }
            if !commands.rename(rename.name, to: rename.newName) {
                throw rename.line.wrong(
                    "Target command name already exists", usage: CommandRename.usage)
            }
        }
        applyPackedLimits()
        applySlowThreshold()
        requestLimits.bulk = config.protoMaxBulkLen
        rooms.access.register.channelsByDefault = config.aclPubsubDefault == .allchannels
        jobs.cpus = config.bioCpulist
        try loadUsers()
        rooms.observation.startupMemory = usedMemory
    }

    /// The thresholds of packed encodings, which databases keep a copy of.
    func applyPackedLimits() {
        var limits = PackedLimits()
        limits.hashMaxEntries = config.hashMaxZiplistEntries
        limits.hashMaxValue = config.hashMaxZiplistValue
        limits.setMaxIntegers = config.setMaxIntsetEntries
        limits.sortedSetMaxEntries = config.zsetMaxZiplistEntries
        limits.sortedSetMaxValue = config.zsetMaxZiplistValue
        limits.listNode = ListLimit(config.listMaxZiplistSize)
        limits.listCompressDepth = config.listCompressDepth
        limits.streamNodeMaxBytes = config.streamNodeMaxBytes
        limits.streamNodeMaxEntries = config.streamNodeMaxEntries
        for database in keyspace.databases { database.limits = limits }
    }

    /// A directive took a new value; a returned reason puts the old one back.
    func applied(_ directive: Directive) -> String? {
        if directive.isInert {
            Log.notice("CONFIG SET: the directive \(directive.name) has no effect in this server.")
        }
        switch directive.name {
        case "maxclients":
            if let reason = OpenFiles.adjust(toMaxclients: config.maxclients) { return reason }
        case "loglevel": Log.setLevel(config.loglevel)
        case "requirepass":
            takeDefaultPassword()
        case "proto-max-bulk-len": requestLimits.bulk = config.protoMaxBulkLen
        case "maxmemory-policy": refreshAccess()
        case "maxmemory":
            if config.maxmemory > 0, usedMemory > config.maxmemory {
                Log.warning(
                    "WARNING: the new maxmemory value set via CONFIG SET (\(config.maxmemory)) is smaller than the current memory usage (\(usedMemory)). This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy."
                )
            }
        case "oom-score-adj", "oom-score-adj-values":
            guard rooms.observation.applyOomScore(config, isReplica: isReplica, anew: true) else {
                return "Failed to apply new oom_score_adj configuration, check server logs."
            }
        case "hz": scheduleCron()
        case "crash-log-enabled": CrashLog.apply(config)
        case "acl-pubsub-default":
            rooms.access.register.channelsByDefault = config.aclPubsubDefault == .allchannels
        case "appendonly":
            if let reason = setAppendOnly(config.appendonly) { return reason }
        case "slowlog-log-slower-than", "latency-monitor-threshold": applySlowThreshold()
        case "hash-max-ziplist-entries", "hash-max-ziplist-value", "set-max-intset-entries",
            "zset-max-ziplist-entries", "zset-max-ziplist-value", "list-max-ziplist-size",
            "list-compress-depth", "stream-node-max-bytes", "stream-node-max-entries":
            applyPackedLimits()
        default: break
        }
        if let reason = rooms.observation.changeHandlers[directive.name]?() { return reason }
        replication?.refreshSettings()
        refreshGate()
        return nil
    }

    /// CONFIG RESETSTAT.
    func resetStatistics() {
        var fresh = Statistics()
        // What describes the process and not a period stays, as in Redis.
        fresh.peakMemory = statistics.peakMemory
        statistics = fresh
        rooms.observation.resetRates()
        for command in commands.all {
            command.calls = 0
            command.nanoseconds = 0
        }
    }
}
