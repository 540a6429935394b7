// SPDX-License-Identifier: BSD-3-Clause
//
// The skip list against a sorted array: order, ranks, spans on every level, links back.

import Memory
import Testing

@testable import Keyspace

struct ModelElement: Comparable {
    var score: Double
    var member: [UInt8]

    static func < (a: ModelElement, b: ModelElement) -> Bool {
        a.score != b.score ? a.score < b.score : a.member.lexicographicallyPrecedes(b.member)
    }
}

@Suite struct SkipListTests {
    private func elements(_ list: SkipList) -> [ModelElement] {
        var all: [ModelElement] = []
        var node = list.first
        while !node.isNull {
            all.append(ModelElement(score: node.score, member: node.member.array))
            node = node.forward(0)
        }
        return all
    }

    /// Every span says how far its link leads, and the links back mirror those forward.
    private func checkLinks(_ list: SkipList) {
        var ranks: [Address: Int] = [list.head.address: 0]
        var node = list.first
        var before = SkipNode(.null)
        var rank = 0
        while !node.isNull {
            rank += 1
            ranks[node.address] = rank
            #expect(node.backward == before)
            before = node
            node = node.forward(0)
        }
        #expect(list.last == before)
        #expect(list.count == rank)
        for level in 0..<list.levels {
            var at = list.head
            while !at.isNull {
                let next = at.forward(level)
                let here = ranks[at.address] ?? -1
                let there = next.isNull ? list.count : ranks[next.address] ?? -1
                #expect(at.span(level) == there - here)
                at = next
            }
        }
    }

    @Test("random changes keep order, ranks and spans", arguments: [4, 60, 2000])
    func model(members: Int) {
        let heap = Heap()
        let list = SkipList.make(in: heap)
        var nodes: [[UInt8]: SkipNode] = [:]
        var model: [ModelElement] = []
        for step in 0..<2500 {
            let member = Array("m\(Int.random(in: 0..<members))".utf8)
            let score = Double(Int.random(in: -20...20)) / 2
            if let node = nodes[member] {
                let index = model.firstIndex { $0.member == member } ?? 0
                model.remove(at: index)
                if Int.random(in: 0..<3) == 0 {
                    nodes[member] = nil
                    list.remove(node, in: heap)
                    continue
                }
                list.update(node, to: score)
            } else {
                nodes[member] = Bytes.with(member) { list.insert(score, $0, in: heap) }
            }
            let element = ModelElement(score: score, member: member)
            model.insert(element, at: model.firstIndex { element < $0 } ?? model.count)
            if step % 100 == 0 {
                checkLinks(list)
                #expect(elements(list) == model)
            }
        }
        for (rank, element) in model.enumerated() {
            let node = list.node(at: rank)
            #expect(node.member.array == element.member)
            #expect(list.rank(of: node) == rank)
        }
        #expect(list.node(at: model.count).isNull)
        let from = model.count / 4
        let to = model.count / 2
        var removed: [[UInt8]] = []
        list.remove(ranks: from..<to, in: heap) { removed.append($0.member.array) }
        #expect(removed == model[from..<to].map(\.member))
        model.removeSubrange(from..<to)
        #expect(elements(list) == model)
        checkLinks(list)
        list.free(in: heap)
        #expect(heap.used == 0)
    }

    @Test("sorted input builds the same list without a search", arguments: [0, 1, 500])
    func sorted(count: Int) {
        let heap = Heap()
        let list = SkipList.make(in: heap)
        var tails = list.startSorted()
        for index in 0..<count {
            Bytes.with("m\(index)") {
                _ = list.appendSorted(Double(index), $0, after: &tails, in: heap)
            }
        }
        list.finishSorted(tails)
        checkLinks(list)
        _ = Bytes.with("between") { list.insert(Double(count) / 2 + 0.25, $0, in: heap) }
        checkLinks(list)
        list.free(in: heap)
        #expect(heap.used == 0)
    }
}
