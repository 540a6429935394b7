// SPDX-License-Identifier: BSD-3-Clause
//
// SORT's order: by number or by bytes, of the elements or of what BY finds for them.

import Keyspace
import Memory
import RESP

extension Sort {
    /// Copies of byte strings, one behind the other.
    struct Texts {
        private let store = ByteBuffer()
        private var ends: [Int] = []

        var count: Int { ends.count }

        mutating func append(_ bytes: Bytes) {
            store.append(bytes)
            ends.append(store.count)
        }

        subscript(index: Int) -> Bytes {
            let start = index == 0 ? 0 : ends[index - 1]
            return Bytes(start: store.bytes.start + start, count: ends[index] - start)
        }
    }

    /// The elements of a collection in the order in which it gives them.
    struct Elements {
        private var texts = Texts()

        /// `reversed` concerns a sorted set only, the one with an order that DESC can turn round.
        init(_ entry: Entry?, _ database: Database, reversed: Bool) {
            guard let entry else { return }
            var texts = Texts()
            let add: (ListpackElement) -> Void = { $0.withBytes { texts.append($0) } }
            switch entry.type {
            case .list:
                let list = ListValue(entry.container)
                list.forEach(from: 0, count: list.count, add)
            case .set: SetValue(entry, in: database).forEach(add)
            case .sortedSet:
                let set = SortedSet(entry, in: database)
                if reversed {
                    set.forEachReversed { member, _ in add(member) }
                } else {
                    set.forEach { member, _ in add(member) }
                }
            case .string, .hash, .stream: break
            }
            self.texts = texts
        }

        var count: Int { texts.count }
        subscript(index: Int) -> Bytes { texts[index] }
    }

    /// The places of the elements in order; nil when one that should be a number is none.
    static func sorted(_ c: Client, _ elements: Elements, _ options: Options) -> [Int]? {
        let places = Array(0..<elements.count)
        let descending = options.descending
        if options.alpha {
            guard let by = options.by else {
                return places.sorted {
                    let order = elements[$0].compare(elements[$1])
                    return descending ? order > 0 : order < 0
                }
            }
            return byTexts(c, elements, c[by], places, descending)
        }
        var scores: [Double] = []
        scores.reserveCapacity(places.count)
        for place in places {
            var score: Double? = 0
            if let by = options.by {
                // A key that isn't there counts as 0.
                if let found = lookup(c, c[by], elements[place], { FloatText.parseAsStrtod($0) }) {
                    score = found
                }
            } else {
                score = FloatText.parseAsStrtod(elements[place])
            }
            guard let score else { return nil }
            scores.append(score)
        }
        return places.sorted {
            let order =
                scores[$0] == scores[$1]
                ? elements[$0].compare(elements[$1]) : scores[$0] < scores[$1] ? -1 : 1
            return descending ? order > 0 : order < 0
        }
    }

    /// As bytes of what BY finds; what it doesn't find comes before all else.
    private static func byTexts(
        _ c: Client, _ elements: Elements, _ pattern: Bytes, _ places: [Int], _ descending: Bool
    ) -> [Int] {
        var texts = Texts()
        var found: [Bool] = []
        for place in places {
            let there: Void? = lookup(c, pattern, elements[place]) { texts.append($0) }
            if there == nil { texts.append(.empty) }
            found.append(there != nil)
        }
        return places.sorted { a, b in
            let order =
                found[a] && found[b]
                ? texts[a].compare(texts[b]) : (found[a] ? 1 : 0) - (found[b] ? 1 : 0)
            return descending ? order > 0 : order < 0
        }
    }
}
