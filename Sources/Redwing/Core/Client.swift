// SPDX-License-Identifier: BSD-3-Clause
//
// One client: a connection, or one of the server's own (a script's, the AOF loader's, the master's).
// A command's body is given its client and nothing else: arguments, database, reply and server hang
// from it, so that a command costs no reference counting.

import Keyspace
import Memory
import RESP

/// What a command's body is: reads `client.arguments`, writes `client.reply`.
public typealias CommandBody = (Client) -> Void

/// What a client is and is in the middle of.
public struct ClientFlags: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// A replica of ours, from its SYNC or PSYNC on.
    public static let replica = ClientFlags(rawValue: 1 << 0)
    /// The link to our master, once it is in sync.
    public static let master = ClientFlags(rawValue: 1 << 1)
    public static let monitor = ClientFlags(rawValue: 1 << 2)
    /// Between MULTI and EXEC.
    public static let multi = ClientFlags(rawValue: 1 << 3)
    /// A watched key changed: EXEC will answer null.
    public static let dirtyCas = ClientFlags(rawValue: 1 << 4)
    /// A command could not be queued: EXEC will fail.
    public static let dirtyExec = ClientFlags(rawValue: 1 << 5)
    /// Waits for a key or for replicas.
    public static let blocked = ClientFlags(rawValue: 1 << 6)
    /// Is closed when its replies are written; nothing more is read.
    public static let closeAfterReply = ClientFlags(rawValue: 1 << 7)
    /// Is freed before the loop sleeps again; nothing more is read or written.
    public static let closeSoon = ClientFlags(rawValue: 1 << 8)
    public static let closed = ClientFlags(rawValue: 1 << 9)
    public static let pendingWrite = ClientFlags(rawValue: 1 << 10)
    /// CLIENT REPLY OFF, and SKIP for the next and the present command.
    public static let replyOff = ClientFlags(rawValue: 1 << 11)
    public static let replySkipNext = ClientFlags(rawValue: 1 << 12)
    public static let replySkip = ClientFlags(rawValue: 1 << 13)
    public static let unixSocket = ClientFlags(rawValue: 1 << 14)
    /// The script engine's client; also the AOF loader's.
    public static let script = ClientFlags(rawValue: 1 << 15)
    /// Runs inside EXEC, a script or the AOF: may not block.
    public static let denyBlocking = ClientFlags(rawValue: 1 << 16)
    public static let pubsub = ClientFlags(rawValue: 1 << 17)
    public static let tracking = ClientFlags(rawValue: 1 << 18)
    public static let readOnly = ClientFlags(rawValue: 1 << 19)
    public static let asking = ClientFlags(rawValue: 1 << 20)
    /// Has requests left in its buffer that must be looked at though nothing new arrives.
    public static let unprocessed = ClientFlags(rawValue: 1 << 21)
    public static let noEvict = ClientFlags(rawValue: 1 << 22)
    /// Its next request waits for the end of a pause.
    public static let postponed = ClientFlags(rawValue: 1 << 23)
    public static let tls = ClientFlags(rawValue: 1 << 24)
    /// Its script is busy: it is neither read nor freed.
    public static let protected = ClientFlags(rawValue: 1 << 26)
    /// Of a tracking client: where its messages should go is gone; it hears of whole prefixes.
    public static let trackingBroken = ClientFlags(rawValue: 1 << 27)
    public static let trackingBroadcast = ClientFlags(rawValue: 1 << 28)
    /// The request is run again because a key it waits for is ready.
    public static let retrying = ClientFlags(rawValue: 1 << 25)
}

public final class Client: EventHandler {
    public let server: Server
    public let id: UInt64
    public var database: Database
    public var arguments = Arguments.none
    /// What it is answered gathers here until the turn's end.
    let output = ByteBuffer()
    /// The version of RESP it speaks: 2 or 3.
    var protocolVersion = 2
    /// Bytes of the reply that came before the command at hand: CLIENT REPLY takes none of them back.
    var owed = 0
    public var flags: ClientFlags = []

    // MARK: The connection; -1 for a client of the server's own.
    public internal(set) var fd: Int32
    /// What came and is not a whole request yet; empty while the shared buffer serves.
    let query = ByteBuffer()
    var parser = RequestParser()
    /// The bytes of the request at hand as they came, when it came as a RESP array: they may go into
    /// the stream unchanged. Empty otherwise.
    public internal(set) var request = Bytes.empty
    var peerName = ""
    var localName = ""
    /// Unix time in seconds.
    let createdAt: Int64
    var lastInteraction: Int64
    /// When the output passed its soft limit, in ms; 0 when it is below.
    var softLimitSince: Int64 = 0
    /// An encrypted transport, when there is one.
    var transport: TLSConnection?

    // MARK: The session
    public var name: [UInt8] = []
    /// Whether it may give commands now.
    public var authenticated = false
    /// Came while no password was asked for, or gave one: it stays in when one is asked for.
    var isAdmitted = false
    /// The command at hand or the last one; see `command`.
    var lastCommand: CommandReference?
    /// What MULTI has gathered.
    var transaction: Transaction?
    var watchedKeys: [WatchedKey] = []
    /// What the client waits for.
    var wait: Wait?
    /// The stream's end behind the client's last write: what its WAIT asks for.
    var writtenTo: Int64 = 0
    /// What other rooms keep of this client (replica session, subscriptions, tracking, ACL user).
    public var attachments = ClientAttachments()

    init(server: Server, id: UInt64, fd: Int32, database: Database) {
        self.server = server
        self.id = id
        self.fd = fd
        self.database = database
        createdAt = server.now / 1000
        lastInteraction = createdAt
        super.init()
    }

    @inline(__always)
    public var reply: Reply { Reply(output, version: protocolVersion) }

    /// The number of words of the command, its name included.
    @inlinable @inline(__always)
    public var count: Int { arguments.count }

    /// The word at `index`; 0 is the command's name.
    @inlinable @inline(__always)
    public subscript(index: Int) -> Bytes { arguments[index] }

    public var isClosed: Bool { flags.contains(.closed) }

    override public func ready(_ readiness: Readiness) {
        if let transport { return server.ready(self, readiness, over: transport) }
        if readiness.contains(.read), fd >= 0 {
            server.readable(self, more: readiness.contains(.more))
        }
        // At the turn's end: who asked in this turn is answered before a snapshot's next piece goes.
        if readiness.contains(.write), fd >= 0 { server.wantsWrite(self) }
    }
}

/// A stream of bytes over a descriptor that isn't plain (TLS). Results as of read(2) and write(2).
protocol Transport: AnyObject {
    func read(into place: Address, _ count: Int) -> Transfer
    /// What it takes it may hold back for want of room: `wantsRoom` tells, `flush` goes on.
    func write(_ bytes: Bytes) -> Transfer
    func flush() -> Transfer
    /// Bytes already decrypted, which no event of the descriptor will announce.
    var hasPending: Bool { get }
    /// It waits for the descriptor to take bytes, whatever its user has to write.
    var wantsRoom: Bool { get }
    func close()
}

/// Places for what other rooms know of a client. Each room has its own field.
public struct ClientAttachments {
    /// As a replica, from its first REPLCONF on.
    var replica: ReplicaPeer?
    /// What WAIT waits for.
    var waitFor: (count: Int, offset: Int64)?
    /// Subscriptions.
    var channels: Set<[UInt8]> = []
    var patterns: [[UInt8]] = []
    var subscriptions: Int { channels.count + patterns.count }

    /// Whose rights the connection has; nil for the default user's.
    var user: User?
    /// Client-side caching, while it is on.
    var tracking: TrackingState?

    public init() {}
}
