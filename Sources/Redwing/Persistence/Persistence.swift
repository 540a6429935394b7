// SPDX-License-Identifier: BSD-3-Clause
//
// Saving: in the foreground, or by a child; when, and with what result. The state behind INFO
// persistence and LASTSAVE.

import Configuration
import Glibc
import Keyspace
import Memory
import Platform
import Wing

/// What is known of saves so far, and the child that runs.
public final class Persistence {
    /// What the child at work is for. One at a time: two would copy pages twice.
    public enum Job: Equatable { case saveToDisk, sendToReplicas, rewriteAOF }

    public internal(set) var child: ChildProcess?
    public internal(set) var job: Job?
    /// Unix times in seconds.
    public internal(set) var lastSave: Int64
    var lastTry: Int64 = 0
    public internal(set) var startedAt: Int64 = 0
    public internal(set) var lastStatusOk = true
    public internal(set) var lastSeconds: Int64 = -1
    public internal(set) var lastCopiedBytes: UInt64 = 0
    var dirtyAtStart = 0
    /// BGSAVE SCHEDULE, or a save that had to wait for another child.
    public internal(set) var scheduled = false
    public internal(set) var saves: UInt64 = 0
    public internal(set) var lastLoad = LoadSummary()
    /// The load at work, if any.
    public internal(set) var load: LoadJob?
    public internal(set) var keysAtStart = 0

    init(now: Int64) { lastSave = now / 1000 }
}

extension Server {
    /// A snapshot or rewrite child runs: pages written to now are copied.
    var childRuns: Bool { persistence.child != nil }

    /// The MISCONF text, when writes are refused because saving fails.
    func diskRefusal() -> String? {
        if isReplica { return nil }
        if let text = aof?.refusal { return text }
        if config.stopWritesOnBgsaveError, !config.savePoints.isEmpty, !persistence.lastStatusOk {
            return
                "MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
        }
        return nil
    }

    /// What the snapshot says of itself. `replication` where the stream's position belongs to it.
    func snapshotInfo(replication: SnapshotInfo.Replication? = nil, aofPreamble: Bool = false)
        -> SnapshotInfo
    {
        var info = SnapshotInfo()
        info.createdAt = now / 1000
        info.usedMemory = Int64(usedMemory)
        info.replication = replication ?? snapshotReplication()
        info.aofPreamble = aofPreamble
        info.scripts = info.replication == nil ? [] : replicatedScripts()
        return info
    }

    var accessKind: AccessKind {
        config.maxmemoryPolicy.isLfu ? .lfu : config.maxmemoryPolicy.isLru ? .lru : .none
    }

    func snapshotWriter(_ info: SnapshotInfo) -> SnapshotWriter {
        var writer = SnapshotWriter(info, access: accessKind, clock: lruClock)
        let pause = config.rdbKeySaveDelay
        if pause > 0 { writer.delay = { usleep(UInt32(clamping: pause)) } }
        return writer
    }

    var writerOptions: RDBWriter.Options {
        var options = RDBWriter.Options()
        options.compression = config.rdbcompression
        options.checksum = config.rdbchecksum
        options.syncBytes = config.rdbSaveIncrementalFsync ? 32 << 20 : 0
        return options
    }

    // MARK: SAVE

    /// An AOF may hold any command: what it has loaded of itself so far is not to become a file.
    static let stillLoading = "the data set is loading"

    /// Saves here and now. Nil on success, else the reason. Only a background save that fails makes
    /// the server refuse writes: who called this one is told.
    func saveNow(replication: SnapshotInfo.Replication? = nil) -> String? {
        if loading { return Self.stillLoading }
        let started = EventLoop.monotonic
        let snapshot = snapshotWriter(snapshotInfo(replication: replication))
        let reason = SnapshotFile.save(
            keyspace, snapshot, to: config.dbfilename, writerOptions, config.rdbContainer
        ) { _, _ in exitIfInsisted() }
        if let reason {
            Log.warning("\(reason)")
            return reason
        }
        Log.notice("DB saved on disk")
        persistence.saves += 1
        dirty = 0
        persistence.lastSave = now / 1000
        persistence.lastStatusOk = true
        Log.debug("saved in \(EventLoop.monotonic - started) ms")
        refreshGate()
        return nil
    }

    // MARK: BGSAVE

