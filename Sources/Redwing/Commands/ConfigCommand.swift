// SPDX-License-Identifier: BSD-3-Clause
//
// CONFIG.

import Configuration
import Memory
import RESP

extension CommandTable {
    static func configuration() -> [Command] {
        [Command("config", -2, "admin noscript loading stale", "", ConfigCommand.run)]
    }
}

enum ConfigCommand {
    static func run(_ c: Client) {
        if c.server.loading, !c.word(1, is: "get") {
            return c.reply.error("ERR Only CONFIG GET is allowed during loading")
        }
        if c.asksForHelp {
            c.help([
                "GET <pattern> -- Return parameters matching the glob-like <pattern> and their values.",
                "SET <parameter> <value> -- Set parameter to value.",
                "RESETSTAT -- Reset statistics reported by INFO.",
                "REWRITE -- Rewrite the configuration file.",
            ])
        } else if c.word(1, is: "get"), c.count == 3 {
            get(c)
        } else if c.word(1, is: "set"), c.count == 4 {
            set(c)
        } else if c.word(1, is: "resetstat"), c.count == 2 {
            c.server.resetStatistics()
            c.reply.ok()
        } else if c.word(1, is: "rewrite"), c.count == 2 {
            rewrite(c)
        } else {
            c.unknownSubcommand()
        }
    }

    private static func get(_ c: Client) {
        let found = c.server.config.get(c[2])
        c.reply.map(found.count)
        for (name, value) in found {
            c.reply.bulk(name)
            c.reply.bulk(value)
        }
    }

    private static func set(_ c: Client) {
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
