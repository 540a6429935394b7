// SPDX-License-Identifier: BSD-3-Clause
//
// Signals and the orderly end.

import Configuration
import Glibc
import Memory
import Platform

private final class SignalWatch: EventHandler {
    unowned let server: Server
    let fd: Int32
    init(_ server: Server, _ fd: Int32) {
        self.server = server
        self.fd = fd
    }

    override func ready(_ readiness: Readiness) {
        let number = redwing_signal_read(fd)
        if number > 0 { server.received(signal: number) }
    }
}

extension Server {
    func watchSignals() throws(SystemError) {
        let signals = [SIGTERM, SIGINT]
        let fd = unsafe redwing_signal_fd(signals, Int32(signals.count))
        if fd < 0 { throw SystemError(call: "signalfd", code: -fd) }
        try loop.watch(fd, .read, SignalWatch(self, fd))
    }

    fileprivate func received(signal: Int32) {
        let name = signal == SIGINT ? "SIGINT" : "SIGTERM"
        if signalled, signal == SIGINT { exitAtOnce() }
        Log.warning("Received \(name) scheduling shutdown...")
        signalled = true
        if loading { Log.warning("Received shutdown signal during loading, exiting now.") }
        let wish = signal == SIGINT ? config.shutdownOnSigint : config.shutdownOnSigterm
        if !shutDown(save: wish.saves, whateverFails: wish == .force) {
            Log.warning(
                "SIGTERM received but errors trying to shut down the server, check the logs for more information"
            )
            signalled = false
        }
    }

    private func exitAtOnce() -> Never {
        Log.warning("You insist... exiting now.")
        SnapshotFile.removeTemporary()
        exit(1)
    }

    /// For the last save: it keeps the loop from its signals, so that a second SIGINT has to be looked
    /// for.
    func exitIfInsisted() {
        guard signalled else { return }
        var pending = sigset_t()
        guard unsafe sigpending(&pending) == 0, unsafe sigismember(&pending, SIGINT) == 1 else {
            return
        }
        exitAtOnce()
    }

    /// Ends the server: replicas get what is in the stream, the data is saved (`save` nil: when save
    /// points are configured), the loop stops. False when saving failed: then it goes on. While the
    /// data set is loading nothing is saved, whatever was asked for: the file on disk is better than
    /// what there is of it in memory.
    @discardableResult
    public func shutDown(save: Bool?, whateverFails force: Bool = false) -> Bool {
        Log.warning("User requested shutdown...")
        let save = loading ? false : save ?? !config.savePoints.isEmpty
        if persistence.job == .saveToDisk || persistence.job == .sendToReplicas {
            Log.warning("There is a child saving an .rdb. Killing it!")
            persistence.child?.stop()
            // Nobody will be there when the child is gone.
            if persistence.job == .saveToDisk, let child = persistence.child {
                SnapshotFile.removeTemporary(of: child.pid)
            }
        }
        guard finishAOF() || force else { return false }
        if save {
            Log.notice("Saving the final RDB snapshot before exiting.")
            supervisor?.notify("STATUS=Saving the final RDB snapshot\n")
            if saveNow(replication: snapshotReplication()) != nil, !force {
                Log.warning("Error trying to save the DB, can't exit.")
                supervisor?.notify("STATUS=Error trying to save the DB, can't exit\n")
                return false
            }
        }
        flushReplicas()
        // A file that is being received is of no use any more.
        replication?.connection?.close()
        flushReplies()
        for listener in listeners { SystemCalls.close(listener.fd) }
        if !config.unixsocket.isEmpty {
            Log.notice("Removing the unix socket file.")
            unsafe _ = unlink(config.unixsocket)
        }
        Log.warning("Redis is now ready to exit, bye bye...")
        isShuttingDown = true
        persistence.load?.cancel()
        loop.stop()
        return true
    }

    /// What remains between "the sockets are open" and "clients are served": data, then replication.
    func begin(_ supervisor: Supervisor) {
        self.supervisor = supervisor
        rooms.open(ReplicationRoom(self))
        rooms.appendOnlyFile = AppendOnlyFile(self)
        loadFromDisk { [unowned self] in
            Startup.ready(config, supervisor)
            supervisor.ready(isReplica: isReplica)
            beginReplication()
        }
    }
}
