// SPDX-License-Identifier: BSD-3-Clause
//
// Lists: pushing, popping, and looking at one element. The rest is in the files beside.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func lists() -> [Command] {
        [
            Command(
                "lpush", -3, "write denyoom fast", keys: (1, 1, 1), "list", since: "1.0.0",
                "Puts elements at the head of a list."
            ) {
                Lists.push($0, .first)
            },
            Command(
                "rpush", -3, "write denyoom fast", keys: (1, 1, 1), "list", since: "1.0.0",
                "Puts elements at the tail of a list."
            ) {
                Lists.push($0, .last)
            },
            Command(
                "lpushx", -3, "write denyoom fast", keys: (1, 1, 1), "list", since: "2.2.0",
                "Puts elements at the head of a list that exists."
            ) {
                Lists.pushIfThere($0, .first)
            },
            Command(
                "rpushx", -3, "write denyoom fast", keys: (1, 1, 1), "list", since: "2.2.0",
                "Puts elements at the tail of a list that exists."
            ) {
                Lists.pushIfThere($0, .last)
            },
            Command(
                "lpop", -2, "write fast", keys: (1, 1, 1), "list", since: "1.0.0",
                "Removes elements at the head of a list and returns them."
            ) { Lists.pop($0, .first) },
            Command(
                "rpop", -2, "write fast", keys: (1, 1, 1), "list", since: "1.0.0",
                "Removes elements at the tail of a list and returns them."
            ) { Lists.pop($0, .last) },
            Command(
                "llen", 2, "readonly fast", keys: (1, 1, 1), "list", since: "1.0.0",
                "Returns the number of elements of a list.", Lists.length),
            Command(
                "lindex", 3, "readonly", keys: (1, 1, 1), "list", since: "1.0.0",
                "Returns the element of a list at an index.", Lists.index),
            Command(
                "lset", 4, "write denyoom", keys: (1, 1, 1), "list", since: "1.0.0",
                "Replaces the element of a list at an index.", Lists.set),
            Command(
                "linsert", 5, "write denyoom", keys: (1, 1, 1), "list", since: "2.2.0",
                "Inserts an element before or after another of a list.", Lists.insert),
            Command(
                "lrange", 4, "readonly", keys: (1, 1, 1), "list", since: "1.0.0",
                "Returns the elements of a list between two indices.", Lists.range),
            Command(
                "ltrim", 4, "write", keys: (1, 1, 1), "list", since: "1.0.0",
                "Keeps only the elements of a list between two indices.", Lists.trim),
            Command(
                "lrem", 4, "write", keys: (1, 1, 1), "list", since: "1.0.0",
                "Removes elements of a list that equal the given one.", Lists.removeEqual),
            Command(
                "lpos", -3, "readonly", keys: (1, 1, 1), "list", since: "6.0.6",
                "Finds where in a list an element is.", Lists.positions),
            Command(
                "lmove", 5, "write denyoom", keys: (1, 2, 1), "list", since: "6.2.0",
                "Moves an element from an end of a list to an end of another.", Lists.move),
            Command(
                "rpoplpush", 3, "write denyoom", keys: (1, 2, 1), "list", since: "1.2.0",
                "Moves an element from the tail of a list to the head of another.", Lists.popPush),
            Command(
                "blpop", -3, "write noscript", keys: (1, -2, 1), "list blocking", since: "2.0.0",
                "Removes the first element of one of several lists, or waits for one."
            ) {
                Lists.blockingPop($0, .first)
            },
            Command(
                "brpop", -3, "write noscript", keys: (1, -2, 1), "list blocking", since: "2.0.0",
                "Removes the last element of one of several lists, or waits for one."
            ) {
                Lists.blockingPop($0, .last)
            },
            Command(
                "blmove", 6, "write denyoom noscript", keys: (1, 2, 1), "list blocking",
                since: "6.2.0",
                "LMOVE that waits for an element.", Lists.blockingMove),
            Command(
                "brpoplpush", 4, "write denyoom noscript", keys: (1, 2, 1), "list blocking",
                since: "2.2.0",
                "RPOPLPUSH that waits for an element.", Lists.blockingPopPush),
        ]
    }
}

enum Lists {
    enum End {
        case first, last

        var pushEvent: StaticString { self == .first ? "lpush" : "rpush" }
        var popEvent: StaticString { self == .first ? "lpop" : "rpop" }
        var popName: StaticString { self == .first ? "LPOP" : "RPOP" }
        var pushName: StaticString { self == .first ? "LPUSH" : "RPUSH" }
    }

    /// The list for a reading command; nil when it is missing (`missing` replies then) or not a list.
    @inline(__always)
    static func read(_ c: Client, _ missing: () -> Void) -> ListValue? {
        guard let entry = c.lookupRead(c[1]) else {
            missing()
            return nil
        }
        return c.check(entry, is: .list) ? ListValue(entry.container) : nil
    }

    /// As `read`, for a writing command.
    @inline(__always)
    static func write(_ c: Client, _ missing: () -> Void) -> ListValue? {
        guard let entry = c.lookupWrite(c[1]) else {
            missing()
            return nil
        }
        return c.check(entry, is: .list) ? ListValue(entry.container) : nil
    }

    static func make(_ c: Client, _ key: Bytes) -> ListValue {
        let list = ListValue.make(in: c.database.heap)
        c.database.insert(key, .listQuick, container: list.address)
        return list
    }

