// SPDX-License-Identifier: BSD-3-Clause
//
// A full sync becomes a data set: a thread of its own builds a new keyspace, from the received file or
// straight off the socket, while the main thread goes on; the swap is one assignment. Until then
// the old data stays as it is, and is served when the configuration says so.
//
// A replica that holds nothing reads the file while it arrives: the load is done soon after the last
// byte. One that holds data begins when the file is whole, as in Redis: it has no memory for both
// any longer than it must, and its own snapshots, which can't be made while a loader runs, matter.

import Configuration
import Glibc
import Keyspace
import Memory
import Platform
import Replication

/// One load for the link; given up by `cancel`.
final class LinkLoader {
    let job: LoadJob
    private(set) var isCancelled = false
    /// What the link has been told of.
    private var toldBytes: UInt64 = 0
    private var toldKeys: UInt64 = 0
    private let began = ReplicationRoom.now
    var progress: LoadProgress { job.progress }

    init(_ job: LoadJob) { self.job = job }

    /// What of a complete file is loaded.
    var fileProgress: SyncProgress {
        let bytes = Int64(clamping: progress.bytes)
        let elapsed = max(1, (ReplicationRoom.now - began).ms)
        return SyncProgress(
            bytes: bytes, total: Int64(clamping: progress.total), rate: bytes * 1000 / elapsed)
    }

    /// The size that a body of unknown length will have.
    var estimatedSize: Int64? {
        SyncProgress.estimate(
            bytes: Int64(clamping: progress.bytes), written: Int64(clamping: progress.keys),
            keys: Int64(clamping: progress.expectedKeys))
    }

    func cancel() {
        isCancelled = true
        job.cancel()
    }

    /// Bytes that have come since this was last asked; nil when nothing moved, neither bytes nor keys.
    func advanced() -> UInt64? {
        let (bytes, keys) = (progress.bytes, progress.keys)
        guard bytes != toldBytes || keys != toldKeys else { return nil }
        defer { (toldBytes, toldKeys) = (bytes, keys) }
        return bytes - toldBytes
    }
}

extension ReplicationRoom {
    /// The master's snapshot is complete, in a file.
    func loadReceivedFile() {
        if server.persistence.job == .saveToDisk {
            // Its older data must not replace what has just come.
            Log.notice(
                "Replica is about to load the RDB file received from the master, but there is a pending RDB child running. Killing process \(server.persistence.child?.pid ?? 0) and removing its temp file to avoid any race"
            )
            server.persistence.child?.stop()
        }
        Log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
        guard let file = connection?.receivedFile else { return }
        let size = TransferCalls.size(file)
        if let loader {
            server.beginLoading(loader.job)
            loader.job.isWhole(size: size)
        } else {
            load(.received(file, size: size), total: size, serving: false)
        }
    }

    /// The body goes into `file` from now on; it is read from there at once where nothing is held yet.
    func bodyBegins(_ file: Int32, _ size: ReplicaLink.Transfer.Size) {
        guard server.persistence.load == nil, server.keyspace.count == 0 else { return }
        let total = UInt64(size.total ?? 0)
        load(.arriving(file, size: total), total: total, serving: true)
    }

    /// There is more of the body.
    func bodyGrew() { loader?.job.grew() }

    private func load(_ source: LoadSource, total: UInt64, serving: Bool) {
        let job = LoadJob(server, source, total: total, keepExpired: true)
        begin(LinkLoader(job), serving: serving, from: "disk")
    }

    /// The body is parsed as it comes. With `swapdb` the old data is served on, else nothing was there.
    func parseFromSocket(_ size: ReplicaLink.Transfer.Size) {
        guard let connection else { return }
        Log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
        let total = UInt64(size.total ?? 0)
        let mark: [UInt8]
        switch size {
        case .bytes: mark = []
        case .mark(let text): mark = Array(text.utf8)
        }
        let source = LoadSource.socket(
            connection.lend(), connection.transport, size: total, mark: mark,
            patience_ms: server.config.replTimeout * 1000)
        let job = LoadJob(server, source, total: total, keepExpired: true)
        begin(
            LinkLoader(job), serving: server.config.replDisklessLoad == .swapdb, from: "socket")
    }

    private func begin(_ loader: LinkLoader, serving: Bool, from place: String) {
        self.loader = loader
        server.beginLoading(loader.job, serving: serving)
        let started = loader.job.start(server) { [self] outcome in finish(outcome, loader, place) }
        if !started {
            let failure = LoadFailure("can't start the loader thread")
            finish(.failed(failure), loader, place)
        }
    }

    /// Back on the main thread. A load that was given up meanwhile only leaves its keyspace behind.
    private func finish(_ outcome: LoadOutcome, _ loader: LinkLoader, _ place: String) {
        if loader.isCancelled || self.loader !== loader { return }
        tellOfParsing()
        self.loader = nil
        server.endLoading()
        switch outcome {
        case .failed(let failure):
            let text =
                "Failed trying to load the MASTER synchronization DB from \(place): \(failure)"
            perform(link.loadFailed(text, at: Self.now))
        case .loaded(let fresh, let summary):
            if let refusal = guardAgainstEmpty(fresh) {
                return perform(link.loadFailed(refusal, at: Self.now))
            }
            connection?.keepReceived()
            let hadAOF = server.stopAOFForSync()
            server.adopt(fresh, summary)
            server.dirty = 0
            rdbIsFromSync = place == "disk"
            perform(link.loaded(db: max(0, summary.info.replication?.streamDB ?? 0), at: Self.now))
            if hadAOF { server.restartAOF() }
            if deletesSyncFiles {
                Log.notice(
                    "Removing the RDB file obtained from the master. This replica has persistence disabled"
                )
                removeSyncFile()
            }
        }
    }

    /// The loader reads off the socket.
    var isParsing: Bool {
        switch link.transfer?.phase {
        case .parsing: loader != nil
        case .header, .receiving, .loading, nil: false
        }
    }

    /// While bytes are parsed off the socket nobody else sees them come.
    func tellOfParsing() {
        guard isParsing, let bytes = loader?.advanced() else { return }
        server.statistics.replicationInputBytes += bytes
        server.statistics.inputBytes += bytes
        link.received(bytes: Int64(bytes), at: Self.now)
    }

    /// rdb-del-sync-files: nothing of ours is to be on disk.
    var deletesSyncFiles: Bool {
        let config = server.config
        return config.rdbDelSyncFiles && config.savePoints.isEmpty && !config.appendonly
    }

    func removeSyncFile() {
        rdbIsFromSync = false
        let path = server.config.dbfilename
        server.jobs.submit { TransferCalls.remove(path) }
    }

    // MARK: The guard against an empty master

    /// `replica-empty-master-guard`: what is in the way of taking `fresh` for what we hold.
    private func guardAgainstEmpty(_ fresh: Keyspace) -> String? {
        let least = server.config.replicaEmptyMasterGuard
        let forced = guardIsForced
        guardIsForced = false
        guardRefusal = nil
        guard least > 0, !forced, fresh.count == 0 else { return nil }
        let held = server.keyspace.count
        guard held >= least else { return nil }
        // Our own history may end in nothing.
        if let next = link.transfer?.history,
            history.leads(to: next.id, at: next.offset, from: stream.end)
        {
            return nil
        }
        let text =
            "The master's data set is empty and of a foreign history, ours holds \(held) keys: kept it "
            + "(replica-empty-master-guard). REPLICAOF <host> <port> FORCE takes the empty one"
        guardRefusal = text
        return text
    }
}
