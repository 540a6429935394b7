// SPDX-License-Identifier: BSD-3-Clause
//
// SORT: the elements of a list, set or sorted set, in the order of themselves or of other keys'
// values, answered or stored, in place of them what other keys hold. Elements are copied first, so
// that a lookup that deletes an expired key, or a target that is the source, changes nothing.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func sorting() -> [Command] {
        [
            Command(
                "sort", -2, "write denyoom movablekeys", keys: (1, 1, 1),
                "set sortedset list dangerous",
                keyFinder: { Sort.keys($0) }, since: "1.0.0", group: "generic",
                "Sorts a list, a set or a sorted set; shows or stores the result.", Sort.run)
        ]
    }
}

enum Sort {
    struct Options {
        var descending = false
        var alpha = false
        var start: Int64 = 0
        var count: Int64 = -1
        /// The indices of the words.
        var store: Int?
        var by: Int?
        var get: [Int] = []
        /// BY without an asterisk: the elements stay in their order.
        var keepsOrder = false
    }

    /// The source, and the target of STORE, which may stand anywhere behind.
    static func keys(_ arguments: Arguments) -> [Int] {
        var keys = [1]
        var target: Int?
        var i = 2
        while i < arguments.count {
            let word = arguments[i]
            if word.equalsIgnoringCase("limit") {
                i += 2
            } else if word.equalsIgnoringCase("get") || word.equalsIgnoringCase("by") {
                i += 1
            } else if word.equalsIgnoringCase("store"), i + 1 < arguments.count {
                target = i + 1
                i += 1
            }
            i += 1
        }
        if let target { keys.append(target) }
        return keys
    }

    static func run(_ c: Client) {
        guard var options = options(c) else { return }
        let source = options.store == nil ? c.lookupRead(c[1]) : c.lookupWrite(c[1])
        if let source, ![.list, .set, .sortedSet].contains(source.type) { return c.wrongType() }
        // A set has no order of its own: what is stored, or what a script sees, must not depend on it.
        if options.keepsOrder, source?.type == .set,
            options.store != nil || c.flags.contains(.script)
        {
            options.keepsOrder = false
            options.alpha = true
            options.by = nil
        }
        let elements = Elements(
            source, c.database, reversed: options.keepsOrder && options.descending)
        let slice = slice(options, elements.count)
        var order = Array(0..<elements.count)
        if !options.keepsOrder {
            guard let sorted = sorted(c, elements, options) else {
                return c.reply.error("ERR One or more scores can't be converted into double")
            }
            order = sorted
        }
        if let target = options.store {
            store(c, elements, order[slice], options, c[target])
        } else {
            answer(c, elements, order[slice], options)
        }
    }

    /// Which places of the result LIMIT leaves.
    private static func slice(_ options: Options, _ count: Int) -> Range<Int> {
        let start = max(0, options.start)
        if start >= count { return 0..<0 }
        if options.count < 0 { return Int(start)..<count }
        return Int(start)..<Int(start + min(options.count, Int64(count) - start))
    }

    // MARK: The result

    private static func answer(
        _ c: Client, _ elements: Elements, _ places: ArraySlice<Int>, _ options: Options
    ) {
        let reply = c.reply
        reply.array(places.count * max(1, options.get.count))
        for place in places {
            if options.get.isEmpty { reply.bulk(elements[place]) }
            for pattern in options.get {
                let found: Void? = lookup(c, c[pattern], elements[place]) { reply.bulk($0) }
                if found == nil { reply.null() }
            }
        }
    }

    private static func store(
        _ c: Client, _ elements: Elements, _ places: ArraySlice<Int>, _ options: Options,
        _ target: Bytes
    ) {
        let database = c.database
        let limit = database.limits.listNode
        let list = ListValue.make(in: database.heap)
        func add(_ bytes: Bytes) { list.pushLast(bytes, limit: limit, in: database.heap) }
        for place in places {
            if options.get.isEmpty { add(elements[place]) }
            for pattern in options.get {
                if lookup(c, c[pattern], elements[place], add) == nil { add(.empty) }
            }
        }
        let count = list.count
        if count > 0 {
            c.server.remove(target, in: database)
            database.insert(target, .listQuick, container: list.address)
            c.changed(target, .list, "sortstore", dirty: count)
        } else {
            list.free(in: database.heap)
            if c.server.remove(target, in: database) { c.changed(target, .generic, "del") }
        }
        c.reply.integer(count)
    }

    // MARK: Patterns

    /// Calls `body` with what `pattern` gives for `element`: `#` itself, else the string, or the
    /// hash's field, of the key whose name has the element for the asterisk. Nil when there is none.
    static func lookup<R>(
        _ c: Client, _ pattern: Bytes, _ element: Bytes, _ body: (Bytes) -> R
    ) -> R? {
        if pattern == "#" { return body(element) }
        guard let star = position(of: "*", in: pattern, from: 0) else { return nil }
        var end = pattern.count
        var field: Bytes?
        if let arrow = position(of: "->", in: pattern, from: star + 1), arrow + 2 < pattern.count {
            field = pattern.dropFirst(arrow + 2)
            end = arrow
        }
        let name = ByteBuffer(capacity: pattern.count + element.count)
        name.append(pattern.prefix(star))
        name.append(element)
        name.append(pattern[(star + 1)..<end])
        guard let entry = c.lookupRead(name.bytes) else { return nil }
        if let field {
            guard entry.type == .hash else { return nil }
            return HashValue(entry).get(field)?.withBytes(body)
        }
        return entry.type == .string ? entry.withString(body) : nil
    }

    private static func position(of text: StaticString, in bytes: Bytes, from: Int) -> Int? {
        let wanted = Bytes(text)
        var at = from
        while at + wanted.count <= bytes.count {
            if bytes[at..<(at + wanted.count)] == wanted { return at }
            at += 1
        }
        return nil
    }

    // MARK: Arguments

    private static func options(_ c: Client) -> Options? {
        var options = Options()
        var i = 2
        while i < c.count {
            let left = c.count - i - 1
            if c.word(i, is: "asc") {
                options.descending = false
            } else if c.word(i, is: "desc") {
                options.descending = true
            } else if c.word(i, is: "alpha") {
                options.alpha = true
            } else if c.word(i, is: "limit"), left >= 2 {
                guard let start = c.integer(i + 1), let count = c.integer(i + 2) else { return nil }
                (options.start, options.count) = (start, count)
                i += 2
            } else if c.word(i, is: "store"), left >= 1 {
                options.store = i + 1
                i += 1
            } else if c.word(i, is: "by"), left >= 1 {
                options.by = i + 1
                options.keepsOrder = position(of: "*", in: c[i + 1], from: 0) == nil
                i += 1
            } else if c.word(i, is: "get"), left >= 1 {
                options.get.append(i + 1)
                i += 1
            } else {
                c.syntaxError()
                return nil
            }
            i += 1
        }
        return options
    }
}
