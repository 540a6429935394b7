// SPDX-License-Identifier: BSD-3-Clause
//
// Intsets against a plain Set, and their bytes against Redis's form.

import Memory
import Testing

@testable import Keyspace

@Suite struct IntsetTests {
    @Test("the block is Redis's: width, count, ascending integers")
    func format() throws {
        let heap = Heap()
        var set = Intset.make(in: heap)
        for value in [5, -1, 3] as [Int64] { set = try #require(set.add(value, in: heap)) }
        #expect(set.bytes.array == [2, 0, 0, 0, 3, 0, 0, 0, 0xFF, 0xFF, 3, 0, 5, 0])
        set = try #require(set.add(70_000, in: heap))
        #expect(set.width == 4)
        #expect(set.bytes.array.prefix(12) == [4, 0, 0, 0, 4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
        set = try #require(set.add(Int64.min, in: heap))
        #expect(set.width == 8)
        #expect((0..<set.count).map { set[$0] } == [Int64.min, -1, 3, 5, 70_000])
    }

    @Test("random adds and removes agree with a Set", arguments: [100, 40_000, Int64.max / 2])
    func model(bound: Int64) {
        let heap = Heap()
        var set = Intset.make(in: heap)
        var model: Set<Int64> = []
        for _ in 0..<3000 {
            let value = Int64.random(in: -bound...bound)
            if Bool.random() {
                let grown = set.add(value, in: heap)
                #expect((grown != nil) == model.insert(value).inserted)
                set = grown ?? set
            } else {
                let victim = Bool.random() ? value : model.randomElement() ?? value
                let shrunk = set.remove(victim, in: heap)
                #expect((shrunk != nil) == (model.remove(victim) != nil))
                set = shrunk ?? set
            }
            #expect(set.contains(value) == model.contains(value))
        }
        #expect((0..<set.count).map { set[$0] } == model.sorted())
        heap.free(set.address, set.size)
        #expect(heap.used == 0)
    }
}
