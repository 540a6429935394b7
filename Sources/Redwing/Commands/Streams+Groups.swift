// SPDX-License-Identifier: BSD-3-Clause
//
// Consumer groups: making and ending them, acknowledging, looking at what is pending, and moving
// pending entries from one consumer to another.

import Keyspace
import Memory
import RESP

extension Streams {
    static let groupCommands = [
        Subcommand(
            "create", 5...,
            "CREATE      <key> <groupname> <id or $> [opt] -- Create a new consumer group.",
            "            option MKSTREAM: create the empty stream if it does not exist.",
            body: create),
        Subcommand(
            "setid", 5...,
            "SETID       <key> <groupname> <id or $>  -- Set the current group ID.",
            body: setGroupID),
        Subcommand(
            "destroy", 4...4,
            "DESTROY     <key> <groupname>            -- Remove the specified group.", body: destroy
        ),
        Subcommand(
            "createconsumer", 5...5,
            "CREATECONSUMER <key> <groupname> <consumer> -- Create a new consumer in the specified group.",
            body: createConsumer),
        Subcommand(
            "delconsumer", 5...5,
            "DELCONSUMER <key> <groupname> <consumer> -- Remove the specified consumer.",
            body: deleteConsumer),
        .help("HELP                                     -- Prints this help."),
    ]

    /// The stream that a subcommand is about, nil with the reply given when there is none.
    private static func grouped(_ c: Client) -> StreamValue? {
        stream(c, key: 2, write: true) {
            $0.reply.error(
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
            )
        }
    }

    private static func namedGroup(_ c: Client) -> StreamGroup? {
        guard let stream = grouped(c) else { return nil }
        if let group = stream.group(c[3]) { return group }
        noSuchGroup(c, c[2], c[3])
        return nil
    }

    private static func noSuchGroup(_ c: Client, _ key: Bytes, _ group: Bytes) {
        c.reply.error(
            "NOGROUP No such consumer group '\(group.string)' for key name '\(key.string)'")
    }

    /// MKSTREAM of CREATE, and ENTRIESREAD, which masters of 7.0 send and which says nothing here.
    private static func groupOptions(_ c: Client) -> (makesStream: Bool, areFine: Bool) {
        var makesStream = false
        var i = 5
        while i < c.count {
            if c.word(i, is: "mkstream"), c.word(1, is: "create") {
                makesStream = true
                i += 1
            } else if c.word(i, is: "entriesread"), i + 1 < c.count, Decimal.parse(c[i + 1]) != nil
            {
                i += 2
            } else {
                return (false, false)
            }
        }
        return (makesStream, true)
    }

    private static func create(_ c: Client) {
        let (makesStream, areFine) = groupOptions(c)
        if !areFine { return c.unknownSubcommand() }
        var found: StreamValue?
        if !makesStream || c.lookupWrite(c[2]) != nil {
            guard let stream = grouped(c) else { return }
            found = stream
        }
        let last: StreamID
        if c[4] == "$" {
            last = found?.lastID ?? .zero
        } else {
            guard let id = id(c, 4) else { return }
            last = id
        }
        let heap = c.database.heap
        let stream = found ?? StreamValue.make(in: heap)
        if found == nil {
            c.database.insert(c[2], .stream, container: stream.address)
            c.server.touched(c[2], in: c.database, by: c)
        }
        guard stream.addGroup(c[3], last: last, in: heap) != nil else {
            return c.reply.error("BUSYGROUP Consumer Group name already exists")
        }
        c.reply.ok()
        changedGroup(c, c[2], "xgroup-create")
        if c.count > 6 || c.count == 6 && !c.word(5, is: "mkstream") {
            let words = [Bytes("XGROUP"), Bytes("CREATE"), c[2], c[3], c[4]]
            c.propagateInstead(found == nil ? words + [Bytes("MKSTREAM")] : words)
        }
    }

    private static func setGroupID(_ c: Client) {
        if !groupOptions(c).areFine { return c.unknownSubcommand() }
        guard let stream = grouped(c) else { return }
        guard let group = stream.group(c[3]) else { return noSuchGroup(c, c[2], c[3]) }
        if c[4] == "$" {
            group.lastID = stream.lastID
        } else {
            guard let id = looseID(c, 4) else { return }
            group.lastID = id
        }
        c.reply.ok()
        changedGroup(c, c[2], "xgroup-setid")
        if c.count > 5 {
            c.propagateInstead([Bytes("XGROUP"), Bytes("SETID"), c[2], c[3], c[4]])
        }
    }

    private static func destroy(_ c: Client) {
        guard let stream = grouped(c) else { return }
        guard stream.removeGroup(c[3], in: c.database.heap) else { return c.reply.integer(0) }
        c.reply.integer(1)
        changedGroup(c, c[2], "xgroup-destroy")
        // Those who wait as its consumers are told that it is gone.
        c.server.blocking.signal(c[2], c.database.index)
    }

