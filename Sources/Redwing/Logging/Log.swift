// SPDX-License-Identifier: BSD-3-Clause
//
// The server's log. `Log.notice("…")` builds its text only when the level is on.

import Configuration
import Logging
import Memory

public enum Log {
    public static func debug(_ message: @autoclosure () -> String) {
        if LogSink.level == 0 { emit(.debug, message()) }
    }

    public static func verbose(_ message: @autoclosure () -> String) {
        if LogSink.level <= 1 { emit(.info, message()) }
    }

    public static func notice(_ message: @autoclosure () -> String) {
        if LogSink.level <= 2 { emit(.notice, message()) }
    }

    public static func warning(_ message: @autoclosure () -> String) {
        if LogSink.level <= 3 { emit(.warning, message()) }
    }

    /// A line from a forked child, or from where no allocation is allowed.
    public static func raw(_ level: Loglevel, _ message: StaticString) {
        if level.rank >= LogSink.level { LogSink.write(level.rank, Bytes(message)) }
    }

    /// Text of many lines, as it is.
    public static func report(_ text: String) { Bytes.with(text) { LogSink.writeRaw($0) } }

    /// M or S in the lines of this process.
    public static var role: LogRole {
        get { LogSink.currentRole }
        set { LogSink.currentRole = newValue }
    }

    /// Takes level, file and syslog from the configuration. Lines carry the role C until `started`.
    public static func configure(_ configuration: Configuration) {
        LogSink.level = configuration.loglevel.rank
        LogSink.setFile(configuration.logfile)
        if configuration.syslogEnabled {
            LogSink.openSyslog(
                ident: configuration.syslogIdent, facility: configuration.syslogFacility.rawValue)
        }
        _ = bootstrap
    }

    public static func setLevel(_ level: Loglevel) { LogSink.level = level.rank }

    /// This process is the server: its lines carry `role`, those of its children C.
    public static func started(as role: LogRole) {
        LogSink.becomeServer()
        LogSink.currentRole = role
    }

    /// For libraries that want a swift-log `Logger`, and for the lines above.
    public static let logger = Logger(label: "redwing") { RedisLogHandler(label: $0) }

    /// Makes this format that of every `Logger` of the process; swift-log allows it once.
    private static let bootstrap: Void = LoggingSystem.bootstrap { RedisLogHandler(label: $0) }

    private static func emit(_ level: Logger.Level, _ message: String) {
        // A child has a copy of the parent's memory, whose pages it should not dirty.
        if LogSink.isForkedChild {
            Bytes.with(message) { LogSink.write(RedisLogHandler.rank(level), $0) }
        } else {
            logger.log(level: level, "\(message)")
        }
    }
}

extension Loglevel {
    /// Redis's LL_DEBUG 0 to LL_WARNING 3.
    var rank: UInt8 {
        switch self {
        case .debug: return 0
        case .verbose: return 1
        case .notice: return 2
        case .warning: return 3
        }
    }
}
