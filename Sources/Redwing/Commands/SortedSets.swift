// SPDX-License-Identifier: BSD-3-Clause
//
// Sorted sets: adding, removing and asking for single members. Ranges are in SortedSets+Range.swift,
// unions in +Algebra, popping and random members in +Pop.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func sortedSets() -> [Command] {
        let one = (1, 1, 1)
        let own = [
            Command(
                "zadd", -4, "write denyoom fast", keys: one, "sortedset", since: "1.2.0",
                "Adds elements to a sorted set or updates their scores."
            ) {
                SortedSets.add($0, increments: false)
            },
            Command(
                "zincrby", 4, "write denyoom fast", keys: one, "sortedset", since: "1.2.0",
                "Adds to the score of an element of a sorted set."
            ) {
                SortedSets.add($0, increments: true)
            },
            Command(
                "zrem", -3, "write fast", keys: one, "sortedset", since: "1.2.0",
                "Removes elements of a sorted set.", SortedSets.remove),
            Command(
                "zcard", 2, "readonly fast", keys: one, "sortedset", since: "1.2.0",
                "Returns the number of elements of a sorted set.", SortedSets.count),
            Command(
                "zscore", 3, "readonly fast", keys: one, "sortedset", since: "1.2.0",
                "Returns the score of an element of a sorted set.", SortedSets.score),
            Command(
                "zmscore", -3, "readonly fast", keys: one, "sortedset", since: "6.2.0",
                "Returns the scores of several elements of a sorted set.", SortedSets.scores),
            Command(
                "zrank", 3, "readonly fast", keys: one, "sortedset", since: "2.0.0",
                "Returns the rank of an element of a sorted set."
            ) {
                SortedSets.rank($0, reversed: false)
            },
            Command(
                "zrevrank", 3, "readonly fast", keys: one, "sortedset", since: "2.0.0",
                "Returns the rank of an element of a sorted set, counted from the highest."
            ) {
                SortedSets.rank($0, reversed: true)
            },
            Command(
                "zscan", -3, "readonly random", keys: one, "sortedset", since: "2.8.0",
                "Walks over the elements of a sorted set in steps.", SortedSets.scan),
        ]
        return own + sortedSetRanges() + sortedSetAlgebra() + sortedSetPops()
    }
}

enum SortedSets {
    /// The options of ZADD.
    struct AddOptions {
        var onlyNew = false
        var onlyPresent = false
        var onlyGreater = false
        var onlyLess = false
        var countsChanged = false
        var increments = false

        /// Takes the word at an argument; false when it is no option.
        mutating func take(_ word: Bytes) -> Bool {
            if word.equalsIgnoringCase("nx") {
                onlyNew = true
            } else if word.equalsIgnoringCase("xx") {
                onlyPresent = true
            } else if word.equalsIgnoringCase("ch") {
                countsChanged = true
            } else if word.equalsIgnoringCase("incr") {
                increments = true
            } else if word.equalsIgnoringCase("gt") {
                onlyGreater = true
            } else if word.equalsIgnoringCase("lt") {
                onlyLess = true
            } else {
                return false
            }
            return true
        }

        func error(pairs: Int) -> StaticString? {
            if onlyNew && onlyPresent {
                return "ERR XX and NX options at the same time are not compatible"
            }
            if (onlyGreater && (onlyNew || onlyLess)) || (onlyLess && onlyNew) {
                return "ERR GT, LT, and/or NX options at the same time are not compatible"
            }
            if increments && pairs > 1 {
                return "ERR INCR option supports a single increment-element pair"
            }
            return nil
        }
    }

    /// What came of adding one or more pairs.
    struct AddOutcome {
        var added = 0
        var updated = 0
        /// The last pair's new score, nil when an option kept it as it was.
        var score: Double?
        var isNaN = false
    }

    static func add(_ client: Client, increments: Bool) {
        var options = AddOptions()
        options.increments = increments
        var first = 2
        while first < client.count && options.take(client[first]) { first += 1 }
        let words = client.count - first
        if words == 0 || words % 2 != 0 { return client.syntaxError() }
        if let error = options.error(pairs: words / 2) { return client.reply.error(error) }
        if words == 2 {
            guard let score = score(client, first) else { return }
            if store(client, options, pairs: 1, from: first + 1, { _ in score }) > 0 {
                propagateScores(client, options, from: first)
            }
            return
        }
        // All scores are read before any is stored: a bad one leaves the key as it was.
        var scores: [Double] = []
        scores.reserveCapacity(words / 2)
        for index in stride(from: first, to: client.count, by: 2) {
            guard let score = score(client, index) else { return }
            scores.append(score)
        }
        let changes = store(client, options, pairs: scores.count, from: first + 1) { scores[$0] }
        if changes > 0 { propagateScores(client, options, from: first) }
    }

    /// GT and LT came with 6.2: replicas get the scores that the members have now.
    private static func propagateScores(_ client: Client, _ options: AddOptions, from first: Int) {
        guard options.onlyGreater || options.onlyLess, let entry = client.database.find(client[1])
        else { return }
        let set = SortedSet(entry, in: client.database)
        var words = ["ZADD".array, client[1].array]
        for index in stride(from: first, to: client.count, by: 2) {
            guard let score = set.score(of: client[index + 1]) else { continue }
            words += [FloatText.string(score).array, client[index + 1].array]
        }
        client.server.propagation.instead(words: words)
    }

