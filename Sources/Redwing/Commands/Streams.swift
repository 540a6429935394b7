// SPDX-License-Identifier: BSD-3-Clause
//
// Streams: the family's table, what all its commands share, and those about entries one by one.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func streams() -> [Command] {
        let one = (1, 1, 1)
        return [
            Command(
                "xadd", -5, "write denyoom random fast", keys: one, "stream", since: "5.0.0",
                "Appends an entry to a stream.", Streams.add),
            Command(
                "xtrim", -2, "write random", keys: one, "stream", since: "5.0.0",
                "Removes the oldest entries of a stream.", Streams.trim),
            Command(
                "xdel", -3, "write fast", keys: one, "stream", since: "5.0.0",
                "Removes entries of a stream.", Streams.remove),
            Command(
                "xlen", 2, "readonly fast", keys: one, "stream", since: "5.0.0",
                "Returns the number of entries of a stream.", Streams.length),
            Command(
                "xsetid", -3, "write denyoom fast", keys: one, "stream", since: "5.0.0",
                "Sets the last id of a stream; replicas are told so.", Streams.setID),
            Command(
                "xrange", -4, "readonly", keys: one, "stream", since: "5.0.0",
                "Returns the entries of a stream between two ids."
            ) {
                Streams.range($0, reversed: false)
            },
            Command(
                "xrevrange", -4, "readonly", keys: one, "stream", since: "5.0.0",
                "Returns the entries of a stream between two ids, the newest first."
            ) {
                Streams.range($0, reversed: true)
            },
            Command(
                "xread", -4, "readonly movablekeys", keys: one, "stream blocking",
                keyFinder: Streams.readKeys, since: "5.0.0",
                "Returns entries of streams behind the given ids, or waits for some."
            ) { Streams.read($0, forGroup: false) },
            Command(
                "xreadgroup", -7, "write movablekeys", keys: one, "stream blocking",
                keyFinder: Streams.readKeys, since: "5.0.0",
                "Returns entries of streams to a consumer of a group, or waits for some."
            ) { Streams.read($0, forGroup: true) },
            Command(
                "xgroup", -2, "write denyoom", keys: (2, 2, 1), "stream",
                subcommands: Streams.groupCommands, since: "5.0.0",
                "Manages the consumer groups of a stream."),
            Command(
                "xack", -4, "write random fast", keys: one, "stream", since: "5.0.0",
                "Acknowledges entries that a group's consumers have been given.",
                Streams.acknowledge),
            Command(
                "xpending", -3, "readonly random", keys: one, "stream", since: "5.0.0",
                "Tells which entries a group's consumers have not acknowledged.", Streams.pending),
            Command(
                "xclaim", -6, "write random fast", keys: one, "stream", since: "5.0.0",
                "Gives pending entries to another consumer of the group.", Streams.claim),
            Command(
                "xautoclaim", -6, "write random fast", keys: one, "stream", since: "6.2.0",
                "Gives entries that are pending for long to another consumer of the group.",
                Streams.autoclaim),
            Command(
                "xinfo", -2, "readonly random", keys: (2, 2, 1), "stream",
                subcommands: Streams.infoCommands, since: "5.0.0",
                "Tells of a stream, its groups and their consumers."),
        ]
    }
}

enum Streams {
    // MARK: Shared

    static let badID: StaticString =
        "ERR Invalid stream ID specified as stream command argument"

    /// The argument at `index` as an id, or nil with the error replied. `missing` completes "ms".
    static func id(_ c: Client, _ index: Int, missing: UInt64 = 0) -> StreamID? {
        if let id = StreamID.parse(c[index], missing: missing) { return id }
        c.reply.error(badID)
        return nil
    }

    /// As `id`, with "-" and "+" for the least and the greatest.
    static func looseID(_ c: Client, _ index: Int, missing: UInt64 = 0) -> StreamID? {
        if c[index] == "-" { return .zero }
        if c[index] == "+" { return .max }
        return id(c, index, missing: missing)
    }

    /// An end of an interval: as `looseID`, and "(id" leaves the id itself out.
    static func bound(_ c: Client, _ index: Int, isStart: Bool) -> StreamID? {
        let text = c[index]
        let missing = isStart ? 0 : UInt64.max
        guard text.count > 1, text[0] == UInt8(ascii: "(") else {
            return looseID(c, index, missing: missing)
        }
        guard let id = StreamID.parse(text.dropFirst(1), missing: missing) else {
            c.reply.error(badID)
            return nil
        }
        if let inside = isStart ? id.next : id.previous { return inside }
        c.reply.error(
            isStart
                ? "ERR invalid start ID for the interval" : "ERR invalid end ID for the interval")
        return nil
    }

