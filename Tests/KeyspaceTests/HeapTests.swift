// SPDX-License-Identifier: BSD-3-Clause
//
// Blocks never overlap, sizes are counted to the byte, and what is freed comes back.

import Memory
import Testing

@testable import Keyspace

/// Choices of a test, the same for the same seed.
struct Choices: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct HeapTests {
    @Test(arguments: [UInt64(1), 2, 3])
    func everyBlockKeepsItsBytes(seed: UInt64) {
        var choices = Choices(state: seed)
        let heap = Heap()
        defer { heap.destroy() }
        var blocks: [(place: Address, size: Int, mark: UInt8)] = []
        var expected = 0
        for step in 0..<60_000 {
            let growing = step < 30_000
            if blocks.isEmpty || Int.random(in: 0..<100, using: &choices) < (growing ? 60 : 35) {
                let size =
                    Int.random(in: 0..<50, using: &choices) == 0
                    ? Int.random(in: 1025...40_000, using: &choices)
                    : Int.random(in: 1...1024, using: &choices)
                let mark = UInt8.random(in: 0...255, using: &choices)
                let place = heap.allocate(size)
                #expect(place.raw % 8 == 0)
                place.fill(mark, count: size)
                blocks.append((place, size, mark))
                expected += Heap.rounded(size)
            } else {
                let index = Int.random(in: 0..<blocks.count, using: &choices)
                let block = blocks[index]
                blocks[index] = blocks[blocks.count - 1]
                blocks.removeLast()
                for at in [0, block.size / 2, block.size - 1] {
                    #expect(block.place.byte(at: at) == block.mark)
                }
                heap.free(block.place, block.size)
                expected -= Heap.rounded(block.size)
            }
            #expect(heap.used == expected)
        }
        for block in blocks {
            let intact = (0..<block.size).allSatisfy { block.place.byte(at: $0) == block.mark }
            #expect(intact)
            heap.free(block.place, block.size)
        }
        #expect(heap.used == 0)
        #expect(heap.usedLarge == 0)
    }

    @Test func emptySlabsServeOtherClasses() {
        let heap = Heap()
        defer { heap.destroy() }
        for size in [16, 1024, 24, 16384, 512, 1025, 5000] {
            let blocks = (0..<(4 << 20) / size).map { _ in heap.allocate(size) }
            for block in blocks { heap.free(block, size) }
        }
        #expect(heap.used == 0)
        #expect(heap.chunkBytes <= 10 << 20)
    }

    /// Blocks of an emptied heap overlap no more than those of a new one, and lie in the pages it had.
    @Test func anEmptiedHeapIsAsNew() {
        var choices = Choices(state: 4)
        let heap = Heap()
        defer { heap.destroy() }
        #expect(heap.empty())
        for round in 0..<20 {
            var blocks: [(place: Address, size: Int)] = []
            while heap.used < 5 << 20 {
                let size = 1 << Int.random(in: 2...14, using: &choices)
                blocks.append((heap.allocate(size), size))
                blocks[blocks.count - 1].place.fill(UInt8(blocks.count & 0xFF), count: size)
                if Int.random(in: 0..<3, using: &choices) == 0 {
                    let freed = blocks.remove(at: Int.random(in: 0..<blocks.count, using: &choices))
                    heap.free(freed.place, freed.size)
                }
            }
            blocks.sort { $0.place.raw < $1.place.raw }
            for (block, next) in zip(blocks, blocks.dropFirst()) {
                #expect(block.place.raw + UInt(block.size) <= next.place.raw, "round \(round)")
            }
            let pages = heap.chunkBytes
            #expect(heap.empty())
            #expect(heap.used == 0)
            #expect(heap.chunkBytes == pages)
            #expect(pages <= 8 << 20)
        }
        let block = heap.allocate(10)
        block.store(UInt8(7))
        let large = heap.allocate(20_000)
        #expect(!heap.empty(), "what an arena holds is not forgotten")
        #expect(block.byte(at: 0) == 7)
        heap.free(large, 20_000)
    }

    @Test func aHeapOfManyPagesIsNotEmptiedInPlace() {
        let heap = Heap()
        defer { heap.destroy() }
        for _ in 0..<(10 << 20) / 1024 { _ = heap.allocate(1024) }
        let used = heap.used
        #expect(!heap.empty())
        #expect(heap.used == used)
    }

    @Test func everySizeHasAClassThatHoldsIt() {
        for size in 1...17_000 {
            let rounded = Heap.rounded(size)
            #expect(rounded >= size)
            #expect(Heap.rounded(rounded) == rounded)
            // No more is lost than by jemalloc's four classes a doubling.
            #expect(size < 64 || rounded * 3 <= size * 4 + 24, "\(size) takes \(rounded)")
        }
        #expect(Heap.rounded(16384) == 16384)
        #expect(Heap.rounded(4096) == 4096)
    }

    @Test func resizingKeepsTheBeginning() {
        let heap = Heap()
        defer { heap.destroy() }
        var size = 4
        var block = heap.allocate(size)
        block.store(UInt32(0xFEED_F00D))
        for next in [8, 9, 900, 1024, 1025, 5000, 16384, 16385, 100_000, 2000, 700, 16] {
            block = heap.resize(block, from: size, to: next)
            size = next
            #expect(block.load(UInt32.self) == 0xFEED_F00D)
            #expect(heap.used == Heap.rounded(size))
        }
        heap.free(block, size)
        #expect(heap.used == 0)
    }
}
