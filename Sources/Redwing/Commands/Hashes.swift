// SPDX-License-Identifier: BSD-3-Clause
//
// Hashes: setting, getting, deleting and counting fields.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func hashes() -> [Command] {
        [
            Command(
                "hset", -4, "write denyoom fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Sets fields of a hash."
            ) {
                Hashes.set($0, isHMSet: false)
            },
            Command(
                "hmset", -4, "write denyoom fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Sets fields of a hash; answers OK."
            ) {
                Hashes.set($0, isHMSet: true)
            },
            Command(
                "hsetnx", 4, "write denyoom fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Sets a field of a hash that doesn't exist.", Hashes.setIfMissing),
            Command(
                "hget", 3, "readonly fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Returns the value of a hash's field.", Hashes.get),
            Command(
                "hmget", -3, "readonly fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Returns the values of several fields of a hash.", Hashes.getMany),
            Command(
                "hincrby", 4, "write denyoom fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Adds an integer to the value of a hash's field.", Hashes.increment),
            Command(
                "hincrbyfloat", 4, "write denyoom fast", keys: (1, 1, 1), "hash", since: "2.6.0",
                "Adds a floating point number to the value of a hash's field.",
                Hashes.incrementByFloat),
            Command(
                "hdel", -3, "write fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Removes fields of a hash.", Hashes.delete),
            Command(
                "hlen", 2, "readonly fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Returns the number of fields of a hash.", Hashes.length),
            Command(
                "hstrlen", 3, "readonly fast", keys: (1, 1, 1), "hash", since: "3.2.0",
                "Returns the length of the value of a hash's field.", Hashes.valueLength),
            Command(
                "hexists", 3, "readonly fast", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Tells whether a hash has a field.", Hashes.exists),
            Command(
                "hkeys", 2, "readonly sort_for_script", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Returns all fields of a hash."
            ) {
                Hashes.all($0, .fields)
            },
            Command(
                "hvals", 2, "readonly sort_for_script", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Returns all values of a hash."
            ) {
                Hashes.all($0, .values)
            },
            Command(
                "hgetall", 2, "readonly random", keys: (1, 1, 1), "hash", since: "2.0.0",
                "Returns all fields and values of a hash."
            ) {
                Hashes.all($0, .both)
            },
            Command(
                "hscan", -3, "readonly random", keys: (1, 1, 1), "hash", since: "2.8.0",
                "Walks over the fields of a hash in steps.", Hashes.scan),
            Command(
                "hrandfield", -2, "readonly random", keys: (1, 1, 1), "hash", since: "6.2.0",
                "Returns random fields of a hash.", Hashes.random),
        ]
    }
}

enum Hashes {
    enum Part { case fields, values, both }

    /// The hash for a reading command; nil when it is missing (`missing` replies then) or no hash.
    @inline(__always)
    static func read(_ c: Client, _ missing: () -> Void) -> HashValue? {
        guard let entry = c.lookupRead(c[1]) else {
            missing()
            return nil
        }
        return c.check(entry, is: .hash) ? HashValue(entry) : nil
    }

    /// The hash to write to, made when it is missing; nil when the key holds something else.
    @inline(__always)
    static func open(_ c: Client) -> HashValue? {
        if let entry = c.lookupWrite(c[1]) {
            return c.check(entry, is: .hash) ? HashValue(entry) : nil
        }
        let container = HashValue.makePacked(in: c.database.heap)
        return HashValue(c.database.insert(c[1], .hashPacked, container: container))
    }

    @inline(__always)
    @discardableResult
    static func set(_ c: Client, _ hash: HashValue, _ field: Bytes, _ value: Bytes) -> Bool {
        hash.set(field, value, limits: c.database.limits, in: c.database.heap)
    }

