// SPDX-License-Identifier: BSD-3-Clause
//
// A data set to RDB. It only reads: a forked child that runs this dirties none of the data's pages.

import Memory
import Platform
import Wing

/// What an RDB says of itself besides the data.
public struct SnapshotInfo: Sendable {
    /// The replication stream that follows this snapshot; nil leaves the fields out.
    public struct Replication: Sendable {
        public var streamDB: Int
        public var id: String
        public var offset: Int64
        public init(streamDB: Int, id: String, offset: Int64) {
            self.streamDB = streamDB
            self.id = id
            self.offset = offset
        }
    }
    public var createdAt: Int64 = 0
    public var usedMemory: Int64 = 0
    public var aofPreamble = false
    public var replication: Replication?
    /// Scripts that replicas must know (the bodies).
    public var scripts: [[UInt8]] = []
    public init() {}
}

/// What of LRU and LFU goes into the file: what the eviction policy uses.
public enum AccessKind: Sendable { case none, lru, lfu }

public struct SnapshotWriter {
    let info: SnapshotInfo
    let access: AccessKind
    /// LRU clock now, in seconds, 24 bits.
    let clock: UInt32
    /// Asked from time to time, on any thread, by a writer that compresses: whether it is worth it now.
    public var isWorthCompressing: (() -> Bool)?
    /// Microseconds to sleep after each key, for tests (rdb-key-save-delay).
    public var delay: (() -> Void)?
    /// Forces 2 to this power parts a database, for tests; 0 for one thread.
    public var partBits: Int?

    public init(_ info: SnapshotInfo, access: AccessKind, clock: UInt32) {
        self.info = info
        self.access = access
        self.clock = clock
    }

    /// Bytes behind which large keys make for a word of progress.
    private static let progressBytes: UInt64 = 1 << 20

    /// Writes all of `keyspace`. `progress` is told the keys so far, about every 1,024th, or every
    /// 64th where that is much to write.
    public func write(
        _ keyspace: Keyspace, to writer: borrowing RDBWriter, progress: (UInt64) -> Void
    ) {
        writer.header()
        writer.aux("redis-ver", "6.0.7")
        writer.aux("redis-bits", 64)
        writer.aux("ctime", info.createdAt)
        writer.aux("used-mem", info.usedMemory)
        if let replication = info.replication {
            writer.aux("repl-stream-db", Int64(replication.streamDB))
            writer.aux("repl-id", replication.id)
            writer.aux("repl-offset", replication.offset)
        }
        writer.aux("aof-preamble", info.aofPreamble ? 1 : 0)
        var keys: UInt64 = 0
        var told: UInt64 = 0
        let pace: UInt64 = delay == nil ? 63 : 0
        for database in keyspace.databases where database.count > 0 {
            writer.select(database.index)
            writer.resize(keys: database.count, expires: database.volatileCount)
            let bits = partBits(of: database, in: keyspace)
            if bits > 0, let parts = ParallelSnapshot(self, database, bits, writer, before: keys) {
                keys = parts.run(progress)
                if writer.error != 0 { return }
                continue
            }
            for element in EarlyContainers(database.keys.elements) {
                if keys & 255 == 0 { reconsider(writer) }
                writeKey(Entry(element), to: writer)
                if let delay { delay() }
                keys &+= 1
                if keys & 63 == 0 { wing_turn_offer() }
                if keys & pace == 0 {
                    let bytes = writer.bytesWritten
                    guard keys & 1023 == 0 || pace == 0 || bytes &- told >= Self.progressBytes
                    else { continue }
                    told = bytes
                    progress(keys)
                    if writer.error != 0 { return }
                }
            }
        }
        for script in info.scripts { Bytes.with(script) { writer.aux("lua", $0) } }
        writer.end()
        progress(keys)
    }

    /// Has the writer compress, or not, as it is worth it now.
    @inline(__always)
    func reconsider(_ writer: borrowing RDBWriter) {
        guard let isWorthCompressing, writer.compresses else { return }
        writer.compress(isWorthCompressing())
    }

    /// Into how many parts (a power of two) several threads should cut `database`; 0 for none: it is
    /// too small, or there is one CPU only.
    private func partBits(of database: Database, in keyspace: Keyspace) -> Int {
        if let partBits { return partBits }
        guard delay == nil, database.count >= 4096, redwing_cpus() > 1 else { return 0 }
        let all = keyspace.count
        let bytes = Double(info.usedMemory) * Double(database.count) / Double(all)
        var bits = 0
        while bits < 16 && bytes > Double(ParallelSnapshot.partBytes << bits) { bits += 1 }
        return bits < 4 ? 0 : bits
    }

    @inline(__always)
    func writeKey(_ entry: Entry, to writer: borrowing RDBWriter) {
        let expiry = entry.expiry ?? -1
        var idle: Int64 = -1
        var frequency: Int32 = -1
        switch access {
        case .none: break
        case .lru: idle = Int64((clock &- entry.access) & 0xFF_FFFF)
        case .lfu: frequency = Int32(entry.access & 0xFF)
        }
        switch entry.kind {
        case .stringInline:
            writer.stringKey(
                entry.key, expiry: expiry, idle: idle, frequency: frequency, entry.inlineBytes)
        default:
            writer.key(
                ValueRDB.type(of: entry), entry.key, expiry: expiry, idle: idle,
                frequency: frequency)
            ValueRDB.write(entry, to: writer)
        }
    }
}
