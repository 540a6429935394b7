// SPDX-License-Identifier: BSD-3-Clause
//
// From a command line, a redis.conf or standard input to settings.

import Glibc
import Memory

/// A line that can't be taken. `description` is what the server prints before it ends.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// The file, "standard input" or "the command line".
    public var source: String
    public var line: Int
    public var text: String
    public var reason: String
    /// What a right line looks like, when the directive is known.
    public var usage: String?

    public var description: String {
        // About a file as a whole.
        if line == 0 { return reason + "\n" }
        var out = "\n*** FATAL CONFIG FILE ERROR (Redis 6.0.7) ***\n"
        out += "Reading the configuration file, at line \(line)\n>>> '\(text)'\n\(reason)\n"
        out += "In \(source)."
        if let usage { out += " Expected: \(usage)" }
        return out + "\n"
    }
}

extension Configuration {
    /// Takes the server's arguments, without the program's name: `[file | -] [--option value ...]`.
    /// As in Redis 6.0, any argument at all drops the built-in save points.
    public func load(arguments: [String]) throws(ConfigurationError) {
        guard !arguments.isEmpty else { return }
        savePoints = []
        var rest = arguments[...]
        if let first = rest.first, !first.hasPrefix("--") {
            rest.removeFirst()
            try load(file: first)
        }
        try load(options: Array(rest))
        try check()
    }

    /// Takes `--option value ...` as lines.
    public func load(options: [String]) throws(ConfigurationError) {
        var lines: [[UInt8]] = []
        for word in options {
            if word.hasPrefix("--") {
                lines.append(Array(word.dropFirst(2).utf8))
            } else if lines.isEmpty {
                throw ConfigurationError(
                    source: "the command line", line: 1, text: word,
                    reason: Directive.Special.malformed, usage: "--<directive> <value>")
            } else {
                lines[lines.count - 1] += [32] + Syntax.quoted(Array(word.utf8))
            }
        }
        try load(lines: lines, source: "the command line")
    }

    /// Takes a file; "-" is standard input.
    public func load(file path: String) throws(ConfigurationError) {
        let isInput = path == "-"
        let content: [UInt8]
        switch isInput ? File.read(descriptor: 0) : File.read(path) {
        case .success(let bytes): content = bytes
        case .failure(let error):
            throw ConfigurationError(
                source: path, line: 0, text: path,
                reason: "Fatal error, can't open config file '\(path)': \(error.text)", usage: nil)
        }
        if includeDepth == 0, !isInput { configFile = File.absolute(path) }
        try load(text: content, source: isInput ? "standard input" : path)
    }

    /// Takes the text of a file.
    public func load(text: [UInt8], source: String) throws(ConfigurationError) {
        let lines = text.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
        try load(lines: lines, source: source)
    }

    private func load(lines: [[UInt8]], source: String) throws(ConfigurationError) {
        for (index, line) in lines.enumerated() {
            try load(line: line, number: index + 1, source: source)
        }
    }

    private func load(line: [UInt8], number: Int, source: String) throws(ConfigurationError) {
        let line = trimmed(line)
        if line.isEmpty || line[0] == UInt8(ascii: "#") { return }
        let place = ConfigurationLine(
            source: source, number: number, text: String(decoding: line, as: UTF8.self))
        self.line = place
        func wrong(_ reason: String, _ usage: String? = nil) -> ConfigurationError {
            ConfigurationError(
                source: source, line: number, text: place.text, reason: reason, usage: usage)
        }
        guard let words = Syntax.split(line) else {
            throw wrong("Unbalanced quotes in configuration line")
        }
        guard let first = words.first else { return }
        let name = String(decoding: first, as: UTF8.self).lowercased()
        if name == "include" && words.count == 2 {
            guard includeDepth < 64 else { throw wrong("include nested too deeply: a cycle?") }
            includeDepth += 1
            defer { includeDepth -= 1 }
            do throws(ConfigurationError) {
                try load(file: String(decoding: words[1], as: UTF8.self))
            } catch {
                throw error.line == 0 ? wrong(error.reason, "include <path of a file>") : error
            }
            return
        }
        if name == "sentinel" { throw wrong("sentinel directive while not in sentinel mode") }
        guard let directive = Directive.byName[name] else {
            throw wrong(Directive.Special.malformed, "a directive of Redis 6.0, such as: port 6379")
        }
        if let reason = directive.load(Array(words.dropFirst()), into: self) {
            throw wrong(reason, directive.usage)
        }
    }

    /// What no single line can tell.
    private func check() throws(ConfigurationError) {
        if !aclfile.isEmpty && !users.isEmpty {
            throw ConfigurationError(
                source: configFile, line: 0, text: "aclfile \(aclfile)",
                reason:
                    "Configuring Redis with users defined in redis.conf and at the same setting "
                    + "an ACL file path is invalid. This setup is very likely to lead to "
                    + "configuration errors and security holes, please define either an ACL file "
                    + "or declare users directly in your redis.conf, but not both.",
                usage: nil)
        }
    }

    private func trimmed(_ line: [UInt8]) -> [UInt8] {
        func isBlank(_ c: UInt8) -> Bool { c == 32 || c == 9 || c == 13 || c == 10 }
        guard let first = line.firstIndex(where: { !isBlank($0) }),
            let last = line.lastIndex(where: { !isBlank($0) })
        else { return [] }
        return Array(line[first...last])
    }
}