    private static func score(_ client: Client, _ index: Int) -> Double? {
        if let score = FloatText.parseDouble(client[index]) { return score }
        client.reply.error("ERR value is not a valid float")
        return nil
    }

    /// Stores the pairs, the first member being the word at `first` and the next one `step` words on,
    /// and replies; returns the number of changes.
    @discardableResult
    static func store(
        _ client: Client, _ options: AddOptions, pairs: Int, from first: Int, step: Int = 2,
        _ score: (Int) -> Double
    ) -> Int {
        func pair(_ index: Int) -> (Double, Bytes) {
            (score(index), client[first + index * step])
        }
        let key = client[1]
        var outcome = AddOutcome()
        if let entry = client.lookupWrite(key) {
            guard client.check(entry, is: .sortedSet) else { return 0 }
            var set = client.withDatabase { SortedSet(entry, in: $0) }
            for index in 0..<pairs { put(pair(index), into: &set, options, &outcome) }
        } else if !options.onlyPresent {
            var set = SortedSet.insert(key, for: client[first], in: client.database)
            for index in 0..<pairs { put(pair(index), into: &set, options, &outcome) }
        }
        if outcome.isNaN {
            client.reply.error("ERR resulting score is not a number (NaN)")
        } else if !options.increments {
            client.reply.integer(outcome.added + (options.countsChanged ? outcome.updated : 0))
        } else if let score = outcome.score {
            client.reply.double(score)
        } else {
            client.reply.null()
        }
        let dirty = outcome.added + outcome.updated
        if dirty > 0 {
            client.changed(key, .sortedSet, options.increments ? "zincr" : "zadd", dirty: dirty)
        }
        return dirty
    }

    @inline(__always)
    private static func put(
        _ pair: (score: Double, member: Bytes), into set: inout SortedSet, _ options: AddOptions,
        _ outcome: inout AddOutcome
    ) {
        set.update(pair.member) { present in
            outcome.score = nil
            guard let present else {
                if options.onlyPresent { return nil }
                outcome.added += 1
                outcome.score = pair.score
                return pair.score
            }
            if options.onlyNew { return nil }
            let score = options.increments ? present + pair.score : pair.score
            if score.isNaN {
                outcome.isNaN = true
                return nil
            }
            if options.onlyLess && score >= present || options.onlyGreater && score <= present {
                return nil
            }
            outcome.score = score
            if score == present { return nil }
            outcome.updated += 1
            return score
        }
    }

    static func remove(_ client: Client) {
        let key = client[1]
        guard var set = find(client, write: true) else { return }
        var removed = 0
        for index in 2..<client.count where set.remove(client[index]) {
            removed += 1
            if set.count == 0 { break }
        }
        if removed > 0 {
            client.changed(key, .sortedSet, "zrem", dirty: removed)
            if set.count == 0 { client.deleteEmptied(key) }
        }
        client.reply.integer(removed)
    }

    static func count(_ client: Client) {
        guard let set = find(client, write: false) else { return }
        client.reply.integer(set.count)
    }

    static func score(_ client: Client) {
        guard let entry = client.lookupRead(client[1]) else { return client.reply.null() }
        guard client.check(entry, is: .sortedSet) else { return }
        reply(client, SortedSet(entry, in: client.database).score(of: client[2]))
    }

    static func scores(_ client: Client) {
        let entry = client.lookupRead(client[1])
        if let entry, !client.check(entry, is: .sortedSet) { return }
        let set = entry.map { SortedSet($0, in: client.database) }
        client.reply.array(client.count - 2)
        for index in 2..<client.count { reply(client, set?.score(of: client[index])) }
    }

    private static func reply(_ client: Client, _ score: Double?) {
        if let score { client.reply.double(score) } else { client.reply.null() }
    }

    static func rank(_ client: Client, reversed: Bool) {
        guard let entry = client.lookupRead(client[1]) else { return client.reply.null() }
        guard client.check(entry, is: .sortedSet) else { return }
        let set = SortedSet(entry, in: client.database)
        guard let rank = set.rank(of: client[2]) else { return client.reply.null() }
        client.reply.integer(reversed ? set.count - 1 - rank : rank)
    }

    static func scan(_ client: Client) {
        guard let cursor = client.scanCursor(2) else { return }
        guard let entry = client.lookupRead(client[1]) else { return client.emptyScan() }
        guard client.check(entry, is: .sortedSet) else { return }
        guard let options = client.scanOptions(from: 3) else { return }
        let set = SortedSet(entry, in: client.database)
        client.scanReply { emit in
            set.scan(cursor, count: options.count) { member, score in
                member.withBytes {
                    if !options.matches($0) { return }
                    client.reply.bulk(member)
                    client.reply.bulk(double: score)
                    emit(2)
                }
            }
        }
    }

    /// The sorted set at the first argument; replies 0 when it is missing, WRONGTYPE when it is none.
    static func find(_ client: Client, write: Bool) -> SortedSet? {
        guard let entry = write ? client.lookupWrite(client[1]) : client.lookupRead(client[1])
        else {
            client.reply.integer(0)
            return nil
        }
        guard client.check(entry, is: .sortedSet) else { return nil }
        return SortedSet(entry, in: client.database)
    }
}