    private static func deleteConsumer(_ c: Client) {
        guard let group = namedGroup(c) else { return }
        c.reply.integer(group.removeConsumer(c[4], in: c.database.heap))
        changedGroup(c, c[2], "xgroup-delconsumer")
    }

    private static func createConsumer(_ c: Client) {
        guard let group = namedGroup(c) else { return }
        if group.consumer(c[4]) != nil { return c.reply.integer(0) }
        group.addConsumer(c[4], seen: c.server.now, in: c.database.heap)
        c.reply.integer(1)
        changedGroup(c, c[2], "xgroup-createconsumer")
        c.propagateNothing()
        propagateConsumer(c, c[2], c[3], c[4])
    }

    static func acknowledge(_ c: Client) {
        guard let stream = stream(c, orMissing: { $0.reply.integer(0) }) else { return }
        guard let group = stream.group(c[2]) else { return c.reply.integer(0) }
        // All or nothing: an id that isn't one stops it before the first is acknowledged.
        for i in 3..<c.count where id(c, i) == nil { return }
        var n = 0
        for i in 3..<c.count {
            guard let id = StreamID.parse(c[i], missing: 0) else { continue }
            if group.acknowledge(id, in: c.database.heap) { n += 1 }
        }
        c.server.dirty += n
        c.reply.integer(n)
    }

    // MARK: XPENDING

    /// What the long form of XPENDING asks for.
    private struct PendingRange {
        var from = StreamID.zero
        var to = StreamID.max
        var count = 0
        var idle: Int64 = 0
        /// The consumer's argument, 0 for all consumers.
        var consumer = 0
    }

    static func pending(_ c: Client) {
        if c.count != 3, c.count < 6 || c.count > 9 { return c.syntaxError() }
        var range: PendingRange?
        if c.count >= 6 {
            range = pendingRange(c)
            if range == nil { return }
        }
        guard let stream = stream(c, orMissing: { noGroup($0, $0[1], $0[2]) }) else { return }
        guard let group = stream.group(c[2]) else { return noGroup(c, c[1], c[2]) }
        if let range { list(c, group, range) } else { summarize(c, group) }
    }

    private static func pendingRange(_ c: Client) -> PendingRange? {
        var range = PendingRange()
        var i = 3
        if c.word(3, is: "idle") {
            guard let idle = c.integer(4) else { return nil }
            range.idle = idle
            i = 5
        }
        // 7.0 takes IDLE with a range only, and 6.0 nothing behind the consumer.
        guard c.count - i == 3 || c.count - i == 4 else {
            c.syntaxError()
            return nil
        }
        guard let count = c.integer(i + 2), let from = bound(c, i, isStart: true),
            let to = bound(c, i + 1, isStart: false)
        else { return nil }
        range.count = Int(max(0, count))
        range.from = from
        range.to = to
        if c.count - i == 4 { range.consumer = i + 3 }
        return range
    }

    private static func summarize(_ c: Client, _ group: StreamGroup) {
        let pending = group.pending
        c.reply.array(4)
        c.reply.integer(pending.count)
        guard let first = pending.first, let last = pending.last else {
            c.reply.null()
            c.reply.null()
            return c.reply.nullArray()
        }
        c.reply.id(first.id)
        c.reply.id(last.id)
        let mark = c.reply.openArray()
        var n = 0
        for i in 0..<group.consumerCount {
            let consumer = group.consumer(at: i)
            if consumer.pending.isEmpty { continue }
            c.reply.array(2)
            c.reply.bulk(consumer.name)
            c.reply.bulk(Int64(consumer.pending.count))
            n += 1
        }
        c.reply.closeArray(mark, count: n)
    }

    private static func list(_ c: Client, _ group: StreamGroup, _ range: PendingRange) {
        var pending = group.pending
        if range.consumer > 0 {
            guard let consumer = group.consumer(c[range.consumer]) else { return c.reply.array(0) }
            pending = consumer.pending
        }
        let mark = c.reply.openArray()
        var n = 0
        var place = pending.seek(from: range.from)
        while n < range.count, let here = place, !(range.to < here.id) {
            place = pending.next(here)
            let entry = StreamPending(here.value)
            let idle = max(0, c.server.now &- entry.delivered)
            if idle < range.idle { continue }
            c.reply.array(4)
            c.reply.id(here.id)
            c.reply.bulk(entry.consumer.name)
            c.reply.integer(idle)
            c.reply.integer(Int64(bitPattern: entry.deliveries))
            n += 1
        }
        c.reply.closeArray(mark, count: n)
    }
}
