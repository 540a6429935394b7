// SPDX-License-Identifier: BSD-3-Clause
//
// Ranges of a sorted set: by rank, by score, by member; shown, counted, removed, stored. Every kind
// of range is brought to a range of ranks first, so that the rest exists once.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func sortedSetRanges() -> [Command] {
        let one = (1, 1, 1)
        return [
            Command(
                "zrange", -4, "readonly", keys: one, "sortedset", since: "1.2.0",
                "Returns the elements of a sorted set in a range of ranks, scores or members."
            ) {
                SortedSets.range($0, RangeForm(kind: nil, reversed: nil))
            },
            Command(
                "zrevrange", -4, "readonly", keys: one, "sortedset", since: "1.2.0",
                "Returns the elements of a sorted set between two ranks, the highest first."
            ) {
                SortedSets.range($0, RangeForm(kind: .rank, reversed: true))
            },
            Command(
                "zrangebyscore", -4, "readonly", keys: one, "sortedset", since: "1.0.5",
                "Returns the elements of a sorted set between two scores."
            ) {
                SortedSets.range($0, RangeForm(kind: .score, reversed: false))
            },
            Command(
                "zrevrangebyscore", -4, "readonly", keys: one, "sortedset", since: "2.2.0",
                "Returns the elements of a sorted set between two scores, the highest first."
            ) {
                SortedSets.range($0, RangeForm(kind: .score, reversed: true))
            },
            Command(
                "zrangebylex", -4, "readonly", keys: one, "sortedset", since: "2.8.9",
                "Returns the elements of a sorted set between two members."
            ) {
                SortedSets.range($0, RangeForm(kind: .lex, reversed: false))
            },
            Command(
                "zrevrangebylex", -4, "readonly", keys: one, "sortedset", since: "2.8.9",
                "Returns the elements of a sorted set between two members, the last first."
            ) {
                SortedSets.range($0, RangeForm(kind: .lex, reversed: true))
            },
            Command(
                "zrangestore", -5, "write denyoom", keys: (1, 2, 1), "sortedset", since: "6.2.0",
                "Stores the elements of a sorted set in a range."
            ) {
                SortedSets.range($0, RangeForm(kind: nil, reversed: nil, stores: true))
            },
            Command(
                "zcount", 4, "readonly fast", keys: one, "sortedset", since: "2.0.0",
                "Counts the elements of a sorted set between two scores."
            ) {
                SortedSets.count($0, .score)
            },
            Command(
                "zlexcount", 4, "readonly fast", keys: one, "sortedset", since: "2.8.9",
                "Counts the elements of a sorted set between two members."
            ) {
                SortedSets.count($0, .lex)
            },
            Command(
                "zremrangebyrank", 4, "write", keys: one, "sortedset", since: "2.0.0",
                "Removes the elements of a sorted set between two ranks."
            ) {
                SortedSets.removeRange($0, .rank, "zremrangebyrank")
            },
            Command(
                "zremrangebyscore", 4, "write", keys: one, "sortedset", since: "1.2.0",
                "Removes the elements of a sorted set between two scores."
            ) {
                SortedSets.removeRange($0, .score, "zremrangebyscore")
            },
            Command(
                "zremrangebylex", 4, "write", keys: one, "sortedset", since: "2.8.9",
                "Removes the elements of a sorted set between two members."
            ) {
                SortedSets.removeRange($0, .lex, "zremrangebylex")
            },
        ]
    }
}

/// What a range command's name fixes already; nil: an option may say.
struct RangeForm {
    enum Kind { case rank, score, lex }
    var kind: Kind?
    var reversed: Bool?
    var stores = false
}

/// Two bounds as given.
enum RangeBounds {
    case rank(Int, Int)
    case score(ScoreRange)
    case lex(LexRange)

    /// The ranks in ascending order that lie between the bounds. Ranks given are counted from the
    /// end of the order when `reversed`.
    func ranks(in set: SortedSet, reversed: Bool) -> Range<Int> {
        switch self {
        case .score(let range): return set.ranks(in: range)
        case .lex(let range): return set.ranks(in: range)
        case .rank(let first, let last):
            let count = set.count
            let from = max(0, first < 0 ? count + first : first)
            let to = min(count - 1, last < 0 ? count + last : last)
            if from > to || from >= count { return 0..<0 }
            return reversed ? (count - 1 - to)..<(count - from) : from..<(to + 1)
        }
    }
}

extension SortedSets {
    /// The options behind the bounds.
    private struct RangeOptions {
        var kind: RangeForm.Kind = .rank
        var reversed = false
        var withScores = false
        var offset = 0
        var limit = -1
    }

    static func range(_ client: Client, _ form: RangeForm) {
        let source = form.stores ? 2 : 1
        guard let options = rangeOptions(client, form, from: source + 3) else { return }
        // In a reversed range by score or member the larger bound comes first.
        let swapped = options.reversed && options.kind != .rank
        guard
            let bounds = bounds(
                client, options.kind, source + (swapped ? 2 : 1), source + (swapped ? 1 : 2))
        else { return }
        guard let entry = client.lookupRead(client[source]) else {
            if form.stores { return storeResult(client, nil, "zrangestore", asValue: true) }
            return client.reply.array(0)
        }
        guard client.check(entry, is: .sortedSet) else { return }
        let set = SortedSet(entry, in: client.database)
        let ranks = cut(bounds.ranks(in: set, reversed: options.reversed), options)
        if form.stores {
            storeResult(
                client, set.copy(of: ranks, in: client.database), "zrangestore", asValue: true)
        } else {
            show(client, set, ranks, options)
        }
    }

