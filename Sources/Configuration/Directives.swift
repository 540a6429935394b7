// SPDX-License-Identifier: BSD-3-Clause
//
// The table of directives, first half: network, process, snapshots, replication, security. Every
// directive of Redis 6.0.7, ours, and those of 6.2 and 7.0 that people's files and clients set.

extension Directive {
    private static let intMax = Int(Int32.max)

    /// Every directive.
    public static let all: [Directive] =
        network + tls + process + snapshots + replication + security + memory + encodings + aof
        + commands
        + cluster

    /// By name and by alias.
    static let byName: [String: Directive] = {
        var table: [String: Directive] = [:]
        for directive in all {
            for name in [directive.name] + directive.aliases { table[name] = directive }
        }
        return table
    }()

    private static let network: [Directive] = [
        .special("bind", fixed: true, form: .bind),
        .text("bind-source-addr", \.bindSourceAddr),
        .int("port", \.port, 0...65535, fixed: true),
        .text("unixsocket", \.unixsocket, fixed: true),
        .octal("unixsocketperm", \.unixsocketperm, 0...0o777),
        .int("tcp-backlog", \.tcpBacklog, 0...intMax, fixed: true),
        .int("tcp-keepalive", \.tcpKeepalive, 0...intMax),
        .int("timeout", \.timeout, 0...intMax),
        .int("maxclients", \.maxclients, 1...Int(UInt32.max)),
        .bool("protected-mode", \.protectedMode),
        .memory("client-query-buffer-limit", \.clientQueryBufferLimit, (1 << 20)...Int.max),
        .memory("proto-max-bulk-len", \.protoMaxBulkLen, (1 << 20)...Int.max),
        .special("client-output-buffer-limit", form: .clientOutputBufferLimit),
        .memory("maxmemory-clients", \.maxmemoryClients, 0...Int.max).inert,
        .int("socket-mark-id", \.socketMarkId, 0...Int(UInt32.max), fixed: true).inert,
        .int("io-threads", \.ioThreads, 1...128, fixed: true).inert,
        .bool("io-threads-do-reads", \.ioThreadsDoReads, fixed: true).inert,
        .bool("gopher-enabled", \.gopherEnabled).inert,
    ]

    private static let tls: [Directive] = [
        .int("tls-port", \.tlsPort, 0...65535, fixed: true),
        .bool("tls-replication", \.tlsReplication),
        .bool("tls-cluster", \.tlsCluster),
        .choice("tls-auth-clients", \.tlsAuthClients),
        .bool("tls-prefer-server-ciphers", \.tlsPreferServerCiphers),
        .bool("tls-session-caching", \.tlsSessionCaching),
        .int("tls-session-cache-size", \.tlsSessionCacheSize, 0...intMax),
        .int("tls-session-cache-timeout", \.tlsSessionCacheTimeout, 0...intMax),
        .text("tls-cert-file", \.tlsCertFile),
        .text("tls-key-file", \.tlsKeyFile),
        .text("tls-key-file-pass", \.tlsKeyFilePass),
        .text("tls-client-cert-file", \.tlsClientCertFile),
        .text("tls-client-key-file", \.tlsClientKeyFile),
        .text("tls-client-key-file-pass", \.tlsClientKeyFilePass),
        .text("tls-dh-params-file", \.tlsDhParamsFile),
        .text("tls-ca-cert-file", \.tlsCaCertFile),
        .text("tls-ca-cert-dir", \.tlsCaCertDir),
        .text("tls-protocols", \.tlsProtocols),
        .text("tls-ciphers", \.tlsCiphers),
        .text("tls-ciphersuites", \.tlsCiphersuites),
    ]

    private static let process: [Directive] = [
        .special("include", fixed: true, form: .include),
        .special("dir", form: .dir),
        .bool("daemonize", \.daemonize, fixed: true),
        .choice("supervised", \.supervised, fixed: true),
        .text("pidfile", \.pidfile, fixed: true),
        .choice("loglevel", \.loglevel),
        .special("logfile", fixed: true, form: .logfile),
        .bool("syslog-enabled", \.syslogEnabled, fixed: true),
        .text("syslog-ident", \.syslogIdent, fixed: true),
        .choice("syslog-facility", \.syslogFacility, fixed: true),
        .int("databases", \.databases, 1...intMax, fixed: true),
        .bool("always-show-logo", \.alwaysShowLogo, fixed: true).inert,
        .bool("set-proc-title", \.setProcTitle, fixed: true),
        .text("proc-title-template", \.procTitleTemplate),
        .bool("crash-log-enabled", \.crashLogEnabled),
        .bool("crash-memcheck-enabled", \.crashMemcheckEnabled).inert,
        .bool("disable-thp", \.disableThp, fixed: true).inert,
        .text("ignore-warnings", \.ignoreWarnings).inert,
        .choice("oom-score-adj", \.oomScoreAdj),
        .special("oom-score-adj-values", form: .oomScoreAdjValues),
        .text("server_cpulist", \.serverCpulist, fixed: true),
        .text("bio_cpulist", \.bioCpulist, fixed: true),
        .text("aof_rewrite_cpulist", \.aofRewriteCpulist, fixed: true),
        .text("bgsave_cpulist", \.bgsaveCpulist, fixed: true),
        .int("hz", \.hz, 0...intMax),
        .bool("dynamic-hz", \.dynamicHz).inert,
        .int("watchdog-period", \.watchdogPeriod, 0...intMax).inert,
        .int("shutdown-timeout", \.shutdownTimeout, 0...intMax),
        .choice("shutdown-on-sigint", \.shutdownOnSigint),
        .choice("shutdown-on-sigterm", \.shutdownOnSigterm),
        .choice("enable-protected-configs", \.enableProtectedConfigs, fixed: true),
        .choice("enable-debug-command", \.enableDebugCommand, fixed: true),
        .choice("enable-module-command", \.enableModuleCommand, fixed: true).inert,
        .special("loadmodule", fixed: true, form: .loadmodule),
    ]

