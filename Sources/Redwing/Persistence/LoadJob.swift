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
    /// A file, in any container.
    case file(path: String)
    /// A descriptor in blocking mode, owned by the caller: a socket. `limit` bytes belong to the RDB, 0
    /// when it ends by itself; `mark` must then follow.
    case descriptor(Int32, limit: UInt64, mark: [UInt8])
    /// The same through a TLS session, whose descriptor stays in non-blocking mode.
    case transport(TLSConnection, limit: UInt64, mark: [UInt8], patience_ms: Int)
}

/// What became of a load.
public enum LoadOutcome {
    case loaded(Keyspace, LoadSummary)
    case failed(LoadFailure)
}

public struct LoadFailure: Error, CustomStringConvertible {
    public let description: String
    /// There is no such file.
    public var isMissing = false
    /// The bytes stopped coming (a timeout or a closed link), as opposed to being wrong.
    public var isTransport = false
}

public final class LoadJob: @unchecked Sendable {
    public let progress = LoadProgress()
    /// Unix time in seconds.
    public let startedAt: Int64
    public let total: UInt64
    private let source: LoadSource
    private let loader: SnapshotLoader
    private let databases: Int
    private let options: RDBReader.Options

    init(_ server: Server, _ source: LoadSource, total: UInt64, keepExpired: Bool) {
        self.source = source
        self.total = total
        startedAt = server.now / 1000
        databases = server.keyspace.databases.count
        var loader = SnapshotLoader()
        loader.dropExpiredBefore = keepExpired ? nil : server.now
        loader.clock = server.lruClock
        loader.access = server.accessKind
        loader.limits = server.keyspace.databases[0].limits
        let pause = server.config.keyLoadDelay
        if pause > 0 { loader.delay = { usleep(UInt32(clamping: pause)) } }
        self.loader = loader
        var options = RDBReader.Options()
        options.ignoreChecksum = !server.config.rdbchecksum
        switch source {
        case .file: break
        case .descriptor(_, let limit, _): options.limit = limit
        case .transport(_, let limit, _, _): options.limit = limit
        }
        self.options = options
        progress.total = total
    }

    /// Asks the loader to stop; it ends with a failure soon after.
    public func cancel() { progress.isCancelled = true }

    /// Loads here and now.
    func run() -> LoadOutcome {
        switch source {
        case .file(let path): return loadFile(path)
        case .descriptor(let fd, _, let mark):
            do throws(RDBFault) {
                let reader = try RDBReader(fd: fd, options)
                return try load(reader, mark: mark)
            } catch {
                return .failed(Self.failure(error))
            }
        case .transport(let connection, _, let mark, let patience):
            // The reader knows only where it is.
            defer { withExtendedLifetime(connection) {} }
            do throws(RDBFault) {
                let place = connection.source(patience_ms: patience)
                let reader = try unsafe RDBReader(source: redwing_tls_pull, context: place, options)
                return try load(reader, mark: mark)
            } catch {
                return .failed(Self.failure(error))
            }
        }
    }

    /// Loads on a thread; `finished` runs on the main one.
    func start(_ server: Server, _ finished: @escaping (LoadOutcome) -> Void) -> Bool {
        let mailbox = server.loop.mailbox
        let finished = Handover(finished)
        return BackgroundThread.start(stackBytes: 8 << 20) { [self] in
            let outcome = Handover(run())
            mailbox.post { finished.value(outcome.value) }
        }
    }

    private func load(_ reader: RDBReader, mark: [UInt8]) throws(RDBFault) -> LoadOutcome {
        let keyspace = Keyspace(databases: databases)
        for database in keyspace.databases {
            database.limits = loader.limits
            database.newAccess = loader.clock
        }
        if loader.delay == nil && redwing_cpus() > 1 { reader.readAhead() }
        let summary: LoadSummary
        do throws(RDBFault) {
            summary = try loader.load(reader, into: keyspace, progress: progress)
        } catch {
            // The link ends with this; a thread that reads from it must not wait for more.
            if case .descriptor(let fd, _, _) = source { _ = shutdown(fd, Int32(SHUT_RDWR)) }
            reader.stopAhead()
            throw error
        }
        reader.stopAhead()
        if !mark.isEmpty, try reader.trail(mark.count) != mark {
            throw reader.malformed("the RDB is not followed by its EOF mark")
        }
        return .loaded(keyspace, summary)
    }

    private func loadFile(_ path: String) -> LoadOutcome {
        let fd = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 {
            let code = errno
            let reason = unsafe String(cString: strerror(code))
            return .failed(LoadFailure(description: "can't open \(path): \(reason)", isMissing: code == ENOENT))
        }
        defer { close(fd) }
        _ = posix_fadvise(fd, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
        var source = FileSource(fd: fd, progress: progress)
        return unsafe withUnsafeMutablePointer(to: &source) { place in
            guard let codec = unsafe wing_codec_reader_create(WING_CODEC_AUTO, FileSource.pull, place) else {
                return .failed(LoadFailure(description: "no memory to read \(path)"))
            }
            defer { unsafe wing_codec_reader_free(codec) }
            do throws(RDBFault) {
                let reader = try unsafe RDBReader(
                    source: wing_codec_reader_read, context: Address(UnsafeRawPointer(codec)), options)
                return try load(reader, mark: [])
            } catch {
                return .failed(Self.failure(error))
            }
        }
    }

    private static func failure(_ fault: RDBFault) -> LoadFailure {
        let transport = fault.code == -EAGAIN || fault.code == -ECONNRESET || fault.code == -10001
            || fault.code == -EPIPE || fault.code == -ETIMEDOUT
        return LoadFailure(description: fault.description, isTransport: transport)
    }
}

/// A file's descriptor as libwing pulls from it.
private struct FileSource {
    let fd: Int32
    let progress: LoadProgress

    static let pull:
        @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int) -> Int = {
            context, out, capacity in
            guard let context = unsafe context, let out = unsafe out else { return -Int(EINVAL) }
            let fd = unsafe context.assumingMemoryBound(to: FileSource.self).pointee.fd
            while true {
                let n = unsafe Glibc.read(fd, out, capacity)
                if n >= 0 { return n }
                if errno != EINTR { return -Int(errno) }
            }
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
                    "Fatal error loading the DB: \(failure). The file \(path) is as it was. Check it with redwing-rdb check, then restore a good copy or move it away. Exiting.")
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
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

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
        for note in summary.notes { Log.notice(note) }
        persistence.lastLoad = summary
        loadScripts(summary.info.scripts)
        if summary.keysExpired > 0 || summary.keysLoaded > 0 {
            Log.notice(
                "Done loading RDB, keys loaded: \(summary.keysLoaded), keys expired: \(summary.keysExpired).")
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
