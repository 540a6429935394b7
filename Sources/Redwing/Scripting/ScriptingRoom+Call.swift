// SPDX-License-Identifier: BSD-3-Clause
//
// redis.call: one command of a script, with the checks that dispatch makes for others.

import Configuration
import Keyspace
import Memory
import RESP

extension ScriptingRoom {
    func perform() -> ScriptEngine.Outcome {
        guard let run else { return refuse("No script runs") }
        let server = self.server
        let client = self.client
        guard let command = server.commands.find(client[0]) else {
            return refuse("Unknown Redis command called from Lua script")
        }
        if !command.accepts(client.count) {
            return refuse("Wrong number of args calling Redis command From Lua script")
        }
        if command.flags.contains(.noscript) {
            return refuse("This Redis command is not allowed from scripts")
        }
        if server.gateClosed {
            if let text = accessRefusal(run, command) { return refuse(text) }
            if command.flags.contains(.write), let text = writeRefusal(run) { return refuse(text) }
        }
        if run.wasRandom, !run.effects, command.flags.contains(.write) {
            return refuse(Self.tooLate)
        }
        if run.outOfMemory, !run.hasWritten, !server.isReplica, !server.loading,
            command.flags.contains(.denyoom)
        {
            return refuse("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
        }
        if command.flags.contains(.random) { run.wasRandom = true }
        if command.flags.contains(.write) { run.hasWritten = true }

        client.reply.out.removeAll(keeping: 1 << 20)
        client.command = command
        server.heldNow = run.now
        server.call(client, command)
        server.heldNow = nil
        if run.caller.flags.contains(.tracking), command.flags.contains(.readonly),
            let outer = run.caller.command
        {
            server.trackKeys(run.caller, outer)
        }
        let sort = !run.effects && command.flags.contains(.sortForScript)
        return .reply(client.reply.out.bytes, sort: sort)
    }

    private static let tooLate =
        "Write commands not allowed after non deterministic commands. Call redis.replicate_commands() at the start of your script in order to switch to single commands replication mode."

    private func accessRefusal(_ run: ScriptRun, _ command: Command) -> String? {
        guard server.hasAccessRules, let text = server.accessRefusal(client, command) else {
            return nil
        }
        return text.contains("keys")
            ? "The user executing the script can't access at least one of the keys mentioned in the command arguments"
            : "The user executing the script can't run this command or subcommand"
    }

    /// The texts are whole replies, as Redis puts them into its message.
    private func writeRefusal(_ run: ScriptRun) -> String? {
        if run.caller.flags.contains(.master) || server.loading { return nil }
        if server.isReadOnlyReplica {
            return "-READONLY You can't write against a read only replica.\r\n"
        }
        if let text = server.diskRefusal() { return "-\(text)\r\n" }
        if let text = server.replicaCountRefusal() { return "-\(text)\r\n" }
        return nil
    }
}