    /// Starts a child that saves to disk. Nil on success, else why it could not start.
    /// `finished` is told how it ended, after the server's own bookkeeping.
    /// With `replication` the file is for replicas: plain RDB whatever `rdb-container` says, as that
    /// is all a stock Redis reads.
    func startBackgroundSave(
        replication: SnapshotInfo.Replication? = nil, _ finished: ((Bool) -> Void)? = nil
    ) -> String? {
        if childRuns { return "a child is running already" }
        if loaderRuns { return Self.stillLoading }
        persistence.dirtyAtStart = dirty
        persistence.lastTry = now / 1000
        let snapshot = snapshotWriter(snapshotInfo(replication: replication))
        let keyspace = keyspace
        let name = config.dbfilename
        let options = writerOptions
        let container = replication == nil ? config.rdbContainer : .none
        let reason = startChild(.saveToDisk, title: "redis-rdb-bgsave", keeping: []) { report in
            let reason = SnapshotFile.save(keyspace, snapshot, to: name, options, container) {
                report.progress(keys: $0, bytes: $1)
            }
            if let reason {
                Log.warning("\(reason)")
                return -EIO
            }
            Log.notice("DB saved on disk")
            return 0
        } finished: { [unowned self] end in
            backgroundSaveEnded(end)
            finished?(end.succeeded)
        }
        if let reason {
            persistence.lastStatusOk = false
            Log.warning("Can't save in background: fork: \(reason)")
            refreshGate()
        } else {
            Log.notice("Background saving started by pid \(persistence.child?.pid ?? 0)")
        }
        return reason
    }

    /// Forks a child for `job`. Nil on success, else the reason.
    func startChild(
        _ job: Persistence.Job, title: String, keeping: [Int32],
        body: @escaping (ChildReport) -> Int32, finished: @escaping (ChildEnd) -> Void
    ) -> String? {
        do {
            persistence.keysAtStart = keyspace.count
            persistence.startedAt = now / 1000
            let (config, oomScore) = (config, rooms.observation.oomScore)
            let cpus = job == .rewriteAOF ? config.aofRewriteCpulist : config.bgsaveCpulist
            let body: (ChildReport) -> Int32 = { report in
                oomScore.applyInChild(config)
                ProcessCalls.bind(toCPUs: cpus)
                return body(report)
            }
            persistence.child = try ChildProcess(self, title: title, keeping: keeping, body: body) {
                [unowned self] end in
                if job == .saveToDisk, !end.succeeded, let child = persistence.child {
                    let start = latencyStart
                    SnapshotFile.removeTemporary(of: child.pid)
                    observe(latency: "rdb-unlink-temp-file", since: start)
                }
                persistence.child = nil
                persistence.job = nil
                persistence.lastCopiedBytes = end.copiedBytes
                if end.copiedBytes > 0 {
                    let who = job == .rewriteAOF ? "AOF rewrite" : "RDB"
                    Log.notice(
                        "\(who): \(end.copiedBytes >> 20) MB of memory used by copy-on-write")
                }
                childEnded(job)
                finished(end)
                refreshGate()
            }
            persistence.job = job
            return nil
        } catch {
            return error.reason
        }
    }

    private func backgroundSaveEnded(_ end: ChildEnd) {
        persistence.lastSeconds = now / 1000 - persistence.startedAt
        if end.succeeded {
            Log.notice("Background saving terminated with success")
            dirty -= persistence.dirtyAtStart
            persistence.saves += 1
            persistence.lastSave = now / 1000
            persistence.lastStatusOk = true
        } else if end.signal == SIGUSR1
            || end.signal == 0 && end.exitCode == Int32(WING_FORK_EXIT_STOPPED)
        {
            // Ended on purpose, by the signal itself when the child had barely begun.
            Log.warning("Background saving terminated by signal \(SIGUSR1)")
        } else if end.signal != 0 {
            Log.warning("Background saving terminated by signal \(end.signal)")
            persistence.lastStatusOk = false
        } else {
            Log.warning("Background saving error")
            persistence.lastStatusOk = false
        }
    }

    /// The cron's part: save points, a scheduled save.
    func saveIfDue() {
        // A script that takes long lets the cron run in its middle: no data set to save.
        if childRuns || loaderRuns || current != nil { return }
        if persistence.scheduled,
            now / 1000 - persistence.lastTry > 5 || persistence.lastStatusOk
        {
            if startBackgroundSave() == nil { persistence.scheduled = false }
            return
        }
        for point in config.savePoints
        where dirty >= point.changes && now / 1000 - persistence.lastSave > Int64(point.seconds) {
            guard now / 1000 - persistence.lastTry > 5 || persistence.lastStatusOk else { continue }
            Log.notice("\(point.changes) changes in \(point.seconds) seconds. Saving...")
            _ = startBackgroundSave()
            return
        }
    }
}
