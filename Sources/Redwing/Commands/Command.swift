// SPDX-License-Identifier: BSD-3-Clause
//
// What the one table says of a command. Each family's file lists its commands; dispatch, COMMAND, ACL
// categories, MONITOR and the stream all read from here.

import Memory
import RESP

/// The flags of COMMAND's reply, by Redis's words.
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
    public let name: String
    /// What rename-command can't change: ACL rules name commands by it.
    let firstName: String
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
    /// Finds the keys where their places depend on the arguments (indices into the arguments).
    public let keyFinder: ((Arguments) -> [Int])?

    // Statistics of INFO commandstats.
    public var calls: UInt64 = 0
    public var nanoseconds: UInt64 = 0
    public var rejectedCalls: UInt64 = 0
    public var failedCalls: UInt64 = 0

    /// The name's bytes, to compare requests with.
    private let letters: [UInt8]
    private let signature: UInt64
    /// EXEC, DISCARD, MULTI, WATCH: run at once though a transaction is being gathered.
    let runsInsideMulti: Bool
    /// May be sent by a subscribed RESP2 client.
    let runsInsidePubsub: Bool
    /// MULTI and EXEC themselves: the stream has frames of its own.
    let isFrame: Bool

    /// - Parameters:
    ///   - flags: as COMMAND prints them, separated by spaces: "write denyoom fast".
    ///   - keys: first, last, step.
    ///   - categories: space-separated, without "@".
    public init(
        _ name: String, _ arity: Int, _ flags: String, keys: (Int, Int, Int) = (0, 0, 0),
        _ categories: String, keyFinder: ((Arguments) -> [Int])? = nil,
        _ body: @escaping CommandBody
    ) {
        self.name = name
        firstName = name
        letters = Array(name.utf8)
        signature = Bytes.with(letters) { Self.signature($0) }
        runsInsideMulti = ["exec", "discard", "multi", "watch", "quit", "reset"].contains(name)
        runsInsidePubsub = [
            "ping", "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "quit", "reset",
        ].contains(name)
        isFrame = name == "exec" || name == "multi"
        self.arity = arity
        let words = flags.split(separator: " ")
        self.flags = CommandFlags.words.reduce(into: []) { set, word in
            if words.contains(where: { $0 == word.0 }) { set.insert(word.1) }
        }
        (firstKey, lastKey, keyStep) = keys
        self.categories = categories.split(separator: " ").map(String.init)
        self.keyFinder = keyFinder
        self.body = body
    }

    /// Whether `word` names this command, in any case.
    @inline(__always)
    func isNamed(_ word: Bytes) -> Bool {
        Self.signature(word) == signature && (word.count < 8 || isSpelled(word))
    }

    private func isSpelled(_ word: Bytes) -> Bool {
        if word.count != letters.count { return false }
        for i in 0..<letters.count {
            var c = word.start.byte(at: i)
            if c >= 0x41 && c <= 0x5A { c |= 0x20 }
            if c != letters[i] { return false }
        }
        return true
    }

    /// The length and the first seven bytes, lower-cased: all there is of most names.
    @inline(__always)
    private static func signature(_ word: Bytes) -> UInt64 {
        var sum = UInt64(truncatingIfNeeded: word.count) & 0xFF
        for i in 0..<min(word.count, 7) {
            var c = word.start.byte(at: i)
            if c >= 0x41 && c <= 0x5A { c |= 0x20 }
            sum = sum << 8 | UInt64(c)
        }
        return sum
    }

    /// Whether a request of `count` words has the right number of them.
    @inline(__always)
    func accepts(_ count: Int) -> Bool { arity >= 0 ? count == arity : count >= -arity }

    /// The same command under another name (rename-command).
    func renamed(_ name: String) -> Command { Command(of: self, name: name) }

    private init(of other: Command, name: String) {
        self.name = name.lowercased()
        firstName = other.firstName
        letters = Array(self.name.utf8)
        signature = Bytes.with(letters) { Self.signature($0) }
        runsInsideMulti = other.runsInsideMulti
        runsInsidePubsub = other.runsInsidePubsub
        isFrame = other.isFrame
        arity = other.arity
        flags = other.flags
        (firstKey, lastKey, keyStep) = (other.firstKey, other.lastKey, other.keyStep)
        categories = other.categories
        keyFinder = other.keyFinder
        body = other.body
    }
}