    private static func show(
        _ client: Client, _ set: SortedSet, _ ranks: Range<Int>, _ options: RangeOptions
    ) {
        let pairs = options.withScores && client.reply.version == 3
        client.reply.array(ranks.count * (options.withScores && !pairs ? 2 : 1))
        set.forEach(in: ranks, reversed: options.reversed) { member, score in
            if pairs { client.reply.array(2) }
            client.reply.bulk(member)
            if options.withScores { client.reply.double(score) }
        }
    }

    /// LIMIT applied, in the direction of the range.
    private static func cut(_ ranks: Range<Int>, _ options: RangeOptions) -> Range<Int> {
        if options.offset < 0 || options.offset >= ranks.count { return 0..<0 }
        let rest = ranks.count - options.offset
        let count = options.limit < 0 ? rest : min(rest, options.limit)
        if options.reversed {
            let end = ranks.upperBound - options.offset
            return (end - count)..<end
        }
        let start = ranks.lowerBound + options.offset
        return start..<(start + count)
    }

    private static func rangeOptions(
        _ client: Client, _ form: RangeForm, from first: Int
    ) -> RangeOptions? {
        var options = RangeOptions()
        var kind = form.kind
        var reversed = form.reversed
        var limited = false
        var index = first
        while index < client.count {
            let left = client.count - index - 1
            if !form.stores && client.word(index, is: "withscores") {
                options.withScores = true
            } else if client.word(index, is: "limit") && left >= 2 {
                guard let offset = client.integer(index + 1), let limit = client.integer(index + 2)
                else { return nil }
                options.offset = Int(offset)
                options.limit = Int(limit)
                limited = true
                index += 2
            } else if reversed == nil && form.reversed == nil && client.word(index, is: "rev") {
                reversed = true
            } else if kind == nil && client.word(index, is: "bylex") {
                kind = .lex
            } else if kind == nil && client.word(index, is: "byscore") {
                kind = .score
            } else {
                client.syntaxError()
                return nil
            }
            index += 1
        }
        options.kind = kind ?? .rank
        options.reversed = reversed ?? false
        // A limit of -1 is as good as none, so that Redis doesn't complain about it either.
        if limited && options.limit != -1 && options.kind == .rank {
            client.reply.error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
            )
            return nil
        }
        if options.withScores && options.kind == .lex {
            client.reply.error(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX")
            return nil
        }
        return options
    }

    // MARK: Bounds

    static func bounds(
        _ client: Client, _ kind: RangeForm.Kind, _ minimum: Int, _ maximum: Int
    ) -> RangeBounds? {
        switch kind {
        case .rank:
            guard let first = client.integer(minimum), let last = client.integer(maximum) else {
                return nil
            }
            return .rank(Int(first), Int(last))
        case .score:
            guard let low = scoreBound(client[minimum]), let high = scoreBound(client[maximum])
            else {
                client.reply.error("ERR min or max is not a float")
                return nil
            }
            return .score(
                ScoreRange(
                    low.score, high.score, excludesMinimum: low.excluded,
                    excludesMaximum: high.excluded))
        case .lex:
            guard let low = lexBound(client[minimum]), let high = lexBound(client[maximum]) else {
                client.reply.error("ERR min or max not valid string range item")
                return nil
            }
            return .lex(LexRange(low, high))
        }
    }

    private static func scoreBound(_ text: Bytes) -> (score: Double, excluded: Bool)? {
        let excluded = text.count > 0 && text[0] == UInt8(ascii: "(")
        let number = excluded ? text.dropFirst(1) : text
        // Redis calls strtod without a look at what it is given or at what it says.
        return FloatText.parseAsStrtod(number, anySize: true).map { ($0, excluded) }
    }

    private static func lexBound(_ text: Bytes) -> LexBound? {
        guard text.count > 0 else { return nil }
        switch text[0] {
        case UInt8(ascii: "-"): return text.count == 1 ? .lowest : nil
        case UInt8(ascii: "+"): return text.count == 1 ? .highest : nil
        case UInt8(ascii: "["): return .inclusive(text.dropFirst(1))
        case UInt8(ascii: "("): return .exclusive(text.dropFirst(1))
        default: return nil
        }
    }

    // MARK: Counting and removing

    static func count(_ client: Client, _ kind: RangeForm.Kind) {
        guard let bounds = bounds(client, kind, 2, 3) else { return }
        guard let set = find(client, write: false) else { return }
        client.reply.integer(bounds.ranks(in: set, reversed: false).count)
    }

    static func removeRange(_ client: Client, _ kind: RangeForm.Kind, _ event: StaticString) {
        let key = client[1]
        guard let bounds = bounds(client, kind, 2, 3) else { return }
        guard var set = find(client, write: true) else { return }
        let ranks = bounds.ranks(in: set, reversed: false)
        if !ranks.isEmpty {
            set.remove(ranks: ranks)
            client.changed(key, .sortedSet, event, dirty: ranks.count)
            if set.count == 0 { client.deleteEmptied(key) }
        }
        client.reply.integer(ranks.count)
    }
}
