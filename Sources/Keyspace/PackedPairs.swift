// SPDX-License-Identifier: BSD-3-Clause
//
// A small sorted set in a listpack: member, score, member, score, in order of score and member.

import Memory

/// A view of such a listpack.
@safe
struct PackedPairs {
    let listpack: Listpack

    init(_ listpack: Listpack) { self.listpack = listpack }

    var count: Int { listpack.count / 2 }

    /// The place of `member`.
    func find(_ member: Bytes) -> Int? { listpack.find(member, step: 2) }

    /// The score of the member at `place`.
    func score(behind place: Int) -> Double { score(at: listpack.next(place)) }

    /// As `score(behind:)`, nil when it is no number.
    func checkedScore(behind place: Int) -> Double? {
        switch listpack[listpack.next(place)] {
        case .integer(let value): Double(value)
        case .bytes(let text): FloatText.parseDouble(text)
        }
    }

    @inline(__always)
    private func score(at place: Int) -> Double {
        switch listpack[place] {
        case .integer(let value): Double(value)
        // A score is always one of our own texts or was validated as a number.
        case .bytes(let text): FloatText.parseDouble(text) ?? 0
        }
    }

    /// Calls `body` with the form in which a score is stored.
    static func withElement<R>(of score: Double, _ body: (ListpackElement) -> R) -> R {
        if score > -1e15 && score < 1e15 {
            let whole = Int64(score)
            // Minus zero becomes zero here, as in Redis 7's listpacks.
            if Double(whole) == score { return body(.integer(whole)) }
        }
        return unsafe withUnsafeTemporaryAllocation(
            byteCount: FloatText.maximumSize, alignment: 1
        ) { room in
            let place = unsafe room.baseAddress.map { unsafe Address($0) } ?? .null
            let n = FloatText.write(score, to: place)
            return body(ListpackElement(Bytes(start: place, count: n)))
        }
    }

    func rank(of member: Bytes) -> Int? {
        let wanted = ListpackElement(member)
        var at = listpack.first
        let end = listpack.end
        var rank = 0
        while at < end {
            if case .integer(let a) = listpack[at], case .integer(let b) = wanted {
                if a == b { return rank }
            } else if listpack[at].equals(member) {
                return rank
            }
            at = listpack.next(listpack.next(at))
            rank += 1
        }
        return nil
    }

    /// The number of elements before the first for which `isBefore` fails.
    @inline(__always)
    func rank(while isBefore: (Member, Double) -> Bool) -> Int {
        var at = listpack.first
        let end = listpack.end
        var rank = 0
        while at < end {
            let scorePlace = listpack.next(at)
            if !isBefore(listpack[at], score(at: scorePlace)) { break }
            at = listpack.next(scorePlace)
            rank += 1
        }
        return rank
    }

    func forEach(in ranks: Range<Int>, reversed: Bool, _ body: (Member, Double) -> Void) {
        let first = reversed ? ranks.upperBound - 1 : ranks.lowerBound
        guard var at = listpack.seek(first * 2) else { return }
        let end = listpack.end
        for _ in ranks {
            let scorePlace = listpack.next(at)
            body(listpack[at], score(at: scorePlace))
            if reversed {
                guard let score = listpack.previous(at), let member = listpack.previous(score)
                else { return }
                at = member
            } else {
                at = listpack.next(scorePlace)
                if at >= end { return }
            }
        }
    }

    /// With `member`, which is not there, in its place.
    func inserted(_ member: Bytes, _ score: Double, in heap: Heap) -> PackedPairs {
        var at = listpack.first
        let end = listpack.end
        while at < end {
            let scorePlace = listpack.next(at)
            let other = self.score(at: scorePlace)
            if other > score { break }
            if other == score && listpack[at].withBytes({ $0.compare(member) }) > 0 { break }
            at = listpack.next(scorePlace)
        }
        return Self.withElement(of: score) {
            PackedPairs(listpack.insert(ListpackElement(member), $0, at: at, in: heap))
        }
    }
}
