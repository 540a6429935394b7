// SPDX-License-Identifier: BSD-3-Clause
//
// Adding to a stream and trimming it. Replicas get what came of it: the id that was chosen, and the
// length that an approximate trim left, so that they trim exactly as far.

import Keyspace
import Memory
import RESP

extension Streams {
    /// What XADD and XTRIM say about trimming.
    struct TrimOptions {
        var goal: StreamValue.Trim?
        var approximate = false
        var limit: Int64?
        var makesStream = true

        /// The words of the goal as replicas get them, `length` being what it left. An id is said by the
        /// length too: every version understands that.
        func words(_ length: Int) -> [[UInt8]] {
            guard let goal else { return [] }
            var most = length
            if case .length(let said) = goal, !approximate { most = said }
            return ["MAXLEN".array, "=".array, "\(most)".array]
        }
    }

    private enum Parsed {
        case option
        case other
        case failed
    }

    /// Reads the option at `i`, if it is one, and moves `i` behind it.
    private static func parse(_ c: Client, _ i: inout Int, _ options: inout TrimOptions) -> Parsed {
        let more = c.count - 1 - i
        let isLength = c.word(i, is: "maxlen")
        if more > 0, isLength || c.word(i, is: "minid") {
            if options.goal != nil {
                c.reply.error(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
                )
                return .failed
            }
            if more >= 2, c[i + 1] == "~" || c[i + 1] == "=" {
                options.approximate = c[i + 1] == "~"
                i += 1
            }
            if isLength {
                guard let most = c.integer(i + 1) else { return .failed }
                if most < 0 {
                    c.reply.error("ERR The MAXLEN argument must be >= 0.")
                    return .failed
                }
                options.goal = .length(Int(most))
            } else {
                guard let least = id(c, i + 1) else { return .failed }
                options.goal = .from(least)
            }
            i += 2
            return .option
        }
        if more > 0, c.word(i, is: "limit") {
            guard let limit = c.integer(i + 1) else { return .failed }
            if limit < 0 {
                c.reply.error("ERR The LIMIT argument must be >= 0.")
                return .failed
            }
            options.limit = limit
            i += 2
            return .option
        }
        return .other
    }

    /// LIMIT stands with "~" only; a master's word is taken, for it has rewritten "~" to "=".
    private static func check(_ c: Client, _ options: inout TrimOptions) -> Bool {
        guard let limit = options.limit else { return true }
        if options.goal == nil, limit > 0 {
            c.reply.error(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
            return false
        }
        if c.flags.contains(.master) || c.flags.contains(.script) && !options.approximate {
            options.limit = nil
        } else if !options.approximate {
            c.reply.error("ERR syntax error, LIMIT cannot be used without the special ~ option")
            return false
        }
        return true
    }

    /// The id that XADD was told: all of it, its time only, or nothing.
    private enum Wanted {
        case generated
        case partial(UInt64)
        case given(StreamID)
    }

    static func add(_ c: Client) {
        var options = TrimOptions()
        var wanted = Wanted.generated
        var i = 2
        while i < c.count {
            if c[i] == "*" { break }
            switch parse(c, &i, &options) {
            case .option: continue
            case .failed: return
            case .other: break
            }
            if c.word(i, is: "nomkstream") {
                options.makesStream = false
                i += 1
                continue
            }
            if let ms = StreamID.parsePartial(c[i]) {
                wanted = .partial(ms)
            } else {
                guard let id = id(c, i) else { return }
                wanted = .given(id)
            }
            break
        }
        let fields = i + 1
        if !check(c, &options) { return }
        if c.count - fields < 2 || (c.count - fields) % 2 == 1 {
            return c.reply.error("ERR wrong number of arguments for XADD")
        }
        if case .given(let id) = wanted, id == .zero {
            return c.reply.error("ERR The ID specified in XADD must be greater than 0-0")
        }
        add(c, wanted, options, idAt: i)
    }

    private static func add(_ c: Client, _ wanted: Wanted, _ options: TrimOptions, idAt: Int) {
        let found = c.lookupWrite(c[1])
        if let found, !c.check(found, is: .stream) { return }
        if found == nil, !options.makesStream { return c.reply.null() }
        let last = found.map { StreamValue($0.container).lastID } ?? .zero
        guard let id = choose(c, wanted, last) else { return }
        var bytes = 0
        for i in (idAt + 1)..<c.count { bytes += c[i].count }
        if bytes > StreamValue.largestNode {
            return c.reply.error("ERR Elements are too large to be stored")
        }
        let heap = c.database.heap
        let entry =
            found
            ?? c.database.insert(c[1], .stream, container: StreamValue.make(in: heap).address)
        let stream = StreamValue(entry.container)
        stream.append(id, words: c.count - idAt - 1, limits: c.database.limits, in: heap) {
            c[idAt + 1 + $0]
        }
        c.reply.id(id)
        c.changed(c[1], .stream, "xadd")
        if let goal = options.goal, trim(c, stream, goal, options) > 0 {
            c.server.notify(c[1], in: c.database, .stream, "xtrim")
        }
        if case .given = wanted, idAt == 2 { return }
        if !c.isPropagated { return }
        var words = ["XADD".array, c[1].array] + options.words(stream.length)
        words.append(id.array)
        for i in (idAt + 1)..<c.count { words.append(c[i].array) }
        c.server.propagation.instead(words: words)
    }

    /// The id of an entry to come behind `last`, or nil with the error replied.
    private static func choose(_ c: Client, _ wanted: Wanted, _ last: StreamID) -> StreamID? {
        if last == .max {
            c.reply.error(
                "ERR The stream has exhausted the last possible ID, unable to add more items")
            return nil
        }
        let id: StreamID?
        switch wanted {
        case .generated: id = StreamID.generated(now: c.server.now, after: last)
        case .given(let given): id = given
        case .partial(let ms):
            id = ms != last.ms ? StreamID(ms, 0) : last.seq < UInt64.max ? last.next : nil
        }
        if let id, last < id { return id }
        c.reply.error(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item")
        return nil
    }

    // MARK: Trimming

    private static func trim(
        _ c: Client, _ stream: StreamValue, _ goal: StreamValue.Trim, _ options: TrimOptions
    ) -> Int {
        stream.trim(
            goal, approximate: options.approximate, limit: Int(options.limit ?? 0),
            in: c.database.heap)
    }

    static func trim(_ c: Client) {
        guard let stream = stream(c, write: true, orMissing: { $0.reply.integer(0) }) else {
            return
        }
        var options = TrimOptions()
        var i = 2
        while i < c.count {
            switch parse(c, &i, &options) {
            case .option: continue
            case .failed: return
            case .other: return c.syntaxError()
            }
        }
        if !check(c, &options) { return }
        guard let goal = options.goal else {
            return c.reply.error("ERR XTRIM called without an option to trim the stream")
        }
        let removed = trim(c, stream, goal, options)
        if removed > 0 {
            c.changed(c[1], .stream, "xtrim", dirty: removed)
            c.server.propagation.instead(
                words: ["XTRIM".array, c[1].array] + options.words(stream.length))
        }
        c.reply.integer(removed)
    }
}
