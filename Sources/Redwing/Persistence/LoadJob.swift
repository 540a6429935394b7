// SPDX-License-Identifier: BSD-3-Clause
//
// Loading an RDB into a new keyspace: on a thread of its own while the main thread serves, or in the
// foreground where a command waits for it. The data set in service is not touched; who asked for
// the load swaps the result in.

import Configuration
import Glibc
import Keyspace
import Memory
import Platform
import Wing

/// Where a load gets its bytes.
enum LoadSource {
    /// A file of ours, in any container.
    case file(path: String)
    /// The RDB at the head of an open file: more follows.
    case preamble(Int32)
    /// What our master sent, in an open file: an RDB of `size` bytes and nothing else.
    case received(Int32, size: UInt64)
    /// The same while it is being received; `size` is what was announced, 0 where a mark tells the end.
    case arriving(Int32, size: UInt64)
    /// The same straight off the socket: `size` bytes, or as many as come before `mark`.
    case socket(Int32, TLSConnection?, size: UInt64, mark: [UInt8], patience_ms: Int)
}

/// What became of a load.
public enum LoadOutcome {
    case loaded(Keyspace, LoadSummary)
    case failed(LoadFailure)
}

public struct LoadFailure: Error, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

public final class LoadJob: @unchecked Sendable {
    public let progress = LoadProgress()
    /// Unix time in seconds.
    public let startedAt: Int64
    public let total: UInt64
    private let source: LoadSource
    private let input: Result<LoadInput, LoadFailure>
    private let loader: SnapshotLoader
    private let databases: Int
    /// Of keys about whose use the file says nothing, and, under LFU, since when counters fall.
    private let newAccess: UInt32
    private let options: RDBReader.Options

    init(_ server: Server, _ source: LoadSource, total: UInt64, keepExpired: Bool) {
        self.source = source
        self.total = total
        startedAt = server.now / 1000
        databases = server.keyspace.databases.count
        newAccess = server.newAccess
        progress.total = total
        do throws(LoadFailure) {
            input = .success(try Self.open(source, progress))
        } catch {
            input = .failure(error)
        }
        var loader = SnapshotLoader()
        loader.dropExpiredBefore = keepExpired ? nil : server.now
        loader.clock = server.lruClock
        loader.access = server.accessKind
        loader.limits = server.keyspace.databases[0].limits
        let pause = server.config.keyLoadDelay
        if pause > 0 { loader.delay = { usleep(UInt32(clamping: pause)) } }
        var options = RDBReader.Options()
        options.ignoreChecksum = !server.config.rdbchecksum
        options.refusesUnsupported = server.config.rdbUnsupported == .refuse
        switch source {
        case .file, .preamble:
            if case .success(let input) = input { loader.claimable(bytes: input.size) }
        case .received(_, let size):
            options.limit = size
            loader.claimable(bytes: size)
        case .arriving(_, let size), .socket(_, _, let size, _, _):
            options.limit = size
            loader.claimable(announced: size)
        }
        self.loader = loader
        self.options = options
    }

    private static func open(
        _ source: LoadSource, _ progress: LoadProgress
    ) throws(LoadFailure) -> LoadInput {
        switch source {
        case .file(let path): try .file(path, progress)
        case .preamble(let file), .received(let file, _): try .copy(of: file, progress)
        case .arriving(let file, _): try .growing(file, progress)
        case .socket(let socket, let transport, _, _, let patience):
            try .socket(socket, transport, patience_ms: patience, progress)
        }
    }

    /// Asks the loader to stop; it ends with a failure soon after. Main thread.
    public func cancel() {
        progress.isCancelled = true
        if case .success(let input) = input { input.interrupt() }
    }

    /// There is more of an arriving file. Main thread.
    func grew() { if case .success(let input) = input { input.grew() } }

    /// All of an arriving file is there. Main thread.
    func isWhole(size: UInt64) {
        progress.total = size
        progress.isWhole = true
        grew()
    }

    /// Loads here and now.
    func run() -> LoadOutcome {
        switch input {
        case .failure(let failure): return .failed(failure)
        case .success(let input):
            do throws(RDBFault) {
                // The reader knows only where its input is.
                defer { withExtendedLifetime(input) {} }
                return try load(input.reader(options), input)
            } catch {
                let trouble = input.containerTrouble(at: error.offset)
                return .failed(LoadFailure(trouble ?? error.description))
            }
        }
    }

    /// Loads on a thread; `finished` runs on the main one.
    func start(_ server: Server, _ finished: @escaping (LoadOutcome) -> Void) -> Bool {
        let mailbox = server.loop.mailbox
        let finished = Handover(finished)
        return BackgroundThread.start(stackBytes: 8 << 20) { [self] in
            let outcome = Handover(run())
            mailbox.post {
                // The link's own descriptor is the only one from here on: closing it ends the connection.
                if case .success(let input) = self.input { input.close() }
                finished.value(outcome.value)
            }
        }
    }

    private func load(_ reader: RDBReader, _ input: LoadInput) throws(RDBFault) -> LoadOutcome {
        let keyspace = Keyspace(databases: databases)
        for database in keyspace.databases {
            database.limits = loader.limits
            database.newAccess = newAccess
        }
        if loader.delay == nil && redwing_cpus() > 1 { reader.readAhead() }
        var summary = LoadSummary()
        defer { for line in summary.notes.lines { Log.notice(line) } }
        do throws(RDBFault) {
            try loader.load(reader, into: keyspace, &summary, progress: progress)
        } catch {
            // The link ends with this; a thread that reads from it must not wait for more.
            input.interrupt()
            reader.stopAhead()
            throw error
        }
        reader.stopAhead()
        try checkEnd(reader, input)
        return .loaded(keyspace, summary)
    }

