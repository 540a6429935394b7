// SPDX-License-Identifier: BSD-3-Clause
//
// Loading the AOF: at start-up in place of the RDB, and for DEBUG LOADAOF. A file that ends in the
// middle of something is cut back to its last whole command when the configuration allows it, and is
// as it was in all other cases.

import Configuration
import Glibc
import Keyspace
import Memory

/// One load from the file's first byte to its last.
private final class AOFLoad {
    let server: Server
    let path: String
    let fd: Int32
    let size: UInt64
    let job: LoadJob
    private(set) var loader: AOFLoader?

    /// Nil when the file can't be opened; the line is logged.
    init?(_ server: Server) {
        self.server = server
        path = server.config.appendfilename
        fd = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 {
            Log.warning(
                "Fatal error: can't open the append log file for reading: \(AppendOnlyFile.reason(errno))"
            )
            return nil
        }
        size = Server.fileSize(path)
        _ = posix_fadvise(fd, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
        job = LoadJob(server, .preamble(fd), total: size, keepExpired: true)
    }

    deinit { if fd >= 0 { SystemCalls.close(fd) } }

    /// The file begins with an RDB.
    var hasPreamble: Bool {
        let buffer = ByteBuffer(capacity: 8)
        let n = unsafe pread(fd, buffer.reserve(5).pointer, 5, 0)
        if n == 5 { buffer.commit(5) }
        return n == 5 && buffer.bytes == "REDIS"
    }

    /// Takes what the preamble held into service; false when there is nothing to go on from.
    func took(_ outcome: LoadOutcome) -> Bool {
        switch outcome {
        case .loaded(let fresh, let summary):
            server.adopt(fresh, summary)
            Log.notice("Reading the remaining AOF tail...")
            startCommands(at: summary.size, base: summary.info.replication)
            return true
        case .failed(let failure):
            Log.warning("\(failure)")
            Log.warning("Error reading the RDB preamble of the AOF file, AOF loading aborted")
            return false
        }
    }

    func startCommands(at offset: UInt64, base: SnapshotInfo.Replication?) {
        loader = AOFLoader(server, fd: fd, offset: offset, size: size, base: base)
    }

    func step(until deadline: Int64) -> AOFStep { loader?.step(until: deadline) ?? .done }

    /// What remains to be done about how it ended; false: the server can't start from this.
    func settle(_ end: AOFStep) -> Bool {
        switch end {
        case .more, .done: return true
        case .failed(let line):
            Log.warning(line)
            return false
        case .truncated: return cut()
        }
    }

    private func cut() -> Bool {
        let good = loader?.good ?? 0
        if server.config.aofLoadTruncated {
            Log.warning("!!! Warning: short read while loading the AOF file !!!")
            Log.warning("!!! Truncating the AOF at offset \(good) !!!")
            if unsafe truncate(path, off_t(good)) == 0 {
                Log.warning("AOF loaded anyway because aof-load-truncated is enabled")
                return true
            }
            Log.warning("Error truncating the AOF file: \(AppendOnlyFile.reason(errno))")
        }
        Log.warning(
            "Unexpected end of file reading the append only file. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server."
        )
        return false
    }
}

extension Server {
    /// ms of commands between two looks at the clients.
    private static let slice: Int64 = 20

    /// `appendonly yes` at start-up. `ready` runs when the data set is in service; a file that can't
    /// be used ends the process with exit code 1.
    func loadAOFAtStart(_ ready: @escaping () -> Void) {
        guard let file = aof else { return ready() }
        if !file.openFile() {
            Log.warning("Can't open the append-only file: \(AppendOnlyFile.reason(errno))")
            exit(1)
        }
        if Self.fileSize(file.path) == 0 {
            if Self.fileSize(config.dbfilename) > 0 {
                Log.warning(
                    "appendonly is yes and \(file.path) is empty: starting without data, as Redis does. \(config.dbfilename) is not loaded. To take it over, start with appendonly no, then CONFIG SET appendonly yes."
                )
            }
            return began(file, nil, ready)
        }
        let started = EventLoop.monotonic
        guard let load = AOFLoad(self) else { exit(1) }
        beginLoading(load.job)
        let commands = { [unowned self] in
            goOn(load) { [unowned self] in
                endLoading()
                dirty = 0
                let seconds = Double(EventLoop.monotonic - started) / 1000
                Log.notice("DB loaded from append only file: \(Self.seconds(seconds)) seconds")
                began(file, load.loader?.positions.current, ready)
            }
        }
        if !load.hasPreamble {
            load.startCommands(at: 0, base: nil)
            return commands()
        }
        Log.notice("Reading RDB preamble from AOF file...")
        let begun = load.job.start(self) { outcome in
            if !load.took(outcome) { exit(1) }
            commands()
        }
        if !begun {
            Log.warning("Fatal error loading the DB: can't start the loader thread. Exiting.")
            exit(1)
        }
    }

    private func goOn(_ load: AOFLoad, _ done: @escaping () -> Void) {
        let end = load.step(until: EventLoop.monotonic + Self.slice)
        if end == .more {
            loop.schedule(after: 0) { [unowned self] in goOn(load, done) }
            return
        }
        if !load.settle(end) { exit(1) }
        done()
    }

    /// The data is there: from now on commands are appended.
    private func began(
        _ file: AppendOnlyFile, _ position: SnapshotInfo.Replication?, _ ready: () -> Void
    ) {
        file.size = Self.fileSize(file.path)
        file.baseSize = file.size
        file.syncedSize = file.size
        file.state = .on
        if let position {
            var summary = LoadSummary()
            summary.info.replication = position
            restoreReplication(summary)
            file.recorded = SnapshotInfo.Replication(
                streamDB: position.streamDB, id: "", offset: position.offset)
        }
        refreshGate()
        ready()
    }

    /// DEBUG LOADAOF: what is in memory is thrown away for what is in the file. Nil on success.
    public func loadAOF() -> String? {
        if let file = aof, file.state == .on { file.flush(force: true) }
        guard let load = AOFLoad(self) else { return "Can't open the append only file" }
        beginLoading(load.job)
        defer { endLoading() }
        if load.hasPreamble {
            Log.notice("Reading RDB preamble from AOF file...")
            if !load.took(load.job.run()) {
                return "Error trying to load the AOF file, check server logs."
            }
        } else {
            adopt(Keyspace(databases: keyspace.databases.count), LoadSummary())
            load.startCommands(at: 0, base: nil)
        }
        let end = load.step(until: Int64.max)
        dirty = 0
        if !load.settle(end) { return "Error trying to load the AOF file, check server logs." }
        return nil
    }
}
