// SPDX-License-Identifier: BSD-3-Clause
//
// What the one table says of a command. Each family's file lists its commands; dispatch, COMMAND, HELP,
// ACL categories, MONITOR, the stream and docs/commands.md all read from here.

import Memory
import RESP

/// What kind of command it is: the flags of COMMAND's reply, by Redis's words, and those of ours.
public struct CommandFlags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let write = CommandFlags(rawValue: 1 << 0)
    public static let readonly = CommandFlags(rawValue: 1 << 1)
    public static let denyoom = CommandFlags(rawValue: 1 << 2)
    public static let admin = CommandFlags(rawValue: 1 << 3)
    public static let pubsub = CommandFlags(rawValue: 1 << 4)
    public static let noscript = CommandFlags(rawValue: 1 << 5)
    public static let random = CommandFlags(rawValue: 1 << 6)
    public static let sortForScript = CommandFlags(rawValue: 1 << 7)
    public static let loading = CommandFlags(rawValue: 1 << 8)
    public static let stale = CommandFlags(rawValue: 1 << 9)
    public static let skipMonitor = CommandFlags(rawValue: 1 << 10)
    public static let skipSlowlog = CommandFlags(rawValue: 1 << 11)
    public static let asking = CommandFlags(rawValue: 1 << 12)
    public static let fast = CommandFlags(rawValue: 1 << 13)
    public static let noAuth = CommandFlags(rawValue: 1 << 14)
    public static let movableKeys = CommandFlags(rawValue: 1 << 15)

    // Of ours: what dispatch must know, and COMMAND doesn't show.

    /// Runs at once though a transaction is being gathered.
    static let inMulti = CommandFlags(rawValue: 1 << 16)
    /// MULTI and EXEC: the stream has frames of its own.
    static let frame = CommandFlags(rawValue: 1 << 17)
    /// EXEC: what holds for a command that waits in the transaction holds for this one.
    static let runsQueue = CommandFlags(rawValue: 1 << 18)
    /// May be sent by a subscribed RESP2 client.
    static let inPubsub = CommandFlags(rawValue: 1 << 19)
    /// Its words are channels, or patterns of them, from the first on: for ACL rules.
    static let channels = CommandFlags(rawValue: 1 << 20)
    static let patterns = CommandFlags(rawValue: 1 << 21)
    /// Only the first word is one.
    static let oneChannel = CommandFlags(rawValue: 1 << 22)
    /// No ACL rule can take it from a user.
    static let everybody = CommandFlags(rawValue: 1 << 23)
    /// Replicas may see it though it is no write: CLIENT PAUSE WRITE puts it off.
    static let mayReplicate = CommandFlags(rawValue: 1 << 24)
    /// Refused, as writes are, while the disk can't be written.
    static let needsDisk = CommandFlags(rawValue: 1 << 25)
    /// Runs while a script is over its time.
    static let busy = CommandFlags(rawValue: 1 << 26)
    /// Ends a transaction in the making: runs in it also when there is no memory to queue more.
    static let endsMulti = CommandFlags(rawValue: 1 << 27)
    /// Runs while the link to our master loads: the load ends with the link, and a master that keeps
    /// silent must not hold us.
    static let endsLoad = CommandFlags(rawValue: 1 << 28)

    private static let ours: [(String, CommandFlags)] = [
        ("in_multi", .inMulti), ("frame", .frame), ("runs_queue", .runsQueue),
        ("in_pubsub", .inPubsub), ("channels", .channels), ("patterns", .patterns),
        ("one_channel", .oneChannel), ("everybody", .everybody), ("may_replicate", .mayReplicate),
        ("needs_disk", .needsDisk), ("busy", .busy), ("ends_multi", .endsMulti),
        ("ends_load", .endsLoad),
    ]

    /// The flags that `text` names, separated by spaces.
    init(words text: String) {
        self = []
        for word in text.split(separator: " ") {
            let known = (Self.words + Self.ours).first { $0.0 == word }
            assert(known != nil, "no such flag of a command: \(word)")
            if let known { insert(known.1) }
        }
    }

    static let words: [(String, CommandFlags)] = [
        ("write", .write), ("readonly", .readonly), ("denyoom", .denyoom), ("admin", .admin),
        ("pubsub", .pubsub), ("noscript", .noscript), ("random", .random),
        ("sort_for_script", .sortForScript), ("loading", .loading), ("stale", .stale),
        ("skip_monitor", .skipMonitor), ("skip_slowlog", .skipSlowlog), ("asking", .asking),
        ("fast", .fast), ("no_auth", .noAuth), ("movablekeys", .movableKeys),
    ]
}

/// One command. `arity` counts the name; negative means "at least". Keys stand at `firstKey`,
/// `firstKey + keyStep`, … `lastKey` (negative counts from the end); 0 when there are none.
public final class Command {
    /// As Redis has it: texts, statistics and ACL rules know a renamed command by this name too.
    public let name: String
    /// The number in the ACL's register; -1 until there is one.
    var accessNumber = -1
    public let arity: Int
    public let flags: CommandFlags
    public let firstKey: Int
    public let lastKey: Int
    public let keyStep: Int
    /// ACL categories beyond those that follow from the flags: "string", "list", "dangerous", …
    public let categories: [String]
    public let body: CommandBody
    /// Whether it is one of the families that look for members inside of a key's value.
    let looksInside: Bool
    /// Finds the keys where their places depend on the arguments (indices into the arguments).
    public let keyFinder: ((Arguments) -> [Int])?
    /// What it does, in a sentence.
    public let summary: String
    /// The version of Redis that has it first.
    public let since: String
    /// Where it stands in the documentation.
    public let group: String
    /// The commands inside of it (CLIENT ID, CLIENT LIST, …).
    let subcommands: [Subcommand]

