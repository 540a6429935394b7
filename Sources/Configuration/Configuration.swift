// SPDX-License-Identifier: BSD-3-Clause
//
// Every setting of the server as a plain stored property that hot code reads directly. The value a
// property starts with is the directive's default; the table in Directive*.swift gives each its
// name, kind and range. Sizes are in bytes; an empty text is "not set".

/// One per server. Read freely on the main thread; write through `load` and `set` so that ranges
/// are checked, or directly where the server itself decides (as REPLICAOF does with `replicaof`).
public final class Configuration {
    // MARK: Network
    public var bind: [String] = []
    public var bindSourceAddr = ""
    public var port = 6379
    public var unixsocket = ""
    /// Mode bits of the socket file; 0 leaves them to the umask.
    public var unixsocketperm = 0
    public var tcpBacklog = 511
    /// Seconds; 0 is off.
    public var tcpKeepalive = 300
    /// Seconds a client may be idle; 0 is for ever.
    public var timeout = 0
    public var maxclients = 10000
    public var protectedMode = true
    public var clientQueryBufferLimit = 1 << 30
    public var protoMaxBulkLen = 512 << 20
    public var normalOutputBufferLimit = OutputBufferLimit(hard: 0, soft: 0, softSeconds: 0)
    public var replicaOutputBufferLimit = OutputBufferLimit(
        hard: 256 << 20, soft: 64 << 20, softSeconds: 60)
    public var pubsubOutputBufferLimit = OutputBufferLimit(
        hard: 32 << 20, soft: 8 << 20, softSeconds: 60)
    public var maxmemoryClients = 0
    public var socketMarkId = 0
    public var ioThreads = 1
    public var ioThreadsDoReads = false
    public var gopherEnabled = false

    // MARK: TLS
    public var tlsPort = 0
    public var tlsReplication = false
    public var tlsCluster = false
    public var tlsAuthClients = TlsAuthClients.yes
    public var tlsPreferServerCiphers = false
    public var tlsSessionCaching = true
    public var tlsSessionCacheSize = 20480
    public var tlsSessionCacheTimeout = 300
    public var tlsCertFile = ""
    public var tlsKeyFile = ""
    public var tlsKeyFilePass = ""
    public var tlsClientCertFile = ""
    public var tlsClientKeyFile = ""
    public var tlsClientKeyFilePass = ""
    public var tlsDhParamsFile = ""
    public var tlsCaCertFile = ""
    public var tlsCaCertDir = ""
    public var tlsProtocols = ""
    public var tlsCiphers = ""
    public var tlsCiphersuites = ""

    // MARK: Process and logs
    public var daemonize = false
    public var supervised = Supervision.no
    public var pidfile = ""
    public var loglevel = Loglevel.notice
    public var logfile = ""
    public var syslogEnabled = false
    public var syslogIdent = "redis"
    public var syslogFacility = SyslogFacility.local0
    public var databases = 16
    public var alwaysShowLogo = false
    public var setProcTitle = true
    public var procTitleTemplate = "{title} {listen-addr} {server-mode}"
    public var crashLogEnabled = true
    public var crashMemcheckEnabled = true
    public var disableThp = true
    public var ignoreWarnings = ""
    public var oomScoreAdj = OomScoreAdj.no
    /// master, replica, child
    public var oomScoreAdjValues = [0, 200, 800]
    public var serverCpulist = ""
    public var bioCpulist = ""
    public var aofRewriteCpulist = ""
    public var bgsaveCpulist = ""
    /// Calls of the server cron a second, 1 to 500.
    public var hz = 10 { didSet { hz = min(max(hz, 1), 500) } }
    public var dynamicHz = true
    public var watchdogPeriod = 0
    public var shutdownTimeout = 10
    public var shutdownOnSigint = ShutdownOnSignal.default
    public var shutdownOnSigterm = ShutdownOnSignal.default
    /// CONFIG SET of `dir` and `dbfilename`, and DEBUG. Redis 6.0 allows both to everybody; so do we.
    public var enableProtectedConfigs = ProtectedAction.yes
    public var enableDebugCommand = ProtectedAction.yes
    public var enableModuleCommand = ProtectedAction.no

    // MARK: Snapshots
    public var savePoints = [
        SavePoint(seconds: 3600, changes: 1), SavePoint(seconds: 300, changes: 100),
        SavePoint(seconds: 60, changes: 10000),
    ]
    public var stopWritesOnBgsaveError = true
    public var rdbcompression = true
    public var rdbchecksum = true
    public var dbfilename = "dump.rdb"
    public var rdbDelSyncFiles = false
    public var rdbSaveIncrementalFsync = true
    public var rdbContainer = RdbContainer.none
    /// What a load does with values that 6.0 can't hold.
    public var rdbUnsupported = RdbUnsupported.skip
    /// Microseconds, for tests.
    public var rdbKeySaveDelay = 0
    public var keyLoadDelay = 0
    public var sanitizeDumpPayload = SanitizeDumpPayload.no
    public var loadingProcessEventsIntervalBytes = 2 << 20

