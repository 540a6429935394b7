// SPDX-License-Identifier: BSD-3-Clause
//
// Keys, whatever they hold: removing, naming, moving, looking at them. Expiry and SCAN are in files of
// their own.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func keys() -> [Command] {
        let one = (1, 1, 1)
        return [
            Command(
                "del", -2, "write", keys: (1, -1, 1), "keyspace", since: "1.0.0",
                "Deletes keys."
            ) {
                Keys.delete($0, lazily: $0.server.config.lazyfreeLazyUserDel)
            },
            Command(
                "unlink", -2, "write fast", keys: (1, -1, 1), "keyspace", since: "4.0.0",
                "Deletes keys; big values are freed in the background."
            ) {
                Keys.delete($0, lazily: true)
            },
            Command(
                "exists", -2, "readonly fast", keys: (1, -1, 1), "keyspace", since: "1.0.0",
                "Counts which of the given keys exist.", Keys.exists),
            Command(
                "touch", -2, "readonly fast", keys: (1, -1, 1), "keyspace", since: "3.2.1",
                "Counts which of the given keys exist and marks them as used now.", Keys.touch),
            Command(
                "type", 2, "readonly fast", keys: one, "keyspace", since: "1.0.0",
                "Returns the type of a key's value.", Keys.type),
            Command(
                "keys", 2, "readonly sort_for_script", "keyspace dangerous", since: "1.0.0",
                "Returns all keys that match a pattern.", KeyScan.keys),
            Command(
                "scan", -2, "readonly random", "keyspace", since: "2.8.0",
                "Walks over the keys in steps.", KeyScan.scan),
            Command(
                "randomkey", 1, "readonly random", "keyspace", since: "1.0.0",
                "Returns a random key.", Keys.randomKey),
            Command(
                "dbsize", 1, "readonly fast", "keyspace", since: "1.0.0", group: "server",
                "Returns the number of keys of the database."
            ) { $0.reply.integer($0.database.count) },
            Command(
                "rename", 3, "write", keys: (1, 2, 1), "keyspace", since: "1.0.0",
                "Gives a key another name, over what is there."
            ) {
                Keys.rename($0, onlyNew: false)
            },
            Command(
                "renamenx", 3, "write fast", keys: (1, 2, 1), "keyspace", since: "1.0.0",
                "Gives a key another name that no key has."
            ) {
                Keys.rename($0, onlyNew: true)
            },
            Command(
                "move", 3, "write fast", keys: one, "keyspace", since: "1.0.0",
                "Moves a key to another database.", Keys.move),
            Command(
                "copy", -3, "write denyoom", keys: (1, 2, 1), "keyspace", since: "6.2.0",
                "Copies the value of a key to another key.", Keys.copy),
            Command(
                "swapdb", 3, "write fast", "keyspace dangerous", since: "4.0.0", group: "server",
                "Swaps two databases.", Keys.swapDatabases),
            Command(
                "flushdb", -1, "write", "keyspace dangerous", since: "1.0.0", group: "server",
                "Deletes all keys of the database.", Keys.flushDatabase),
            Command(
                "flushall", -1, "write", "keyspace dangerous", since: "1.0.0", group: "server",
                "Deletes all keys of all databases.", Keys.flushAll),
            Command(
                "object", -2, "readonly random", keys: (2, 2, 1), "keyspace",
                subcommands: KeyObject.subcommands, since: "2.2.3",
                "Tells how the value of a key is held and used."),
        ]
    }
}

enum Keys {
    static func delete(_ c: Client, lazily: Bool) {
        var removed = 0
        for index in 1..<c.count {
            guard c.lookupWrite(c[index]) != nil else { continue }
            if lazily {
                c.server.removeLazily(c[index], in: c.database)
            } else {
                c.server.remove(c[index], in: c.database)
            }
            c.changed(c[index], .generic, "del")
            removed += 1
        }
        c.reply.integer(removed)
    }

    static func exists(_ c: Client) {
        var found = 0
        for index in 1..<c.count where c.lookupRead(c[index]) != nil { found += 1 }
        c.reply.integer(found)
    }

    static func touch(_ c: Client) { exists(c) }

    static func type(_ c: Client) {
        guard let entry = c.lookupOnly(c[1]) else {
            return c.reply.raw("+none\r\n")
        }
        c.reply.status(name(entry.type))
    }

    /// The name of a type as TYPE and SCAN's TYPE know it.
    static func name(_ type: ValueType) -> StaticString {
        switch type {
        case .string: "string"
        case .list: "list"
        case .set: "set"
        case .sortedSet: "zset"
        case .hash: "hash"
        case .stream: "stream"
        }
    }

