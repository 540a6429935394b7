// SPDX-License-Identifier: BSD-3-Clause
//
// RDB to a data set. Builds a keyspace that nobody else knows yet, so it runs on any thread.

import Glibc
import Memory
import Wing

/// How far a load is, for another thread to read, and its wish to stop, for the loader to read.
public final class LoadProgress: @unchecked Sendable {
    private let place: Address
    private let storage = ByteBuffer(capacity: 64)

    public init() {
        place = storage.reserve(48)
        place.fill(0, count: 48)
    }

    /// What came of the source so far; ahead of what was built of it.
    public var bytes: UInt64 {
        get { place.load(UInt64.self) }
        set { place.store(newValue) }
    }
    public var keys: UInt64 {
        get { place.load(UInt64.self, at: 8) }
        set { place.store(newValue, at: 8) }
    }
    public var total: UInt64 {
        get { place.load(UInt64.self, at: 16) }
        set { place.store(newValue, at: 16) }
    }
    /// What the file says of the memory that its data took; 0 until that was read.
    public var usedMemory: Int64 {
        get { place.load(Int64.self, at: 32) }
        set { place.store(newValue, at: 32) }
    }
    /// Keys of the databases begun so far, as the snapshot announces them.
    public var expectedKeys: UInt64 {
        get { place.load(UInt64.self, at: 40) }
        set { place.store(newValue, at: 40) }
    }
    public var isCancelled: Bool {
        get { place.byte(at: 24) != 0 }
        set { place.store(UInt8(newValue ? 1 : 0), at: 24) }
    }
    /// The source grows no more. What a source that never grows says from the start.
    public var isWhole: Bool {
        get { place.byte(at: 25) == 0 }
        set { place.store(UInt8(newValue ? 0 : 1), at: 25) }
    }
}

/// What a load found besides the keys.
public struct LoadSummary: Sendable {
    public var info = SnapshotInfo()
    public var version = 0
    public var redisVersion = ""
    public var keysLoaded: UInt64 = 0
    public var keysExpired: UInt64 = 0
    /// What was skipped.
    public var notes = LoadNotes()
    /// Bytes of the RDB.
    public var size: UInt64 = 0
    public init() {}
}

public struct SnapshotLoader {
    /// Keys that died before this Unix time in ms are dropped; nil keeps them (a replica waits for
    /// its master's DEL).
    public var dropExpiredBefore: Int64?
    /// LRU clock now and whether the policy is LFU.
    public var clock: UInt32 = 0
    public var access = AccessKind.none
    public var limits = PackedLimits()
    /// Runs after each key, for tests (key-load-delay).
    public var delay: (() -> Void)?
    /// Keys that RESIZEDB may make room for, in all: beyond them tables grow as keys come.
    private var claimable: UInt64 = 64 << 10

    public init() {}

    /// The input has so many bytes: a key takes three of them at least, for type, name and value.
    public mutating func claimable(bytes: UInt64) { claimable = bytes / 3 }

    /// So many bytes are announced (0: no number), which costs the peer nothing: 4 Mi keys, which are
    /// 40 MiB of table, are the most that its word is good for.
    public mutating func claimable(announced bytes: UInt64) {
        if bytes > 0 { claimable = min(bytes / 3, 4 << 20) }
    }

    /// Reads everything up to the RDB's end into `keyspace`, which is empty. On an error the keyspace
    /// holds what was read so far: the caller throws it away. `summary` tells what was found up to there.
    public func load(
        _ reader: RDBReader, into keyspace: Keyspace, _ summary: inout LoadSummary,
        progress: LoadProgress
    ) throws(RDBFault) {
        var database = keyspace.databases[0]
        var batch = LoadBatch(database)
        defer { _ = batch.flush() }
        var claimable = self.claimable
        while true {
            try reader.next()
            if progress.isCancelled {
                throw .cancelled(at: reader.offset)
            }
            switch unsafe reader.item.kind {
            case WING_RDB_ITEM_HEADER: summary.version = Int(unsafe reader.item.version)
            case WING_RDB_ITEM_AUX:
                note(aux: reader, in: &summary)
                progress.usedMemory = summary.info.usedMemory
            case WING_RDB_ITEM_SELECTDB:
                let index = unsafe reader.item.database
                guard index < UInt64(keyspace.databases.count) else {
                    throw reader.malformed(
                        "database \(index), but this server has \(keyspace.databases.count) (directive databases)"
                    )
                }
                database = keyspace.databases[Int(index)]
                try check(batch.select(database), reader)
            case WING_RDB_ITEM_RESIZEDB:
                progress.expectedKeys &+= unsafe reader.item.keys
                let keys = min(unsafe reader.item.keys, claimable)
                claimable -= keys
                let volatile = min(unsafe reader.item.expires, keys)
                database.reserve(keys: Int(keys), volatile: Int(volatile))
            case WING_RDB_ITEM_KEY:
                try loadKey(reader, into: &batch, of: database, &summary)
                progress.keys = summary.keysLoaded
                if let delay { delay() }
            case WING_RDB_ITEM_NOTE:
                let kind = LoadNotes.Kind(rawValue: unsafe reader.item.about) ?? .slotSizes
                summary.notes.add(kind, unsafe reader.item.text.view.string)
            default:
                try check(batch.flush(), reader)
                summary.size = reader.offset
                return
            }
        }
    }

