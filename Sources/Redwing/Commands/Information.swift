// SPDX-License-Identifier: BSD-3-Clause
//
// INFO, TIME, LOLWUT, MODULE.

import Configuration
import Memory
import Platform
import RESP

extension CommandTable {
    static func information() -> [Command] {
        [
            Command(
                "info", -1, "random loading stale", "dangerous", since: "1.0.0",
                "Returns facts and statistics of the server.", Information.info),
            Command(
                "time", 1, "random loading stale fast", "", since: "2.6.0",
                "Returns the server's clock.", Information.time),
            Command(
                "lolwut", -1, "readonly fast", "", since: "5.0.0",
                "Draws a picture and tells the version.", Information.lolwut),
            Command(
                "module", -2, "admin noscript", "", subcommands: Information.modules,
                since: "4.0.0",
                "Manages modules; this server loads none."),
        ]
    }
}

enum Information {
    static func info(_ c: Client) {
        c.reply.verbatim(c.server.info((1..<max(1, c.count)).map { c[$0].string }))
    }

    static func time(_ c: Client) {
        let now = redwing_wall_us()
        c.reply.array(2)
        c.reply.bulk(now / 1_000_000)
        c.reply.bulk(now % 1_000_000)
    }

    static let modules = [
        Subcommand("list", 2...2, "LIST -- Return a list of loaded modules.") { $0.reply.array(0) },
        Subcommand("load", 3..., "LOAD <path> [arg ...] -- Load a module library from <path>.") {
            $0.reply.error("ERR Error loading the extension. Please check the server logs.")
        },
        Subcommand("unload", 3...3, "UNLOAD <name> -- Unload a module.") {
            $0.reply.error("ERR Error unloading module: no such module with that name")
        },
    ]

    /// A wing, drawn by a line of feathers that grow and fold; then the version, as tools expect.
    static func lolwut(_ c: Client) {
        // LOLWUT [VERSION n] [columns]: the version changes nothing, there is one drawing.
        var at = 1
        if c.count > 2, c.word(1, is: "version") {
            guard c.integer(2) != nil else { return }
            at = 3
        }
        var columns = 66
        if c.count > at {
            guard let wanted = c.integer(at) else { return }
            columns = Int(min(max(wanted, 10), 160))
        }
        var text = ""
        let rows = 12
        for row in 0..<rows {
            let reach = columns * (row + 1) * (2 * rows - row) / (rows * (rows + 1))
            let indent = row * row / 6
            text += String(repeating: " ", count: min(indent, columns))
            for column in 0..<max(0, min(columns, reach) - indent) {
                let phase = (column * (row + 3) + Int(redwing_random() % 3)) % 7
                text += phase < 2 ? "~" : phase < 4 ? "-" : phase < 5 ? "=" : " "
            }
            text += "\n"
        }
        text += "\nRedis ver. \(Version.redis), Redwing ver. \(Version.redwing)\n"
        c.reply.verbatim(text)
    }
}
