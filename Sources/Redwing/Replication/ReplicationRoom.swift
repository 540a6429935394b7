// SPDX-License-Identifier: BSD-3-Clause
//
// The replication room of the server: the stream, our ids, the link to our master, our replicas. The
// decisions are made by the values of the Replication module; here their actions are performed.

import Configuration
import Keyspace
import Memory
import Replication

/// What went wrong with the master's stream.
struct MasterErrors {
    private(set) var count = 0
    private(set) var last = ""

    mutating func note(_ text: String) {
        count += 1
        last = text
    }
}

/// One for each server, main thread only.
public final class ReplicationRoom {
    unowned let server: Server
    var history: ReplicationHistory
    let stream: StreamBuffer
    let feed: StreamFeed

    // MARK: Our side as a replica
    /// A master is configured: we make no stream of our own.
    var follows = false
    var link = ReplicaLink()
    /// The connection until the stream runs on it.
    var connection: MasterConnection?
    /// The client that applies the master's stream.
    var master: Client?
    /// Something came from the master since the link was last told.
    var heard = false
    /// Bytes of the master's transaction at hand: they count and go on when it is complete.
    let transactionBytes = ByteBuffer()
    var holdsTransaction = false
    var loader: LinkLoader?
    /// Commands of the master's that failed here since the last full sync: we differ from it then.
    var masterErrors = MasterErrors()

    // MARK: Our side as a master
    /// All replicas from their SYNC or PSYNC on, in the order in which they came.
    var replicas: [Client] = []
    var planner = SnapshotPlanner()
    var withoutReplicasSince: Instant?
    var goodReplicas = 0
    /// Bytes fed in the last second, and the stream's end then.
    var production: Int64 = 0
    var producedTo: Int64 = 0
    /// The snapshot that replicas are served from, while it is made or sent.
    var fullSync: FullSync?
    /// The stream's end when replicas were last written to.
    var flushedTo: Int64 = 0
    /// When that was, on the server's clock.
    private var flushedAt: Int64 = 0
    /// The stream's end when writers last waited.
    private var pacedTo: Int64 = 0
    /// GETACK must be sent before the loop sleeps.
    var wantsAcks = false
    /// Clients in WAIT.
    var waiting: [Client] = []
    var failover: Failover?
    /// What the RDB at start-up lets us ask our master for.
    var restored: ReplicaLink.CachedMaster?
    /// Our RDB file is only there because of a sync.
    var rdbIsFromSync = false
    /// Why the empty-master guard kept our data; nil when it didn't have to.
    var guardRefusal: String?
    /// REPLICAOF … FORCE: the next sync may be empty.
    var guardIsForced = false
    private var linkTimer: TimerID?
    private var linkTimerDue: Instant?

    var cron = ReplicationCron()

    init(_ server: Server) {
        self.server = server
        history = ReplicationHistory(id: Self.freshID())
        stream = StreamBuffer(backlogSize: server.config.replBacklogSize)
        feed = StreamFeed(stream: stream)
        withoutReplicasSince = Self.now
    }

    /// One timer for the link's own deadline.
    func armLinkTimer() {
        let due = link.deadline
        if due == linkTimerDue { return }
        if let linkTimer { server.loop.cancel(linkTimer) }
        linkTimer = nil
        linkTimerDue = due
        guard let due else { return }
        linkTimer = server.loop.schedule(after: max(0, (due - Self.now).ms)) { [unowned self] in
            linkTimer = nil
            linkTimerDue = nil
            tickLink()
        }
    }

    static var now: Instant { Instant(ms: EventLoop.monotonic) }

    static func freshID() -> ReplicationID { ReplicationID(RandomText.hex(40)) ?? .none }

    /// Where we stand: what a master's stream brought us to, or our own end as a master.
    var position: ReplicaLink.CachedMaster {
        if let master { feed.assumeDB(master.database.index) }
        return ReplicaLink.CachedMaster(id: history.id, offset: stream.end, db: feed.db)
    }