    /// The stream at the first key for reading; nil when it is missing (`orMissing` replies) or no stream.
    static func stream(
        _ c: Client, key index: Int = 1, write: Bool = false, orMissing: (Client) -> Void
    ) -> StreamValue? {
        guard let entry = write ? c.lookupWrite(c[index]) : c.lookupRead(c[index]) else {
            orMissing(c)
            return nil
        }
        return c.check(entry, is: .stream) ? StreamValue(entry.container) : nil
    }

    /// A change that WATCH and clients who wait don't see: what groups remember.
    static func changedGroup(_ c: Client, _ key: Bytes, _ event: StaticString? = nil) {
        c.server.dirty += 1
        if let event { c.server.notify(key, in: c.database, .stream, event) }
    }

    /// Somebody takes what changes: without a replica or an AOF no words need be made.
    static func noGroup(_ c: Client, _ key: Bytes, _ group: Bytes) {
        c.reply.error("NOGROUP No such key '\(key.string)' or consumer group '\(group.string)'")
    }

    // MARK: Entries

    static func length(_ c: Client) {
        guard let stream = stream(c, orMissing: { $0.reply.integer(0) }) else { return }
        c.reply.integer(stream.length)
    }

    static func remove(_ c: Client) {
        guard let stream = stream(c, write: true, orMissing: { $0.reply.integer(0) }) else {
            return
        }
        // All ids are looked at before the first entry goes.
        for i in 2..<c.count where id(c, i) == nil { return }
        var removed = 0
        for i in 2..<c.count {
            guard let id = StreamID.parse(c[i], missing: 0) else { continue }
            if stream.remove(id, in: c.database.heap) { removed += 1 }
        }
        if removed > 0 { c.changed(c[1], .stream, "xdel", dirty: removed) }
        c.reply.integer(removed)
    }

    /// XSETID key id [ENTRIESADDED n] [MAXDELETEDID id]: the options are what masters of 7.0 send.
    static func setID(_ c: Client) {
        guard let stream = stream(c, write: true, orMissing: { $0.noSuchKey() }) else { return }
        guard let last = id(c, 2) else { return }
        var added = stream.entriesAdded
        var deleted = stream.maxDeletedID
        var i = 3
        while i < c.count {
            if c.word(i, is: "entriesadded"), i + 1 < c.count {
                guard let n = c.integer(i + 1) else { return }
                if n < 0 { return c.reply.error("ERR entries_added must be positive") }
                added = Int(n)
            } else if c.word(i, is: "maxdeletedid"), i + 1 < c.count {
                guard let id = id(c, i + 1) else { return }
                if last < id {
                    return c.reply.error(
                        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
                    )
                }
                deleted = id
            } else {
                return c.syntaxError()
            }
            i += 2
        }
        if stream.length > 0, last < stream.lastEntryID {
            return c.reply.error(
                "ERR The ID specified in XSETID is smaller than the target stream top item")
        }
        stream.lastID = last
        stream.entriesAdded = added
        stream.maxDeletedID = deleted
        c.reply.ok()
        changedGroup(c, c[1], "xsetid")
        if c.count > 3 { c.propagateInstead([Bytes("XSETID"), c[1], c[2]]) }
    }
}

extension String {
    /// The bytes of a word for the stream.
    var array: [UInt8] { Array(utf8) }
}

extension Propagation {
    /// As `instead` and `also`, for words that were made for this.
    mutating func instead(words: [[UInt8]]) {
        replacement = words
        isSpecial = true
    }

    mutating func also(words: [[UInt8]], _ database: Database) {
        extra.append((database.index, words))
        isSpecial = true
    }
}

extension Reply {
    /// An id as a bulk string.
    func id(_ id: StreamID) {
        let place = out.reserve(StreamID.maximumText + 8)
        // The text goes where it would be behind a length of two digits; shorter ones move up.
        let n = id.write(to: place + 5)
        place.store(UInt8(ascii: "$"))
        var at = 1 + Decimal.write(Int64(n), to: place + 1)
        place.store(UInt16(0x0A0D), at: at)
        at += 2
        (place + at).move(from: place + 5, count: n)
        place.store(UInt16(0x0A0D), at: at + n)
        out.commit(at + n + 2)
    }

    func text(_ element: ListpackElement) {
        switch element {
        case .bytes(let bytes): bulk(bytes)
        case .integer(let value): bulk(value)
        }
    }

    /// The entry that a walk stands at: its id, and its fields and values in turn.
    func entry(_ walk: StreamWalk) {
        array(2)
        id(walk.id)
        array(walk.fieldCount * 2)
        walk.forEachField { field, value in
            text(field)
            text(value)
        }
    }
}
