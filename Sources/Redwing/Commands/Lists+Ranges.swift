// SPDX-License-Identifier: BSD-3-Clause
//
// Commands on many elements of a list at once.

import Keyspace
import Memory
import RESP

extension Lists {
    /// The part of `count` elements that Redis's start and stop name; nil when it is empty.
    static func slice(_ start: Int64, _ stop: Int64, _ count: Int) -> Range<Int>? {
        let n = Int64(count)
        let from = max(0, start < 0 ? start + n : start)
        let to = min(n - 1, stop < 0 ? stop + n : stop)
        return from <= to ? Int(from)..<Int(to + 1) : nil
    }

    static func range(_ c: Client) {
        guard let start = c.integer(2), let stop = c.integer(3) else { return }
        guard let list = read(c, { c.reply.raw("*0\r\n") }) else { return }
        guard let slice = slice(start, stop, list.count) else { return c.reply.raw("*0\r\n") }
        let reply = c.reply
        reply.array(slice.count)
        list.forEach(from: slice.lowerBound, count: slice.count) { reply.bulk($0) }
    }

    static func trim(_ c: Client) {
        guard let start = c.integer(2), let stop = c.integer(3) else { return }
        guard let list = write(c, { c.reply.ok() }) else { return }
        let count = list.count
        let kept = slice(start, stop, count) ?? 0..<0
        let heap = c.database.heap
        if kept.isEmpty {
            list.removeRange(0, count: count, in: heap)
        } else {
            list.removeRange(kept.upperBound, count: count - kept.upperBound, in: heap)
            list.removeRange(0, count: kept.lowerBound, in: heap)
        }
        let emptied = list.count == 0
        c.changed(c[1], .list, "ltrim", dirty: count - kept.count)
        if emptied { c.deleteEmptied(c[1]) }
        c.reply.ok()
    }

    static func removeEqual(_ c: Client) {
        guard let wanted = c.integer(2) else { return }
        guard let list = write(c, { c.reply.integer(0) }) else { return }
        let heap = c.database.heap
        let most = wanted == 0 ? UInt64.max : wanted.magnitude
        var removed: UInt64 = 0
        var place = wanted < 0 ? list.last : list.first
        while removed < most, let here = place {
            if list[here].equals(c[3]) {
                place =
                    wanted < 0
                    ? list.removeGoingBackward(here, in: heap)
                    : list.removeGoingForward(here, in: heap)
                removed += 1
            } else {
                place = wanted < 0 ? list.previous(here) : list.next(here)
            }
        }
        let emptied = list.count == 0
        if removed > 0 { c.changed(c[1], .list, "lrem", dirty: Int(removed)) }
        if emptied { c.deleteEmptied(c[1]) }
        c.reply.integer(Int64(removed))
    }

    // MARK: LPOS

    struct Search {
        var rank: Int64 = 1
        /// Nil: the first match alone, not as an array.
        var count: Int64?
        var most: Int64 = 0
    }

    static func positions(_ c: Client) {
        guard let search = search(c) else { return }
        let none = { search.count == nil ? c.reply.null() : c.reply.raw("*0\r\n") }
        guard let list = read(c, none) else { return }
        let reply = c.reply
        let mark = reply.openArray()
        let backward = search.rank < 0
        let total = list.count
        var place = backward ? list.last : list.first
        var index = 0
        var matches: UInt64 = 0
        var found = 0
        while let here = place, search.most == 0 || index < search.most {
            if list[here].equals(c[2]) {
                matches += 1
                if matches >= search.rank.magnitude {
                    reply.integer(backward ? total - index - 1 : index)
                    found += 1
                    guard let count = search.count else { return }
                    if count > 0 && found >= count { break }
                }
            }
            index += 1
            place = backward ? list.previous(here) : list.next(here)
        }
        if search.count == nil { return reply.null() }
        reply.closeArray(mark, count: found)
    }

    private static let zeroRank: StaticString =
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second, ..."

    private static func search(_ c: Client) -> Search? {
        var search = Search()
        var i = 3
        while i < c.count {
            guard i + 1 < c.count else {
                c.syntaxError()
                return nil
            }
            if c.word(i, is: "rank") {
                guard let rank = c.signedCount(i + 1) else { return nil }
                if rank == 0 { return refuse(c, zeroRank) }
                search.rank = rank
            } else if c.word(i, is: "count") {
                guard let count = Decimal.parse(c[i + 1]), count >= 0 else {
                    return refuse(c, "ERR COUNT can't be negative")
                }
                search.count = count
            } else if c.word(i, is: "maxlen") {
                guard let most = Decimal.parse(c[i + 1]), most >= 0 else {
                    return refuse(c, "ERR MAXLEN can't be negative")
                }
                search.most = most
            } else {
                c.syntaxError()
                return nil
            }
            i += 2
        }
        return search
    }

    private static func refuse(_ c: Client, _ text: StaticString) -> Search? {
        c.reply.error(text)
        return nil
    }
}
