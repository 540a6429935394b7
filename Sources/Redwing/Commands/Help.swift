// SPDX-License-Identifier: BSD-3-Clause
//
// What commands with subcommands have in common: HELP, and the answer to what they don't know.

import Memory
import RESP

extension Client {
    /// The reply of HELP: a line of introduction, then `lines`.
    func help(_ lines: [StaticString]) {
        reply.array(lines.count + 1)
        reply.status("\(self[0].string.uppercased()) <subcommand> arg arg ... arg. Subcommands are:")
        for line in lines { reply.status(line) }
    }

    /// The subcommand isn't known, or has another number of arguments.
    func unknownSubcommand() {
        let command = self[0].string.uppercased()
        reply.error(
            "ERR Unknown subcommand or wrong number of arguments for '\(self[1].string)'. Try \(command) HELP."
        )
    }

    /// HELP with nothing behind it.
    var asksForHelp: Bool { count == 2 && word(1, is: "help") }
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
