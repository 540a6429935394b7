// SPDX-License-Identifier: BSD-3-Clause
//
// CONFIG.

import Configuration
import Memory
import RESP

extension CommandTable {
    static func configuration() -> [Command] {
        [
            Command(
                "config", -2, "admin noscript loading stale", "",
                subcommands: ConfigCommand.subcommands, since: "2.0.0",
                "Shows and sets the server's directives.", ConfigCommand.run)
        ]
    }
}

enum ConfigCommand {
    static let subcommands = [
        Subcommand(
            "get", 3...3,
            "GET <pattern> -- Return parameters matching the glob-like <pattern> and their values.",
            body: get),
        Subcommand(
            "set", 4...4, "SET <parameter> <value> -- Set parameter to value.", body: set),
        Subcommand("resetstat", 2...2, "RESETSTAT -- Reset statistics reported by INFO.") {
            $0.server.resetStatistics()
            $0.reply.ok()
        },
        Subcommand(
            "rewrite", 2...2, "REWRITE -- Rewrite the configuration file.", body: rewrite),
    ]

    static func run(_ c: Client) {
        if c.server.loading, !c.word(1, is: "get") {
            return c.reply.error("ERR Only CONFIG GET is allowed during loading")
        }
        c.run(subcommands)
    }

    private static func get(_ c: Client) {
        let found = c.server.config.get(c[2])
        c.reply.map(found.count)
        for (name, value) in found {
            c.reply.bulk(name)
            c.reply.bulk(value)
        }
    }

    /// With these a client chooses which file the server writes.
    private static let protected = ["dir", "dbfilename"]

    private static func set(_ c: Client) {
        let name = c[2].string
        if protected.contains(name.lowercased()),
            !c.server.config.enableProtectedConfigs.allows(isLocal: c.isLocal)
        {
            return c.reply.error(
                "ERR Invalid argument '\(c[3].string)' for CONFIG SET '\(name)' - can't set protected config"
            )
        }
        switch c.server.config.set(c[2], c[3], apply: { c.server.applied($0) }) {
        case .changed: c.reply.ok()
        case .refused(let text): c.reply.error(text)
        }
    }

    private static func rewrite(_ c: Client) {
        if let text = c.server.config.rewrite(users: c.server.userLines()) {
            Log.warning("CONFIG REWRITE failed: \(text)")
            return c.reply.error(text)
        }
        Log.warning("CONFIG REWRITE executed with success.")
        c.reply.ok()
    }
}
