// SPDX-License-Identifier: BSD-3-Clause
//
// redwing-rdb: look into RDB files, of any version from 1 to 12 and in any container, and change
// the container. A file named "-" is standard input.

import ArgumentParser

struct RedwingRDB: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redwing-rdb",
        abstract: "Checks, prints and converts RDB files.",
        subcommands: [Check.self, Print.self, Convert.self])
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read all of a file and say what is in it.",
        discussion: "Exits with 1, and says at which byte and why, when the file is damaged.")

    @Argument(help: "The RDB file, as it is or in an LZ4 frame or gzip.")
    var file: String

    @OptionGroup var rules: Rules

    func run() throws {
        let input = try Input(path: file, unsupported: rules.unsupported)
        var summary = Summary()
        try input.forEachItem { item in
            switch item {
            case .header(let version): summary.version = version
            case .aux(let name, let value): summary.aux.append((name, value))
            case .note(let text): summary.notes.append(text)
            case .key(let entry): summary.count(entry)
            case .end(let checksum): summary.hasChecksum = checksum != 0
            }
        }
        summary.container = input.container
        summary.size = input.offset
        print(summary.description)
    }
}

struct Print: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print every key with its value.",
        discussion: """
            One key a line, in order of the file. With --json one object: "dbs", databases by number, \
            keys by their bytes in hexadecimal, each with "type", "ttl_abs_ms" and "value", whose \
            strings are in hexadecimal as well (names of groups and consumers: as they are).
            """)

    @Argument(help: "The RDB file, as it is or in an LZ4 frame or gzip.")
    var file: String

    @OptionGroup var rules: Rules

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let input = try Input(path: file, unsupported: rules.unsupported)
        var printer: any Printer = json ? JSONPrinter() : LinePrinter()
        try input.forEachItem { printer.received($0) }
    }
}

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a file into another container, checking all of it on the way.",
        discussion: "A damaged file isn't converted; what was at the output's path stays.")

    @Argument(help: "The RDB file, as it is or in an LZ4 frame or gzip.")
    var input: String

    @Argument(help: "Where to put the new file.")
    var output: String

    @Option(help: "none, lz4 or gzip.")
    var container: Container

    @OptionGroup var rules: Rules

    func run() throws {
        let output = try Output(path: output, container: container)
        do {
            let input = try Input(
                path: input, unsupported: rules.unsupported, copyingTo: output)
            try input.forEachItem { _ in }
            try input.expectEnd()
            try output.commit()
        } catch {
            output.abort()
            throw error
        }
    }
}

/// How a file is read.
struct Rules: ParsableArguments {
    @Option(
        help: "What Redis 6.0 can't hold, functions, modules, expiries of fields: skip or refuse.")
    var unsupported = Unsupported.skip
}

enum Unsupported: String, ExpressibleByArgument, CaseIterable { case skip, refuse }

/// What a file's bytes are wrapped in.
enum Container: String, ExpressibleByArgument, CaseIterable {
    case none, lz4, gzip
}

/// What went wrong, in one line.
struct Failure: Error, CustomStringConvertible {
    let description: String
}
