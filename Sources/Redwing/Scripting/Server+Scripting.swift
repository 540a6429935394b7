// SPDX-License-Identifier: BSD-3-Clause
//
// What the rest of the server asks of scripting.

import Configuration
import Keyspace
import Memory

extension Server {
    /// The room is made with the first script: a server without scripts pays nothing.
    var scripting: ScriptingRoom {
        if let room = rooms.scripting { return room }
        let room = ScriptingRoom(self)
        rooms.scripting = room
        return room
    }

    static let busyText: StaticString =
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."

    /// A script runs beyond its time limit.
    var isBusy: Bool { rooms.scripting?.run?.timedOut == true }

    /// Most must wait for a busy script's end. Who builds a transaction may go on, so that a pipeline
    /// isn't cut into a part that was refused and one that runs.
    func busyRefusal(_ client: Client, _ command: Command) -> String? {
        guard isBusy else { return nil }
        if command.flags.contains(.busy) { return nil }
        switch command.name {
        case "shutdown"
        where client.count == 2 && client[1].count > 0 && client[1][0] | 0x20 == 0x6E:
            return nil
        case "script" where client.count == 2 && client[1].count > 0 && client[1][0] | 0x20 == 0x6B:
            return nil
        default: return "\(Self.busyText)"
        }
    }

    /// Descriptors, but no timers: nothing may fork, expire or save in the middle of a script.
    func serveWhileBusy() {
        loop.turn(limit: 0, timers: false, after: { readClocks() })
        flushAOFBeforeWriting()
        flushReplies()
        freePending()
        loop.busy = true
    }

    /// Where the commands of `client`, the script's, may go now.
    func scriptTargets(_ client: Client) -> (replicas: Bool, aof: Bool) {
        guard let room = rooms.scripting, room.client === client, let run = room.run else {
            return (true, true)
        }
        return run.effects ? (run.toReplicas, run.toAOF) : (false, false)
    }

    // MARK: Replication and persistence

    /// The scripts that replicas know by their hashes: they travel with a snapshot.
    func replicatedScripts() -> [[UInt8]] {
        guard let scripts = rooms.scripting?.scripts else { return [] }
        return Array(scripts.values)
    }

    /// A full sync or an AOF rewrite begins: who receives it knows no script by its hash, beyond
    /// those in the snapshot.
    func flushScriptCacheForReplication() { rooms.scripting?.forgetReplicated() }

    /// Scripts out of a snapshot.
    func loadScripts(_ bodies: [[UInt8]]) {
        if bodies.isEmpty { return }
        if scripting.run != nil { return scripting.arrived.append(contentsOf: bodies) }
        for body in bodies {
            Bytes.with(body) { body in
                let sha = ScriptingRoom.sha(body)
                if !scripting.contains(sha), scripting.define(sha, body) != nil {
                    Log.warning("Can't load Lua script from RDB file! BODY: \(body.string)")
                }
            }
        }
    }

    // MARK: INFO

    /// Bytes of cached scripts, and of the interpreter.
    var scriptMemory: (scripts: Int, interpreter: Int) {
        guard let room = rooms.scripting else { return (0, 0) }
        let texts = room.scripts.values.reduce(0) { $0 + $1.count + Self.scriptOverhead }
        return (texts, room.engine?.memory ?? 0)
    }
    /// About what the cache needs beside a script's text: its hash and a place in the table.
    private static let scriptOverhead = 128
    var cachedScriptCount: Int { rooms.scripting?.scripts.count ?? 0 }
}