    static func randomKey(_ c: Client) {
        // A database full of expired keys must not hold the server up: give up after 100.
        for _ in 0..<100 {
            guard let entry = c.database.randomEntry() else { return c.reply.null() }
            if let expiry = entry.expiry, expiry < c.server.now {
                let key = entry.key.array
                if Bytes.with(key, { c.server.peek($0, in: c.database) == nil }) { continue }
            }
            return c.reply.bulk(entry.key)
        }
        c.reply.null()
    }

    // MARK: Names and databases

    static func rename(_ c: Client, onlyNew: Bool) {
        let (from, to) = (c[1], c[2])
        guard c.lookupWrite(from) != nil else { return c.noSuchKey() }
        if from == to {
            if onlyNew { c.reply.integer(0) } else { c.reply.ok() }
            return
        }
        if c.lookupWrite(to) != nil {
            if onlyNew { return c.reply.integer(0) }
            if c.server.config.lazyfreeLazyServerDel {
                c.server.removeLazily(to, in: c.database)
            } else {
                c.server.remove(to, in: c.database)
            }
        }
        c.database.rename(from, to: to)
        c.changed(from, .generic, "rename_from")
        c.changed(to, .generic, "rename_to", dirty: 0)
        if onlyNew { c.reply.integer(1) } else { c.reply.ok() }
    }

    static func move(_ c: Client) {
        let databases = c.server.keyspace.databases
        guard let index = Decimal.parse(c[2]), index >= 0, index < databases.count else {
            return c.reply.error("ERR index out of range")
        }
        let target = databases[Int(index)]
        if target === c.database {
            return c.reply.error("ERR source and destination objects are the same")
        }
        guard c.lookupWrite(c[1]) != nil,
            c.server.lookup(c[1], in: target, write: true) == nil
        else { return c.reply.integer(0) }
        c.database.move(c[1], to: target)
        c.changed(c[1], .generic, "move_from")
        c.server.changed(c[1], in: target, by: c, .generic, "move_to", dirty: 0)
        c.reply.integer(1)
    }

    static func copy(_ c: Client) {
        var target = c.database
        var replace = false
        var index = 3
        while index < c.count {
            if c.word(index, is: "replace") {
                replace = true
            } else if c.word(index, is: "db"), index + 1 < c.count {
                guard let number = c.integer(index + 1) else { return }
                let databases = c.server.keyspace.databases
                guard number >= 0, number < databases.count else {
                    return c.reply.error("ERR DB index is out of range")
                }
                target = databases[Int(number)]
                index += 1
            } else {
                return c.syntaxError()
            }
            index += 1
        }
        if target === c.database && c[1] == c[2] {
            return c.reply.error("ERR source and destination objects are the same")
        }
        guard c.lookupRead(c[1]) != nil else { return c.reply.integer(0) }
        if c.server.lookup(c[2], in: target, write: true) != nil {
            if !replace { return c.reply.integer(0) }
            c.server.remove(c[2], in: target)
        }
        guard let source = c.database.find(c[1]) else { return c.reply.integer(0) }
        c.database.copy(source, to: c[2], in: target)
        c.server.changed(c[2], in: target, by: c, .generic, "copy_to", dirty: 1)
        c.propagateStored(c[2], in: target)
        c.reply.integer(1)
    }

    static func swapDatabases(_ c: Client) {
        guard let first = c.integer(1, orError: "ERR invalid first DB index"),
            let second = c.integer(2, orError: "ERR invalid second DB index")
        else { return }
        let range = 0..<Int64(c.server.keyspace.databases.count)
        guard range.contains(first), range.contains(second) else {
            return c.reply.error("ERR DB index is out of range")
        }
        c.server.swapDatabases(Int(first), Int(second))
        c.server.dirty += 1
        c.reply.ok()
    }

    // MARK: FLUSHDB, FLUSHALL

    /// ASYNC, SYNC or nothing; nil after a syntax error. SYNC came with 6.2: replicas don't get it.
    private static func isLazy(_ c: Client) -> Bool? {
        if c.count == 1 { return c.server.config.lazyfreeLazyUserFlush }
        if c.count == 2, c.word(1, is: "async") { return true }
        if c.count == 2, c.word(1, is: "sync") {
            c.propagateInstead([c[0]])
            return false
        }
        c.syntaxError()
        return nil
    }

    static func flushDatabase(_ c: Client) {
        guard let lazily = isLazy(c) else { return }
        let removed = c.server.flush(c.database.index, lazily: lazily)
        c.server.dirty += removed
        c.server.propagation.force()
        c.reply.ok()
    }

    static func flushAll(_ c: Client) {
        guard let lazily = isLazy(c) else { return }
        let removed = c.server.flush(nil, lazily: lazily)
        c.server.dirty += removed
        c.server.propagation.force()
        c.server.dataSetWasFlushed()
        c.server.dirty += 1
        c.reply.ok()
    }
}
