// SPDX-License-Identifier: BSD-3-Clause
//
// Rewriting: a child writes the data set as it is at the fork into a file of its own, the parent
// gathers what comes after, appends it, and puts the file in the place of the old one by a rename.
//
//      child ──▶ temp-rewriteaof-<pid>.aof ──▶ rounds ──▶ last bytes ──▶ rename ──▶ directory synced
//
// A rewrite under load leaves many megabytes to append. They go out in rounds on a background thread,
// synced, while new ones are gathered; each round has less to do than the one before it, and only the
// last few are written by the main thread. Until the rename the old file is complete and in use.

import Configuration
import Glibc
import Keyspace
import Memory
import Wing

extension AppendOnlyFile {
    enum Rewrite: Equatable {
        case none
        case child
        /// Rounds so far; the file's descriptor.
        case appending(round: Int, fd: Int32)
    }

    /// What the main thread writes itself at most, unless rounds don't get ahead of the writers.
    private static let lastBytes = 256 << 10
    private static let mostRounds = 20
    private var temporary: String { "temp-rewriteaof-\(getpid()).aof" }

    /// Starts a rewrite. Nil when it runs, else why not.
    func startRewrite() -> String? {
        if rewrite != .none || server.childRuns { return "a child is running already" }
        if server.loaderRuns { return Server.stillLoading }
        // What is gathered so far is in the child's memory: it belongs before the fork.
        flush(force: true)
        compose()
        forgetState()
        if let position = server.snapshotReplication() {
            recorded = SnapshotInfo.Replication(
                streamDB: position.streamDB, id: "", offset: position.offset)
        }
        rewriteBuffer.removeAll(keeping: 0)
        // The new file has no EVAL that an EVALSHA behind it could rely on.
        server.flushScriptCacheForReplication()
        let config = server.config
        let snapshot = server.snapshotWriter(
            server.snapshotInfo(aofPreamble: config.aofUseRdbPreamble))
        let position = server.snapshotReplication()
        let keyspace = server.keyspace
        var options = server.writerOptions
        options.syncBytes = config.aofRewriteIncrementalFsync ? 32 << 20 : 0
        let path = temporary
        let preamble = config.aofUseRdbPreamble
        unsafe _ = unlink(path)
        let reason = server.startChild(.rewriteAOF, title: "redis-aof-rewrite", keeping: []) {
            report in
            let code = AOFImage.write(
                keyspace, preamble ? snapshot : nil, position, to: path, options
            ) { report.progress(keys: $0, bytes: $1) }
            if code < 0 {
                Log.warning(
                    "Write error writing append only file on disk: \(SnapshotFile.reason(code))")
                return code
            }
            Log.notice("SYNC append only file rewrite performed")
            return 0
        } finished: { [unowned self] end in
            childEnded(end)
        }
        if let reason {
            Log.warning("Can't rewrite append only file in background: fork: \(reason)")
            lastRewriteOk = false
            return reason
        }
        rewrite = .child
        server.flushScriptCacheForReplication()
        rewriteNumber += 1
        rewriteScheduled = false
        rewriteStartedAt = server.now / 1000
        Log.notice(
            "Background append only file rewriting started by pid \(server.persistence.child?.pid ?? 0)"
        )
        return nil
    }

    /// Gives up a rewrite that runs.
    func stopRewrite() {
        switch rewrite {
        case .none: return
        case .child: server.persistence.child?.stop()
        case .appending(_, let fd): closeLater(fd)
        }
        rewriteNumber += 1
        endRewrite()
        unsafe _ = unlink(temporary)
    }

    private func endRewrite() {
        rewrite = .none
        rewriteBuffer = ByteBuffer()
        lastRewriteSeconds = server.now / 1000 - rewriteStartedAt
        if state == .awaitsRewrite { rewriteScheduled = true }
    }

    private func fail(_ line: String) {
        Log.warning(line)
        lastRewriteOk = false
        rewriteFailures += 1
        if case .appending(_, let fd) = rewrite { closeLater(fd) }
        endRewrite()
        unsafe _ = unlink(temporary)
    }

    private func childEnded(_ end: ChildEnd) {
        lastCopiedBytes = end.copiedBytes
        guard rewrite == .child else {
            unsafe _ = unlink(temporary)
            return
        }
        if end.signal == SIGUSR1 || end.signal == 0 && end.exitCode == Int32(WING_FORK_EXIT_STOPPED)
        {
            Log.warning("Background AOF rewrite terminated by signal \(SIGUSR1)")
            endRewrite()
            unsafe _ = unlink(temporary)
            return
        }
        if end.signal != 0 {
            return fail("Background AOF rewrite terminated by signal \(end.signal)")
        }
        if !end.succeeded { return fail("Background AOF rewrite terminated with error") }
        Log.notice("Background AOF rewrite terminated with success")
        let fresh = unsafe open(temporary, O_WRONLY | O_APPEND | O_CLOEXEC)
        if fresh < 0 {
            return fail(
                "Unable to open the temporary AOF produced by the child: \(Self.reason(errno))")
        }
        nextRound(0, fresh)
    }

