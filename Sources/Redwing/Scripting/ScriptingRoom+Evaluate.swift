// SPDX-License-Identifier: BSD-3-Clause
//
// EVAL and EVALSHA: find the script, run it, and see to what goes into the stream.

import Configuration
import Keyspace
import Memory
import RESP

extension ScriptingRoom {
    private static let noScript: StaticString = "NOSCRIPT No matching script. Please use EVAL."

    func evaluate(_ c: Client, bySHA: Bool) {
        guard let keys = c.integer(2) else { return }
        if keys > Int64(c.count - 3) {
            return c.reply.error("ERR Number of keys can't be greater than number of args")
        }
        if keys < 0 { return c.reply.error("ERR Number of keys can't be negative") }
        // Scripts don't nest: EVAL is refused to scripts and while one is busy.
        if run != nil { return c.reply.error(Server.busyText) }
        let sha: String
        if bySHA {
            sha = c[1].string.lowercased()
            if c[1].count != 40 || !contains(sha) { return c.reply.error(Self.noScript) }
        } else {
            sha = Self.sha(c[1])
            if !contains(sha), let text = define(sha, c[1]) {
                return c.reply.error(bytes: text)
            }
        }
        let dirty = server.dirty
        let wasEffects = runScript(c, sha, keys: Int(keys))
        if wasEffects {
            server.propagation.nothing()
        } else if bySHA, !replicasKnow(sha), let body = body(sha) {
            teach(c, sha, body, changed: server.dirty != dirty)
        }
    }

    /// Replicas that may not know the script get its text once.
    private func teach(_ c: Client, _ sha: String, _ body: [UInt8], changed: Bool) {
        replicasWillKnow(sha)
        Bytes.with(body) { body in
            if changed {
                var words = c.arguments.all
                words[0] = Bytes("EVAL")
                words[1] = body
                server.propagation.instead(words)
            } else {
                server.propagation.instead([Bytes("SCRIPT"), Bytes("LOAD"), body])
            }
        }
    }

    /// Returns whether effects were replicated.
    private func runScript(_ c: Client, _ sha: String, keys: Int) -> Bool {
        guard let engine else { return false }
        let overLimit = server.config.maxmemory > 0 && !server.loading && !server.makeRoom()
        let now = server.now
        run = ScriptRun(
            caller: c, sha: sha, startedAt: EventLoop.monotonic, now: now,
            effects: server.config.luaReplicateCommands, outOfMemory: overLimit)
        client.flags = [.script, .denyBlocking]
        // What our master's scripts do is streamed as its bytes are, and sees what the master sees.
        if c.flags.contains(.master) { client.flags.insert(.master) }
        client.database = c.database
        client.protocolVersion = 2
        if run?.effects == true { server.beginGroup() }
        let done = engine.run(
            "f_" + sha, Array(c.arguments.all[3...]), keys: keys, version: c.reply.version,
            ticks: server.config.luaTimeLimit > 0)
        let effects = run?.effects == true
        if effects { server.endGroup() }
        finish(c)
        if done {
            c.reply.raw(engine.output)
        } else {
            c.reply.error(
                bytes: Array("ERR Error running script (call to f_\(sha)): ".utf8)
                    + engine.output.array + [0x0A])
        }
        engine.dropOutput()
        if !arrived.isEmpty {
            let bodies = arrived
            arrived = []
            server.loadScripts(bodies)
        }
        return effects
    }

    private func finish(_ c: Client) {
        let timedOut = run?.timedOut == true
        run = nil
        client.reply.out.removeAll(keeping: 64 << 10)
        if timedOut {
            c.flags.remove(.protected)
            server.refreshGate()
            server.resume(c)
        }
    }
}

extension Reply {
    /// An error of bytes that need not be text. CR and LF become spaces.
    func error(bytes: [UInt8]) {
        out.append(UInt8(ascii: "-"))
        out.append(bytes.map { $0 == 0x0D || $0 == 0x0A ? 0x20 : $0 })
        out.append("\r\n")
    }
}
