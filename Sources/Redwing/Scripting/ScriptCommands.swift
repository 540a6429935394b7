// SPDX-License-Identifier: BSD-3-Clause
//
// EVAL, EVALSHA, SCRIPT.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func scripting() -> [Command] {
        [
            Command(
                "eval", -3, "noscript movablekeys may_replicate", "scripting",
                keyFinder: Scripts.keys, since: "2.6.0",
                "Runs a Lua script.", Scripts.eval),
            Command(
                "evalsha", -3, "noscript movablekeys may_replicate", "scripting",
                keyFinder: Scripts.keys, since: "2.6.0",
                "Runs a Lua script that the server knows, by its hash.", Scripts.evalSHA),
            Command(
                "script", -2, "noscript may_replicate", "scripting",
                subcommands: Scripts.subcommands, since: "2.6.0",
                "Manages the scripts that the server knows."),
        ]
    }
}

enum Scripts {
    static func eval(_ c: Client) { c.server.scripting.evaluate(c, bySHA: false) }
    static func evalSHA(_ c: Client) { c.server.scripting.evaluate(c, bySHA: true) }

    /// EVAL text numkeys key …
    static func keys(_ words: Arguments) -> [Int] {
        guard words.count > 3, let count = Decimal.parse(words[2]), count > 0,
            count <= Int64(words.count - 3)
        else { return [] }
        return Array(3..<3 + Int(count))
    }

    static let subcommands = [
        Subcommand("debug", 3...3) {
            $0.reply.error("ERR SCRIPT DEBUG is not supported: this server has no Lua debugger")
        },
        Subcommand(
            "exists", 2...,
            "EXISTS <sha1> [<sha1> ...] -- Return information about the existence of the scripts in the script cache.",
            body: exists),
        Subcommand(
            "flush", 2...3,
            "FLUSH [ASYNC|SYNC] -- Flush the Lua scripts cache. Very dangerous on replicas.",
            body: flush),
        Subcommand("kill", 2...2, "KILL -- Kill the currently executing Lua script.", body: kill),
        Subcommand(
            "load", 3...3,
            "LOAD <script> -- Load a script into the scripts cache, without executing it.",
            body: load),
    ]

    private static func load(_ c: Client) {
        let room = c.server.scripting
        let sha = ScriptingRoom.sha(c[2])
        if !room.contains(sha), let text = room.define(sha, c[2]) {
            return c.reply.error(bytes: text)
        }
        c.reply.bulk(sha)
        c.server.propagation.force()
    }

    private static func exists(_ c: Client) {
        c.reply.array(c.count - 2)
        for i in 2..<max(2, c.count) {
            c.reply.integer(c.server.scripting.contains(c[i].string.lowercased()))
        }
    }

    private static func flush(_ c: Client) {
        if c.count == 3, !c.word(2, is: "async"), !c.word(2, is: "sync") {
            return c.reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
        }
        c.server.scripting.flush()
        c.server.dirty += 1
        // The option came with 6.2.
        c.propagateInstead([Bytes("SCRIPT"), Bytes("FLUSH")])
        c.reply.ok()
    }

    private static func kill(_ c: Client) {
        let room = c.server.scripting
        guard let run = room.run else {
            return c.reply.error("NOTBUSY No scripts in execution right now.")
        }
        if run.caller.flags.contains(.master) {
            return c.reply.error(
                "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed."
            )
        }
        if run.hasWritten {
            return c.reply.error(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
            )
        }
        room.run?.killed = true
        c.reply.ok()
    }
}