    /// What was gathered goes out on a thread as long as it is much.
    private func nextRound(_ round: Int, _ fresh: Int32) {
        compose()
        rewrite = .appending(round: round, fd: fresh)
        if rewriteBuffer.count <= Self.lastBytes || round >= Self.mostRounds {
            return finish(fresh)
        }
        let batch = Handover(rewriteBuffer)
        let bytes = rewriteBuffer.count
        rewriteBuffer = ByteBuffer()
        let number = rewriteNumber
        let this = Handover(self)
        let mailbox = server.loop.mailbox
        server.jobs.submit {
            let code = Self.writeAll(fresh, batch.value.bytes, sync: true)
            mailbox.post {
                let file = this.value
                guard file.rewriteNumber == number else { return }
                if code != 0 { return file.diffFailed(code) }
                Log.debug("\(bytes) bytes of parent diff appended in round \(round)")
                file.nextRound(round + 1, fresh)
            }
        }
    }

    private func diffFailed(_ code: Int32) {
        fail("Error trying to write the parent diff to the rewritten AOF: \(Self.reason(code))")
    }

    /// The last bytes, the rename, and over to the new file.
    private func finish(_ fresh: Int32) {
        let always = server.config.appendfsync == .always && state != .off
        var start = server.latencyStart
        let code = Self.writeAll(fresh, rewriteBuffer.bytes, sync: always)
        server.observe(latency: "aof-rewrite-diff-write", since: start)
        if code != 0 { return diffFailed(code) }
        let megabytes = Double(rewriteBuffer.count) / 1_048_576
        Log.notice(
            "Residual parent diff successfully flushed to the rewritten AOF (\(Self.hundredths(megabytes)) MB)"
        )
        start = server.latencyStart
        if unsafe rename(temporary, path) != 0 {
            return fail(
                "Error trying to rename the temporary file \(temporary) into \(path): \(Self.reason(errno))"
            )
        }
        server.observe(latency: "aof-rename", since: start)
        syncDirectory()
        start = server.latencyStart
        let total = UInt64(max(0, lseek(fresh, 0, SEEK_END)))
        server.observe(latency: "aof-fstat", since: start)
        if state == .off {
            closeLater(fresh)
        } else {
            closeLater(fd)
            fd = fresh
            // All of it is in the new file: before the fork in the child's part, after it in ours.
            out.removeAll(keeping: 1 << 20)
            size = total
            baseSize = total
            syncedSize = always ? total : 0
            state = .on
            if writeError != 0 || syncError != 0 {
                writeError = 0
                syncError = 0
                server.refreshGate()
            }
            if server.config.appendfsync == .everysec {
                syncInBackground()
                lastSync = server.now / 1000
            }
        }
        rewrites += 1
        lastRewriteOk = true
        rewriteFailures = 0
        endRewrite()
        Log.notice("Background AOF rewrite finished successfully")
        server.refreshGate()
    }

    /// write(2) until all is out; 0 or errno. From any thread.
    private static func writeAll(_ fd: Int32, _ bytes: Bytes, sync: Bool) -> Int32 {
        var rest = bytes
        while !rest.isEmpty {
            switch SystemCalls.write(fd, rest) {
            case .bytes(let n) where n > 0: rest = rest.dropFirst(n)
            case .bytes, .end, .wouldBlock: return ENOSPC
            case .failed(let code): return code
            }
        }
        return sync && fdatasync(fd) != 0 ? errno : 0
    }

    /// The rename is on the disk when the directory is.
    private func syncDirectory() {
        let body: () -> Void = {
            let directory = unsafe open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if directory < 0 { return }
            _ = fsync(directory)
            SystemCalls.close(directory)
        }
        if server.config.appendfsync == .always { body() } else { server.jobs.submit(body) }
    }

    private static func hundredths(_ value: Double) -> String {
        let n = Int((value * 100).rounded())
        return "\(n / 100)." + (n % 100 < 10 ? "0" : "") + "\(n % 100)"
    }

    // MARK: When

    /// The cron's part: a rewrite that waits, and one for the file's growth.
    func cron() {
        if state != .off, postponedSince != 0 || writeError != 0 { flush() }
        // A script that takes long lets the cron run in its middle.
        guard rewrite == .none, !server.childRuns, !server.loaderRuns, server.current == nil else {
            return
        }
        if rewriteScheduled {
            // After a failure not at once again: the disk may be full.
            if lastRewriteOk || server.now / 1000 - rewriteStartedAt > 5 {
                rewriteStartedAt = server.now / 1000
                _ = startRewrite()
            }
            return
        }
        let config = server.config
        guard state == .on, config.autoAofRewritePercentage > 0,
            size > UInt64(config.autoAofRewriteMinSize)
        else { return }
        let base = max(1, baseSize)
        let (product, overflow) = size.multipliedReportingOverflow(by: 100)
        let growth = overflow ? Int.max : Int(product / base) - 100
        guard growth >= config.autoAofRewritePercentage,
            lastRewriteOk || server.now / 1000 - rewriteStartedAt > 60
        else { return }
        Log.notice("Starting automatic rewriting of AOF on \(growth)% growth")
        _ = startRewrite()
    }
}
