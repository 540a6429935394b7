// SPDX-License-Identifier: BSD-3-Clause
//
// Unions, intersections and differences of sorted sets (and plain sets, whose members score 1), with
// weights and aggregates, answered or stored.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func sortedSetAlgebra() -> [Command] {
        typealias Sets = SortedSets
        return [
            Command(
                "zunionstore", -4, "write denyoom movablekeys", keys: (1, 1, 1), "sortedset",
                keyFinder: { Sets.keys($0, countAt: 2, stores: true) }, since: "2.0.0",
                "Stores the union of sorted sets."
            ) { Sets.combine($0, .union, countAt: 2, event: "zunionstore") },
            Command(
                "zinterstore", -4, "write denyoom movablekeys", keys: (1, 1, 1), "sortedset",
                keyFinder: { Sets.keys($0, countAt: 2, stores: true) }, since: "2.0.0",
                "Stores the intersection of sorted sets."
            ) { Sets.combine($0, .intersection, countAt: 2, event: "zinterstore") },
            Command(
                "zdiffstore", -4, "write denyoom movablekeys", keys: (1, 1, 1), "sortedset",
                keyFinder: { Sets.keys($0, countAt: 2, stores: true) }, since: "6.2.0",
                "Stores the difference of sorted sets."
            ) { Sets.combine($0, .difference, countAt: 2, event: "zdiffstore") },
            Command(
                "zunion", -3, "readonly movablekeys", "sortedset",
                keyFinder: { Sets.keys($0, countAt: 1, stores: false) }, since: "6.2.0",
                "Returns the union of sorted sets."
            ) { Sets.combine($0, .union, countAt: 1, event: nil) },
            Command(
                "zinter", -3, "readonly movablekeys", "sortedset",
                keyFinder: { Sets.keys($0, countAt: 1, stores: false) }, since: "6.2.0",
                "Returns the intersection of sorted sets."
            ) { Sets.combine($0, .intersection, countAt: 1, event: nil) },
            Command(
                "zdiff", -3, "readonly movablekeys", "sortedset",
                keyFinder: { Sets.keys($0, countAt: 1, stores: false) }, since: "6.2.0",
                "Returns the difference of sorted sets."
            ) { Sets.combine($0, .difference, countAt: 1, event: nil) },
        ]
    }
}

/// A sorted set or a plain one, as an operand; empty where the key is missing.
private struct Operand {
    var sorted: SortedSet?
    var plain: SetValue?
    var weight = 1.0

    var count: Int { sorted?.count ?? plain?.count ?? 0 }

    func score(of member: Bytes) -> Double? {
        if let sorted { return sorted.score(of: member) }
        return plain?.contains(member) == true ? 1 : nil
    }

    func forEach(_ body: (Member, Double) -> Void) {
        if let sorted { sorted.forEach(in: 0..<sorted.count, reversed: false, body) }
        plain?.forEach { body($0, 1) }
    }
}

private enum Aggregate {
    case sum, minimum, maximum

    func callAsFunction(_ a: Double, _ b: Double) -> Double {
        switch self {
        case .sum:
            let sum = a + b
            // The sum of the infinities is none: Redis takes 0.
            return sum.isNaN ? 0 : sum
        case .minimum: return b < a ? b : a
        case .maximum: return b > a ? b : a
        }
    }
}

extension SortedSets {
    enum Combination { case union, intersection, difference }

    /// Where the keys of these commands stand: their number is an argument.
    static func keys(_ arguments: Arguments, countAt: Int, stores: Bool) -> [Int] {
        guard countAt < arguments.count, let count = Decimal.parse(arguments[countAt]), count > 0,
            count <= arguments.count - countAt - 1
        else { return [] }
        return (stores ? [1] : []) + Array((countAt + 1)...(countAt + Int(count)))
    }

    /// `event` is that of the storing commands, nil for those that answer.
    static func combine(
        _ client: Client, _ how: Combination, countAt: Int, event: StaticString?
    ) {
        guard var operands = operands(client, countAt, stores: event != nil) else { return }
        var aggregate = Aggregate.sum
        var withScores = false
        var index = countAt + 1 + operands.count
        while index < client.count {
            let left = client.count - index
            if how != .difference && left > operands.count && client.word(index, is: "weights") {
                guard weigh(client, &operands, index + 1) else { return }
                index += 1 + operands.count
            } else if how != .difference && left >= 2 && client.word(index, is: "aggregate") {
                guard let chosen = chosenAggregate(client[index + 1]) else {
                    return client.syntaxError()
                }
                aggregate = chosen
                index += 2
            } else if event == nil && client.word(index, is: "withscores") {
                withScores = true
                index += 1
            } else {
                return client.syntaxError()
            }
        }
        let result = combined(client, operands, how, aggregate)
        if let event { return storeResult(client, result, event, asValue: how == .difference) }
        answer(client, result, withScores)
    }

