// SPDX-License-Identifier: BSD-3-Clause
//
// Strings: setting and getting whole values. Numbers, parts and LCS are in files of their own.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func strings() -> [Command] {
        let one = (1, 1, 1)
        return [
            Command(
                "get", 2, "readonly fast", keys: one, "string", since: "1.0.0",
                "Returns the value of a key.", Strings.get),
            Command(
                "set", -3, "write denyoom", keys: one, "string", since: "1.0.0",
                "Sets the value of a key.", Strings.set),
            Command(
                "setnx", 3, "write denyoom fast", keys: one, "string", since: "1.0.0",
                "Sets the value of a key that doesn't exist.", Strings.setnx),
            Command(
                "setex", 4, "write denyoom", keys: one, "string", since: "2.0.0",
                "Sets the value of a key and its life in seconds."
            ) {
                Strings.setWithExpiry($0, unit: .seconds)
            },
            Command(
                "psetex", 4, "write denyoom", keys: one, "string", since: "2.6.0",
                "Sets the value of a key and its life in milliseconds."
            ) {
                Strings.setWithExpiry($0, unit: .milliseconds)
            },
            Command(
                "getset", 3, "write denyoom fast", keys: one, "string", since: "1.0.0",
                "Sets the value of a key and returns the one it had.", Strings.getset),
            Command(
                "getex", -2, "write fast", keys: one, "string", since: "6.2.0",
                "Returns the value of a key and sets its life.", Strings.getex),
            Command(
                "getdel", 2, "write fast", keys: one, "string", since: "6.2.0",
                "Returns the value of a key and deletes it.", Strings.getdel),
            Command(
                "mget", -2, "readonly fast", keys: (1, -1, 1), "string", since: "1.0.0",
                "Returns the values of several keys.", Strings.mget),
            Command(
                "mset", -3, "write denyoom", keys: (1, -1, 2), "string", since: "1.0.1",
                "Sets the values of several keys.", Strings.mset),
            Command(
                "msetnx", -3, "write denyoom", keys: (1, -1, 2), "string", since: "1.0.1",
                "Sets the values of several keys if none of them exists.", Strings.msetnx),
            Command(
                "append", 3, "write denyoom fast", keys: one, "string", since: "2.0.0",
                "Appends to the value of a key.", Strings.append),
            Command(
                "strlen", 2, "readonly fast", keys: one, "string", since: "2.2.0",
                "Returns the length of a key's value.", Strings.strlen),
            Command(
                "setrange", 4, "write denyoom", keys: one, "string", since: "2.2.0",
                "Overwrites a part of a key's value.", Strings.setrange),
            Command(
                "getrange", 4, "readonly", keys: one, "string", since: "2.4.0",
                "Returns a part of a key's value.", Strings.getrange),
            Command(
                "substr", 4, "readonly", keys: one, "string", since: "1.0.0",
                "Returns a part of a key's value; GETRANGE by its old name.", Strings.getrange),
            Command(
                "incr", 2, "write denyoom fast", keys: one, "string", since: "1.0.0",
                "Adds 1 to the integer value of a key."
            ) { Strings.add($0, 1) },
            Command(
                "decr", 2, "write denyoom fast", keys: one, "string", since: "1.0.0",
                "Subtracts 1 from the integer value of a key."
            ) { Strings.add($0, -1) },
            Command(
                "incrby", 3, "write denyoom fast", keys: one, "string", since: "1.0.0",
                "Adds to the integer value of a key.", Strings.incrby),
            Command(
                "decrby", 3, "write denyoom fast", keys: one, "string", since: "1.0.0",
                "Subtracts from the integer value of a key.", Strings.decrby),
            Command(
                "incrbyfloat", 3, "write denyoom fast", keys: one, "string", since: "2.6.0",
                "Adds to the floating point value of a key.", Strings.incrbyfloat),
            Command(
                "stralgo", -2, "readonly movablekeys", "string",
                keyFinder: Strings.stralgoKeys, since: "6.0.0",
                "Finds the longest common subsequence of two strings.", Strings.stralgo),
        ]
    }
}

enum Strings {
    /// Replies the value of a string entry.
    @inline(__always)
    static func reply(_ c: Client, _ entry: Entry) {
        if entry.kind == .stringInteger {
            c.reply.bulk(entry.integer)
        } else {
            c.reply.bulk(entry.stringBytes)
        }
    }

    static func get(_ c: Client) {
        guard let entry = c.lookupRead(c[1]) else { return c.reply.null() }
        guard c.check(entry, is: .string) else { return }
        reply(c, entry)
    }

    // MARK: SET

