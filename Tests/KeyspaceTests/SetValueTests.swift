// SPDX-License-Identifier: BSD-3-Clause
//
// Sets in both forms against a plain Set.

import Memory
import Testing

@testable import Keyspace

@Suite struct SetValueTests {
    private func members(_ set: SetValue) -> [[UInt8]] {
        var all: [[UInt8]] = []
        set.forEach { all.append($0.array) }
        return all
    }

    @Test(
        "random changes agree with a Set, whatever the form",
        arguments: [(0, 50), (4, 50), (512, 300), (512, 2000)], [false, true])
    func model(limits: (Int, Int), integers: Bool) {
        let heap = Heap()
        var bounds = PackedLimits()
        bounds.setMaxIntegers = limits.0
        var set = SetValue.detached(in: heap, bounds)
        var model: Set<[UInt8]> = []
        for _ in 0..<2000 {
            let number = Int.random(in: -limits.1...limits.1)
            let text =
                integers
                ? "\(number)" : String(repeating: "m", count: abs(number % 300)) + "\(number)"
            let member = Array(text.utf8)
            Bytes.with(member) { view in
                if Int.random(in: 0..<3) > 0 {
                    #expect(set.add(view) == model.insert(member).inserted)
                } else {
                    #expect(set.remove(view) == (model.remove(member) != nil))
                }
                #expect(set.contains(view) == model.contains(member))
                #expect(set.contains(Member(view)) == model.contains(member))
            }
            #expect(set.count == model.count)
        }
        let all = members(set)
        #expect(all.count == model.count && Set(all) == model)
        #expect(model.contains(set.random().array))
        var scanned: [[UInt8]] = []
        var cursor: UInt64 = 0
        repeat {
            cursor = set.scan(cursor, count: 7) { scanned.append($0.array) }
        } while cursor != 0
        #expect(Set(scanned) == model)

        let container = SetValue.copy(set.kind, set.container, to: heap)
        SetValue.free(set.kind, container, in: heap)
        #expect(SetValue.memory(set.kind, set.container, samples: 0) > 0)
        set.free()
        #expect(heap.used == 0)
        heap.destroy()
    }

    @Test("integers stay an intset up to the limit, and never come back from a table")
    func form() {
        let heap = Heap()
        var limits = PackedLimits()
        limits.setMaxIntegers = 3
        var set = SetValue.detached(in: heap, limits)
        for value in 1...3 { Bytes.with("\(value)") { _ = set.add($0) } }
        #expect(set.kind == .setInteger)
        _ = Bytes.with("2") { set.add($0) }
        #expect(set.kind == .setInteger)
        _ = Bytes.with("4") { set.add($0) }
        #expect(set.kind == .setTable)
        for value in 2...4 { Bytes.with("\(value)") { _ = set.remove($0) } }
        #expect(set.kind == .setTable && members(set) == [Array("1".utf8)])
        set.free()
        var mixed = SetValue.detached(in: heap, limits)
        for text in ["1", "01"] { Bytes.with(text) { _ = mixed.add($0) } }
        #expect(mixed.kind == .setTable && mixed.count == 2)
        mixed.free()
        #expect(heap.used == 0)
        heap.destroy()
    }
}
