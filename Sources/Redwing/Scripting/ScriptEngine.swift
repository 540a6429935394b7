// SPDX-License-Identifier: BSD-3-Clause
//
// The interpreter behind a safe type. All that can raise a Lua error is C (see redwing_lua.h): an
// error leaves by longjmp, which must not cross a Swift frame. The functions at the bottom are what
// C calls; they look at bytes, ask the host and return.

import CLua
import Memory
import RESP

/// What the interpreter asks of the server while a script runs.
protocol ScriptHost: AnyObject {
    /// Where the words of redis.call go.
    var client: Client { get }
    /// Runs the command in `client.arguments`.
    func perform() -> ScriptEngine.Outcome
    /// True when the script has to end.
    func tick() -> Bool
    func log(level: Int, _ text: Bytes)
    func replicateEffects() -> Bool
    /// Nil only asks. False when it may not be called.
    func setTargets(_ targets: Int?) -> Bool
}

@safe
final class ScriptEngine {
    enum Outcome {
        case reply(Bytes, sort: Bool)
        case refusal(Bytes)
    }
    enum Failure {
        case none, compiling, running
    }

    private let engine: OpaquePointer

    /// `host` must outlive the engine: the interpreter holds its address, not a reference.
    init?(_ host: ScriptingRoom) {
        var functions = unsafe redwing_lua_host()
        unsafe functions.context = Unmanaged.passUnretained(host).toOpaque()
        unsafe functions.call = hostCall
        unsafe functions.tick = hostTick
        unsafe functions.log = hostLog
        unsafe functions.sha1 = hostSHA1
        unsafe functions.replicate_commands = hostReplicateCommands
        unsafe functions.set_repl = hostSetRepl
        unsafe functions.set_resp = hostSetResp
        guard let made = unsafe redwing_lua_create(&functions) else { return nil }
        unsafe engine = made
    }

    deinit { unsafe redwing_lua_free(engine) }

    /// The text or reply that the last call left; good until the next.
    var output: Bytes {
        let word = unsafe redwing_lua_output(engine)
        return unsafe Bytes(UnsafeRawBufferPointer(start: word.start, count: word.count))
    }

    /// Gives back the memory of a long output, which isn't needed any more.
    func dropOutput() { unsafe redwing_lua_drop_output(engine) }

    /// Bytes that Lua holds.
    var memory: Int { unsafe redwing_lua_memory(engine) }

    /// Makes `body` the function `name`; the reason of a failure is in `output`.
    func define(_ name: String, _ body: Bytes) -> Failure {
        let start = unsafe body.buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
        switch unsafe redwing_lua_define(engine, name, start, body.count) {
        case 0: return .none
        case 1: return .compiling
        default: return .running
        }
    }

    /// Runs `name`; false when it failed. `output` is the reply in RESP, or the error's text.
    func run(_ name: String, _ words: [Bytes], keys: Int, version: Int, ticks: Bool) -> Bool {
        let places = unsafe words.map { word in
            unsafe redwing_lua_word(
                start: word.buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                count: word.count)
        }
        return unsafe places.withUnsafeBufferPointer { places in
            unsafe redwing_lua_run(
                engine, name, places.baseAddress, keys, words.count - keys, Int32(version),
                ticks ? 1 : 0)
        } == 0
    }
}

// MARK: What C calls

private func host(_ context: UnsafeMutableRawPointer?) -> ScriptingRoom? {
    guard let context = unsafe context else { return nil }
    return unsafe Unmanaged<ScriptingRoom>.fromOpaque(context).takeUnretainedValue()
}

private func bytes(_ start: UnsafePointer<CChar>?, _ count: Int) -> Bytes {
    unsafe Bytes(UnsafeRawBufferPointer(start: start, count: count))
}

private func hostCall(
    _ context: UnsafeMutableRawPointer?, _ words: UnsafePointer<redwing_lua_word>?, _ count: Int,
    _ reply: UnsafeMutablePointer<redwing_lua_word>?, _ sort: UnsafeMutablePointer<Int32>?
) -> Int32 {
    guard let room = unsafe host(context) else { return 1 }
    let client = room.client
    room.words.removeAll()
    let places = unsafe UnsafeBufferPointer(start: words, count: count)
    for i in 0..<count {
        let place = unsafe places[i]
        room.words.append(unsafe bytes(place.start, place.count))
    }
    client.arguments = room.words.arguments
    let text: Bytes
    var code: Int32 = 0
    switch room.perform() {
    case .reply(let bytes, let sorted):
        text = bytes
        unsafe sort?.pointee = sorted ? 1 : 0
    case .refusal(let bytes):
        text = bytes
        code = 1
    }
    client.arguments = .none
    unsafe reply?.pointee = unsafe redwing_lua_word(
        start: text.buffer.baseAddress?.assumingMemoryBound(to: CChar.self), count: text.count)
    return code
}

private func hostTick(_ context: UnsafeMutableRawPointer?) -> Int32 {
    (unsafe host(context))?.tick() == true ? 1 : 0
}

private func hostLog(
    _ context: UnsafeMutableRawPointer?, _ level: Int32, _ text: UnsafePointer<CChar>?, _ count: Int
) {
    (unsafe host(context))?.log(level: Int(level), unsafe bytes(text, count))
}

private func hostSHA1(
    _ context: UnsafeMutableRawPointer?, _ text: UnsafePointer<CChar>?, _ count: Int,
    _ digits: UnsafeMutablePointer<CChar>?
) {
    guard let digits = unsafe digits else { return }
    let place = unsafe Address(UnsafeRawPointer(digits))
    Bytes.with(Hash.hex(Hash.sha1(unsafe bytes(text, count)))) { place.copy(from: $0) }
}

private func hostReplicateCommands(_ context: UnsafeMutableRawPointer?) -> Int32 {
    (unsafe host(context))?.replicateEffects() == true ? 1 : 0
}

private func hostSetRepl(_ context: UnsafeMutableRawPointer?, _ targets: Int32) -> Int32 {
    (unsafe host(context))?.setTargets(targets < 0 ? nil : Int(targets)) == true ? 0 : 1
}

private func hostSetResp(_ context: UnsafeMutableRawPointer?, _ version: Int32) {
    (unsafe host(context))?.client.protocolVersion = Int(version)
}
