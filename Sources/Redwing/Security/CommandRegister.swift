// SPDX-License-Identifier: BSD-3-Clause
//
// All commands as ACL rules name them: by their first names, whatever rename-command made of them.
// Each has a number, so that a user's commands are a set of bits.

import Memory

/// A set of commands, by their numbers in the register.
struct CommandSet: Equatable {
    private(set) var words: [UInt64]

    init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

    @inline(__always)
    func contains(_ id: Int) -> Bool {
        id >= 0 && id >> 6 < words.count && words[id >> 6] >> UInt64(id & 63) & 1 != 0
    }

    mutating func set(_ id: Int, _ value: Bool) {
        let bit: UInt64 = 1 << UInt64(id & 63)
        if value { words[id >> 6] |= bit } else { words[id >> 6] &= ~bit }
    }

    mutating func formUnion(_ other: CommandSet) {
        for i in words.indices { words[i] |= other.words[i] }
    }

    mutating func subtract(_ other: CommandSet) {
        for i in words.indices { words[i] &= ~other.words[i] }
    }

    /// How many of both are the same.
    func shared(with other: CommandSet) -> Int {
        zip(words, other.words).reduce(0) { $0 + ($1.0 & $1.1).nonzeroBitCount }
    }

    var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
}

struct CommandRegister {
    /// In the order of their numbers.
    let names: [String]
    private let numbers: [String: Int]
    private let categories: [String: CommandSet]
    let all: CommandSet
    /// `acl-pubsub-default`: what a new user may do with channels.
    var channelsByDefault = true

    init() {
        let commands = CommandTable.families().joined().sorted { $0.name < $1.name }
        names = commands.map(\.name)
        numbers = Dictionary(
            names.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { $1 })
        let none = CommandSet(count: commands.count)
        var full = none
        var found = Dictionary(uniqueKeysWithValues: Command.categoryOrder.map { ($0, none) })
        for (id, command) in commands.enumerated() {
            full.set(id, true)
            for category in command.allCategories { found[category]?.set(id, true) }
        }
        all = full
        categories = found
    }

    var none: CommandSet { CommandSet(count: names.count) }

    func number(of name: String) -> Int? { numbers[name.lowercased()] }
    func commands(in category: String) -> CommandSet? { categories[category.lowercased()] }
}
