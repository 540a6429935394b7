// SPDX-License-Identifier: BSD-3-Clause
//
// Directives with a form of their own that describe the process and its peers.

extension Directive.Special {
    static func text(_ word: [UInt8]) -> String { String(decoding: word, as: UTF8.self) }

    /// Redis's answer to a known name with a wrong number of words.
    static let malformed = "Bad directive or wrong number of arguments"

    static let bind = Directive.Special(
        usage: "bind <address> [<address> ...], at most 16",
        load: { configuration, words in
            guard !words.isEmpty else { return malformed }
            guard words.count <= 16 else { return "Too many bind addresses specified" }
            // `bind ""` is every address, as no bind is.
            configuration.bind = words == [[]] ? [] : words.map(text)
            return nil
        },
        set: { _, _ in nil },
        get: { Array($0.bind.joined(separator: " ").utf8) },
        lines: { [Array("bind \($0.bind.isEmpty ? "\"\"" : $0.bind.joined(separator: " "))".utf8)] }
    )

    static let include = Directive.Special(
        usage: "include <path>", load: { _, _ in malformed }, set: { _, _ in nil }, get: nil,
        lines: nil)

    static let dir = Directive.Special(
        usage: "dir <path of a folder>",
        load: { _, words in
            guard words.count == 1 else { return malformed }
            return WorkingDirectory.change(to: text(words[0])).map {
                "Can't chdir to '\(text(words[0]))': \($0.text)"
            }
        },
        set: { _, word in
            WorkingDirectory.change(to: text(word)).map { "\u{0}Changing directory: \($0.text)" }
        },
        get: { _ in Array(WorkingDirectory.path.utf8) },
        lines: { _ in [Array("dir ".utf8) + Syntax.quoted(Array(WorkingDirectory.path.utf8))] })

    static let logfile = Directive.Special(
        usage: "logfile <path>, or \"\" for standard output",
        load: { configuration, words in
            guard words.count == 1 else { return "wrong number of arguments" }
            let path = text(words[0])
            if !path.isEmpty, let error = File.canAppend(to: path) {
                return "Can't open the log file: \(error.text)"
            }
            configuration.logfile = path
            return nil
        },
        set: { _, _ in nil },
        get: { Array($0.logfile.utf8) },
        lines: { [Array("logfile ".utf8) + Syntax.quoted(Array($0.logfile.utf8))] })

    static let loadmodule = Directive.Special(
        usage: "no loadmodule line: Redwing has no modules",
        load: { _, words in
            "Can't load module \(words.first.map(text) ?? "from"): this server has no modules"
        },
        set: { _, _ in nil }, get: nil, lines: nil)

    static let oomScoreAdjValues = Directive.Special(
        usage: "oom-score-adj-values <master> <replica> <child>, each from -2000 to 2000",
        load: { $1.count == 3 ? setOomValues($0, $1) : malformed },
        set: { configuration, word in
            let words = Syntax.cutAtSpaces(word)
            return words.count == 3 ? setOomValues(configuration, words) : ""
        },
        get: { Array($0.oomScoreAdjValues.map(String.init).joined(separator: " ").utf8) },
        lines: {
            let values = $0.oomScoreAdjValues.map(String.init).joined(separator: " ")
            return [Array("oom-score-adj-values \(values)".utf8)]
        })

    private static func setOomValues(_ configuration: Configuration, _ words: Words) -> String? {
        let values = words.compactMap(Number.integer)
        guard values.count == 3, values.allSatisfy({ (-2000...2000).contains($0) }) else {
            return "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
        }
        configuration.oomScoreAdjValues = values
        return nil
    }

    static let replicaof = Directive.Special(
        usage: "replicaof <host> <port>",
        load: { configuration, words in
            guard words.count == 2 else { return malformed }
            if text(words[0]).lowercased() == "no" && text(words[1]).lowercased() == "one" {
                configuration.replicaof = nil
                return nil
            }
            guard let port = Number.integer(words[1]), (0...65535).contains(port) else {
                return "Invalid master port"
            }
            configuration.replicaof = MasterAddress(host: text(words[0]), port: port)
            return nil
        },
        set: { _, _ in nil },
        get: { Array(($0.replicaof.map { "\($0.host) \($0.port)" } ?? "").utf8) },
        lines: { $0.replicaof.map { [Array("replicaof \($0.host) \($0.port)".utf8)] } ?? [] })

    static let replicaEmptyMasterGuard = Directive.Special(
        usage: "replica-empty-master-guard yes|no|<keys>",
        load: { configuration, words in
            words.count == 1 ? setGuard(configuration, words[0]) : "wrong number of arguments"
        },
        set: { setGuard($0, $1) },
        get: { Array(guardText($0).utf8) },
        lines: { [Array("replica-empty-master-guard \(guardText($0))".utf8)] })

    private static func setGuard(_ configuration: Configuration, _ word: [UInt8]) -> String? {
        switch text(word).lowercased() {
        case "yes": configuration.replicaEmptyMasterGuard = 1
        case "no": configuration.replicaEmptyMasterGuard = 0
        default:
            guard let keys = Number.integer(word), keys >= 0 else {
                return "argument must be 'yes', 'no' or a number of keys"
            }
            configuration.replicaEmptyMasterGuard = keys
        }
        return nil
    }

    private static func guardText(_ configuration: Configuration) -> String {
        switch configuration.replicaEmptyMasterGuard {
        case 0: return "no"
        case 1: return "yes"
        default: return "\(configuration.replicaEmptyMasterGuard)"
        }
    }

    static let user = Directive.Special(
        usage: UserDeclaration.usage,
        load: { configuration, words in
            guard let name = words.first else { return malformed }
            if configuration.users.contains(where: { $0.name == name }) {
                return "Error in user declaration '\(text(name))': Duplicate user found"
            }
            configuration.users.append(
                UserDeclaration(
                    name: name, rules: Array(words.dropFirst()), line: configuration.line))
            return nil
        },
        set: { _, _ in nil }, get: nil, lines: nil)

    static let renameCommand = Directive.Special(
        usage: CommandRename.usage,
        load: { configuration, words in
            guard words.count == 2 else { return malformed }
            let rename = CommandRename(
                name: text(words[0]).lowercased(), newName: text(words[1]), line: configuration.line
            )
            configuration.renamedCommands.append(rename)
            return nil
        },
        set: { _, _ in nil }, get: nil, lines: nil)

    static let clusterEnabled = Directive.Special(
        usage: "cluster-enabled no: Redwing has no cluster mode",
        load: { _, words in
            guard words.count == 1 else { return "wrong number of arguments" }
            switch text(words[0]).lowercased() {
            case "no": return nil
            case "yes": return "this server has no cluster mode"
            default: return "argument must be 'yes' or 'no'"
            }
        },
        set: { _, _ in nil },
        get: { _ in Array("no".utf8) },
        lines: { _ in [Array("cluster-enabled no".utf8)] })

    static let activedefrag = Directive.Special(
        usage: "activedefrag no",
        load: { $1.count == 1 ? setDefragmentation($1[0]) : "wrong number of arguments" },
        set: { setDefragmentation($1) },
        get: { _ in Array("no".utf8) },
        lines: { _ in [Array("activedefrag no".utf8)] })

    private static func setDefragmentation(_ word: [UInt8]) -> String? {
        switch text(word).lowercased() {
        case "no": return nil
        case "yes":
            return
                "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution"
        default: return "argument must be 'yes' or 'no'"
        }
    }

    static func ignored(_ usage: String) -> Directive.Special {
        Directive.Special(
            usage: usage, load: { $1.count == 1 ? nil : malformed }, set: { _, _ in nil }, get: nil,
            lines: nil)
    }
}
