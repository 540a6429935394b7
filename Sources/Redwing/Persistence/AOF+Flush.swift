// SPDX-License-Identifier: BSD-3-Clause
//
// From memory to the disk, by the three policies of appendfsync.
//
//      always     write and fdatasync before replies; if either fails the server ends: nothing is
//                 acknowledged that isn't on the disk
//      everysec   write before replies, fdatasync each second on a thread; while one is still at
//                 work the write waits for it, up to 2 s, since it would block behind it
//      no         write only
//
// A write that fails (disk full) is cut back to the last whole batch, kept, and tried again; until it
// succeeds write commands are answered MISCONF.

import Configuration
import Glibc
import Memory

extension AppendOnlyFile {
    /// Writes what was gathered. `force` doesn't wait for a running fsync.
    func flush(force: Bool = false) {
        guard state != .off else { return }
        if isGrouped, !force { return }
        let config = server.config
        let second = server.now / 1000
        let nothingYet = out.isEmpty && pending.isEmpty
        if config.appendfsync == .everysec, !force, syncsPending > 0, !nothingYet {
            if postponedSince == 0 {
                postponedSince = second
                return
            }
            if second - postponedSince < 2 { return }
            delayedSyncs += 1
            Log.notice(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis."
            )
        }
        compose()
        if state == .awaitsRewrite { return }
        postponedSince = 0
        if !out.isEmpty, !write() { return }
        // With `always` a mere change of the offset needn't be waited for: it acknowledges nothing.
        sync(second, needed: !nothingYet || force)
    }

    /// Write of all of `out`; false when it failed.
    private func write() -> Bool {
        let start = server.latencyStart
        defer { if start != 0 { observeWrite(since: start) } }
        var written = 0
        while written < out.count {
            switch SystemCalls.write(fd, out.bytes.dropFirst(written)) {
            case .bytes(let n) where n > 0: written += n
            case .bytes, .end, .wouldBlock:
                writeFailed(ENOSPC, written)
                return false
            case .failed(let code):
                writeFailed(code, written)
                return false
            }
        }
        size += UInt64(written)
        out.removeAll(keeping: 1 << 20)
        if writeError != 0 {
            Log.warning("AOF write error looks solved, Redis can write again.")
            writeError = 0
            server.refreshGate()
        }
        return true
    }

    /// A write may take long because the disk is busy with something of ours.
    private func observeWrite(since start: Int64) {
        if syncsPending > 0 {
            server.observe(latency: "aof-write-pending-fsync", since: start)
        } else if server.childRuns {
            server.observe(latency: "aof-write-active-child", since: start)
        } else {
            server.observe(latency: "aof-write-alone", since: start)
        }
        server.observe(latency: "aof-write", since: start)
    }

    private func writeFailed(_ code: Int32, _ written: Int) {
        let always = server.config.appendfsync == .always
        let second = server.now / 1000
        let logs = always || second - lastErrorLog > 30
        if logs {
            lastErrorLog = second
            if written > 0 {
                Log.warning(
                    "Short write while writing to the AOF file: (nwritten=\(written), expected=\(out.count))"
                )
            } else {
                Log.warning("Error writing to the AOF file: \(Self.reason(code))")
            }
        }
        if written > 0, ftruncate(fd, off_t(size)) != 0 {
            let reason = Self.reason(errno)
            if logs {
                Log.warning(
                    "Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time it starts.  ftruncate: \(reason)"
                )
            }
            // What is in the file stays there: the rest must follow it.
            size += UInt64(written)
            out.consume(written)
        }
        if always {
            Log.warning(
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."
            )
            exit(1)
        }
        writeError = code
        server.refreshGate()
    }

    private func sync(_ second: Int64, needed: Bool) {
        if server.config.noAppendfsyncOnRewrite, server.childRuns { return }
        if syncedSize == size { return }
        switch server.config.appendfsync {
        case .always:
            if !needed { return }
            let start = server.latencyStart
            if fdatasync(fd) != 0 { syncIsLost(errno) }
            server.observe(latency: "aof-fsync-always", since: start)
            syncedSize = size
            lastSync = second
        case .everysec:
            if second > lastSync, syncsPending == 0 {
                syncInBackground()
                lastSync = second
            }
        case .no: break
        }
    }

    /// The kernel may have dropped the pages: trying again would prove nothing.
    private func syncIsLost(_ code: Int32) -> Never {
        Log.warning(
            "Can't persist AOF for fsync error when the AOF fsync policy is 'always': \(Self.reason(code)). Exiting..."
        )
        exit(1)
    }

    func syncInBackground() {
        let fd = fd
        let upTo = size
        let mailbox = server.loop.mailbox
        syncsPending += 1
        let this = Handover(self)
        syncer.submit {
            let code = fdatasync(fd) == 0 ? 0 : errno
            mailbox.post { this.value.synced(fd, upTo, code) }
        }
    }

    private func synced(_ fd: Int32, _ upTo: UInt64, _ code: Int32) {
        syncsPending -= 1
        guard fd == self.fd else { return }
        if code == 0 {
            if upTo <= size { syncedSize = max(syncedSize, upTo) }
        } else if syncError == 0 {
            Log.warning("Fail to fsync the AOF file: \(Self.reason(code))")
        }
        if (code == 0) != (syncError == 0) {
            syncError = code
            server.refreshGate()
        }
    }

    /// Writes and syncs everything here and now.
    func flushAndSync() {
        flush(force: true)
        guard fd >= 0, fdatasync(fd) != 0 else { return }
        Log.warning("Fail to fsync the AOF file: \(Self.reason(errno))")
    }

    /// Closed behind the fsyncs that still use it.
    func closeLater(_ fd: Int32) {
        if fd >= 0 { syncer.submit { SystemCalls.close(fd) } }
    }

    /// Why write commands are refused, if they are.
    var refusal: String? {
        let code = writeError != 0 ? writeError : syncError
        guard state != .off, code != 0 else { return nil }
        return "MISCONF Errors writing to the AOF file: \(Self.reason(code))"
    }

    static func reason(_ code: Int32) -> String { SystemError(call: "", code: code).reason }
}
