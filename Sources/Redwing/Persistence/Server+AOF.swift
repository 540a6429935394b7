// SPDX-License-Identifier: BSD-3-Clause
//
// The append only file as the rest of the server sees it: at start-up, when it is turned on and off,
// before replies, at the end, and in INFO.

import Configuration
import Glibc
import Keyspace
import Memory

/// What INFO persistence says of the AOF.
public struct AOFInfo {
    public var enabled = false
    public var rewriteInProgress = false
    public var rewriteScheduled = false
    public var lastRewriteSeconds: Int64 = -1
    public var currentRewriteSeconds: Int64 = -1
    public var lastRewriteOk = true
    public var lastWriteOk = true
    public var lastCopiedBytes: UInt64 = 0
    /// Bytes, when it is enabled.
    public var currentSize: UInt64 = 0
    public var baseSize: UInt64 = 0
    public var bufferLength = 0
    public var rewriteBufferLength = 0
    public var pendingSyncs = 0
    public var delayedSyncs: UInt64 = 0
    public var rewrites: UInt64 = 0
    public var failuresInARow: UInt64 = 0
}

extension Server {
    var aof: AppendOnlyFile? { rooms.appendOnlyFile }

    public var aofInfo: AOFInfo {
        var info = AOFInfo()
        guard let file = aof else { return info }
        info.enabled = file.state != .off
        info.rewriteInProgress = file.rewrite != .none
        info.rewriteScheduled = file.rewriteScheduled
        info.lastRewriteSeconds = file.lastRewriteSeconds
        info.currentRewriteSeconds = file.rewrite == .none ? -1 : now / 1000 - file.rewriteStartedAt
        info.lastRewriteOk = file.lastRewriteOk
        info.lastWriteOk = file.writeError == 0 && file.syncError == 0
        info.lastCopiedBytes = file.lastCopiedBytes
        info.currentSize = file.size
        info.baseSize = file.baseSize
        info.bufferLength = file.out.count + file.pending.count
        info.rewriteBufferLength = file.rewriteBuffer.count
        info.pendingSyncs = file.syncsPending
        info.delayedSyncs = file.delayedSyncs
        info.rewrites = file.rewrites
        info.failuresInARow = file.rewriteFailures
        return info
    }

    // MARK: On and off

    /// CONFIG SET appendonly. Nil when it is done, else the error text.
    public func setAppendOnly(_ on: Bool) -> String? {
        guard let file = aof else { return nil }
        if on, file.state == .off {
            return file.start() ? nil : "Unable to turn on AOF. Check server logs."
        }
        if !on, file.state != .off { file.stop() }
        return nil
    }

    /// A full sync is about to put other data in the place of ours: the file stays as it is, of the
    /// old data and the old position. True when `restartAOF` must follow.
    func stopAOFForSync() -> Bool {
        guard let file = aof, file.state != .off else { return false }
        file.stop()
        return true
    }

    /// The new data is in service, at the master's position: the file begins anew.
    func restartAOF() {
        if let file = aof, !file.start() {
            Log.warning(
                "FATAL: this replica can't enable its AOF file after the SYNC. Exiting now.")
            exit(1)
        }
    }

    /// Replies and the stream may go out after this: what they tell of is written.
    @inline(__always)
    func flushAOF() {
        if let file = aof, file.state != .off { file.flush() }
    }

    /// In the middle of a turn replies or the stream go out: what they tell of must be written as well.
    func flushAOFBeforeWriting() {
        guard let file = aof, file.state != .off, !loading else { return }
        file.flush(force: file.isGrouped && config.appendfsync == .always)
    }

    /// Writes and syncs what is left of the AOF; false when the end must wait.
    func finishAOF() -> Bool {
        guard let file = aof else { return true }
        if file.rewrite != .none {
            if file.state == .awaitsRewrite {
                Log.warning("Writing initial AOF, can't exit.")
                return false
            }
            Log.warning("There is a child rewriting the AOF. Killing it!")
            file.stopRewrite()
        }
        guard file.state != .off else { return true }
        Log.notice("Calling fsync() on the AOF file.")
        file.flushAndSync()
        return true
    }
}

extension AppendOnlyFile {
    /// Opens the file for appending; false when that can't be.
    func openFile() -> Bool {
        fd = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        return fd >= 0
    }

    /// Turned on while serving: what is there now is written by a rewrite.
    fileprivate func start() -> Bool {
        if !openFile() {
            let reason = Self.reason(errno)
            Log.warning(
                "Redis needs to enable the AOF but can't open the append only file \(path) (in server root dir \(SnapshotFile.workingDirectory())): \(reason)"
            )
            return false
        }
        forgetState()
        state = .awaitsRewrite
        lastSync = server.now / 1000
        writeError = 0
        syncError = 0
        if isGrouped, rewrite == .none {
            rewriteScheduled = true
            return true
        }
        if server.childRuns, rewrite == .none {
            rewriteScheduled = true
            Log.warning(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible."
            )
            return true
        }
        if rewrite != .none {
            Log.warning(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting a rewrite now."
            )
            stopRewrite()
            // Its child may take a moment to end.
            rewriteScheduled = true
            return true
        }
        if startRewrite() != nil {
            closeLater(fd)
            fd = -1
            state = .off
            rewriteScheduled = false
            Log.warning(
                "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs for more info about the error."
            )
            return false
        }
        return true
    }

    fileprivate func stop() {
        if state == .on { flushAndSync() }
        state = .off
        stopRewrite()
        rewriteScheduled = false
        closeLater(fd)
        fd = -1
        size = 0
        baseSize = 0
        syncedSize = 0
        postponedSince = 0
        discard()
        server.refreshGate()
    }
}
