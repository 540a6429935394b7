// SPDX-License-Identifier: BSD-3-Clause
//
// A snapshot as a file: written beside the old one and put in its place when it is whole. Runs in a
// forked child as well as in the foreground.

import Configuration
import Glibc
import Keyspace
import Memory
import Wing

enum SnapshotFile {
    /// Saves `keyspace` as `path`. Nil on success, else the line for the log, which names the step and
    /// the file; the old file is then as it was.
    static func save(
        _ keyspace: Keyspace, _ snapshot: SnapshotWriter, to path: String,
        _ options: RDBWriter.Options, _ container: RdbContainer,
        progress: (_ keys: UInt64, _ bytes: UInt64) -> Void
    ) -> String? {
        var fd: Int32 = -1
        var code: Int32 = 0
        guard let file = unsafe wing_rdb_file_create(path, &fd, &code) else {
            return "Failed opening the RDB file \(path) \(place) for saving: \(reason(code))"
        }
        code = write(keyspace, snapshot, fd, options, container, progress)
        // Before the commit, whose only other step that fails is the rename.
        if code >= 0, fsync(fd) != 0 { code = -errno }
        if code < 0 {
            unsafe wing_rdb_file_abort(file)
            return
                "Write error saving DB on disk: \(reason(code)), writing \(temporary()) for \(path) \(place)"
        }
        code = unsafe wing_rdb_file_commit(file)
        if code >= 0 { return nil }
        return
            "Error moving temp DB file \(temporary()) on the final destination \(path) \(place): \(reason(code))"
    }

    private static func temporary(of pid: Int32 = getpid()) -> String { "temp-\(pid).rdb" }

    private static var place: String { "(in server root dir \(workingDirectory()))" }

    private static func write(
        _ keyspace: Keyspace, _ snapshot: SnapshotWriter, _ fd: Int32, _ options: RDBWriter.Options,
        _ container: RdbContainer, _ progress: (UInt64, UInt64) -> Void
    ) -> Int32 {
        var fd = fd
        guard container != .none else {
            let writer = RDBWriter.descriptor(fd, options)
            guard writer.isValid else { return -ENOMEM }
            snapshot.write(keyspace, to: writer) { progress($0, writer.bytesWritten) }
            return writer.finish()
        }
        return unsafe withUnsafeMutablePointer(to: &fd) { place in
            let codec = container == .lz4 ? WING_CODEC_LZ4 : WING_CODEC_GZIP
            guard let encoder = unsafe wing_codec_encoder_create(codec, 1, writeAll, place) else {
                return -ENOMEM
            }
            defer { unsafe wing_codec_encoder_free(encoder) }
            let writer = unsafe RDBWriter.sink(
                wing_codec_encoder_write, Address(UnsafeRawPointer(encoder)), options)
            guard writer.isValid else { return -ENOMEM }
            snapshot.write(keyspace, to: writer) { progress($0, writer.bytesWritten) }
            let code = writer.finish()
            return code < 0 ? code : unsafe wing_codec_encoder_finish(encoder)
        }
    }

    /// write(2) until all is out; `context` points to the descriptor.
    private static let writeAll:
        @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32 = {
            context, bytes, size in
            guard let context = unsafe context, let bytes = unsafe bytes else { return -EINVAL }
            let fd = unsafe context.load(as: Int32.self)
            var done = 0
            while done < size {
                let n = unsafe Glibc.write(fd, bytes + done, size - done)
                if n < 0 {
                    if errno == EINTR { continue }
                    return -errno
                }
                done += n
            }
            return 0
        }

    /// What a save that was cut off leaves: one of a child that was ended, or our own.
    static func removeTemporary(of pid: Int32 = getpid()) { unsafe _ = unlink(temporary(of: pid)) }

    static func reason(_ code: Int32) -> String { unsafe String(cString: wing_strerror(code)) }

    static func workingDirectory() -> String {
        guard let path = unsafe getcwd(nil, 0) else { return "unknown" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }
}