    /// One string too long among the arguments, even a field's old name, makes it a table at once.
    @inline(__always)
    static func convert(_ c: Client, _ hash: HashValue) {
        guard hash.isPacked else { return }
        let limits = c.database.limits
        for i in 2..<c.count where HashValue.tooLong(c[i].count, limits) {
            return hash.convert(in: c.database.heap)
        }
    }

    static func set(_ c: Client, isHMSet: Bool) {
        if c.count % 2 == 1 { return c.reply.error("ERR wrong number of arguments for HMSET") }
        guard let hash = open(c) else { return }
        convert(c, hash)
        var created = 0
        var i = 2
        while i < c.count {
            if set(c, hash, c[i], c[i + 1]) { created += 1 }
            i += 2
        }
        if isHMSet { c.reply.ok() } else { c.reply.integer(created) }
        c.changed(c[1], .hash, "hset")
    }

    static func setIfMissing(_ c: Client) {
        guard let hash = open(c) else { return }
        convert(c, hash)
        if hash.contains(c[2]) { return c.reply.integer(0) }
        set(c, hash, c[2], c[3])
        c.reply.integer(1)
        c.changed(c[1], .hash, "hset")
    }

    static func get(_ c: Client) {
        guard let hash = read(c, { c.reply.null() }) else { return }
        reply(c, hash.get(c[2]))
    }

    @inline(__always)
    private static func reply(_ c: Client, _ value: ListpackElement?) {
        if let value { c.reply.bulk(value) } else { c.reply.null() }
    }

    static func getMany(_ c: Client) {
        let entry = c.lookupRead(c[1])
        if let entry, !c.check(entry, is: .hash) { return }
        let hash = entry.map { HashValue($0) }
        c.reply.array(c.count - 2)
        for i in 2..<c.count { reply(c, hash?.get(c[i])) }
    }

    static func delete(_ c: Client) {
        guard let entry = c.lookupWrite(c[1]) else { return c.reply.integer(0) }
        guard c.check(entry, is: .hash) else { return }
        let hash = HashValue(entry)
        var deleted = 0
        var emptied = false
        for i in 2..<c.count where hash.remove(c[i], in: c.database.heap) {
            deleted += 1
            emptied = hash.count == 0
            if emptied { break }
        }
        if deleted > 0 { c.changed(c[1], .hash, "hdel", dirty: deleted) }
        if emptied { c.deleteEmptied(c[1]) }
        c.reply.integer(deleted)
    }

    static func length(_ c: Client) {
        guard let hash = read(c, { c.reply.integer(0) }) else { return }
        c.reply.integer(hash.count)
    }

    static func valueLength(_ c: Client) {
        guard let hash = read(c, { c.reply.integer(0) }) else { return }
        c.reply.integer(hash.get(c[2])?.count ?? 0)
    }

    static func exists(_ c: Client) {
        guard let hash = read(c, { c.reply.integer(0) }) else { return }
        c.reply.integer(hash.contains(c[2]))
    }

    static func all(_ c: Client, _ part: Part) {
        let none = { part == .both ? c.reply.map(0) : c.reply.array(0) }
        guard let hash = read(c, none) else { return }
        let reply = c.reply
        switch part {
        case .fields:
            reply.array(hash.count)
            hash.forEach { field, _ in reply.bulk(field) }
        case .values:
            reply.array(hash.count)
            hash.forEach { _, value in reply.bulk(value) }
        case .both:
            reply.map(hash.count)
            hash.forEach {
                reply.bulk($0)
                reply.bulk($1)
            }
        }
    }

    static func scan(_ c: Client) {
        guard let cursor = c.scanCursor(2) else { return }
        guard let hash = read(c, { c.emptyScan() }) else { return }
        guard let options = c.scanOptions(from: 3) else { return }
        let reply = c.reply
        c.scanReply { emit in
            hash.scan(cursor, options.count) { field, value in
                if !field.withBytes({ options.matches($0) }) { return }
                reply.bulk(field)
                reply.bulk(value)
                emit(2)
            }
        }
    }
}
