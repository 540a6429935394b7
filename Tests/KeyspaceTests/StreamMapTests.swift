// SPDX-License-Identifier: BSD-3-Clause
//
// The stream map against a sorted array: contents, seeks both ways, and that every node is linked,
// filled and ordered as it should be.

import Memory
import Testing

@testable import Keyspace

@Suite struct StreamMapTests {
    /// A map in a block of its own.
    private func make(_ heap: Heap) -> StreamMap {
        StreamMap(heap.allocateZeroed(StreamMap.recordSize))
    }

    private func contents(_ map: StreamMap) -> [StreamID: UInt] {
        var all: [StreamID: UInt] = [:]
        map.forEach { all[$0] = $1.raw }
        return all
    }

    /// Ids rise from left to right, inner ids bound what lies below, leaves hang on one chain.
    private func check(_ map: StreamMap) {
        var leaves: [Address] = []
        func walk(_ node: Address, _ level: Int, _ from: StreamID?, _ to: StreamID?) {
            let count = StreamMap.count(node)
            #expect(count > 0 && count <= StreamMap.room(node))
            for i in 0..<count {
                let id = StreamMap.id(node, i)
                if i > (level > 0 ? 1 : 0) { #expect(StreamMap.id(node, i - 1) < id) }
                if level > 0 {
                    let low = i == 0 ? from : id
                    let high = i + 1 < count ? StreamMap.id(node, i + 1) : to
                    walk(StreamMap.value(node, i), level - 1, low, high)
                } else {
                    if let from { #expect(!(id < from)) }
                    if let to { #expect(id < to) }
                }
            }
            if level == 0 { leaves.append(node) }
        }
        if map.root.isNull {
            #expect(map.isEmpty)
            return
        }
        walk(map.root, map.levels, nil, nil)
        var before = Address.null
        for leaf in leaves {
            #expect(StreamMap.previous(leaf) == before)
            if !before.isNull { #expect(StreamMap.next(before) == leaf) }
            before = leaf
        }
        #expect(StreamMap.next(before).isNull)
        #expect(leaves.reduce(0) { $0 + StreamMap.count($1) } == map.count)
    }

    @Test("random changes keep order, links and contents", arguments: [3, 40, 400, 6000])
    func model(ids: Int) {
        let heap = Heap()
        defer { heap.destroy() }
        let map = make(heap)
        var model: [StreamID: UInt] = [:]
        var random = SystemRandomNumberGenerator()
        for step in 0..<(ids * 8) {
            // Mostly in, then mostly out, so that nodes split and join at every level.
            let grows = (step / (ids * 2)) % 2 == 0
            let id = StreamID(
                UInt64.random(in: 0..<UInt64(ids), using: &random) / 4, UInt64(step % 3))
            if Int.random(in: 0..<10, using: &random) < (grows ? 8 : 2) {
                let value = Address(UInt(step + 1))
                #expect(map.insert(id, value, in: heap) == (model[id] == nil))
                if model[id] == nil { model[id] = value.raw }
            } else {
                #expect(map.remove(id, in: heap).raw == model.removeValue(forKey: id) ?? 0)
            }
            #expect(map.find(id).raw == model[id] ?? 0)
            if step % (ids + 1) == 0 { check(map) }
        }
        #expect(map.count == model.count)
        #expect(contents(map) == model)
        let sorted = model.keys.sorted()
        for _ in 0..<200 {
            let id = StreamID(UInt64.random(in: 0..<UInt64(ids), using: &random) / 4, 1)
            #expect(map.seek(from: id)?.id == sorted.first { !($0 < id) })
            #expect(map.seek(upTo: id)?.id == sorted.last { !(id < $0) })
        }
        #expect(map.first?.id == sorted.first)
        #expect(map.last?.id == sorted.last)
        var backward: [StreamID] = []
        var place = map.last
        while let here = place {
            backward.append(here.id)
            place = map.previous(here)
        }
        #expect(backward.reversed() == sorted)
        map.free(in: heap)
        heap.free(map.record, StreamMap.recordSize)
        #expect(heap.used == 0)
    }

    @Test("ids appended in order fill the leaves; taken from the front they leave nothing")
    func queue() {
        let heap = Heap()
        defer { heap.destroy() }
        let map = make(heap)
        let empty = heap.used
        for i in 0..<20_000 { map.insert(StreamID(UInt64(i), 0), Address(1), in: heap) }
        check(map)
        #expect(map.memory < 20_000 * 26)
        for i in 0..<20_000 {
            #expect(map.first?.id == StreamID(UInt64(i), 0))
            #expect(map.remove(StreamID(UInt64(i), 0), in: heap) == Address(1))
            if i % 997 == 0 { check(map) }
        }
        #expect(map.isEmpty && map.first == nil && map.last == nil)
        #expect(heap.used == empty)
    }

    @Test("every other id gone, nodes join: half the items take little more than half the memory")
    func thinned() {
        let heap = Heap()
        defer { heap.destroy() }
        let map = make(heap)
        for i in 0..<10_000 { map.insert(StreamID(0, UInt64(i)), Address(1), in: heap) }
        let full = map.memory
        for i in 0..<10_000 where i % 8 != 0 { map.remove(StreamID(0, UInt64(i)), in: heap) }
        check(map)
        #expect(map.count == 1250)
        #expect(map.memory < full / 2)
    }
}