    @inline(__always)
    static func push(_ c: Client, _ list: ListValue, _ bytes: Bytes, _ end: End) {
        let database = c.database
        let limit = database.limits.listNode
        if end == .first {
            list.pushFirst(bytes, limit: limit, in: database.heap)
        } else {
            list.pushLast(bytes, limit: limit, in: database.heap)
        }
    }

    /// An element beyond what a node's sizes can say is refused, with Redis 7's text.
    @inline(__always)
    static func refuseHuge(_ c: Client, _ element: Bytes) -> Bool {
        if element.count <= ListValue.maximumElement { return false }
        c.reply.error("ERR Element too large")
        return true
    }

    static func push(_ c: Client, _ end: End) {
        let words = c.arguments
        for i in 2..<words.count where refuseHuge(c, words[i]) { return }
        let list: ListValue
        if let entry = c.lookupWrite(c[1]) {
            guard c.check(entry, is: .list) else { return }
            list = ListValue(entry.container)
        } else {
            list = make(c, c[1])
        }
        pushAll(c, list, end)
    }

    static func pushIfThere(_ c: Client, _ end: End) {
        for i in 2..<c.count where refuseHuge(c, c[i]) { return }
        guard let list = write(c, { c.reply.integer(0) }) else { return }
        pushAll(c, list, end)
    }

    @inline(__always)
    private static func pushAll(_ c: Client, _ list: ListValue, _ end: End) {
        let words = c.arguments
        for i in 2..<words.count { push(c, list, words[i], end) }
        c.reply.integer(list.count)
        c.changed(c[1], .list, end.pushEvent, dirty: c.count - 2)
    }

    /// Takes the element at an end out, which is there, after its reply.
    @inline(__always)
    static func replyAndRemove(_ c: Client, _ list: ListValue, _ end: End) {
        guard let place = end == .first ? list.first : list.last else { return }
        c.reply.bulk(list[place])
        list.remove(place, in: c.database.heap)
    }

    static func pop(_ c: Client, _ end: End) {
        if c.count > 3 { return c.wrongArity() }
        var wanted: Int64?
        if c.count == 3 {
            guard let count = Decimal.parse(c[2]), count >= 0 else {
                return c.reply.error("ERR value is out of range, must be positive")
            }
            wanted = count
        }
        let missing = { wanted == nil ? c.reply.null() : c.reply.nullArray() }
        guard let list = write(c, missing) else { return }
        guard let wanted else {
            replyAndRemove(c, list, end)
            return popped(c, c[1], list, end, 1)
        }
        let n = Int(min(wanted, Int64(list.count)))
        if n == 0 { return c.reply.raw("*0\r\n") }
        popMany(c, list, end, n)
        popped(c, c[1], list, end, n)
        // A count came with 6.2.
        let range = end == .first ? ("\(n)", "-1") : ("0", "\(-n - 1)")
        Bytes.with(range.0) { first in
            Bytes.with(range.1) { c.propagateInstead([Bytes("LTRIM"), c[1], first, $0]) }
        }
    }

    private static func popMany(_ c: Client, _ list: ListValue, _ end: End, _ n: Int) {
        c.reply.array(n)
        if end == .first {
            list.forEach(from: 0, count: n) { c.reply.bulk($0) }
            list.removeRange(0, count: n, in: c.database.heap)
            return
        }
        var place = list.last
        for _ in 0..<n {
            guard let here = place else { return }
            c.reply.bulk(list[here])
            place = list.previous(here)
        }
        list.removeRange(list.count - n, count: n, in: c.database.heap)
    }

    /// What follows every pop.
    @inline(__always)
    static func popped(_ c: Client, _ key: Bytes, _ list: ListValue, _ end: End, _ n: Int) {
        let emptied = list.count == 0
        c.changed(key, .list, end.popEvent, dirty: n)
        if emptied { c.deleteEmptied(key) }
    }

    // MARK: One element

    static func length(_ c: Client) {
        guard let list = read(c, { c.reply.integer(0) }) else { return }
        c.reply.integer(list.count)
    }

    static func index(_ c: Client) {
        guard let list = read(c, { c.reply.null() }) else { return }
        guard let index = c.integer(2) else { return }
        guard let place = list.seek(Int(index)) else { return c.reply.null() }
        c.reply.bulk(list[place])
    }

    static func set(_ c: Client) {
        if refuseHuge(c, c[3]) { return }
        guard let list = write(c, { c.noSuchKey() }) else { return }
        guard let index = c.integer(2) else { return }
        guard let place = list.seek(Int(index)) else {
            return c.reply.error("ERR index out of range")
        }
        let database = c.database
        list.replace(place, with: c[3], limit: database.limits.listNode, in: database.heap)
        c.reply.ok()
        c.changed(c[1], .list, "lset")
    }

    static func insert(_ c: Client) {
        let after = c.word(2, is: "after")
        if !after && !c.word(2, is: "before") { return c.syntaxError() }
        if refuseHuge(c, c[4]) { return }
        guard let list = write(c, { c.reply.integer(0) }) else { return }
        var place = list.first
        while let here = place {
            if list[here].equals(c[3]) { break }
            place = list.next(here)
        }
        guard let place else { return c.reply.integer(-1) }
        let database = c.database
        let limit = database.limits.listNode
        if after {
            list.insert(c[4], after: place, limit: limit, in: database.heap)
        } else {
            list.insert(c[4], before: place, limit: limit, in: database.heap)
        }
        c.reply.integer(list.count)
        c.changed(c[1], .list, "linsert")
    }
}
