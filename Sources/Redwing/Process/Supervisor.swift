// SPDX-License-Identifier: BSD-3-Clause
//
// `supervised`: tells systemd (READY=1, STATUS=…) or upstart (SIGSTOP) how the server stands.

import Configuration
import Glibc

public struct Supervisor {
    /// What was found: `systemd`, `upstart` or `no`.
    public private(set) var mode = Supervision.no

    /// Looks at the configuration and the environment. A supervised server is not daemonised.
    public init(_ configuration: Configuration) {
        switch configuration.supervised {
        case .no: return
        case .systemd: mode = Self.systemd(asked: true)
        case .upstart: mode = Self.upstart(asked: true)
        case .auto:
            mode = Self.upstart(asked: false)
            if mode == .no { mode = Self.systemd(asked: false) }
        }
    }

    private static func systemd(asked: Bool) -> Supervision {
        guard ProcessCalls.hasEnvironment("NOTIFY_SOCKET") else {
            if asked {
                Log.warning("systemd supervision requested, but NOTIFY_SOCKET not found")
            }
            return .no
        }
        Log.notice(
            "supervised by systemd. Please make sure you set appropriate values for "
                + "TimeoutStartSec and TimeoutStopSec in your service unit.")
        return .systemd
    }

    private static func upstart(asked: Bool) -> Supervision {
        guard ProcessCalls.hasEnvironment("UPSTART_JOB") else {
            if asked { Log.warning("upstart supervision requested, but UPSTART_JOB not found") }
            return .no
        }
        Log.notice("supervised by upstart, will stop to signal readiness")
        ProcessCalls.removeEnvironment("UPSTART_JOB")
        raise(SIGSTOP)
        return .upstart
    }

    /// Sends a state such as "STATUS=Loading\n" when systemd listens.
    public func notify(_ state: String) {
        guard mode == .systemd else { return }
        if let error = ProcessCalls.notify(state) {
            Log.warning("Can't tell systemd about the state of the server: \(error.text)")
        }
    }

    /// The server accepts connections; a replica waits for its first sync before it is ready.
    public func ready(isReplica: Bool) {
        if isReplica {
            notify("STATUS=Waiting for MASTER <-> REPLICA sync\n")
        } else {
            notify("STATUS=Ready to accept connections\nREADY=1\n")
        }
    }

    /// A replica's sync ended.
    public func synced() {
        notify(
            "STATUS=MASTER <-> REPLICA sync: Finished with success. Ready to accept connections.\n"
                + "READY=1\n")
    }

    public func stopping() { notify("STOPPING=1\n") }
}