    /// The configuration may have changed.
    func refreshSettings() {
        let config = server.config
        link.settings.user = config.masteruser.isEmpty ? nil : text(config.masteruser)
        link.settings.password = config.masterauth.isEmpty ? nil : text(config.masterauth)
        link.settings.announcedPort =
            config.replicaAnnouncePort > 0
            ? config.replicaAnnouncePort : config.tlsReplication ? config.tlsPort : config.port
        link.settings.announcedIP =
            config.replicaAnnounceIp.isEmpty ? nil : config.replicaAnnounceIp
        link.settings.timeout = .seconds(config.replTimeout)
        switch config.replDisklessLoad {
        case .disabled: link.settings.disklessLoad = .disabled
        case .onEmptyDb: link.settings.disklessLoad = .onEmptyDB
        case .swapdb: link.settings.disklessLoad = .swapDB
        }
        planner.settings.diskless = config.replDisklessSync
        planner.settings.delay = config.replDisklessSyncDelay
        planner.settings.maxReplicas = config.replDisklessSyncMaxReplicas
        planner.settings.maxConcurrent = config.replMaxConcurrentSyncs
        switch config.replSpool {
        case .no: planner.settings.spool = .no
        case .memory: planner.settings.spool = .memory
        case .disk: planner.settings.spool = .disk
        }
        if stream.backlogSize != config.replBacklogSize { stream.resize(config.replBacklogSize) }
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    func log(_ line: Replication.LogLine) {
        switch line.level {
        case .debug: Log.debug(line.text)
        case .verbose: Log.verbose(line.text)
        case .notice: Log.notice(line.text)
        case .warning: Log.warning(line.text)
        }
    }
}

// MARK: The stream's way out

extension ReplicationRoom: CommandSink {
    /// Bytes fed in the middle of a turn after which the replicas get theirs: a long pipeline must
    /// not hold the stream back until its end.
    static let flushInterval: Int64 = 128 << 10

    public func beginGroup() { feed.beginGroup() }
    public func endGroup() { feed.endGroup() }

    public func append(request: Bytes, db: Int) {
        feed.append(request: request, db: db)
        if stream.end &- flushedTo > Self.flushInterval { flush() }
    }

    public func append(words: [Bytes], db: Int) {
        feed.append(words: words, db: db)
        if stream.end &- flushedTo > Self.flushInterval { flush() }
    }

    /// Writes the stream to each replica that takes it. A replica whose socket is full goes on when
    /// it has room.
    func flush() {
        server.flushAOFBeforeWriting()
        flushedTo = stream.end
        flushedAt = server.clock
        for client in replicas {
            guard let peer = client.attachments.replica, peer.flows, !peer.isFull,
                let cursor = peer.cursor, stream.pending(cursor) > 0
            else { continue }
            server.writable(client)
        }
    }

    /// GETACK, if somebody waits. Before the AOF is written: it moves the offset.
    func askForAcks() {
        guard wantsAcks else { return }
        wantsAcks = false
        if !replicas.isEmpty && !link.isReplica { feed.getAck() }
    }

    /// Before the loop sleeps: all that is new, unless it may gather a little longer.
    func beforeSleep() {
        guard flushedTo != stream.end || pacedTo != stream.end else { return }
        if mayGather { server.loop.naps = true } else { flush() }
        if !link.isReplica { waitForReplicas() }
        pacedTo = stream.end
    }

    /// Under load a write(2) to each replica in each turn would cost more than the commands, on both
    /// sides: there what is new gathers for a millisecond. The first write behind a quiet time goes
    /// out at once, and so does everything while somebody waits for ACKs.
    private var mayGather: Bool {
        stream.end &- flushedTo < Self.gatheredBytes
            && server.clock &- flushedAt < Self.gatheringTime_ns
            && !replicas.isEmpty && waiting.isEmpty && failover == nil
    }

    private static let gatheredBytes: Int64 = 60 << 10
    private static let gatheringTime_ns: Int64 = 1_000_000
}
