// SPDX-License-Identifier: BSD-3-Clause
//
// The server's first and last lines in the log, its daemon form and its pid file, in this order:
//
//     Startup.daemonize → Startup.greet → (server made, listens) → Startup.writePidFile
//     → Startup.initialized → (data loaded) → Startup.ready → … → Startup.removePidFile

import Configuration
import Glibc

public enum Version {
    /// What INFO and clients are told: the Redis whose protocol and configuration this is.
    public static let redis = "6.0.7"
    public static let redwing = "0.1.0"
}

public enum Startup {
    /// Redis's CONFIG_DEFAULT_PID_FILE.
    static let defaultPidFile = "/var/run/redis.pid"

    /// The lines at the very start. `hasArguments` is false for a bare `redwing-server`.
    public static func greet(hasArguments: Bool, program: String) {
        Log.warning("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo")
        Log.warning(
            "Redwing version=\(Version.redwing), Redis version=\(Version.redis), "
                + "bits=\(Int.bitWidth), commit=00000000, modified=0, pid=\(getpid()), just started"
        )
        if hasArguments {
            Log.warning("Configuration loaded")
        } else {
            Log.warning(
                "Warning: no config file specified, using the default config. In order to specify a "
                    + "config file use \(program) /path/to/redis.conf")
        }
    }

    /// Goes to the background when asked and not supervised; before any thread and descriptor of
    /// epoll. False when the system refuses to fork.
    public static func daemonize(_ configuration: Configuration, _ supervisor: Supervisor) -> Bool {
        guard configuration.daemonize && supervisor.mode == .no else { return true }
        if let error = ProcessCalls.daemonize() {
            Log.warning("Can't go to the background: \(error.text)")
            return false
        }
        return true
    }

    /// Writes the pid file when there is one, or the server is a daemon.
    public static func writePidFile(_ configuration: Configuration) {
        guard let path = pidFile(configuration) else { return }
        if let code = ProcessCalls.writeFile(path, "\(getpid())\n", create: true) {
            Log.warning("Failed to write PID file: \(ProcessCalls.errorText(code))")
        }
    }

    public static func removePidFile(_ configuration: Configuration) {
        guard let path = pidFile(configuration) else { return }
        Log.notice("Removing the pid file.")
        ProcessCalls.remove(path)
    }

    private static func pidFile(_ configuration: Configuration) -> String? {
        if !configuration.pidfile.isEmpty { return configuration.pidfile }
        return configuration.daemonize ? defaultPidFile : nil
    }

    /// The server stands, its data isn't loaded yet. The lines of this process carry M or S now.
    public static func initialized(_ configuration: Configuration) {
        Log.started(as: configuration.replicaof == nil ? .master : .replica)
        Log.notice("Running mode=standalone, port=\(configuration.port).")
        warnOfBacklog(configuration.tcpBacklog)
        Log.warning("Server initialized")
        warnOfOvercommit()
        let ignored = Directive.ignored(by: configuration)
        if !ignored.isEmpty {
            Log.notice(
                "These directives have no effect in this server: \(ignored.joined(separator: ", "))"
            )
        }
    }

    /// Clients are served from here on. Scripts and Sentinel's tests wait for this line.
    public static func ready(_ configuration: Configuration, _ supervisor: Supervisor) {
        if configuration.port != 0 || configuration.tlsPort != 0 {
            Log.notice("Ready to accept connections")
        }
        if !configuration.unixsocket.isEmpty {
            Log.notice(
                "The server is now ready to accept connections at \(configuration.unixsocket)")
        }
        supervisor.ready(isReplica: configuration.replicaof != nil)
    }

    private static func warnOfBacklog(_ backlog: Int) {
        guard let most = ProcessCalls.readInteger("/proc/sys/net/core/somaxconn"), most > 0,
            most < backlog
        else { return }
        Log.warning(
            "WARNING: The TCP backlog setting of \(backlog) cannot be enforced because "
                + "/proc/sys/net/core/somaxconn is set to the lower value of \(most).")
    }

    private static func warnOfOvercommit() {
        guard ProcessCalls.readInteger("/proc/sys/vm/overcommit_memory") == 0 else { return }
        Log.warning(
            "WARNING overcommit_memory is set to 0! Background save may fail under low memory "
                + "condition. To fix this issue add 'vm.overcommit_memory = 1' to /etc/sysctl.conf "
                + "and then reboot or run the command 'sysctl vm.overcommit_memory=1' for this to "
                + "take effect.")
    }
}
