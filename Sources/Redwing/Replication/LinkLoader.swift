// SPDX-License-Identifier: BSD-3-Clause
//
// A full sync becomes a data set: a thread of its own builds a new keyspace, from the received file or
// straight off the socket, while the main thread goes on; the swap is one assignment. Until then
// the old data stays as it is, and is served when the configuration says so.

import Configuration
import Glibc
import Keyspace
import Memory
import Platform
import Replication

/// One load for the link; given up by `cancel`.
final class LinkLoader {
    let job: LoadJob
    /// The socket it reads from, when it does; shut down to wake it.
    private let socket: Int32
    private(set) var isCancelled = false
    /// Bytes that the link has been told of.
    var told: UInt64 = 0
    var progress: LoadProgress { job.progress }

    init(_ job: LoadJob, socket: Int32 = -1) {
        self.job = job
        self.socket = socket
    }

    func cancel() {
        isCancelled = true
        job.cancel()
        if socket >= 0 { _ = shutdown(socket, Int32(SHUT_RDWR)) }
    }
}

extension ReplicationRoom {
    /// The master's snapshot is complete, in a file.
    func loadReceivedFile() {
        if server.persistence.job == .saveToDisk {
            // Its older data must not replace what has just come.
            Log.notice(
                "Replica is about to load the RDB file received from the master, but there is a pending RDB child running. Killing process \(server.persistence.child?.pid ?? 0) and removing its temp file to avoid any race")
            server.persistence.child?.stop()
        }
        Log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
        guard let path = connection?.receivedPath else { return }
        let job = LoadJob(
            server, .file(path: path), total: Server.fileSize(path), keepExpired: true)
        begin(LinkLoader(job), serving: false, from: "disk")
    }

    /// The body is parsed as it comes. With `swapdb` the old data is served on, else nothing was there.
    func parseFromSocket(_ size: ReplicaLink.Transfer.Size) {
        guard let connection else { return }
        let fd = connection.lend()
        Log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
        let total = UInt64(size.total ?? 0)
        let mark: [UInt8]
        switch size {
        case .bytes: mark = []
        case .mark(let text): mark = Array(text.utf8)
        }
        let source: LoadSource
        if let transport = connection.transport {
            source = .transport(
                transport, limit: total, mark: mark, patience_ms: server.config.replTimeout * 1000)
        } else {
            TransferCalls.setBlocking(fd, timeoutSeconds: server.config.replTimeout)
            source = .descriptor(fd, limit: total, mark: mark)
        }
        let job = LoadJob(server, source, total: total, keepExpired: true)
        begin(
            LinkLoader(job, socket: fd), serving: server.config.replDisklessLoad == .swapdb,
            from: "socket")
    }

    private func begin(_ loader: LinkLoader, serving: Bool, from place: String) {
        self.loader = loader
        server.beginLoading(loader.job, serving: serving)
        let started = loader.job.start(server) { [self] outcome in finish(outcome, loader, place) }
        if !started {
            let failure = LoadFailure(description: "can't start the loader thread")
            finish(.failed(failure), loader, place)
        }
    }

    /// Back on the main thread. A load that was given up meanwhile only leaves its keyspace behind.
    private func finish(_ outcome: LoadOutcome, _ loader: LinkLoader, _ place: String) {
        if loader.isCancelled || self.loader !== loader { return }
        self.loader = nil
        server.endLoading()
        switch outcome {
        case .failed(let failure):
            let text = "Failed trying to load the MASTER synchronization DB from \(place): \(failure)"
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
                    "Removing the RDB file obtained from the master. This replica has persistence disabled")
                removeSyncFile()
            }
        }
    }

    /// While bytes are parsed off the socket nobody else sees them come.
    func tellOfParsing() {
        guard let loader, let transfer = link.transfer else { return }
        switch transfer.phase {
        case .parsing:
            let bytes = loader.progress.bytes
            if bytes > loader.told {
                link.received(bytes: Int64(bytes - loader.told), at: Self.now)
                loader.told = bytes
            }
            connection?.sendNewline()
        case .header, .receiving, .loading: break
        }
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
        guard least > 0, !forced, fresh.databases.allSatisfy({ $0.count == 0 }) else { return nil }
        let held = server.keyspace.databases.reduce(0) { $0 + $1.count }
        guard held >= least else { return nil }
        let text =
            "The master's data set is empty and of a foreign history, ours holds \(held) keys: kept it "
            + "(replica-empty-master-guard). REPLICAOF <host> <port> FORCE takes the empty one"
        guardRefusal = text
        return text
    }
}
