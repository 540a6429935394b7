// SPDX-License-Identifier: BSD-3-Clause
//
// A directive of redis.conf: its name and aliases, its kind, and whether CONFIG SET may change it.
// The default is what a fresh Configuration holds. The texts of errors are Redis 6.0.7's.

/// A property of the configuration.
typealias Setting<Value> = ReferenceWritableKeyPath<Configuration, Value> & Sendable

/// The words of one line of a configuration file, or of a command, after the directive's name.
typealias Words = [[UInt8]]

public struct Directive: Sendable {
    public let name: String
    public let aliases: [String]
    /// CONFIG SET may change it.
    public let isMutable: Bool
    /// Nothing in the server reads it: it is known so that files and tools of others go on working.
    public private(set) var isInert = false
    let kind: Kind

    init(name: String, aliases: [String], isMutable: Bool, kind: Kind) {
        self.name = name
        self.aliases = aliases
        self.isMutable = isMutable
        self.kind = kind
    }

    /// The same directive, marked as one that does nothing here.
    var inert: Directive {
        var copy = self
        copy.isInert = true
        return copy
    }

    /// Inert directives that `configuration` gives another value than the default.
    public static func ignored(by configuration: Configuration) -> [String] {
        let fresh = Configuration()
        return all.filter { $0.isInert && $0.value(in: configuration) != $0.value(in: fresh) }
            .map(\.name)
    }

    enum Kind: Sendable {
        case bool(any Setting<Bool>)
        case int(any Setting<Int>, ClosedRange<Int>)
        case memory(any Setting<Int>, ClosedRange<Int>)
        case octal(any Setting<Int>, ClosedRange<Int>)
        case text(any Setting<String>, check: @Sendable (String) -> String?)
        /// Bytes that need not be UTF-8: passwords.
        case bytes(any Setting<[UInt8]>, limit: Int)
        case choice(ChoiceAccess)
        case special(Special)
    }

    struct ChoiceAccess: Sendable {
        let words: [String]
        let get: @Sendable (Configuration) -> String
        let set: @Sendable (Configuration, String) -> Bool
    }

    /// What doesn't fit "one word, one property".
    struct Special: Sendable {
        /// For the message of a bad line.
        let usage: String
        /// Applies a line of the file; returns what is wrong, Redis's text.
        let load: @Sendable (Configuration, Words) -> String?
        /// Applies a CONFIG SET; the text of the error may be empty.
        let set: @Sendable (Configuration, [UInt8]) -> String?
        /// For CONFIG GET; nil when CONFIG GET doesn't list it.
        let get: (@Sendable (Configuration) -> [UInt8])?
        /// The lines for CONFIG REWRITE; nil when the file's own lines stay as they are.
        let lines: (@Sendable (Configuration) -> [[UInt8]])?
    }

    // MARK: The forms the table is written in

    static func bool(
        _ name: String, _ setting: any Setting<Bool>, _ aliases: String..., fixed: Bool = false
    )
        -> Directive
    {
        Directive(name: name, aliases: aliases, isMutable: !fixed, kind: .bool(setting))
    }

    static func int(
        _ name: String, _ setting: any Setting<Int>, _ range: ClosedRange<Int>,
        _ aliases: String...,
        fixed: Bool = false
    ) -> Directive {
        Directive(name: name, aliases: aliases, isMutable: !fixed, kind: .int(setting, range))
    }

    static func memory(
        _ name: String, _ setting: any Setting<Int>, _ range: ClosedRange<Int>,
        _ aliases: String...,
        fixed: Bool = false
    ) -> Directive {
        Directive(name: name, aliases: aliases, isMutable: !fixed, kind: .memory(setting, range))
    }

    static func octal(_ name: String, _ setting: any Setting<Int>, _ range: ClosedRange<Int>)
        -> Directive
    {
        Directive(name: name, aliases: [], isMutable: false, kind: .octal(setting, range))
    }

    static func text(
        _ name: String, _ setting: any Setting<String>, _ aliases: String..., fixed: Bool = false,
        check: @escaping @Sendable (String) -> String? = { _ in nil }
    ) -> Directive {
        Directive(
            name: name, aliases: aliases, isMutable: !fixed, kind: .text(setting, check: check))
    }

    static func bytes(_ name: String, _ setting: any Setting<[UInt8]>, limit: Int = .max)
        -> Directive
    {
        Directive(name: name, aliases: [], isMutable: true, kind: .bytes(setting, limit: limit))
    }

    static func choice<C: Choice>(
        _ name: String, _ setting: any Setting<C>, _ aliases: String..., fixed: Bool = false
    ) -> Directive {
        let access = ChoiceAccess(
            words: C.allCases.map(\.rawValue),
            get: { $0[keyPath: setting].rawValue },
            set: { configuration, word in
                guard let value = C(rawValue: word) else { return false }
                configuration[keyPath: setting] = value
                return true
            })
        return Directive(name: name, aliases: aliases, isMutable: !fixed, kind: .choice(access))
    }

