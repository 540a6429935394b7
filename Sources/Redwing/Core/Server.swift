// SPDX-License-Identifier: BSD-3-Clause
//
// The server: all that lives as long as the process. Owned by the main thread. Its sides are in
// files of their own: I/O, dispatch, keys, blocking, cron; rooms of their own (replication,
// persistence, scripting) hang from it by a field each.

import Configuration
import Keyspace
import Memory
import Platform
import RESP

public final class Server {
    public let config: Configuration
    public let loop: EventLoop
    public internal(set) var commands: CommandTable
    let jobs = BackgroundJobs()
    public let runID: String
    public let startedAt: Int64

    // MARK: Clocks, read once a turn and after each command
    /// Unix time in ms. Not kept: most commands don't ask.
    public var now: Int64 { heldNow ?? (clock &+ wallOffset) / 1_000_000 }
    /// For the commands of a script time stands still.
    var heldNow: Int64?
    /// CLOCK_MONOTONIC in ns at the end of the last command or the last wait.
    var clock: Int64
    var fastClock = FastClock()
    /// Unix time minus monotonic time, ns.
    var wallOffset: Int64
    /// Redis's LRU clock: seconds, 24 bits.
    public internal(set) var lruClock: UInt32 = 0

    // MARK: Data
    public var keyspace: Keyspace
    /// Changes since the last save.
    public var dirty: Int = 0
    public var propagation = Propagation()

    // MARK: Clients
    public internal(set) var clients: [UInt64: Client] = [:]
    var nextClientID: UInt64 = 1
    var listeners: [Listener] = []
    let sharedInput = ByteBuffer()
    var sharedInputBusy = false
    /// The requests at hand of a pipeline; a nested turn, which finds it busy, parses one at a time.
    var window = RequestWindow()
    var windowBusy = false
    var foresight = Foresight()
    var requestLimits = RequestLimits()
    /// Not counted: `free` takes a client out of both.
    var pendingWrites: [ClientReference] = []
    var flushing: [ClientReference] = []
    var pendingFree: [Client] = []
    /// Closed in this turn; somebody up the stack may be in the middle of their methods.
    var closedClients: [Client] = []
    var unprocessed: [Client] = []
    public var monitors: [Client] = []
    /// The client whose command runs, nil between commands.
    @inline(__always)
    public var current: Client? { currentReference.client }
    var currentReference = ClientReference()
    var pauses = Pauses()
    var pauseTimer: TimerID?
    var postponed: [Client] = []

    // MARK: What stands between a command and its run
    /// Any of the rare conditions (memory limit, failed save, read-only replica, loading, …) holds, so
    /// `execute` must look closer. Kept by `refreshGate`.
    var gateClosed = false
    /// A replica that takes writes: keys of its own may expire, which no master will delete.
    var keepsOwnExpiries = false
    /// What takes as long is for the slow log or the latency monitor.
    var slowNanoseconds = UInt64.max
    public internal(set) var loading = false
    var blocking = BlockingTable()
    var watchers = WatchTable()
    public var statistics = Statistics()
    var inExec = false
    var isShuttingDown = false
    var signalled = false
    /// Bytes at ProcessTitle.place, for the titles of children.
    var titleRoom = 0
    var supervisor: Supervisor?
    public internal(set) var exitCode: Int32 = 0
    var cronTurns: UInt64 = 0
    var cronTimer: TimerID?

    // MARK: Rooms
    public let persistence: Persistence
    public var rooms = ServerRooms()

    public init(config: Configuration) throws {
        self.config = config
        loop = try EventLoop()
        commands = CommandTable()
        keyspace = Keyspace(databases: config.databases)
        clock = redwing_monotonic_ns()
        let wall = redwing_wall_us()
        wallOffset = wall * 1000 - clock
        startedAt = wall / 1_000_000
        persistence = Persistence(now: wall / 1000)
        runID = RandomText.hex(40)
        lruClock = UInt32(truncatingIfNeeded: startedAt) & 0xFF_FFFF
        try applyConfiguration()
    }

    /// Behind each wait. The real clocks are asked now and then; the wall clock may jump, the monotonic
    /// one doesn't.
    func readClocks() {
        if let time = fastClock.readIfExact() {
            clock = time
            return
        }
        clock = fastClock.synchronize()
        wallOffset = redwing_wall_us() * 1000 - clock
        let lru = UInt32(truncatingIfNeeded: now / 1000) & 0xFF_FFFF
        if lru != lruClock {
            lruClock = lru
            refreshAccess()
        }
    }

    @inline(__always)
    func readClock() { clock = fastClock.read() }

    /// A client of the server's own (scripts, AOF loading): no connection, everything allowed.
    public func makeInternalClient() -> Client {
        let client = Client(server: self, id: 0, fd: -1, database: keyspace.databases[0])
        client.flags = [.script, .denyBlocking]
        client.authenticated = true
        return client
    }
}

/// One field for each room that hangs from the server.
public struct ServerRooms {
    public internal(set) var replicationRoom: ReplicationRoom?
    var appendOnlyFile: AppendOnlyFile?
    var pubsub = PubSub()
    var tls: TLSContexts?
    let access = AccessRoom()
    var tracking = TrackingTable()
    var scripting: ScriptingRoom?
    var observation = Observation()
    /// Connections of MIGRATE.
    let peers = PeerSockets()

    var expiry = ExpiryCycle()
    var eviction = EvictionPool()
    var nextEvictedDatabase = 0
    public init() {}
}

/// The counters of INFO stats.
public struct Statistics {
    public var connections: UInt64 = 0
    public var rejectedConnections: UInt64 = 0
    public var commands: UInt64 = 0
    public var inputBytes: UInt64 = 0
    public var outputBytes: UInt64 = 0
    /// Events in which a client's socket was read, and written.
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    public var replicationInputBytes: UInt64 = 0
    public var replicationOutputBytes: UInt64 = 0
    public var hits: UInt64 = 0
    public var misses: UInt64 = 0
    public var expired: UInt64 = 0
    public var expiredTimeCapReached: UInt64 = 0
    public var expiredStalePercent: Double = 0
    public var expireCycleMicroseconds: UInt64 = 0
    public var evicted: UInt64 = 0
    public var syncFull: UInt64 = 0
    public var syncPartialOk: UInt64 = 0
    public var syncPartialError: UInt64 = 0
    public var latestForkMicroseconds: Int64 = 0
    public var forks: UInt64 = 0
    public var unexpectedErrorReplies: UInt64 = 0
    public var peakMemory: Int = 0
    public init() {}
}
