// SPDX-License-Identifier: BSD-3-Clause
//
// From the command line to a running server, and to its end.

import Configuration
import Glibc
import Memory
import Platform

public enum ServerProgram {
    /// Runs the server; returns only through exit.
    public static func run(_ arguments: [String]) -> Never {
        let program = arguments.first ?? "redwing-server"
        let words = Array(arguments.dropFirst())
        if words == ["-v"] || words == ["--version"] {
            print(
                "Redis server v=\(Version.redis) Redwing v=\(Version.redwing) malloc=jemalloc bits=64"
            )
            exit(0)
        }
        if words == ["-h"] || words == ["--help"] {
            print(usage(program))
            exit(0)
        }
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGHUP, SIG_IGN)
        // Swift's runtime would stop the server to look at it.
        _ = signal(SIGQUIT, SIG_DFL)
        // A limit on file sizes (ulimit -f) is to be an error of write, as a full disk is.
        _ = signal(SIGXFSZ, SIG_IGN)
        let titleRoom = ProcessTitle.prepare()
        let config = Configuration()
        do {
            try config.load(arguments: words)
        } catch {
            report("\(error)\n")
            exit(1)
        }
        serve(config, program, titleRoom, hasArguments: !words.isEmpty)
    }

    private static func serve(
        _ config: Configuration, _ program: String, _ titleRoom: Int, hasArguments: Bool
    ) -> Never {
        let supervisor = Supervisor(config)
        guard Startup.daemonize(config, supervisor) else { exit(1) }
        Log.configure(config)
        CrashLog.apply(config)
        ProcessCalls.bind(toCPUs: config.serverCpulist)
        Startup.greet(hasArguments: hasArguments, program: program)
        guard OpenFiles.adjust(config) else { exit(1) }
        do {
            let server = try Server(config: config)
            server.titleRoom = titleRoom
            ProcessTitle.set(program, config)
            try server.listen()
            if server.listeners.isEmpty {
                Log.warning("Configured to not listen anywhere, exiting.")
                exit(1)
            }
            // Not before: a second server with the same file would take it from the one that listens.
            Startup.writePidFile(config)
            try server.watchSignals()
            Startup.initialized(config)
            server.begin(supervisor)
            server.run()
            Startup.removePidFile(config)
            // What exit() tears down a loader thread may still use.
            if server.persistence.load != nil { _exit(server.exitCode) }
            exit(server.exitCode)
        } catch let error as ConfigurationError {
            // A daemon has no terminal any more.
            if config.daemonize || !config.logfile.isEmpty { Log.report("\(error)\n") }
            report("\(error)\n")
            exit(1)
        } catch {
            Log.warning("Failed to start: \(error)")
            exit(1)
        }
    }

    private static func report(_ text: String) {
        Bytes.with(text) { _ = SystemCalls.write(2, $0) }
    }

    private static func usage(_ program: String) -> String {
        """
        Usage: \(program) [/path/to/redis.conf] [--option value ...]
               \(program) - (read the configuration from standard input)
               \(program) -v or --version
               \(program) -h or --help

        Examples:
               \(program) (run the server with default conf)
               \(program) /etc/redis/6379.conf
               \(program) --port 7777
               \(program) --port 7777 --replicaof 127.0.0.1 8888
        """
    }
}
