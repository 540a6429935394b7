// SPDX-License-Identifier: BSD-3-Clause
//
// What the server knows of scripts: their texts by hash, the interpreter, the script that runs.

import Configuration
import Keyspace
import Memory
import RESP

/// The script that runs now. A class, so that asking it for a flag copies no references.
final class ScriptRun {
    let caller: Client
    let sha: String
    /// Monotonic ms.
    let startedAt: Int64
    /// The clock that the script's commands see stands still.
    let now: Int64
    /// What it changes is replicated, not the script itself.
    var effects: Bool
    /// Where effects go (redis.set_repl).
    var toReplicas = true
    var toAOF = true
    /// A command whose result replicas can't repeat was called; one that writes was called.
    var wasRandom = false
    var hasWritten = false
    /// Memory was over its limit at the start.
    let outOfMemory: Bool
    /// It took longer than lua-time-limit: others are served meanwhile.
    var timedOut = false
    var killed = false
    /// When others were served last, monotonic ms.
    var servedAt: Int64 = 0

    init(
        caller: Client, sha: String, startedAt: Int64, now: Int64, effects: Bool, outOfMemory: Bool
    ) {
        self.caller = caller
        self.sha = sha
        self.startedAt = startedAt
        self.now = now
        self.effects = effects
        self.outOfMemory = outOfMemory
    }
}

final class ScriptingRoom: ScriptHost {
    let server: Server
    /// The client that a script's commands run as.
    let client: Client
    /// The words of the command that the script calls.
    var words = WordList()
    var engine: ScriptEngine?
    private(set) var scripts: [String: [UInt8]] = [:]
    var run: ScriptRun?
    /// Scripts that all replicas have seen, for EVALSHA in the stream, oldest first.
    private var replicated: Set<String> = []
    private var replicatedOrder: [String] = []
    private static let replicatedLimit = 10_000
    /// Scripts of a data set that arrived while one ran: the interpreter has to be at rest.
    var arrived: [[UInt8]] = []
    private let refusal = ByteBuffer()

    init(_ server: Server) {
        self.server = server
        client = server.makeInternalClient()
    }

    // MARK: The cache

    static func sha(_ body: Bytes) -> String { Hash.hex(Hash.sha1(body)) }

    func contains(_ sha: String) -> Bool { scripts[sha] != nil }
    func body(_ sha: String) -> [UInt8]? { scripts[sha] }

    /// Nil when `body` is a script now; else the error's text.
    func define(_ sha: String, _ body: Bytes) -> [UInt8]? {
        if engine == nil { engine = ScriptEngine(self) }
        guard let engine else { return Array("ERR not enough memory for scripts".utf8) }
        switch engine.define("f_" + sha, body) {
        case .none:
            scripts[sha] = body.array
            return nil
        case .compiling:
            return Array("ERR Error compiling script (new function): ".utf8) + engine.output.array
                + [0x0A]
        case .running:
            return Array("ERR Error running script (new function): ".utf8) + engine.output.array + [
                0x0A
            ]
        }
    }

    /// Forgets all scripts and whatever they left in the interpreter.
    func flush() {
        scripts = [:]
        engine = nil
        forgetReplicated()
    }

    // MARK: What replicas know

    func replicasKnow(_ sha: String) -> Bool { replicated.contains(sha) }

    func replicasWillKnow(_ sha: String) {
        if replicated.insert(sha).inserted { replicatedOrder.append(sha) }
        if replicatedOrder.count > Self.replicatedLimit {
            replicated.remove(replicatedOrder.removeFirst())
        }
    }

    func forgetReplicated() {
        replicated = []
        replicatedOrder = []
    }

    var replicatedIsEmpty: Bool { replicated.isEmpty }

    // MARK: What a running script asks

    func refuse(_ text: String) -> ScriptEngine.Outcome {
        refusal.removeAll()
        refusal.append(text: text)
        return .refusal(refusal.bytes)
    }

    func log(level: Int, _ text: Bytes) {
        switch level {
        case 0: Log.debug(text.string)
        case 1: Log.verbose(text.string)
        case 2: Log.notice(text.string)
        default: Log.warning(text.string)
        }
    }

    func replicateEffects() -> Bool {
        guard let run, !run.hasWritten else { return false }
        if !run.effects {
            run.effects = true
            server.beginGroup()
        }
        return true
    }

    func setTargets(_ targets: Int?) -> Bool {
        guard let run, run.effects else { return false }
        if let targets {
            run.toAOF = targets & 1 != 0
            run.toReplicas = targets & 2 != 0
        }
        return true
    }

    /// Called now and then while a script runs. One that takes too long lets others be served.
    func tick() -> Bool {
        guard let run else { return true }
        let now = EventLoop.monotonic
        if !run.timedOut {
            let elapsed = now - run.startedAt
            if elapsed < Int64(server.config.luaTimeLimit) { return false }
            Log.warning(
                "Lua slow script detected: still in execution after \(elapsed) milliseconds. You can try killing the script using the SCRIPT KILL command. Script SHA1 is: \(run.sha)"
            )
            run.timedOut = true
            run.caller.flags.insert(.protected)
            server.refreshGate()
        }
        // Ticks come faster than others need to be served.
        if now == run.servedAt { return false }
        run.servedAt = now
        server.serveWhileBusy()
        if server.isShuttingDown { return true }
        guard run.killed else { return false }
        Log.warning("Lua script killed by user with SCRIPT KILL.")
        return true
    }
}