    // Statistics of INFO commandstats.
    public var calls: UInt64 = 0
    public var nanoseconds: UInt64 = 0

    /// What requests call it by.
    let letters: [UInt8]
    private let length: Int
    private let signature: UInt64
    /// The beginning of the name as it was last written: most write it the same way each time.
    private var lastSpelling: UInt64

    /// `flags` as COMMAND prints them, separated by spaces ("write denyoom fast"), then ours; `keys`
    /// first, last and step; `categories` separated by spaces, without "@"; `group` when it isn't the
    /// one that follows from the first category.
    init(
        _ name: String, _ arity: Int, _ flags: String, keys: (Int, Int, Int) = (0, 0, 0),
        _ categories: String, keyFinder: ((Arguments) -> [Int])? = nil,
        subcommands: [Subcommand] = [], since: String, group: String? = nil, _ summary: String,
        _ body: @escaping CommandBody
    ) {
        self.name = name
        letters = Array(name.utf8)
        length = letters.count
        signature = Bytes.with(letters) { Self.lowerCased(Self.beginning($0)) }
        lastSpelling = signature
        self.arity = arity
        self.flags = CommandFlags(words: flags)
        (firstKey, lastKey, keyStep) = keys
        self.categories = categories.split(separator: " ").map(String.init)
        looksInside = !Set(self.categories).isDisjoint(with: ["hash", "set", "sortedset", "geo"])
        self.keyFinder = keyFinder
        self.subcommands = subcommands
        self.since = since
        self.group = group ?? Self.group(of: self.categories.first)
        self.summary = summary
        self.body = body
    }

    /// A command that is made of others.
    convenience init(
        _ name: String, _ arity: Int, _ flags: String, keys: (Int, Int, Int) = (0, 0, 0),
        _ categories: String, keyFinder: ((Arguments) -> [Int])? = nil, subcommands: [Subcommand],
        since: String, _ summary: String
    ) {
        self.init(
            name, arity, flags, keys: keys, categories, keyFinder: keyFinder,
            subcommands: subcommands, since: since, summary
        ) { $0.run(subcommands) }
    }

    private static func group(of category: String?) -> String {
        switch category {
        case "keyspace": "generic"
        case "sortedset": "sorted-set"
        case "transaction": "transactions"
        case nil, "admin", "dangerous": "server"
        case .some(let same): same
        }
    }

    /// Whether `word` names this command, in any case.
    @inline(__always)
    func isNamed(_ word: Bytes) -> Bool {
        if word.count != length { return false }
        let beginning = Self.beginning(word)
        if beginning != lastSpelling {
            if Self.lowerCased(beginning) != signature { return false }
            lastSpelling = beginning
        }
        return length <= 8 || isSpelled(word)
    }

    private func isSpelled(_ word: Bytes) -> Bool {
        for i in 8..<length {
            if word.start.byte(at: i).lowerCased != letters[i] { return false }
        }
        return true
    }

    /// The first eight bytes: all there is of most names. Bytes of shorter ones stand in another order,
    /// or twice.
    @inline(__always)
    private static func beginning(_ word: Bytes) -> UInt64 {
        let (start, count) = (word.start, word.count)
        if count >= 8 { return start.load(UInt64.self) }
        if count >= 4 {
            let (front, back) = (start.load(UInt32.self), start.load(UInt32.self, at: count &- 4))
            return UInt64(front) | UInt64(back) << 32
        }
        if count > 0 {
            let (first, last) = (start.byte(at: 0), start.byte(at: count &- 1))
            return UInt64(first) | UInt64(start.byte(at: count >> 1)) << 8 | UInt64(last) << 16
        }
        return 0
    }

    @inline(__always)
    private static func lowerCased(_ text: UInt64) -> UInt64 {
        // Bit 7 of each byte from "A" on, and of each behind "Z": they differ in capital letters.
        let low = text & 0x7F7F_7F7F_7F7F_7F7F
        let fromA = low &+ 0x3F3F_3F3F_3F3F_3F3F
        let behindZ = low &+ 0x2525_2525_2525_2525
        return text | ((fromA ^ behindZ) & ~text & 0x8080_8080_8080_8080) >> 2
    }

    /// Whether a request of `count` words has the right number of them.
    @inline(__always)
    func accepts(_ count: Int) -> Bool { arity >= 0 ? count == arity : count >= -arity }

    /// The same command, called by another name in small letters (rename-command).
    func renamed(_ name: String) -> Command { Command(of: self, calledBy: name) }

    private init(of other: Command, calledBy word: String) {
        name = other.name
        letters = Array(word.utf8)
        length = letters.count
        signature = Bytes.with(letters) { Self.lowerCased(Self.beginning($0)) }
        lastSpelling = signature
        arity = other.arity
        flags = other.flags
        (firstKey, lastKey, keyStep) = (other.firstKey, other.lastKey, other.keyStep)
        categories = other.categories
        looksInside = other.looksInside
        keyFinder = other.keyFinder
        summary = other.summary
        since = other.since
        group = other.group
        subcommands = other.subcommands
        body = other.body
    }
}