    private static func operands(_ client: Client, _ countAt: Int, stores: Bool) -> [Operand]? {
        guard let count = client.integer(countAt) else { return nil }
        if count < 1 {
            if stores {
                client.reply.error(
                    "ERR at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE")
            } else {
                let name = client[0].string.lowercased()
                client.reply.error("ERR at least 1 input key is needed for '\(name)' command")
            }
            return nil
        }
        if count > client.count - countAt - 1 {
            client.syntaxError()
            return nil
        }
        var operands: [Operand] = []
        for index in (countAt + 1)...(countAt + Int(count)) {
            var operand = Operand()
            if let entry = client.lookupRead(client[index]) {
                switch entry.type {
                case .sortedSet: operand.sorted = SortedSet(entry, in: client.database)
                case .set: operand.plain = SetValue(entry, in: client.database)
                case .string, .list, .hash, .stream:
                    client.wrongType()
                    return nil
                }
            }
            operands.append(operand)
        }
        return operands
    }

    private static func weigh(_ client: Client, _ operands: inout [Operand], _ first: Int) -> Bool {
        for index in operands.indices {
            guard let weight = FloatText.parseDouble(client[first + index]) else {
                client.reply.error("ERR weight value is not a float")
                return false
            }
            operands[index].weight = weight
        }
        return true
    }

    private static func chosenAggregate(_ word: Bytes) -> Aggregate? {
        if word.equalsIgnoringCase("sum") { return .sum }
        if word.equalsIgnoringCase("min") { return .minimum }
        return word.equalsIgnoringCase("max") ? .maximum : nil
    }

    private static func combined(
        _ client: Client, _ operands: [Operand], _ how: Combination, _ aggregate: Aggregate
    ) -> SortedSet {
        // Many changes of scores may come: a skip list from the start, packed in the end if small.
        var result = SortedSet.detached(
            in: client.database.heap, client.database.limits, packed: false)
        if how == .difference {
            let others = operands.dropFirst()
            operands[0].forEach { member, score in
                member.withBytes { bytes in
                    if others.contains(where: { $0.score(of: bytes) != nil }) { return }
                    result.update(bytes) { _ in score }
                }
            }
            return result
        }
        // Redis adds up in the order of the operands' sizes, and sums of doubles depend on the order.
        let sorted = operands.enumerated().sorted {
            ($0.element.count, $0.offset) < ($1.element.count, $1.offset)
        }.map(\.element)
        if how == .union {
            for operand in sorted {
                operand.forEach { member, score in
                    let weighted = weighted(score, operand.weight)
                    member.withBytes { bytes in
                        result.update(bytes) { $0.map { aggregate($0, weighted) } ?? weighted }
                    }
                }
            }
            return result
        }
        let others = sorted.dropFirst()
        if sorted[0].count == 0 { return result }
        sorted[0].forEach { member, score in
            member.withBytes { bytes in
                var total = weighted(score, sorted[0].weight)
                for other in others {
                    guard let score = other.score(of: bytes) else { return }
                    // No look at NaN here, as in Redis: a sum with it is 0, a minimum passes it over.
                    total = aggregate(total, score * other.weight)
                }
                result.update(bytes) { _ in total }
            }
        }
        return result
    }

    /// Zero times infinity is no number: Redis takes 0.
    private static func weighted(_ score: Double, _ weight: Double) -> Double {
        let product = score * weight
        return product.isNaN ? 0 : product
    }

    private static func answer(_ client: Client, _ result: SortedSet, _ withScores: Bool) {
        let pairs = withScores && client.reply.version == 3
        client.reply.array(result.count * (withScores && !pairs ? 2 : 1))
        result.forEach(in: 0..<result.count, reversed: false) { member, score in
            if pairs { client.reply.array(2) }
            client.reply.bulk(member)
            if withScores { client.reply.double(score) }
        }
        result.free()
    }

    /// Puts `result` at `target` (the first argument) in place of what is there and replies its size;
    /// an empty one (or nil) leaves no key. `result` is disposed of. `asValue`: replicas get what was
    /// stored, not the command, which 6.0 doesn't know.
    static func storeResult(
        _ client: Client, _ result: SortedSet?, _ event: StaticString, at target: Bytes? = nil,
        dirty: Int = 1, asValue: Bool = false
    ) {
        let key = target ?? client[1]
        let present = client.lookupWrite(key) != nil
        guard var result, result.count > 0 else {
            result?.free()
            client.reply.integer(0)
            guard present else { return }
            client.replaceWithNothing(key)
            if asValue { client.propagateStored(key) }
            return
        }
        result.packIfSmall(client.database.limits)
        client.server.remove(key, in: client.database)
        client.database.insert(key, result.kind, container: result.container)
        client.reply.integer(result.count)
        client.changed(key, .sortedSet, event, dirty: dirty)
        if asValue { client.propagateStored(key) }
    }
}
