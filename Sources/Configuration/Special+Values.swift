// SPDX-License-Identifier: BSD-3-Clause
//
// Directives whose value is a list or has a range of its own: save, client-output-buffer-limit,
// maxmemory, notify-keyspace-events, latency-tracking-info-percentiles.

extension Directive.Special {
    static let save = Directive.Special(
        usage: "save <seconds> <changes>, or save \"\"",
        load: { configuration, words in
            if words == [[]] {
                configuration.savePoints = []
                return nil
            }
            // 7.0 takes several pairs on a line, and --save "900 1" as one word.
            let words = words.flatMap { $0.split(separator: 32).map(Array.init) }
            guard !words.isEmpty, let points = savePoints(words) else {
                return "Invalid save parameters"
            }
            configuration.savePoints += points
            return nil
        },
        set: { configuration, word in
            guard let points = savePoints(Syntax.cutAtSpaces(word)) else { return "" }
            configuration.savePoints = points
            return nil
        },
        get: {
            Array($0.savePoints.map { "\($0.seconds) \($0.changes)" }.joined(separator: " ").utf8)
        },
        lines: {
            if $0.savePoints.isEmpty { return [Array("save \"\"".utf8)] }
            return $0.savePoints.map { Array("save \($0.seconds) \($0.changes)".utf8) }
        })

    private static func savePoints(_ words: Words) -> [SavePoint]? {
        guard words.count % 2 == 0 else { return nil }
        var points: [SavePoint] = []
        for at in stride(from: 0, to: words.count, by: 2) {
            guard let seconds = Number.integer(words[at]), seconds >= 1,
                let changes = Number.integer(words[at + 1]), changes >= 0
            else { return nil }
            points.append(SavePoint(seconds: seconds, changes: changes))
        }
        return points
    }

    static let clientOutputBufferLimit = Directive.Special(
        usage: "client-output-buffer-limit normal|replica|pubsub <hard> <soft> <soft seconds>",
        load: { configuration, words in
            guard words.count >= 4, words.count % 4 == 0 else { return malformed }
            return setLimits(configuration, words, checked: true)
        },
        set: { configuration, word in
            let words = Syntax.cutAtSpaces(word)
            guard words.count % 4 == 0 else { return "" }
            return setLimits(configuration, words, checked: false)
        },
        get: { configuration in
            let texts = limitClasses.map { name, _, limit in
                let value = configuration[keyPath: limit]
                return "\(name) \(value.hard) \(value.soft) \(value.softSeconds)"
            }
            return Array(texts.joined(separator: " ").utf8)
        },
        lines: { configuration in
            limitClasses.map { _, name, limit in
                let value = configuration[keyPath: limit]
                let hard = Number.memoryText(value.hard)
                let soft = Number.memoryText(value.soft)
                return Array(
                    "client-output-buffer-limit \(name) \(hard) \(soft) \(value.softSeconds)".utf8)
            }
        })

    /// The class in CONFIG GET, the class in a file, and where its limit is.
    private static let limitClasses: [(String, String, any Setting<OutputBufferLimit>)] = [
        ("normal", "normal", \.normalOutputBufferLimit),
        ("slave", "replica", \.replicaOutputBufferLimit),
        ("pubsub", "pubsub", \.pubsubOutputBufferLimit),
    ]

    /// All groups of four words, or none; CONFIG SET's errors have no reason (`checked` false).
    private static func setLimits(_ configuration: Configuration, _ words: Words, checked: Bool)
        -> String?
    {
        var found: [(any Setting<OutputBufferLimit>, OutputBufferLimit)] = []
        for at in stride(from: 0, to: words.count, by: 4) {
            let name = text(words[at]).lowercased()
            guard let known = limitClasses.first(where: { $0.0 == name || $0.1 == name }) else {
                return checked
                    ? "Unrecognized client limit class: the user specified an invalid one, or "
                        + "'master' which has no buffer limits." : ""
            }
            guard let hard = Number.memory(words[at + 1]), hard >= 0,
                let soft = Number.memory(words[at + 2]), soft >= 0
            else { return checked ? "Error in hard or soft client output buffer limit" : "" }
            guard let seconds = Number.integer(words[at + 3]), seconds >= 0 else {
                return checked ? "Negative number of seconds in soft limit is invalid" : ""
            }
            found.append((known.2, OutputBufferLimit(hard: hard, soft: soft, softSeconds: seconds)))
        }
        for (limit, value) in found { configuration[keyPath: limit] = value }
        return nil
    }

    static let maxmemory = Directive.Special(
        usage: "maxmemory <bytes, such as 1024, 64kb, 100mb or 2gb>",
        load: { $1.count == 1 ? setMaxmemory($0, $1[0]) : "wrong number of arguments" },
        set: { setMaxmemory($0, $1) },
        get: { Array(String($0.maxmemory).utf8) },
        lines: { [Array("maxmemory \(Number.memoryText(Int(clamping: $0.maxmemory)))".utf8)] })

    private static func setMaxmemory(_ configuration: Configuration, _ word: [UInt8]) -> String? {
        guard let value = Number.memory(word), value >= 0 else {
            return "argument must be a memory value"
        }
        configuration.maxmemory = UInt64(value)
        return nil
    }

    static let notifyKeyspaceEvents = Directive.Special(
        usage: "notify-keyspace-events <letters of Kg$lshzxetmEA, or \"\">",
        load: { configuration, words in
            guard words.count == 1 else { return malformed }
            guard let flags = NotifyFlags(letters: text(words[0])) else {
                return "Invalid event class character. Use 'g$lshzxeA'."
            }
            configuration.notifyKeyspaceEvents = flags
            return nil
        },
        set: { configuration, word in
            guard let flags = NotifyFlags(letters: text(word)) else { return "" }
            configuration.notifyKeyspaceEvents = flags
            return nil
        },
        get: { Array($0.notifyKeyspaceEvents.letters.utf8) },
        lines: { [Array("notify-keyspace-events \"\($0.notifyKeyspaceEvents.letters)\"".utf8)] })

    static let percentiles = Directive.Special(
        usage: "latency-tracking-info-percentiles <percent> ...",
        load: { setPercentiles($0, $1) },
        set: { setPercentiles($0, Syntax.split($1) ?? []) },
        get: { Array($0.latencyTrackingInfoPercentiles.utf8) },
        lines: {
            let list = $0.latencyTrackingInfoPercentiles
            return [Array("latency-tracking-info-percentiles \(list.isEmpty ? "\"\"" : list)".utf8)]
        })

    private static func setPercentiles(_ configuration: Configuration, _ words: Words) -> String? {
        let texts = words == [[]] ? [] : words.map(text)
        for word in texts {
            guard let value = Double(word), value >= 0, value <= 100 else {
                return "latency-tracking-info-percentiles contains invalid percentile values"
            }
        }
        configuration.latencyTrackingInfoPercentiles = texts.joined(separator: " ")
        return nil
    }
}
