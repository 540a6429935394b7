// SPDX-License-Identifier: BSD-3-Clause
//
// Listpacks against plain arrays, and their bytes against the format.

import Memory
import Testing

@testable import Keyspace

@Suite struct ListpackTests {
    static func text(_ s: String) -> [UInt8] { Array(s.utf8) }

    static func elements(_ pack: Listpack) -> [[UInt8]] {
        var all: [[UInt8]] = []
        var at = pack.first
        while at != pack.end {
            all.append(pack[at].array)
            at = pack.next(at)
        }
        return all
    }

    static func backwards(_ pack: Listpack) -> [[UInt8]] {
        var all: [[UInt8]] = []
        var at = pack.last
        while let here = at {
            all.append(pack[here].array)
            at = pack.previous(here)
        }
        return all.reversed()
    }

    @Test(
        "Each kind of element has Redis's bytes",
        arguments: [
            ("0", [0x00, 1]), ("127", [0x7F, 1]), ("128", [0xC0, 0x80, 2]),
            ("-1", [0xDF, 0xFF, 2]),
            ("4095", [0xCF, 0xFF, 2]), ("-4096", [0xD0, 0x00, 2]), ("4096", [0xF1, 0x00, 0x10, 3]),
            ("-32768", [0xF1, 0x00, 0x80, 3]), ("32768", [0xF2, 0x00, 0x80, 0x00, 4]),
            ("-8388608", [0xF2, 0, 0, 0x80, 4]), ("8388608", [0xF3, 0, 0, 0x80, 0, 5]),
            ("2147483648", [0xF4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9]),
            ("-9223372036854775808", [0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9]),
            ("01", [0x82, 0x30, 0x31, 3]), ("-0", [0x82, 0x2D, 0x30, 3]), ("", [0x80, 1]),
            ("9223372036854775808", [0x93] + Array("9223372036854775808".utf8) + [20]),
        ] as [(String, [UInt8])])
    func encodings(_ text: String, _ stored: [UInt8]) {
        let heap = Heap()
        let pack = Bytes.with(text) { Listpack.make(in: heap).append($0, in: heap) }
        #expect(Array(pack.bytes.array[6..<(pack.size - 1)]) == stored)
        #expect(pack[pack.first].array == Array(text.utf8))
        #expect(pack.last == pack.first)
        pack.free(in: heap)
    }

    @Test(
        "Long strings keep their length both ways",
        arguments: [
            62, 63, 64, 125, 126, 127, 128, 4095, 4096, 16_377, 16_378, 16_379, 16_382, 16_383,
            20_000,
            2_097_145, 2_097_146, 2_097_151, 2_200_000,
        ])
    func longStrings(_ n: Int) {
        let heap = Heap()
        let long = [UInt8](repeating: 0x61, count: n)
        var pack = Listpack.make(in: heap)
        pack = Bytes.with(long) { pack.append($0, in: heap) }
        pack = Bytes.with("x") { pack.append($0, in: heap) }
        pack = Bytes.with(long) { pack.prepend($0, in: heap) }
        let wanted = [long, long, Self.text("x")]
        #expect(Self.elements(pack) == wanted)
        #expect(Self.backwards(pack) == wanted)
        #expect(pack.bytes.count == pack.size)
        pack.free(in: heap)
    }

    @Test("Random edits agree with an array", arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func randomEdits(_ seed: UInt64) {
        var random = SplitMix(seed)
        let heap = Heap()
        var pack = Listpack.make(in: heap)
        var model: [[UInt8]] = []
        for _ in 0..<2000 {
            let bytes = random.element()
            let index = model.isEmpty ? 0 : Int.random(in: 0...model.count, using: &random)
            let at = pack.seek(index) ?? pack.end
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                pack = Bytes.with(bytes) { pack.insert($0, at: at, in: heap) }
                model.insert(bytes, at: index)
            case 2:
                pack = Bytes.with(bytes) { pack.append($0, in: heap) }
                model.append(bytes)
            case 3 where index < model.count:
                pack = Bytes.with(bytes) { pack.replace(at, with: $0, in: heap) }
                model[index] = bytes
            case 4:
                let n = Int.random(in: 0..<5, using: &random)
                pack = pack.remove(at, count: n, in: heap)
                model.removeSubrange(index..<min(model.count, index + n))
            default:
                let found = Bytes.with(bytes) { pack.find($0) }
                let wanted = model.firstIndex(of: bytes)
                #expect(found == wanted.flatMap { pack.seek($0) })
            }
            #expect(pack.count == model.count)
            if index < model.count, let there = pack.seek(index - model.count) {
                #expect(pack[there].array == model[index])
            }
        }
        #expect(Self.elements(pack) == model)
        #expect(Self.backwards(pack) == model)
        pack.free(in: heap)
        #expect(heap.used == 0)
    }

    @Test("More than 65534 elements are counted by walking")
    func manyElements() {
        let heap = Heap()
        var builder = ListpackBuilder(in: heap)
        for i in 0..<70_000 { builder.append(.integer(Int64(i))) }
        var pack = builder.finish()
        #expect(pack.count == 70_000)
        #expect(pack.seek(69_999).map { pack[$0].integer } == 69_999)
        pack = pack.remove(pack.first, count: 10_000, in: heap)
        #expect(pack.count == 60_000)
        #expect(pack[pack.first].integer == 10_000)
        #expect(pack.address.load(UInt16.self, at: 4) == 60_000)
        pack.free(in: heap)
        #expect(heap.used == 0)
    }
}

/// A small generator with a seed that a failure can name.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// An integer of some width, or text of some length.
    mutating func element() -> [UInt8] {
        switch Int.random(in: 0..<6, using: &self) {
        case 0: Array(String(Int.random(in: -200...200, using: &self)).utf8)
        case 1:
            Array(
                String(Int64(truncatingIfNeeded: next()) >> Int.random(in: 0..<63, using: &self))
                    .utf8)
        case 2: [UInt8](repeating: 0x62, count: Int.random(in: 0..<5, using: &self))
        case 3: [UInt8](repeating: 0x63, count: Int.random(in: 60..<140, using: &self))
        case 4: [UInt8](repeating: 0x64, count: Int.random(in: 4000..<4200, using: &self))
        default: Array("w\(Int.random(in: 0..<50, using: &self))".utf8)
        }
    }
}
