// SPDX-License-Identifier: BSD-3-Clause
//
// The table of directives, second half: memory, encodings, the append only file, commands, cluster.

extension Directive {
    private static let intMax = Int(Int32.max)

    static let memory: [Directive] = [
        .special("maxmemory", form: .maxmemory),
        .choice("maxmemory-policy", \.maxmemoryPolicy),
        .int("maxmemory-samples", \.maxmemorySamples, 1...intMax),
        .int("maxmemory-eviction-tenacity", \.maxmemoryEvictionTenacity, 0...100).inert,
        .int("lfu-log-factor", \.lfuLogFactor, 0...intMax),
        .int("lfu-decay-time", \.lfuDecayTime, 0...intMax),
        .bool("lazyfree-lazy-eviction", \.lazyfreeLazyEviction),
        .bool("lazyfree-lazy-expire", \.lazyfreeLazyExpire),
        .bool("lazyfree-lazy-server-del", \.lazyfreeLazyServerDel),
        .bool("lazyfree-lazy-user-del", \.lazyfreeLazyUserDel),
        .bool("lazyfree-lazy-user-flush", \.lazyfreeLazyUserFlush),
        .bool("activerehashing", \.activerehashing).inert,
        .int("active-expire-effort", \.activeExpireEffort, 1...10),
        .bool("jemalloc-bg-thread", \.jemallocBgThread).inert,
        .special("activedefrag", form: .activedefrag),
        .int("active-defrag-cycle-min", \.activeDefragCycleMin, 1...99).inert,
        .int("active-defrag-cycle-max", \.activeDefragCycleMax, 1...99).inert,
        .int("active-defrag-threshold-lower", \.activeDefragThresholdLower, 0...1000).inert,
        .int("active-defrag-threshold-upper", \.activeDefragThresholdUpper, 0...1000).inert,
        .memory("active-defrag-ignore-bytes", \.activeDefragIgnoreBytes, 1...Int.max).inert,
        .int("active-defrag-max-scan-fields", \.activeDefragMaxScanFields, 1...Int.max).inert,
    ]

    static let encodings: [Directive] = [
        .int(
            "hash-max-ziplist-entries", \.hashMaxZiplistEntries, 0...Int.max,
            "hash-max-listpack-entries"),
        .memory(
            "hash-max-ziplist-value", \.hashMaxZiplistValue, 0...Int.max, "hash-max-listpack-value"),
        .int("set-max-intset-entries", \.setMaxIntsetEntries, 0...Int.max),
        .int("set-max-listpack-entries", \.setMaxListpackEntries, 0...Int.max).inert,
        .memory("set-max-listpack-value", \.setMaxListpackValue, 0...Int.max).inert,
        .int(
            "zset-max-ziplist-entries", \.zsetMaxZiplistEntries, 0...Int.max,
            "zset-max-listpack-entries"),
        .memory(
            "zset-max-ziplist-value", \.zsetMaxZiplistValue, 0...Int.max, "zset-max-listpack-value"),
        .int(
            "list-max-ziplist-size", \.listMaxZiplistSize, Int(Int32.min)...intMax,
            "list-max-listpack-size"),
        .int("list-compress-depth", \.listCompressDepth, 0...intMax),
        // Read and dropped by Redis since 3.2.
        .special(
            "list-max-ziplist-entries", fixed: true, form: .ignored("list-max-ziplist-entries <n>")),
        .special(
            "list-max-ziplist-value", fixed: true, form: .ignored("list-max-ziplist-value <n>")),
        .memory("stream-node-max-bytes", \.streamNodeMaxBytes, 0...Int.max),
        .int("stream-node-max-entries", \.streamNodeMaxEntries, 0...Int.max),
        .memory("hll-sparse-max-bytes", \.hllSparseMaxBytes, 0...Int.max),
    ]

    static let aof: [Directive] = [
        .bool("appendonly", \.appendonly),
        .text("appendfilename", \.appendfilename, fixed: true) {
            $0.contains("/") ? "appendfilename can't be a path, just a filename" : nil
        },
        .text("appenddirname", \.appenddirname, fixed: true) {
            $0.contains("/") ? "appenddirname can't be a path, just a dirname" : nil
        }.inert,
        .choice("appendfsync", \.appendfsync),
        .bool("no-appendfsync-on-rewrite", \.noAppendfsyncOnRewrite),
        .int("auto-aof-rewrite-percentage", \.autoAofRewritePercentage, 0...intMax),
        .memory("auto-aof-rewrite-min-size", \.autoAofRewriteMinSize, 0...Int.max),
        .bool("aof-load-truncated", \.aofLoadTruncated),
        .bool("aof-use-rdb-preamble", \.aofUseRdbPreamble),
        .bool("aof-rewrite-incremental-fsync", \.aofRewriteIncrementalFsync),
        .bool("aof-timestamp-enabled", \.aofTimestampEnabled).inert,
        .bool("aof-disable-auto-gc", \.aofDisableAutoGc).inert,
    ]

    static let commands: [Directive] = [
        .int("lua-time-limit", \.luaTimeLimit, 0...Int.max, "busy-reply-threshold"),
        .bool("lua-replicate-commands", \.luaReplicateCommands),
        .int("slowlog-log-slower-than", \.slowlogLogSlowerThan, -1...Int.max),
        .int("slowlog-max-len", \.slowlogMaxLen, 0...Int.max),
        .int("latency-monitor-threshold", \.latencyMonitorThreshold, 0...Int.max),
        .bool("latency-tracking", \.latencyTracking).inert,
        .special("latency-tracking-info-percentiles", form: .percentiles).inert,
        .special("notify-keyspace-events", form: .notifyKeyspaceEvents),
        .int("tracking-table-max-keys", \.trackingTableMaxKeys, 0...Int.max),
    ]

    static let cluster: [Directive] = [
        .special("cluster-enabled", fixed: true, form: .clusterEnabled),
        .text("cluster-config-file", \.clusterConfigFile, fixed: true).inert,
        .int("cluster-node-timeout", \.clusterNodeTimeout, 0...Int.max).inert,
        .int("cluster-port", \.clusterPort, 0...65535, fixed: true).inert,
        .text("cluster-announce-ip", \.clusterAnnounceIp).inert,
        .text("cluster-announce-hostname", \.clusterAnnounceHostname).inert,
        .int("cluster-announce-port", \.clusterAnnouncePort, 0...65535).inert,
        .int("cluster-announce-tls-port", \.clusterAnnounceTlsPort, 0...65535).inert,
        .int("cluster-announce-bus-port", \.clusterAnnounceBusPort, 0...65535).inert,
        .int("cluster-migration-barrier", \.clusterMigrationBarrier, 0...intMax).inert,
        .int(
            "cluster-replica-validity-factor", \.clusterReplicaValidityFactor, 0...intMax,
            "cluster-slave-validity-factor"
        ).inert,
        .bool(
            "cluster-replica-no-failover", \.clusterReplicaNoFailover, "cluster-slave-no-failover"
        ).inert,
        .bool("cluster-require-full-coverage", \.clusterRequireFullCoverage).inert,
        .bool("cluster-allow-reads-when-down", \.clusterAllowReadsWhenDown).inert,
        .bool("cluster-allow-pubsubshard-when-down", \.clusterAllowPubsubshardWhenDown).inert,
        .bool("cluster-allow-replica-migration", \.clusterAllowReplicaMigration).inert,
        .memory("cluster-link-sendbuf-limit", \.clusterLinkSendbufLimit, 0...Int.max).inert,
        .choice("cluster-preferred-endpoint-type", \.clusterPreferredEndpointType).inert,
    ]
}