    /// What stands behind the RDB. Where its length was announced, that and nothing more: else the
    /// stream would begin at the wrong byte, or bytes of it be lost.
    private func checkEnd(_ reader: RDBReader, _ input: LoadInput) throws(RDBFault) {
        let surplus: UInt64
        switch source {
        case .preamble: return
        case .file(let path):
            // As in Redis: what follows is not our affair, but hardly meant to be there.
            guard reader.left.count > 0 || input.hasMore else { return }
            let trouble = input.containerTrouble(at: reader.offset)
            return Log.warning(
                "\(path): \(trouble ?? "bytes follow the RDB (at byte \(reader.offset))"), ignored")
        case .received(_, let size): surplus = size - reader.offset
        case .arriving:
            guard input.awaitWhole() else {
                throw .cancelled(at: reader.offset)
            }
            surplus = input.size - reader.offset
        case .socket(_, _, let size, let mark, _):
            if mark.isEmpty {
                surplus = size - reader.offset
            } else {
                if try reader.trail(mark.count) != mark {
                    throw reader.malformed("the RDB is not followed by its EOF mark")
                }
                surplus = UInt64(reader.left.count)
            }
        }
        guard surplus > 0 else { return }
        let bytes = surplus == 1 ? "1 byte" : "\(surplus) bytes"
        throw reader.malformed("the transfer holds \(bytes) more than its RDB")
    }
}

extension Server {
    /// The size of a file in bytes, 0 when it can't be told.
    static func fileSize(_ path: String) -> UInt64 {
        var info = stat()
        return unsafe stat(path, &info) == 0 ? UInt64(info.st_size) : 0
    }

    /// Loads what is on disk at start-up, while clients are answered -LOADING. `ready` runs when the
    /// data set is in service. A file that can't be read ends the process with exit code 1.
    func loadFromDisk(_ ready: @escaping () -> Void) {
        if config.appendonly { return loadAOFAtStart(ready) }
        let path = config.dbfilename
        let size = Self.fileSize(path)
        if unsafe size == 0 && access(path, F_OK) != 0 { return ready() }
        let started = EventLoop.monotonic
        let job = LoadJob(self, .file(path: path), total: size, keepExpired: isReplica)
        beginLoading(job)
        let begun = job.start(self) { [unowned self] outcome in
            endLoading()
            switch outcome {
            case .loaded(let fresh, let summary):
                adopt(fresh, summary)
                let seconds = Double(EventLoop.monotonic - started) / 1000
                Log.notice("DB loaded from disk: \(Self.seconds(seconds)) seconds")
                restoreReplication(summary)
                ready()
            case .failed(let failure):
                Log.warning(
                    "Fatal error loading the DB: \(failure). The file \(path) is as it was. Check it with redwing-rdb check, then restore a good copy or move it away. Exiting."
                )
                exit(1)
            }
        }
        if !begun {
            Log.warning("Fatal error loading the DB: can't start the loader thread. Exiting.")
            exit(1)
        }
    }

    static func seconds(_ value: Double) -> String {
        let thousandths = Int((value * 1000).rounded())
        let fraction = String(thousandths % 1000)
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.count)
            + fraction
    }

    /// A loader may be at work, also beside a data set in service. Nothing is forked then: the child
    /// would inherit locks that the loader's threads hold.
    var loaderRuns: Bool { loading || persistence.load != nil }

    func beginLoading(_ job: LoadJob, serving: Bool = false) {
        persistence.load = job
        loading = !serving
        refreshGate()
    }

    func endLoading() {
        persistence.load = nil
        loading = false
        refreshGate()
    }

    /// Puts a loaded data set in the place of ours; the old one is freed behind the scenes.
    func adopt(_ fresh: Keyspace, _ summary: LoadSummary) {
        logOrigin(summary)
        persistence.lastLoad = summary
        loadScripts(summary.info.scripts)
        if summary.keysExpired > 0 || summary.keysLoaded > 0 {
            Log.notice(
                "Done loading RDB, keys loaded: \(summary.keysLoaded), keys expired: \(summary.keysExpired)."
            )
        }
        watchers.touchAll(nil) { _, _ in true }
        keyspace.swapContents(with: fresh)
        let old = Handover(fresh)
        jobs.submit { withExtendedLifetime(old) {} }
        for database in keyspace.databases { signalAll(in: database) }
        invalidateAll()
    }

    /// What the file says of its own making.
    private func logOrigin(_ summary: LoadSummary) {
        if summary.redisVersion.isEmpty { return }
        Log.notice("Loading RDB produced by version \(summary.redisVersion)")
        Log.notice("RDB age \(max(0, now / 1000 - summary.info.createdAt)) seconds")
        let megabytes = Double(summary.info.usedMemory) / 1_048_576
        Log.notice("RDB memory usage when created \(decimal(megabytes, 2)) Mb")
    }

    /// Clients that wait for keys which a new data set brought.
    func signalAll(in database: Database) {
        for id in Array(blocking.waiting.keys) where id.database == database.index {
            Bytes.with(id.key) { key in
                if database.find(key) != nil { blocking.signal(key, database.index) }
            }
        }
    }

    /// RDB in, RDB out: DEBUG RELOAD. Nil on success.
    func reload(saving: Bool = true) -> String? {
        if saving, let reason = saveNow() { return reason }
        let job = LoadJob(self, .file(path: config.dbfilename), total: 0, keepExpired: isReplica)
        switch job.run() {
        case .loaded(let fresh, let summary):
            adopt(fresh, summary)
            return nil
        case .failed(let failure): return failure.description
        }
    }
}