    static func set(_ c: Client) {
        if c.count == 3 { return setPlain(c) }
        var options = SetOptions()
        guard options.parse(c) else { return }
        let key = c[1]
        let old = c.lookupWrite(key)
        if options.get {
            if let old {
                guard c.check(old, is: .string) else { return }
                reply(c, old)
            } else {
                c.reply.null()
            }
        }
        if (options.onlyNew && old != nil) || (options.onlyOld && old == nil) {
            if !options.get { c.reply.null() }
            return
        }
        let expiry: ExpiryChange =
            options.expiry.map { .at($0) } ?? (options.keepExpiry ? .keep : .clear)
        c.database.setString(key, c[2], expiry: expiry)
        c.changed(key, .string, "set")
        if let time = options.expiry {
            c.server.notify(key, in: c.database, .generic, "expire")
            propagateSet(c, key, c[2], time)
        } else if options.get {
            propagateWithout(c, "get")
        }
        if !options.get { c.reply.ok() }
    }

    @inline(never)
    private static func setPlain(_ c: Client) {
        let key = c[1]
        c.withDatabase { database in
            if database.keepsAccess { _ = c.lookupWrite(key) }
            database.setString(key, c[2])
        }
        c.changed(key, .string, "set")
        c.reply.ok()
    }

    /// SET and its expiry as a point in time, so that a late replica doesn't lengthen a life. Two
    /// commands, for SET's PXAT came with 6.2: a replica of 6.0 would refuse it and diverge.
    static func propagateSet(_ c: Client, _ key: Bytes, _ value: Bytes, _ time: Int64) {
        c.propagateInstead([Bytes("SET"), key, value])
        Bytes.with(String(time)) { c.propagateAlso([Bytes("PEXPIREAT"), key, $0]) }
    }

    /// The command as it came without the option `word`, which means nothing to a replica.
    private static func propagateWithout(_ c: Client, _ word: StaticString) {
        var words: [Bytes] = []
        for index in 0..<c.count where index < 3 || !c.word(index, is: word) {
            words.append(c[index])
        }
        c.propagateInstead(words)
    }

    static func setnx(_ c: Client) {
        if c.lookupWrite(c[1]) != nil { return c.reply.integer(0) }
        c.database.setString(c[1], c[2])
        c.changed(c[1], .string, "set")
        c.reply.integer(1)
    }

    static func setWithExpiry(_ c: Client, unit: ExpiryUnit) {
        guard let time = ExpiryTime.parse(c, 2, unit, relative: true) else { return }
        c.database.setString(c[1], c[3], expiry: .at(time))
        c.changed(c[1], .string, "set")
        c.server.notify(c[1], in: c.database, .generic, "expire")
        propagateSet(c, c[1], c[3], time)
        c.reply.ok()
    }

    static func getset(_ c: Client) {
        if let old = c.lookupRead(c[1]) {
            guard c.check(old, is: .string) else { return }
            reply(c, old)
        } else {
            c.reply.null()
        }
        c.database.setString(c[1], c[2])
        c.changed(c[1], .string, "set")
        c.propagateInstead([Bytes("SET"), c[1], c[2]])
    }

    // MARK: GET with a change of the key

    static func getex(_ c: Client) {
        var persist = false
        // An option may stand there twice: the last one counts.
        var option: (unit: ExpiryUnit, relative: Bool)?
        var index = 2
        while index < c.count {
            if option == nil, c.word(index, is: "persist") {
                persist = true
                index += 1
            } else if !persist, index + 1 < c.count, let next = ExpiryTime.option(c[index]),
                option.map({ $0 == next }) ?? true
            {
                option = next
                index += 2
            } else {
                return c.syntaxError()
            }
        }
        guard let entry = c.lookupRead(c[1]) else { return c.reply.null() }
        guard c.check(entry, is: .string) else { return }
        var expiry: Int64?
        if let option {
            expiry = ExpiryTime.parse(c, index - 1, option.unit, relative: option.relative)
            if expiry == nil { return }
        }
        reply(c, entry)
        if let expiry {
            if Expiries.isPast(c, expiry) { return Expiries.deleteInstead(c, c[1]) }
            c.database.setExpiry(of: entry, expiry)
            c.changed(c[1], .generic, "expire")
            Bytes.with(String(expiry)) { c.propagateInstead([Bytes("PEXPIREAT"), c[1], $0]) }
        } else if persist && entry.hasExpiry {
            c.database.setExpiry(of: entry, nil)
            c.changed(c[1], .generic, "persist")
            c.propagateInstead([Bytes("PERSIST"), c[1]])
        } else {
            c.propagateNothing()
        }
    }

    static func getdel(_ c: Client) {
        guard let entry = c.lookupRead(c[1]) else { return c.reply.null() }
        guard c.check(entry, is: .string) else { return }
        reply(c, entry)
        c.server.remove(c[1], in: c.database)
        c.changed(c[1], .generic, "del")
        c.propagateInstead([Bytes("DEL"), c[1]])
    }

