// SPDX-License-Identifier: BSD-3-Clause
//
// Commands that are made of others (CLIENT, CONFIG, XGROUP, …): how one is found, HELP, and the answer to
// what isn't known.

import Memory
import RESP

/// A command inside of another: CLIENT ID, CONFIG GET, …
struct Subcommand: Sendable {
    let name: StaticString
    /// How many words the request has, both names counted.
    let words: ClosedRange<Int>
    /// What HELP says of it; nothing of those that only tests use.
    let help: [StaticString]
    let body: @Sendable (Client) -> Void

    init(
        _ name: StaticString, _ words: ClosedRange<Int>, _ help: StaticString...,
        body: @escaping @Sendable (Client) -> Void
    ) {
        self.name = name
        self.words = words
        self.help = help
        self.body = body
    }

    init(
        _ name: StaticString, _ words: PartialRangeFrom<Int>, _ help: StaticString...,
        body: @escaping @Sendable (Client) -> Void
    ) {
        self.name = name
        self.words = words.lowerBound...Int.max
        self.help = help
        self.body = body
    }

    /// HELP itself, where a list of Redis names it.
    static func help(_ line: StaticString) -> Subcommand {
        Subcommand("help", 2...2, line) { $0.unknownSubcommand() }
    }
}

extension Client {
    /// Runs the one of `subcommands` that the second word names.
    func run(_ subcommands: [Subcommand]) {
        if count == 2, word(1, is: "help") { return help(subcommands) }
        for subcommand in subcommands
        where word(1, is: subcommand.name) && subcommand.words.contains(count) {
            return subcommand.body(self)
        }
        unknownSubcommand()
    }

    /// The reply of HELP: a line of introduction, then those of each subcommand.
    private func help(_ subcommands: [Subcommand]) {
        reply.array(1 + subcommands.reduce(0) { $0 + $1.help.count })
        reply.status(
            "\(self[0].string.uppercased()) <subcommand> arg arg ... arg. Subcommands are:")
        for subcommand in subcommands {
            for line in subcommand.help { reply.status(line) }
        }
    }

    /// The subcommand isn't known, or has another number of arguments.
    func unknownSubcommand() {
        let text = ByteBuffer()
        text.append("ERR Unknown subcommand or wrong number of arguments for '")
        text.append(self[1].prefix(128))
        text.append(text: "'. Try \(self[0].string.uppercased()) HELP.")
        reply.error(text.bytes)
    }
}

extension Reply {
    /// Text for people: a bulk string, in RESP3 a verbatim string.
    func verbatim(_ text: String) {
        guard version == 3 else { return bulk(text) }
        Bytes.with(text) { bytes in
            out.append("=")
            out.append(decimal: Int64(bytes.count + 4))
            out.append("\r\ntxt:")
            out.append(bytes)
            out.append("\r\n")
        }
    }
}
