// SPDX-License-Identifier: BSD-3-Clause
//
// What a user may do, and how the rules of ACL SETUSER change it. A value: a list of rules is applied
// to a copy, and only the whole list is taken or none of it.

import Memory

/// Why a rule can't be taken, in Redis's words.
enum RuleError: Error, Equatable, CustomStringConvertible {
    case unknownCommand, syntax, commandAlreadyAdded, patternAfterAll
    case noSuchPassword, badHash

    var description: String {
        switch self {
        case .unknownCommand: "Unknown command or category name in ACL"
        case .syntax: "Syntax error"
        case .commandAlreadyAdded:
            "Adding a subcommand of a command already fully added is not allowed. Remove the command to start. Example: -DEBUG +DEBUG|DIGEST"
        case .patternAfterAll:
            "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
        case .noSuchPassword:
            "The password you are trying to remove from the user does not exist"
        case .badHash:
            "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
        }
    }
}

struct Rights: Equatable {
    var isOn = false
    var needsNoPassword = false
    /// SHA-256 of each, in hexadecimal.
    var passwords: [[UInt8]] = []

    var allCommands = false
    var commands: CommandSet
    /// Commands that modules would bring later: rights began with +@all.
    var futureCommands = false
    /// Of commands that are not allowed as a whole; in lower case.
    var subcommands: [Int: [[UInt8]]] = [:]

    var allKeys = false
    var keys: [[UInt8]] = []

    /// Redis 6.0 knows no rules for channels: a user has all until one is given, unless
    /// `acl-pubsub-default` says otherwise.
    var allChannels: Bool
    var channels: [[UInt8]] = []

    /// A user just made: off, without a password, key or command.
    init(_ register: CommandRegister) {
        commands = register.none
        allChannels = register.channelsByDefault
    }

    /// Nothing that this user sends need be looked at.
    var isUnlimited: Bool { allCommands && allKeys && allChannels }

    mutating func apply(_ rule: [UInt8], _ register: CommandRegister) throws(RuleError) {
        let text = String(decoding: rule, as: UTF8.self)
        switch text.lowercased() {
        case "on": isOn = true
        case "off": isOn = false
        case "allkeys", "~*":
            allKeys = true
            keys = []
        case "resetkeys":
            allKeys = false
            keys = []
        case "allchannels", "&*":
            allChannels = true
            channels = []
        case "resetchannels":
            allChannels = false
            channels = []
        case "allcommands", "+@all": setCommands(register.all, all: true)
        case "nocommands", "-@all": setCommands(register.none, all: false)
        case "nopass":
            needsNoPassword = true
            passwords = []
        case "resetpass":
            needsNoPassword = false
            passwords = []
        // Of 6.2: dumps are always checked here.
        case "sanitize-payload", "skip-sanitize-payload": break
        case "reset":
            self = Rights(register)
        default: try applyPrefixed(rule, text, register)
        }
    }

    private mutating func setCommands(_ set: CommandSet, all: Bool) {
        commands = set
        allCommands = all
        futureCommands = all
        subcommands = [:]
    }

    private mutating func applyPrefixed(
        _ rule: [UInt8], _ text: String, _ register: CommandRegister
    ) throws(RuleError) {
        // Redis takes an empty rule for none.
        guard let first = rule.first else { return }
        let rest = Array(rule.dropFirst())
        switch first {
        case UInt8(ascii: ">"): addPassword(Self.hash(rest))
        case UInt8(ascii: "#"): addPassword(try Self.checked(rest))
        case UInt8(ascii: "<"): try removePassword(Self.hash(rest))
        case UInt8(ascii: "!"): try removePassword(try Self.checked(rest))
        case UInt8(ascii: "~"):
            if allKeys { throw .patternAfterAll }
            if Self.hasSpaces(rest) { throw .syntax }
            if !keys.contains(rest) { keys.append(rest) }
        case UInt8(ascii: "&"):
            if Self.hasSpaces(rest) { throw .syntax }
            // The first pattern of a user that had no rule for channels limits it to that one.
            allChannels = false
            if !channels.contains(rest) { channels.append(rest) }
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            let isAdded = first == UInt8(ascii: "+")
            let name = String(text.dropFirst())
            if name.hasPrefix("@") {
                guard let set = register.commands(in: String(name.dropFirst())) else {
                    throw .unknownCommand
                }
                change(set, isAdded)
            } else if isAdded, let bar = rest.firstIndex(of: UInt8(ascii: "|")) {
                try addSubcommand(rest[..<bar], rest[(bar + 1)...], register)
            } else {
                guard let id = register.number(of: name) else { throw .unknownCommand }
                commands.set(id, isAdded)
                subcommands[id] = nil
                if !isAdded { allCommands = false }
            }
        default: throw .syntax
        }
    }

    private mutating func change(_ set: CommandSet, _ isAdded: Bool) {
        if isAdded { commands.formUnion(set) } else { commands.subtract(set) }
        if !isAdded, set.count > 0 { allCommands = false }
        for id in subcommands.keys where set.contains(id) { subcommands[id] = nil }
    }

    private mutating func addSubcommand(
        _ name: ArraySlice<UInt8>, _ subcommand: ArraySlice<UInt8>, _ register: CommandRegister
    ) throws(RuleError) {
        guard let id = register.number(of: String(decoding: name, as: UTF8.self)) else {
            throw .unknownCommand
        }
        if subcommand.isEmpty { throw .syntax }
        if commands.contains(id) { throw .commandAlreadyAdded }
        let word = Self.lowercased(subcommand)
        if subcommands[id]?.contains(word) != true { subcommands[id, default: []].append(word) }
    }

    // MARK: Passwords

    private mutating func addPassword(_ hash: [UInt8]) {
        if !passwords.contains(hash) { passwords.append(hash) }
        needsNoPassword = false
    }

    private mutating func removePassword(_ hash: [UInt8]) throws(RuleError) {
        guard let at = passwords.firstIndex(of: hash) else { throw .noSuchPassword }
        passwords.remove(at: at)
    }

    static func hash(_ password: [UInt8]) -> [UInt8] {
        Array(Hash.hex(Bytes.with(password) { Hash.sha256($0) }).utf8)
    }

    private static func checked(_ hash: [UInt8]) throws(RuleError) -> [UInt8] {
        let isHex = hash.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
        guard hash.count == 64, isHex else { throw .badHash }
        return hash
    }

    /// Takes as long whichever password it is, and if it is none.
    func accepts(_ password: [UInt8]) -> Bool {
        if needsNoPassword { return true }
        let given = Self.hash(password)
        var found = false
        for hash in passwords where Secret.equal(hash, given) { found = true }
        return found
    }

    // MARK: Words

    static func hasSpaces(_ word: [UInt8]) -> Bool {
        word.contains { $0.isSpace || $0 == 0 }
    }

    static func lowercased(_ word: some Sequence<UInt8>) -> [UInt8] {
        word.map(\.lowerCased)
    }
}