    private func note(aux reader: RDBReader, in summary: inout LoadSummary) {
        let name = unsafe reader.item.name.view
        let value = unsafe reader.item.text.view
        func replication() -> SnapshotInfo.Replication {
            summary.info.replication ?? SnapshotInfo.Replication(streamDB: -1, id: "", offset: -1)
        }
        if name == "repl-stream-db" {
            var found = replication()
            found.streamDB = Int(Decimal.parse(value) ?? -1)
            summary.info.replication = found
        } else if name == "repl-id" {
            var found = replication()
            if value.count == 40 { found.id = value.string }
            summary.info.replication = found
        } else if name == "repl-offset" {
            var found = replication()
            found.offset = Decimal.parse(value) ?? -1
            summary.info.replication = found
        } else if name == "lua" {
            summary.info.scripts.append(value.array)
        } else if name == "redis-ver" {
            summary.redisVersion = value.string
        } else if name == "ctime" {
            summary.info.createdAt = Decimal.parse(value) ?? 0
        } else if name == "used-mem" {
            summary.info.usedMemory = Decimal.parse(value) ?? 0
        } else if name == "aof-preamble" {
            summary.info.aofPreamble = value == "1"
        }
    }

    @inline(__always)
    private func loadKey(
        _ reader: RDBReader, into batch: inout LoadBatch, of database: Database,
        _ summary: inout LoadSummary
    ) throws(RDBFault) {
        let expiry = unsafe reader.item.expiry_ms
        // Where replicas may go on from this snapshot's offset, keys that died meanwhile stay until the
        // expiry cycle meets them: its DEL is what replicas wait for.
        if let limit = dropExpiredBefore, expiry >= 0, expiry < limit,
            summary.info.replication == nil
        {
            summary.keysExpired += 1
            return
        }
        var bits = database.newAccess
        if access == .lfu, unsafe reader.item.freq >= 0 {
            bits = (bits & 0xFFFF00) | UInt32(truncatingIfNeeded: unsafe reader.item.freq)
        } else if access == .lru, unsafe reader.item.idle_s >= 0 {
            let idle = UInt32(truncatingIfNeeded: min(unsafe reader.item.idle_s, 0xFF_FFFF))
            bits = (clock &- idle) & 0xFF_FFFF
        }
        let name = unsafe reader.item.name.view
        let alive: Int64? = expiry >= 0 ? expiry : nil
        if unsafe reader.item.value == WING_RDB_VALUE_STRING {
            // The name stays good while the parts are read; see wing_rdb_item.
            guard try reader.nextPart() else { throw reader.malformed("a string without a value") }
            try check(
                batch.add(name, string: unsafe reader.part.text.view, expiry: alive, access: bits),
                reader)
        } else {
            guard let (kind, container) = try ValueRDB.read(reader, database.heap, limits) else {
                summary.notes.add(
                    .emptyKeys, "rdbLoad skipping empty key: \(name.printable(most: 64))")
                return
            }
            try check(batch.add(name, kind, container, expiry: alive, access: bits), reader)
        }
        summary.keysLoaded += 1
    }

    /// A key that was there already damns the file.
    @inline(__always)
    private func check(_ twice: [UInt8]?, _ reader: RDBReader) throws(RDBFault) {
        if let twice {
            let name = Bytes.with(twice) { $0.prefix(64).string }
            throw reader.malformed("key '\(name)' occurs twice")
        }
    }
}
