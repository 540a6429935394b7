// SPDX-License-Identifier: BSD-3-Clause
//
// Lists against plain arrays, with node limits of every kind.

import Memory
import Testing

@testable import Keyspace

@Suite struct ListValueTests {
    static func elements(_ list: ListValue) -> [[UInt8]] {
        var all: [[UInt8]] = []
        list.forEach(from: 0, count: list.count) { all.append($0.array) }
        return all
    }

    static func backwards(_ list: ListValue) -> [[UInt8]] {
        var all: [[UInt8]] = []
        var place = list.last
        while let here = place {
            all.append(list[here].array)
            place = list.previous(here)
        }
        return all.reversed()
    }

    /// The chain, the counts and the listpacks agree.
    static func isSound(_ list: ListValue) -> Bool {
        var nodes = 0
        var elements = 0
        var node = list.firstNode
        var previous = Address.null
        while !node.isNull {
            let count = ListValue.pack(node).count
            if ListValue.previous(node) != previous || count == 0 { return false }
            if count != ListValue.count(node) { return false }
            nodes += 1
            elements += count
            previous = node
            node = ListValue.next(node)
        }
        return previous == list.lastNode && nodes == list.nodeCount && elements == list.count
    }

    @Test("Random changes agree with an array", arguments: [-1, -2, -5, 1, 2, 3, 10, 128])
    func model(_ limit: Int) {
        var random = SplitMix(UInt64(bitPattern: Int64(limit)))
        let heap = Heap()
        let list = ListValue.make(in: heap)
        var model: [[UInt8]] = []
        for step in 0..<4000 {
            let bytes = random.element()
            let index = model.isEmpty ? 0 : Int.random(in: 0..<model.count, using: &random)
            Bytes.with(bytes) { view in
                change(list, &model, view, index, limit, heap, &random)
            }
            if step % 50 == 0 {
                #expect(Self.isSound(list))
                #expect(Self.elements(list) == model)
            }
            if !model.isEmpty {
                let index = Int.random(in: 0..<model.count, using: &random)
                #expect(list.seek(index).map { list[$0].array } == model[index])
                #expect(list.seek(index - model.count) == list.seek(index))
            }
            #expect(list.seek(model.count) == nil)
        }
        #expect(Self.isSound(list))
        #expect(Self.elements(list) == model)
        #expect(Self.backwards(list) == model)
        let copy = list.copy(in: heap)
        list.free(in: heap)
        #expect(Self.isSound(copy))
        #expect(Self.elements(copy) == model)
        copy.free(in: heap)
        #expect(heap.used == 0)
    }

    func change(
        _ list: ListValue, _ model: inout [[UInt8]], _ view: Bytes, _ index: Int, _ limit: Int,
        _ heap: Heap, _ random: inout SplitMix
    ) {
        let kind = Int.random(in: 0..<20, using: &random)
        guard kind > 5, let place = list.seek(index) else {
            if kind % 2 == 0 {
                list.pushFirst(view, limit: ListLimit(limit), in: heap)
                model.insert(view.array, at: 0)
            } else {
                list.pushLast(view, limit: ListLimit(limit), in: heap)
                model.append(view.array)
            }
            return
        }
        switch kind {
        case 6, 7, 8:
            list.insert(view, before: place, limit: ListLimit(limit), in: heap)
            model.insert(view.array, at: index)
        case 9, 10, 11:
            list.insert(view, after: place, limit: ListLimit(limit), in: heap)
            model.insert(view.array, at: index + 1)
        case 12, 13:
            list.replace(place, with: view, limit: ListLimit(limit), in: heap)
            model[index] = view.array
        case 14:
            let next = list.removeGoingForward(place, in: heap)
            model.remove(at: index)
            #expect(next == list.seek(index))
        case 15:
            let before = list.removeGoingBackward(place, in: heap)
            model.remove(at: index)
            #expect(before == (index == 0 ? nil : list.seek(index - 1)))
        case 16 where Int.random(in: 0..<8, using: &random) == 0:
            let n = Int.random(in: 0...(model.count - index), using: &random)
            list.removeRange(index, count: n, in: heap)
            model.removeSubrange(index..<(index + n))
        case 17:
            if let last = list.last { list.remove(last, in: heap) }
            model.removeLast()
        default:
            if let first = list.first { list.remove(first, in: heap) }
            model.removeFirst()
        }
    }

    @Test("Nodes keep to their limit, and a large element has a node to itself")
    func limits() {
        let heap = Heap()
        let list = ListValue.make(in: heap)
        let large = [UInt8](repeating: 0x78, count: 100_000)
        for i in 0..<3000 {
            Bytes.with("element \(i)") { list.pushLast($0, limit: ListLimit(-1), in: heap) }
        }
        Bytes.with(large) { list.pushLast($0, limit: ListLimit(-1), in: heap) }
        Bytes.with("behind") { list.pushLast($0, limit: ListLimit(-1), in: heap) }
        var sizes: [Int] = []
        list.forEachNode { sizes.append($0.size) }
        #expect(sizes.filter { $0 > 4096 }.count == 1)
        #expect(sizes.dropLast(3).allSatisfy { $0 > 4000 })
        #expect(list.seek(3000).map { list[$0].array } == large)
        #expect(list.seek(-1).map { list[$0].array } == Array("behind".utf8))
        list.free(in: heap)
        #expect(heap.used == 0)
    }

    @Test("A loaded node is taken as it is, or cut up when it is too large")
    func blobs() {
        let heap = Heap()
        for (limit, nodes) in [(-1, 2), (-5, 1), (100, 10)] {
            var builder = ListpackBuilder(in: heap)
            for i in 0..<1000 { Bytes.with("abc\(i)") { builder.append($0) } }
            let pack = builder.finish()
            let list = ListValue.make(in: heap)
            list.append(blob: pack.bytes, limit: ListLimit(limit), in: heap)
            #expect(list.nodeCount >= nodes && list.count == 1000)
            #expect(Self.isSound(list))
            #expect(list.seek(999).map { list[$0].array } == Array("abc999".utf8))
            pack.free(in: heap)
            list.free(in: heap)
        }
        #expect(heap.used == 0)
    }
}
