// SPDX-License-Identifier: BSD-3-Clause
//
// The data set as the first part of an AOF: an RDB (aof-use-rdb-preamble yes), or commands. Runs in a
// forked child.
//
// As commands a string is a SET, other values are a RESTORE of their DUMP payload: one path for all
// types, exact to the encoding, and loaded by every Redis that knows RDB version 9.

import Glibc
import Keyspace
import Memory
import RESP
import Wing

enum AOFImage {
    /// Writes and syncs the file `path`; 0 or a negative code. Without `preamble` as commands, with the
    /// stream's `position` behind them.
    static func write(
        _ keyspace: Keyspace, _ preamble: SnapshotWriter?, _ position: SnapshotInfo.Replication?,
        to path: String, _ options: RDBWriter.Options,
        progress: (_ keys: UInt64, _ bytes: UInt64) -> Void
    ) -> Int32 {
        let fd = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if fd < 0 { return -errno }
        defer { SystemCalls.close(fd) }
        if let preamble {
            let writer = RDBWriter.descriptor(fd, options)
            guard writer.isValid else { return -ENOMEM }
            preamble.write(keyspace, to: writer) { progress($0, writer.bytesWritten) }
            let code = writer.finish()
            if code < 0 { return code }
        } else {
            var commands = CommandWriter(fd: fd, syncBytes: options.syncBytes)
            commands.write(keyspace, position, compression: options.compression, progress)
            if commands.error != 0 { return commands.error }
        }
        return fsync(fd) == 0 ? 0 : -errno
    }

    private struct CommandWriter {
        let fd: Int32
        let syncBytes: UInt64
        let out = ByteBuffer(capacity: 256 << 10)
        var error: Int32 = 0
        var written: UInt64 = 0
        var synced: UInt64 = 0

        init(fd: Int32, syncBytes: UInt64) {
            self.fd = fd
            self.syncBytes = syncBytes
        }

        mutating func write(
            _ keyspace: Keyspace, _ position: SnapshotInfo.Replication?, compression: Bool,
            _ progress: (UInt64, UInt64) -> Void
        ) {
            var keys: UInt64 = 0
            for database in keyspace.databases where database.count > 0 {
                command(["SELECT", "\(database.index)"])
                for element in database.keys.elements {
                    write(Entry(element), compression: compression)
                    keys += 1
                    if out.count > 128 << 10 { drain() }
                    if error != 0 { return }
                    if keys & 1023 == 0 { progress(keys, written) }
                }
            }
            if let position {
                AOFRecord(id: position.id, offset: position.offset, db: position.streamDB, size: 0)
                    .write(to: out)
            }
            drain()
            progress(keys, written)
        }

        private mutating func write(_ entry: Entry, compression: Bool) {
            let expiry = entry.expiry ?? 0
            if ValueRDB.type(of: entry) == WING_RDB_TYPE_STRING {
                entry.withString { out.append(request: [Bytes("SET"), entry.key, $0]) }
                if expiry == 0 { return }
                Bytes.with("\(expiry)") {
                    out.append(request: [Bytes("PEXPIREAT"), entry.key, $0])
                }
                return
            }
            let payload = RDBWriter.memory(compression: compression)
            guard payload.isValid else {
                error = -ENOMEM
                return
            }
            payload.beginDump(ValueRDB.type(of: entry))
            ValueRDB.write(entry, to: payload)
            payload.endDump()
            let code = payload.finish()
            if code < 0 {
                error = code
                return
            }
            let bytes = payload.memory
            Bytes.with("\(expiry)") { expiry in
                out.append(request: [Bytes("RESTORE"), entry.key, expiry, bytes, Bytes("ABSTTL")])
            }
        }

        private func command(_ words: [String]) {
            out.append(request: words)
        }

        private mutating func drain() {
            while !out.isEmpty, error == 0 {
                switch SystemCalls.write(fd, out.bytes) {
                case .bytes(let n) where n > 0:
                    out.consume(n)
                    written += UInt64(n)
                case .bytes, .end, .wouldBlock: error = -ENOSPC
                case .failed(let code): error = -code
                }
            }
            if syncBytes > 0, written - synced > syncBytes {
                synced = written
                if fdatasync(fd) != 0 { error = -errno }
            }
        }
    }
}