    private static let snapshots: [Directive] = [
        .special("save", form: .save),
        .bool("stop-writes-on-bgsave-error", \.stopWritesOnBgsaveError),
        .bool("rdbcompression", \.rdbcompression),
        .bool("rdbchecksum", \.rdbchecksum, fixed: true),
        .text("dbfilename", \.dbfilename) {
            $0.contains("/") ? "dbfilename can't be a path, just a filename" : nil
        },
        .bool("rdb-del-sync-files", \.rdbDelSyncFiles),
        .bool("rdb-save-incremental-fsync", \.rdbSaveIncrementalFsync),
        .choice("rdb-container", \.rdbContainer),
        .choice("rdb-unsupported", \.rdbUnsupported),
        .int("rdb-key-save-delay", \.rdbKeySaveDelay, 0...intMax),
        .int("key-load-delay", \.keyLoadDelay, 0...intMax),
        .choice("sanitize-dump-payload", \.sanitizeDumpPayload).inert,
        .memory(
            "loading-process-events-interval-bytes", \.loadingProcessEventsIntervalBytes,
            1024...intMax
        ).inert,
    ]

    private static let replication: [Directive] = [
        .special("replicaof", "slaveof", fixed: true, form: .replicaof),
        .bytes("masteruser", \.masteruser),
        .bytes("masterauth", \.masterauth),
        .bool("replica-serve-stale-data", \.replicaServeStaleData, "slave-serve-stale-data"),
        .bool("replica-read-only", \.replicaReadOnly, "slave-read-only"),
        .bool("replica-lazy-flush", \.replicaLazyFlush, "slave-lazy-flush").inert,
        .bool("replica-ignore-maxmemory", \.replicaIgnoreMaxmemory, "slave-ignore-maxmemory"),
        .bool("replica-ignore-disk-write-errors", \.replicaIgnoreDiskWriteErrors).inert,
        .int("replica-priority", \.replicaPriority, 0...intMax, "slave-priority"),
        .bool("replica-announced", \.replicaAnnounced),
        .text("replica-announce-ip", \.replicaAnnounceIp, "slave-announce-ip"),
        .int("replica-announce-port", \.replicaAnnouncePort, 0...65535, "slave-announce-port"),
        .bool("repl-diskless-sync", \.replDisklessSync),
        .int("repl-diskless-sync-delay", \.replDisklessSyncDelay, 0...intMax),
        .int("repl-diskless-sync-max-replicas", \.replDisklessSyncMaxReplicas, 0...intMax),
        .choice("repl-diskless-load", \.replDisklessLoad),
        .int(
            "repl-ping-replica-period", \.replPingReplicaPeriod, 1...intMax,
            "repl-ping-slave-period"),
        .int("repl-timeout", \.replTimeout, 1...intMax),
        .bool("repl-disable-tcp-nodelay", \.replDisableTcpNodelay),
        .memory("repl-backlog-size", \.replBacklogSize, 1...Int.max),
        .int("repl-backlog-ttl", \.replBacklogTtl, 0...Int.max),
        .int("min-replicas-to-write", \.minReplicasToWrite, 0...intMax, "min-slaves-to-write"),
        .int("min-replicas-max-lag", \.minReplicasMaxLag, 0...intMax, "min-slaves-max-lag"),
        .choice("repl-spool", \.replSpool),
        // Holes are punched in steps of 2 MB: in less than two of them nothing would move.
        .memory("repl-spool-size", \.replSpoolSize, (4 << 20)...Int.max),
        .int("repl-max-concurrent-syncs", \.replMaxConcurrentSyncs, 0...intMax),
        .special("replica-empty-master-guard", form: .replicaEmptyMasterGuard),
        .choice("propagation-error-behavior", \.propagationErrorBehavior).inert,
    ]

    private static let security: [Directive] = [
        // Redis's CONFIG_AUTHPASS_MAX_LEN.
        .bytes("requirepass", \.requirepass, limit: 512),
        .text("aclfile", \.aclfile, fixed: true),
        .int("acllog-max-len", \.acllogMaxLen, 0...Int.max),
        .choice("acl-pubsub-default", \.aclPubsubDefault),
        .special("user", fixed: true, form: .user),
        .special("rename-command", fixed: true, form: .renameCommand),
    ]
}
