// SPDX-License-Identifier: BSD-3-Clause
//
// Sorted sets in both forms against a sorted array: every way to ask and to change.

import Memory
import Testing

@testable import Keyspace

@Suite struct SortedSetTests {
    static let scores: [Double] = [
        0, -0.0, 1, -1, 0.5, 1.0 / 3, 1e17, -1e300, .infinity, -.infinity, 4_503_599_627_370_496,
        127, 128, 4095, -4096, 70_000,
    ]

    private func elements(_ set: SortedSet, reversed: Bool = false) -> [ModelElement] {
        var all: [ModelElement] = []
        set.forEach(in: 0..<set.count, reversed: reversed) {
            all.append(ModelElement(score: $1, member: $0.array))
        }
        return all
    }

    @Test(
        "random changes agree with a sorted array",
        arguments: [(0, 64), (20, 8), (128, 64), (5000, 64)])
    func model(entries: Int, value: Int) {
        let heap = Heap()
        var limits = PackedLimits()
        limits.sortedSetMaxEntries = entries
        limits.sortedSetMaxValue = value
        var set = SortedSet.detached(in: heap, limits, packed: entries > 0)
        var model: [ModelElement] = []
        for step in 0..<1500 {
            let number = Int.random(in: 0..<150)
            let member = Array((number % 3 == 0 ? "\(number)" : "member\(number)").utf8)
            let score =
                number % 5 == 0
                ? Self.scores.randomElement() ?? 0 : Double(Int.random(in: -30...30)) / 4
            let old = model.firstIndex { $0.member == member }
            Bytes.with(member) { view in
                #expect(set.score(of: view) == old.map { model[$0].score })
                #expect(set.rank(of: view) == old)
                if Int.random(in: 0..<3) > 0 {
                    if let old { model.remove(at: old) }
                    let element = ModelElement(score: score, member: member)
                    model.insert(element, at: model.firstIndex { element < $0 } ?? model.count)
                    set.put(view, score)
                } else {
                    #expect(set.remove(view) == (old != nil))
                    if let old { model.remove(at: old) }
                }
            }
            #expect(set.count == model.count)
            if step % 50 == 0 {
                #expect(elements(set) == model)
                #expect(elements(set, reversed: true) == model.reversed())
                checkRanges(set, model)
            }
            if step % 400 == 399 {
                let from = Int.random(in: 0...model.count)
                let to = Int.random(in: from...model.count)
                set.remove(ranks: from..<to)
                model.removeSubrange(from..<to)
                #expect(elements(set) == model)
            }
        }
        var scanned: Set<[UInt8]> = []
        var cursor: UInt64 = 0
        repeat {
            cursor = set.scan(cursor, count: 5) { member, _ in scanned.insert(member.array) }
        } while cursor != 0
        #expect(scanned == Set(model.map(\.member)))
        let container = SortedSet.copy(set.kind, set.container, to: heap)
        SortedSet.free(set.kind, container, in: heap)
        set.packIfSmall(PackedLimits())
        #expect(elements(set) == model)
        set.free()
        #expect(heap.used == 0)
        heap.destroy()
    }

    private func checkRanges(_ set: SortedSet, _ model: [ModelElement]) {
        let low = Double(Int.random(in: -8...8))
        let high = Double(Int.random(in: -8...8))
        for (a, b) in [(false, false), (true, false), (false, true), (true, true)] {
            let range = ScoreRange(low, high, excludesMinimum: a, excludesMaximum: b)
            var wanted: [Int] = []
            for (index, element) in model.enumerated() {
                let score = element.score
                if (a ? score > low : score >= low) && (b ? score < high : score <= high) {
                    wanted.append(index)
                }
            }
            #expect(Array(set.ranks(in: range)) == wanted)
        }
    }

    @Test("members between bounds, among equal scores", arguments: [false, true])
    func lex(packed: Bool) {
        let heap = Heap()
        var set = SortedSet.detached(in: heap, PackedLimits(), packed: packed)
        for text in ["b", "10", "a", "2", "bb", ""] { Bytes.with(text) { set.put($0, 7) } }
        // "" "10" "2" "a" "b" "bb"
        func ranks(_ minimum: LexBound, _ maximum: LexBound) -> Range<Int> {
            set.ranks(in: LexRange(minimum, maximum))
        }
        #expect(ranks(.lowest, .highest) == 0..<6)
        #expect(ranks(.inclusive(Bytes("10")), .exclusive(Bytes("b"))) == 1..<4)
        #expect(ranks(.exclusive(Bytes("10")), .inclusive(Bytes("b"))) == 2..<5)
        #expect(ranks(.highest, .lowest).isEmpty)
        #expect(ranks(.inclusive(Bytes("c")), .highest).isEmpty)
        set.free()
        #expect(heap.used == 0)
        heap.destroy()
    }

    @Test("the builder takes any order and refuses doubles", arguments: [3, 500], [0, 1, 2])
    func builder(count: Int, order: Int) {
        let heap = Heap()
        var numbers = Array(0..<count)
        if order == 1 { numbers.reverse() }
        if order == 2 { numbers.shuffle() }
        var builder = SortedSetBuilder(in: heap, PackedLimits(), count: count)
        for number in numbers {
            Bytes.with("m\(number)") {
                let fresh = builder.add($0, Double(number))
                #expect(fresh)
                let again = builder.add($0, 9)
                #expect(!again)
            }
        }
        let set = builder.finish()
        #expect(set.kind == (count > 128 ? .sortedSetSkip : .sortedSetPacked))
        #expect(elements(set).map(\.score) == (0..<count).map(Double.init))
        set.free()
        #expect(heap.used == 0)
        heap.destroy()
    }
}
