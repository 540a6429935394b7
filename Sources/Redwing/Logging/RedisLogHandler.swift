// SPDX-License-Identifier: BSD-3-Clause
//
// swift-log's lines in Redis's format. Redis has four levels, swift-log seven: trace and debug are
// debug, info is verbose, notice is notice, and all above are warnings.

import Logging
import Memory

public struct RedisLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    /// A level of this logger's own; nil follows `loglevel`.
    private var ownLevel: Logger.Level?

    public init(label: String) {}

    public var logLevel: Logger.Level {
        get { ownLevel ?? Self.level(LogSink.level) }
        set { ownLevel = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        var text = event.message.description
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(value)" }
        Bytes.with(text) { LogSink.write(Self.rank(event.level), $0) }
    }

    static func rank(_ level: Logger.Level) -> UInt8 {
        switch level {
        case .trace, .debug: return 0
        case .info: return 1
        case .notice: return 2
        case .warning, .error, .critical: return 3
        }
    }

    private static func level(_ rank: UInt8) -> Logger.Level {
        switch rank {
        case 0: return .trace
        case 1: return .info
        case 2: return .notice
        default: return .warning
        }
    }
}