    // MARK: Many keys

    /// As often as a `Foresight` is used up, the next keys are fetched, so that their cache misses
    /// overlap.
    @inline(__always)
    private static func fetchAhead(_ c: Client, _ index: Int, step: Int) {
        let server = c.server
        let turn = (index - 1) / step % Foresight.capacity
        if turn == 0 {
            let end = min(c.count, index + Foresight.capacity * step)
            server.foresight.begin()
            for at in stride(from: index, to: end, by: step) {
                server.foresight.append(key: c[at])
            }
            c.withDatabase { server.foresight.fetch(from: $0) }
        }
        c.withDatabase { server.foresight.recall(turn, in: $0) }
    }

    static func mget(_ c: Client) {
        c.reply.array(c.count - 1)
        for index in 1..<c.count {
            fetchAhead(c, index, step: 1)
            if let entry = c.lookupRead(c[index]), entry.type == .string {
                reply(c, entry)
            } else {
                c.reply.null()
            }
        }
    }

    static func mset(_ c: Client) {
        guard c.count % 2 == 1 else {
            return c.reply.error("ERR wrong number of arguments for MSET")
        }
        setAll(c)
        c.reply.ok()
    }

    static func msetnx(_ c: Client) {
        guard c.count % 2 == 1 else {
            return c.reply.error("ERR wrong number of arguments for MSET")
        }
        for index in stride(from: 1, to: c.count, by: 2) where c.lookupWrite(c[index]) != nil {
            return c.reply.integer(0)
        }
        setAll(c)
        c.reply.integer(1)
    }

    private static func setAll(_ c: Client) {
        for index in stride(from: 1, to: c.count, by: 2) {
            fetchAhead(c, index, step: 2)
            _ = c.withDatabase { $0.setString(c[index], c[index + 1]) }
            c.changed(c[index], .string, "set")
        }
    }
}

/// The options of SET.
private struct SetOptions {
    var onlyNew = false
    var onlyOld = false
    var keepExpiry = false
    var get = false
    /// Unix time in ms.
    var expiry: Int64?

    /// Reads the words behind the value; false when they are wrong, with the error replied.
    mutating func parse(_ c: Client) -> Bool {
        var timeAt = 0
        var form: (unit: ExpiryUnit, relative: Bool)?
        var index = 3
        while index < c.count {
            if c.word(index, is: "nx"), !onlyOld {
                onlyNew = true
            } else if c.word(index, is: "xx"), !onlyNew {
                onlyOld = true
            } else if c.word(index, is: "get") {
                get = true
            } else if c.word(index, is: "keepttl"), form == nil {
                keepExpiry = true
            } else if !keepExpiry, index + 1 < c.count, let option = ExpiryTime.option(c[index]),
                form.map({ $0 == option }) ?? true
            {
                // The same unit again is as good as one alone, the last number counts.
                form = option
                timeAt = index + 1
                index += 1
            } else {
                c.syntaxError()
                return false
            }
            index += 1
        }
        guard let form else { return true }
        expiry = ExpiryTime.parse(c, timeAt, form.unit, relative: form.relative)
        return expiry != nil
    }
}

enum ExpiryUnit { case seconds, milliseconds }

/// Times of expiry as arguments.
enum ExpiryTime {
    /// What the words EX, PX, EXAT and PXAT mean.
    static func option(_ word: Bytes) -> (unit: ExpiryUnit, relative: Bool)? {
        if word.equalsIgnoringCase("ex") { return (.seconds, true) }
        if word.equalsIgnoringCase("px") { return (.milliseconds, true) }
        if word.equalsIgnoringCase("exat") { return (.seconds, false) }
        if word.equalsIgnoringCase("pxat") { return (.milliseconds, false) }
        return nil
    }

    /// The argument at `index`, which must be positive, as Unix time in ms; nil with the error replied.
    static func parse(_ c: Client, _ index: Int, _ unit: ExpiryUnit, relative: Bool) -> Int64? {
        guard let value = c.integer(index) else { return nil }
        if value > 0, let time = time(c, value, unit, relative: relative) { return time }
        c.reply.error("ERR invalid expire time in \(c[0].string.lowercased())")
        return nil
    }

    /// `value` as Unix time in ms; nil when it overflows.
    static func time(_ c: Client, _ value: Int64, _ unit: ExpiryUnit, relative: Bool) -> Int64? {
        var (time, overflow) = (value, false)
        if unit == .seconds { (time, overflow) = value.multipliedReportingOverflow(by: 1000) }
        if overflow { return nil }
        if relative { (time, overflow) = time.addingReportingOverflow(c.server.now) }
        return overflow ? nil : time
    }
}
