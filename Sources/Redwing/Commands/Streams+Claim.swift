// SPDX-License-Identifier: BSD-3-Clause
//
// Moving pending entries to another consumer, by their ids or by how long nobody cared for them.
// Replicas get each entry as it became, never the condition.

import Keyspace
import Memory
import RESP

extension Streams {
    /// The options of XCLAIM.
    private struct ClaimOptions {
        var delivered: Int64?
        var deliveries: Int64?
        var force = false
        var justID = false
        var last = StreamID.zero
    }

    static func claim(_ c: Client) {
        guard let stream = stream(c, orMissing: { noGroup($0, $0[1], $0[2]) }) else { return }
        guard let group = stream.group(c[2]) else { return noGroup(c, c[1], c[2]) }
        guard
            let idle = c.integer(4, orError: "ERR Invalid min-idle-time argument for XCLAIM")
        else { return }
        var i = 5
        while i < c.count, StreamID.parse(c[i], missing: 0) != nil { i += 1 }
        let ids = 5..<i
        guard let options = claimOptions(c, from: i) else { return }
        var owesLastID = false
        if group.lastID < options.last {
            group.lastID = options.last
            owesLastID = true
        }
        var delivered = c.server.now
        if let said = options.delivered, said >= 0, said <= delivered { delivered = said }
        let mark = c.reply.openArray()
        var n = 0
        for i in ids {
            guard let id = StreamID.parse(c[i], missing: 0),
                let entry = take(c, stream, group, id, max(0, idle), options, delivered)
            else { continue }
            if options.justID {
                c.reply.id(id)
            } else if !reply(c, stream, id) {
                c.reply.null()
            }
            n += 1
            propagateClaim(c, c[1], group, c[2], id, entry)
            // LASTID of that says it.
            owesLastID = false
            c.server.dirty += 1
        }
        if owesLastID {
            propagateLastID(c, c[1], group, c[2])
            c.server.dirty += 1
        }
        c.reply.closeArray(mark, count: n)
        c.server.propagation.nothing()
    }

    private static func claimOptions(_ c: Client, from start: Int) -> ClaimOptions? {
        var options = ClaimOptions()
        var i = start
        while i < c.count {
            let more = i + 1 < c.count
            if c.word(i, is: "force") {
                options.force = true
            } else if c.word(i, is: "justid") {
                options.justID = true
            } else if c.word(i, is: "idle"), more {
                i += 1
                guard
                    let idle = c.integer(i, orError: "ERR Invalid IDLE option argument for XCLAIM")
                else { return nil }
                options.delivered = c.server.now &- idle
            } else if c.word(i, is: "time"), more {
                i += 1
                guard
                    let time = c.integer(i, orError: "ERR Invalid TIME option argument for XCLAIM")
                else { return nil }
                options.delivered = time
            } else if c.word(i, is: "retrycount"), more {
                i += 1
                guard
                    let n = c.integer(
                        i, orError: "ERR Invalid RETRYCOUNT option argument for XCLAIM")
                else { return nil }
                options.deliveries = n
            } else if c.word(i, is: "lastid"), more {
                i += 1
                guard let last = id(c, i) else { return nil }
                options.last = last
            } else {
                c.reply.error("ERR Unrecognized XCLAIM option '\(c[i].string)'")
                return nil
            }
            i += 1
        }
        return options
    }

    /// Makes the pending entry `id` that of the consumer at argument 3; nil when it may not.
    private static func take(
        _ c: Client, _ stream: StreamValue, _ group: StreamGroup, _ id: StreamID, _ idle: Int64,
        _ options: ClaimOptions, _ delivered: Int64
    ) -> StreamPending? {
        let heap = c.database.heap
        let entry: StreamPending
        if let known = group.find(id) {
            if idle > 0, c.server.now &- known.delivered < idle { return nil }
            group.assign(known, id, to: consumer(c, group, c[3]), in: heap)
            entry = known
        } else {
            // Out of nothing, if the stream has it: how replicas and the AOF come by pending entries.
            guard options.force, stream.contains(id),
                let fresh = group.deliver(
                    id, to: consumer(c, group, c[3]), at: delivered, in: heap)
            else { return nil }
            entry = fresh
        }
        entry.delivered = delivered
        if let deliveries = options.deliveries, deliveries >= 0 {
            entry.deliveries = UInt64(deliveries)
        } else if !options.justID {
            entry.deliveries &+= 1
        }
        return entry
    }

    // MARK: XAUTOCLAIM

    static func autoclaim(_ c: Client) {
        guard
            let idle = c.integer(4, orError: "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
            let from = bound(c, 5, isStart: true)
        else { return }
        var count = 100
        var justID = false
        var i = 6
        while i < c.count {
            if c.word(i, is: "count"), i + 1 < c.count {
                guard let n = Decimal.parse(c[i + 1]), n > 0, n <= Int64.max / 16 else {
                    return c.reply.error("ERR COUNT must be > 0")
                }
                count = Int(n)
                i += 1
            } else if c.word(i, is: "justid") {
                justID = true
            } else {
                return c.syntaxError()
            }
            i += 1
        }
        guard let stream = stream(c, orMissing: { noGroup($0, $0[1], $0[2]) }) else { return }
        guard let group = stream.group(c[2]) else { return noGroup(c, c[1], c[2]) }
        sweep(c, stream, group, from: from, idle: max(0, idle), count: count, justID: justID)
        c.server.propagation.nothing()
    }

    /// Looks at up to ten times `count` pending entries and takes those nobody cared for.
    private static func sweep(
        _ c: Client, _ stream: StreamValue, _ group: StreamGroup, from: StreamID, idle: Int64,
        count: Int, justID: Bool
    ) {
        var place = group.pending.seek(from: from)
        var taken: [StreamID] = []
        var attempts = count * 10
        while let here = place, attempts > 0, taken.count < count {
            attempts -= 1
            place = group.pending.next(here)
            let entry = StreamPending(here.value)
            if c.server.now &- entry.delivered < idle { continue }
            group.assign(entry, here.id, to: consumer(c, group, c[3]), in: c.database.heap)
            entry.delivered = c.server.now
            if !justID { entry.deliveries &+= 1 }
            taken.append(here.id)
            propagateClaim(c, c[1], group, c[2], here.id, entry)
        }
        c.server.dirty += taken.count
        c.reply.array(2)
        c.reply.id(place?.id ?? .zero)
        c.reply.array(taken.count)
        for id in taken {
            if justID {
                c.reply.id(id)
            } else if !reply(c, stream, id) {
                c.reply.null()
            }
        }
    }
}
