// SPDX-License-Identifier: BSD-3-Clause
//
// The append only file: every write command, as it is propagated, behind an RDB preamble or commands
// that make the same data set. One file, as in Redis 6.
//
//      commands ── append ──▶ pending ── compose ──▶ out ── write(2) ──▶ file ── fdatasync ──▶ disk
//                                           │
//                                           └─ while a rewrite runs ──▶ its buffer (AOF+Rewrite.swift)
//
// `compose` puts a batch's record (AOFRecord.swift) before it. Once a turn, before any reply goes out
// and before replicas get what is new in the stream, `flush` writes what there is: so a server that
// is killed never has replicas, or clients, that know more than its file does.

import Configuration
import Glibc
import Keyspace
import Memory
import RESP
import Replication

/// One for each server, main thread only.
public final class AppendOnlyFile {
    enum State {
        case off
        /// Turned on while serving: the first rewrite makes the file, until then the old one stays.
        case awaitsRewrite
        case on
    }

    unowned let server: Server
    var state = State.off
    var fd: Int32 = -1

    // MARK: What is to be written
    let pending = ByteBuffer()
    let out = ByteBuffer()
    /// The db that the file has selected, -1 when the next command must select.
    var selected = -1
    /// What the last record in the file says.
    var recorded: SnapshotInfo.Replication?
    private enum Group { case none, open(depth: Int), framed(depth: Int) }
    private var group = Group.none

    // MARK: Sizes in bytes
    var size: UInt64 = 0
    /// After the last rewrite, or at the start.
    var baseSize: UInt64 = 0
    var syncedSize: UInt64 = 0

    // MARK: How writing goes
    /// errno of the last write, 0 when it went well; of the last fsync on the background thread.
    var writeError: Int32 = 0
    var syncError: Int32 = 0
    var lastErrorLog: Int64 = 0
    /// fdatasync runs here, so that nothing slow stands before it.
    let syncer = BackgroundJobs()
    var syncsPending = 0
    /// Unix seconds.
    var lastSync: Int64 = 0
    var postponedSince: Int64 = 0
    var delayedSyncs: UInt64 = 0

    // MARK: The rewrite
    var rewrite = Rewrite.none
    var rewriteBuffer = ByteBuffer()
    var rewriteScheduled = false
    var rewriteStartedAt: Int64 = 0
    var lastRewriteSeconds: Int64 = -1
    var lastRewriteOk = true
    var lastCopiedBytes: UInt64 = 0
    var rewrites: UInt64 = 0
    /// Since the last one that succeeded.
    var rewriteFailures: UInt64 = 0
    /// Distinguishes a rewrite from one that was given up.
    var rewriteNumber: UInt64 = 0

    init(_ server: Server) {
        self.server = server
        syncer.cpus = server.config.bioCpulist
    }

    var path: String { server.config.appendfilename }

    /// Bytes of memory that its buffers take.
    var memory: Int { pending.capacity + out.capacity + rewriteBuffer.capacity }

    /// Commands are to be appended.
    var takesCommands: Bool { state != .off && !server.loading }

    /// The stream at this moment stands in the middle of a transaction, ours or the replication's.
    var isGrouped: Bool {
        if case .none = group { return server.rooms.replicationRoom?.feed.isGrouped ?? false }
        return true
    }

    /// Gives what was gathered the form in which it is written. In the middle of a transaction there
    /// is no position to record: the batch has none then, and the next one has it again.
    func compose() {
        let position = isGrouped ? nil : server.snapshotReplication()
        if pending.isEmpty && !moved(position) { return }
        let start = out.count
        if let position {
            let id = position.id == recorded?.id ? nil : position.id
            AOFRecord(id: id, offset: position.offset, db: position.streamDB, size: pending.count)
                .write(to: out)
            recorded = position
        }
        out.append(pending.bytes)
        pending.removeAll(keeping: 1 << 20)
        if rewrite != .none { rewriteBuffer.append(out.bytes.dropFirst(start)) }
        // The rewrite brings a file that begins behind these.
        if state == .awaitsRewrite { out.removeAll(keeping: 1 << 20) }
    }

    /// There is something to say though no command came. A new id alone is not: until the stream
    /// moves, the old one says the same, and more replicas know it.
    private func moved(_ position: SnapshotInfo.Replication?) -> Bool {
        guard let position else { return false }
        guard let recorded else { return true }
        return position.offset != recorded.offset
    }

    /// What the file has selected and said is not to be relied on: it, or a new one, begins anew.
    func forgetState() {
        selected = -1
        recorded = nil
    }

    /// Drops what was gathered, and a transaction with it: the file is turned off.
    func discard() {
        pending.removeAll(keeping: 0)
        out.removeAll(keeping: 0)
        group = .none
        forgetState()
    }
}

// MARK: Commands in

extension AppendOnlyFile: CommandSink {
    public func beginGroup() {
        switch group {
        case .none: group = .open(depth: 1)
        case .open(let depth): group = .open(depth: depth + 1)
        case .framed(let depth): group = .framed(depth: depth + 1)
        }
    }

    public func endGroup() {
        switch group {
        case .none: break
        case .open(let depth): group = depth == 1 ? .none : .open(depth: depth - 1)
        case .framed(let depth) where depth > 1: group = .framed(depth: depth - 1)
        case .framed:
            pending.append("*1\r\n$4\r\nEXEC\r\n")
            group = .none
        }
    }

    public func append(request: Bytes, db: Int) {
        begin(db)
        pending.append(request)
    }

    public func append(words: [Bytes], db: Int) {
        begin(db)
        pending.append(request: words)
    }

    /// SELECT where the db changes, MULTI before the first of what belongs together.
    private func begin(_ db: Int) {
        if db >= 0, db != selected {
            let digits = String(db)
            pending.append(text: "*2\r\n$6\r\nSELECT\r\n$\(digits.utf8.count)\r\n\(digits)\r\n")
            selected = db
        }
        if case .open(let depth) = group {
            pending.append("*1\r\n$5\r\nMULTI\r\n")
            group = .framed(depth: depth)
        }
    }
}
