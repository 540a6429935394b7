// SPDX-License-Identifier: BSD-3-Clause
//
// All commands, gathered from the families' files.

import Memory

/// Commands by name. Built once by each server, for the statistics are its own.
public struct CommandTable {
    private var byName: [String: Command] = [:]
    /// Open addressing over a hash of the lower-cased name, at most half full.
    private var slots: [Command?] = []
    private var longestName = 0

    public init() {
        for family in Self.families() {
            for command in family { byName[command.name] = command }
        }
        index()
    }

    public subscript(name: String) -> Command? { byName[name] }
    public var all: Dictionary<String, Command>.Values { byName.values }

    /// The command that `word` names, in any case, without an allocation.
    public func find(_ word: Bytes) -> Command? {
        if word.count > longestName { return nil }
        var at = Self.hash(word) & (slots.count - 1)
        while let command = slots[at] {
            if command.isNamed(word) { return command }
            at = (at + 1) & (slots.count - 1)
        }
        return nil
    }

    /// rename-command: `command` is found under `name` only, or not at all when it is empty.
    public mutating func rename(_ command: String, to newName: String) -> Bool {
        let name = String(decoding: newName.utf8.map(\.lowerCased), as: UTF8.self)
        guard let found = byName[command] else { return false }
        byName[command] = nil
        if !name.isEmpty {
            if byName[name] != nil { return false }
            byName[name] = found.renamed(name)
        }
        index()
        return true
    }

    private mutating func index() {
        var size = 64
        while size < byName.count * 2 { size *= 2 }
        slots = Array(repeating: nil, count: size)
        longestName = byName.values.map(\.letters.count).max() ?? 0
        for command in byName.values {
            var at = Bytes.with(command.letters) { Self.hash($0) } & (size - 1)
            while slots[at] != nil { at = (at + 1) & (size - 1) }
            slots[at] = command
        }
    }

    /// FNV-1a over the bytes with the case bit set.
    @inline(__always)
    private static func hash(_ word: Bytes) -> Int {
        var h: UInt64 = 0xCBF2_9CE4_8422_2325
        for i in 0..<word.count {
            h = (h ^ UInt64(word.start.byte(at: i) | 0x20)) &* 0x100_0000_01B3
        }
        return Int(truncatingIfNeeded: (h ^ (h >> 29)) & 0x7FFF_FFFF)
    }

    /// One line a family: each is a function in that family's file, so that nothing is global.
    static func families() -> [[Command]] {
        [
            connection(),
            scripting(),
            transactions(),
            replicaCommands(),
            replicationCommands(),
            pubsub(),
            strings(),
            bits(),
            keys(),
            expiries(),
            hyperLogLogs(),
            sets(),
            sortedSets(),
            geo(),
            saving(),
            lists(),
            hashes(),
            sorting(),
            streams(),
            configuration(),
            information(),
            clients(),
            debugging(),
            description(),
            slowLog(),
            latency(),
            monitoring(),
            memory(),
            cluster(),
            access(),
            migration(),
        ]
    }
}