    static func special(
        _ name: String, _ aliases: String..., fixed: Bool = false, form special: Special
    )
        -> Directive
    {
        Directive(name: name, aliases: aliases, isMutable: !fixed, kind: .special(special))
    }

    // MARK: What every kind can do

    /// The value as CONFIG GET writes it; nil when CONFIG GET doesn't know the directive.
    func value(in configuration: Configuration) -> [UInt8]? {
        switch kind {
        case .bool(let setting): return Array((configuration[keyPath: setting] ? "yes" : "no").utf8)
        case .int(let setting, _), .memory(let setting, _):
            return Array(String(configuration[keyPath: setting]).utf8)
        case .octal(let setting, _):
            return Array(String(configuration[keyPath: setting], radix: 8).utf8)
        case .text(let setting, _): return Array(configuration[keyPath: setting].utf8)
        case .bytes(let setting, _): return configuration[keyPath: setting]
        case .choice(let access): return Array(access.get(configuration).utf8)
        case .special(let special): return special.get?(configuration)
        }
    }

    /// Applies a line of the file; returns what is wrong.
    func load(_ words: Words, into configuration: Configuration) -> String? {
        if case .special(let special) = kind { return special.load(configuration, words) }
        guard words.count == 1 else { return "wrong number of arguments" }
        return assign(words[0], to: configuration)
    }

    /// Applies one value; returns what is wrong.
    func assign(_ word: [UInt8], to configuration: Configuration) -> String? {
        switch kind {
        case .bool(let setting):
            switch String(decoding: word, as: UTF8.self).lowercased() {
            case "yes": configuration[keyPath: setting] = true
            case "no": configuration[keyPath: setting] = false
            default: return "argument must be 'yes' or 'no'"
            }
        case .int(let setting, let range):
            guard let value = Number.integer(word) else {
                return "argument couldn't be parsed into an integer"
            }
            return store(value, in: setting, range, configuration)
        case .memory(let setting, let range):
            guard let value = Number.memory(word), value >= 0 else {
                return "argument must be a memory value"
            }
            return store(value, in: setting, range, configuration)
        case .octal(let setting, let range):
            guard let value = Int(String(decoding: word, as: UTF8.self), radix: 8),
                range.contains(value)
            else { return "Invalid socket file permissions" }
            configuration[keyPath: setting] = value
        case .text(let setting, let check):
            let text = String(decoding: word, as: UTF8.self)
            if let wrong = check(text) { return wrong }
            configuration[keyPath: setting] = text
        case .bytes(let setting, let limit):
            if word.count > limit { return "Password is longer than CONFIG_AUTHPASS_MAX_LEN" }
            configuration[keyPath: setting] = word
        case .choice(let access):
            let text = String(decoding: word, as: UTF8.self).lowercased()
            if !access.set(configuration, text) {
                return "argument must be one of the following: "
                    + access.words.joined(separator: ", ")
            }
        case .special(let special): return special.set(configuration, word)
        }
        return nil
    }

    private func store(
        _ value: Int, in setting: any Setting<Int>, _ range: ClosedRange<Int>,
        _ configuration: Configuration
    ) -> String? {
        guard range.contains(value) else {
            return "argument must be between \(range.lowerBound) and \(range.upperBound) inclusive"
        }
        configuration[keyPath: setting] = value
        return nil
    }

    /// What a line with this directive should look like.
    var usage: String {
        switch kind {
        case .bool: return "\(name) yes|no"
        case .int(_, let range):
            let upper = range.upperBound == .max ? "" : "\(range.upperBound)"
            return
                "\(name) <integer from \(range.lowerBound)\(upper.isEmpty ? "" : " to ")\(upper)>"
        case .memory: return "\(name) <bytes, such as 1024, 64kb, 100mb or 2gb>"
        case .octal: return "\(name) <mode, such as 700>"
        case .text, .bytes: return "\(name) <text>"
        case .choice(let access): return "\(name) \(access.words.joined(separator: "|"))"
        case .special(let special): return special.usage
        }
    }

    /// The lines CONFIG REWRITE puts for this directive; nil when it leaves the file's as they are.
    func lines(in configuration: Configuration) -> [[UInt8]]? {
        let head = Array("\(name) ".utf8)
        switch kind {
        case .bool, .int, .octal, .choice: return [head + (value(in: configuration) ?? [])]
        case .memory(let setting, _):
            return [head + Array(Number.memoryText(configuration[keyPath: setting]).utf8)]
        case .text, .bytes: return [head + Syntax.quoted(value(in: configuration) ?? [])]
        case .special(let special): return special.lines?(configuration)
        }
    }
}
