// SPDX-License-Identifier: BSD-3-Clause
//
// The types of settings that are more than a number or a text. An enumeration's raw values are the
// words of redis.conf.

/// A setting with a fixed set of words.
public protocol Choice: CaseIterable, RawRepresentable, Sendable where RawValue == String {}

public enum Loglevel: String, Choice { case debug, verbose, notice, warning }

public enum Supervision: String, Choice { case upstart, systemd, auto, no }

public enum SyslogFacility: String, Choice {
    case user, local0, local1, local2, local3, local4, local5, local6, local7
}

public enum DisklessLoad: String, Choice {
    case disabled
    case onEmptyDb = "on-empty-db"
    case swapdb
}

public enum MaxmemoryPolicy: String, Choice {
    case volatileLru = "volatile-lru"
    case volatileLfu = "volatile-lfu"
    case volatileRandom = "volatile-random"
    case volatileTtl = "volatile-ttl"
    case allkeysLru = "allkeys-lru"
    case allkeysLfu = "allkeys-lfu"
    case allkeysRandom = "allkeys-random"
    case noeviction

    /// The LRU bits of an entry hold an LFU counter.
    @inlinable @inline(__always)
    public var isLfu: Bool { self == .volatileLfu || self == .allkeysLfu }
    public var isLru: Bool { self == .volatileLru || self == .allkeysLru }
    /// Only keys with an expiry are candidates.
    public var isVolatile: Bool {
        switch self {
        case .volatileLru, .volatileLfu, .volatileRandom, .volatileTtl: return true
        case .allkeysLru, .allkeysLfu, .allkeysRandom, .noeviction: return false
        }
    }
}

public enum Appendfsync: String, Choice { case everysec, always, no }

public enum OomScoreAdj: String, Choice { case no, yes, relative, absolute }

public enum TlsAuthClients: String, Choice { case no, yes, optional }

/// How RDB files on disk are wrapped.
public enum RdbContainer: String, Choice { case none, lz4, gzip }
public enum RdbUnsupported: String, Choice { case skip, refuse }

/// Where a spooled full sync keeps what the snapshot child writes.
public enum ReplSpool: String, Choice { case memory, disk, no }

public enum PropagationErrorBehavior: String, Choice {
    case ignore, panic
    case panicOnReplicas = "panic-on-replicas"
}

public enum SanitizeDumpPayload: String, Choice { case no, yes, clients }

public enum ProtectedAction: String, Choice {
    case no, yes, local

    public func allows(isLocal: Bool) -> Bool { self == .yes || self == .local && isLocal }
}

public enum AclPubsubDefault: String, Choice { case allchannels, resetchannels }

public enum ShutdownOnSignal: String, Choice {
    case `default`, save, nosave, now, force

    /// Whether the data is saved; nil when save points decide. (Nobody waits for replicas here: `now`
    /// is as the default.)
    public var saves: Bool? { self == .save ? true : self == .nosave ? false : nil }
}

public enum EndpointType: String, Choice {
    case ip, hostname
    case unknownEndpoint = "unknown-endpoint"
}

/// `save <seconds> <changes>`
public struct SavePoint: Equatable, Sendable {
    public var seconds: Int
    public var changes: Int
    public init(seconds: Int, changes: Int) {
        self.seconds = seconds
        self.changes = changes
    }
}

/// `client-output-buffer-limit <class> <hard> <soft> <seconds>`; 0 is no limit.
public struct OutputBufferLimit: Equatable, Sendable {
    public var hard: Int
    public var soft: Int
    public var softSeconds: Int
    public init(hard: Int, soft: Int, softSeconds: Int) {
        self.hard = hard
        self.soft = soft
        self.softSeconds = softSeconds
    }
}

public struct MasterAddress: Equatable, Sendable {
    public var host: String
    public var port: Int
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// Where a setting was read that only the server can judge, so that it is told of as any bad line is.
public struct ConfigurationLine: Equatable, Sendable {
    /// The file, "standard input" or "the command line".
    public var source = ""
    public var number = 0
    public var text = ""

    /// What is wrong with the line.
    public func wrong(_ reason: String, usage: String) -> ConfigurationError {
        ConfigurationError(source: source, line: number, text: text, reason: reason, usage: usage)
    }
}

/// `rename-command <name> <new name>`; an empty new name removes the command.
public struct CommandRename: Equatable, Sendable {
    public static let usage = "rename-command <command> <new name, or \"\">"
    public var name: String
    public var newName: String
    public var line: ConfigurationLine
}

/// `user <name> [<rule> ...]`
public struct UserDeclaration: Equatable, Sendable {
    public static let usage = "user <name> [<rule> ...]"
    public var name: [UInt8]
    public var rules: [[UInt8]]
    public var line: ConfigurationLine
}

/// The classes of keyspace events (`notify-keyspace-events`), with Redis's bits.
public struct NotifyFlags: OptionSet, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let keyspace = NotifyFlags(rawValue: 1 << 0)
    public static let keyevent = NotifyFlags(rawValue: 1 << 1)
    public static let generic = NotifyFlags(rawValue: 1 << 2)
    public static let string = NotifyFlags(rawValue: 1 << 3)
    public static let list = NotifyFlags(rawValue: 1 << 4)
    public static let set = NotifyFlags(rawValue: 1 << 5)
    public static let hash = NotifyFlags(rawValue: 1 << 6)
    public static let zset = NotifyFlags(rawValue: 1 << 7)
    public static let expired = NotifyFlags(rawValue: 1 << 8)
    public static let evicted = NotifyFlags(rawValue: 1 << 9)
    public static let stream = NotifyFlags(rawValue: 1 << 10)
    public static let keyMiss = NotifyFlags(rawValue: 1 << 11)
    /// 'A'; without 'm', as in Redis.
    public static let all: NotifyFlags = [
        .generic, .string, .list, .set, .hash, .zset, .expired, .evicted, .stream,
    ]

    private static let letters: [(Character, NotifyFlags)] = [
        ("g", .generic), ("$", .string), ("l", .list), ("s", .set), ("h", .hash), ("z", .zset),
        ("x", .expired), ("e", .evicted), ("t", .stream),
    ]
    private static let outer: [(Character, NotifyFlags)] = [
        ("K", .keyspace), ("E", .keyevent), ("m", .keyMiss),
    ]

    /// Nil when a letter names no class.
    public init?(letters text: String) {
        var flags: NotifyFlags = []
        for letter in text {
            if letter == "A" {
                flags.formUnion(.all)
            } else if let known = (Self.letters + Self.outer).first(where: { $0.0 == letter }) {
                flags.formUnion(known.1)
            } else {
                return nil
            }
        }
        self = flags
    }

    public var letters: String {
        var text = ""
        if isSuperset(of: .all) {
            text = "A"
        } else {
            for (letter, flag) in Self.letters where contains(flag) { text.append(letter) }
        }
        for (letter, flag) in Self.outer where contains(flag) { text.append(letter) }
        return text
    }
}
