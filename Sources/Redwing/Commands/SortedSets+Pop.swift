// SPDX-License-Identifier: BSD-3-Clause
//
// Taking the first or last elements of a sorted set, and showing random ones.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func sortedSetPops() -> [Command] {
        let one = (1, 1, 1)
        return [
            Command(
                "zpopmin", -2, "write fast", keys: one, "sortedset", since: "5.0.0",
                "Removes the elements of a sorted set with the lowest scores and returns them."
            ) {
                SortedSets.pop($0, .minimum)
            },
            Command(
                "zpopmax", -2, "write fast", keys: one, "sortedset", since: "5.0.0",
                "Removes the elements of a sorted set with the highest scores and returns them."
            ) {
                SortedSets.pop($0, .maximum)
            },
            Command(
                "bzpopmin", -3, "write noscript fast", keys: (1, -2, 1), "sortedset blocking",
                since: "5.0.0",
                "ZPOPMIN of one of several sorted sets, or waits for an element."
            ) {
                SortedSets.blockingPop($0, .minimum)
            },
            Command(
                "bzpopmax", -3, "write noscript fast", keys: (1, -2, 1), "sortedset blocking",
                since: "5.0.0",
                "ZPOPMAX of one of several sorted sets, or waits for an element."
            ) {
                SortedSets.blockingPop($0, .maximum)
            },
            Command(
                "zrandmember", -2, "readonly random", keys: one, "sortedset", since: "6.2.0",
                "Returns random elements of a sorted set.", SortedSets.random),
        ]
    }
}

/// The end of a sorted set that a pop takes from.
enum PopEnd {
    case minimum, maximum

    var event: StaticString { self == .minimum ? "zpopmin" : "zpopmax" }
    var command: StaticString { self == .minimum ? "ZPOPMIN" : "ZPOPMAX" }
}

extension SortedSets {
    static func pop(_ client: Client, _ end: PopEnd) {
        if client.count > 3 { return client.syntaxError() }
        var wanted: Int64 = 1
        if client.count == 3 {
            guard let count = client.integer(2) else { return }
            if count <= 0 { return client.reply.array(0) }
            wanted = count
        }
        let key = client[1]
        guard let entry = client.lookupWrite(key) else { return client.reply.array(0) }
        guard client.check(entry, is: .sortedSet) else { return }
        var set = SortedSet(entry, in: client.database)
        let ranks = popped(set, end, wanted)
        // With a count, RESP3 has an array of pairs.
        let pairs = client.count == 3 && client.reply.version == 3
        client.reply.array(ranks.count * (pairs ? 1 : 2))
        set.forEach(in: ranks, reversed: end == .maximum) { member, score in
            if pairs { client.reply.array(2) }
            client.reply.bulk(member)
            client.reply.double(score)
        }
        remove(ranks, from: &set, key, client, end)
    }

    /// Pops from the first key that has something, or waits for one.
    static func blockingPop(_ client: Client, _ end: PopEnd) {
        guard let milliseconds = client.blockingTimeout(client.count - 1) else { return }
        for index in 1..<(client.count - 1) {
            let key = client[index]
            guard let entry = client.lookupWrite(key),
                !client.passesOver(key, entry, for: .sortedSet)
            else { continue }
            guard client.check(entry, is: .sortedSet) else { return }
            var set = SortedSet(entry, in: client.database)
            let ranks = popped(set, end, 1)
            client.reply.array(3)
            client.reply.bulk(key)
            set.forEach(in: ranks) { member, score in
                client.reply.bulk(member)
                client.reply.double(score)
            }
            client.propagateInstead([Bytes(end.command), key])
            return remove(ranks, from: &set, key, client, end)
        }
        if !client.mayBlock { return client.reply.nullArray() }
        client.block(
            on: (1..<(client.count - 1)).map { client[$0] }, holding: .sortedSet,
            milliseconds: milliseconds)
    }

    private static func popped(_ set: SortedSet, _ end: PopEnd, _ wanted: Int64) -> Range<Int> {
        let count = Int(min(wanted, Int64(set.count)))
        return end == .minimum ? 0..<count : (set.count - count)..<set.count
    }

    private static func remove(
        _ ranks: Range<Int>, from set: inout SortedSet, _ key: Bytes, _ client: Client,
        _ end: PopEnd
    ) {
        set.remove(ranks: ranks)
        client.changed(key, .sortedSet, end.event, dirty: ranks.count)
        if set.count == 0 { client.deleteEmptied(key) }
    }

    // MARK: ZRANDMEMBER

    static func random(_ client: Client) {
        if client.count > 2 { return randomMany(client) }
        guard let entry = client.lookupRead(client[1]) else { return client.reply.null() }
        guard client.check(entry, is: .sortedSet) else { return }
        SortedSet(entry, in: client.database).random { member, _ in client.reply.bulk(member) }
    }

    private static func randomMany(_ client: Client) {
        guard let wanted = client.signedCount(2),
            let withScores = client.randomOption("withscores", wanted)
        else { return }
        guard let entry = client.lookupRead(client[1]) else { return client.reply.array(0) }
        guard client.check(entry, is: .sortedSet) else { return }
        let set = SortedSet(entry, in: client.database)
        let pairs = withScores && client.reply.version == 3
        client.replyRandom(wanted, of: set, words: withScores && !pairs ? 2 : 1) { member, score in
            if pairs { client.reply.array(2) }
            client.reply.bulk(member)
            if withScores { client.reply.double(score) }
        }
    }
}