    // MARK: Replication
    public var replicaof: MasterAddress?
    public var masteruser: [UInt8] = []
    public var masterauth: [UInt8] = []
    public var replicaServeStaleData = true
    public var replicaReadOnly = true
    public var replicaLazyFlush = false
    public var replicaIgnoreMaxmemory = true
    public var replicaIgnoreDiskWriteErrors = false
    public var replicaPriority = 100
    public var replicaAnnounced = true
    public var replicaAnnounceIp = ""
    public var replicaAnnouncePort = 0
    public var replDisklessSync = false
    /// Seconds.
    public var replDisklessSyncDelay = 5
    public var replDisklessSyncMaxReplicas = 0
    public var replDisklessLoad = DisklessLoad.disabled
    public var replPingReplicaPeriod = 10
    public var replTimeout = 60
    public var replDisableTcpNodelay = false
    /// Not below 16 KiB, as in Redis.
    public var replBacklogSize = 1 << 20 {
        didSet { replBacklogSize = max(replBacklogSize, 16384) }
    }
    /// Seconds; 0 is never.
    public var replBacklogTtl = 3600
    public var minReplicasToWrite = 0
    public var minReplicasMaxLag = 10
    public var replSpool = ReplSpool.memory
    public var replSpoolSize = 1 << 30
    /// 0 is no limit.
    public var replMaxConcurrentSyncs = 0
    /// A replica with at least this many keys refuses an empty data set of a foreign history; 0 is
    /// off (`no`), 1 is `yes`. Off by default: who points a stock replica at an empty master
    /// expects it to become empty.
    public var replicaEmptyMasterGuard = 0
    public var propagationErrorBehavior = PropagationErrorBehavior.ignore

    // MARK: Security
    public var requirepass: [UInt8] = []
    public var aclfile = ""
    public var acllogMaxLen = 128
    public var aclPubsubDefault = AclPubsubDefault.allchannels
    public var users: [UserDeclaration] = []
    public var renamedCommands: [CommandRename] = []

    // MARK: Memory
    /// 0 is no limit.
    public var maxmemory: UInt64 = 0
    public var maxmemoryPolicy = MaxmemoryPolicy.noeviction
    public var maxmemorySamples = 5
    public var maxmemoryEvictionTenacity = 10
    public var lfuLogFactor = 10
    public var lfuDecayTime = 1
    public var lazyfreeLazyEviction = false
    public var lazyfreeLazyExpire = false
    public var lazyfreeLazyServerDel = false
    public var lazyfreeLazyUserDel = false
    public var lazyfreeLazyUserFlush = false
    public var activerehashing = true
    public var activeExpireEffort = 1
    public var jemallocBgThread = true
    public var activeDefragCycleMin = 1
    public var activeDefragCycleMax = 25
    public var activeDefragThresholdLower = 10
    public var activeDefragThresholdUpper = 100
    public var activeDefragIgnoreBytes = 100 << 20
    public var activeDefragMaxScanFields = 1000

    // MARK: Encodings
    public var hashMaxZiplistEntries = 512
    public var hashMaxZiplistValue = 64
    public var setMaxIntsetEntries = 512
    public var setMaxListpackEntries = 128
    public var setMaxListpackValue = 64
    public var zsetMaxZiplistEntries = 128
    public var zsetMaxZiplistValue = 64
    public var listMaxZiplistSize = -2
    public var listCompressDepth = 0
    public var streamNodeMaxBytes = 4096
    public var streamNodeMaxEntries = 100
    public var hllSparseMaxBytes = 3000

    // MARK: Append only file
    public var appendonly = false
    public var appendfilename = "appendonly.aof"
    public var appenddirname = "appendonlydir"
    public var appendfsync = Appendfsync.everysec
    public var noAppendfsyncOnRewrite = false
    public var autoAofRewritePercentage = 100
    public var autoAofRewriteMinSize = 64 << 20
    public var aofLoadTruncated = true
    public var aofUseRdbPreamble = true
    public var aofRewriteIncrementalFsync = true
    public var aofTimestampEnabled = false
    public var aofDisableAutoGc = false

    // MARK: Commands
    /// Milliseconds.
    public var luaTimeLimit = 5000
    public var luaReplicateCommands = true
    /// Microseconds; negative is off.
    public var slowlogLogSlowerThan = 10000
    public var slowlogMaxLen = 128
    /// Milliseconds; 0 is off.
    public var latencyMonitorThreshold = 0
    public var latencyTracking = true
    public var latencyTrackingInfoPercentiles = "50 99 99.9"
    public var notifyKeyspaceEvents: NotifyFlags = []
    public var trackingTableMaxKeys = 1_000_000

    // MARK: Cluster (known, and answered by CONFIG GET; there is no cluster here)
    public var clusterEnabled = false
    public var clusterConfigFile = "nodes.conf"
    public var clusterNodeTimeout = 15000
    public var clusterPort = 0
    public var clusterAnnounceIp = ""
    public var clusterAnnounceHostname = ""
    public var clusterAnnouncePort = 0
    public var clusterAnnounceTlsPort = 0
    public var clusterAnnounceBusPort = 0
    public var clusterMigrationBarrier = 1
    public var clusterReplicaValidityFactor = 10
    public var clusterReplicaNoFailover = false
    public var clusterRequireFullCoverage = true
    public var clusterAllowReadsWhenDown = false
    public var clusterAllowPubsubshardWhenDown = true
    public var clusterAllowReplicaMigration = true
    public var clusterLinkSendbufLimit = 0
    public var clusterPreferredEndpointType = EndpointType.ip

    // MARK: About the configuration itself
    /// The absolute path of the file that was loaded; empty when there was none, or standard input.
    public internal(set) var configFile = ""
    /// The line being read.
    var line = ConfigurationLine()
    /// Files being included now, to end a cycle.
    var includeDepth = 0

    public init() {}
}
