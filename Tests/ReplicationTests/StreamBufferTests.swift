// SPDX-License-Identifier: BSD-3-Clause
import Memory
import Testing

@testable import Replication

@Suite struct StreamBufferTests {
    @Test func theBacklogBeginsWhereItIsMade() {
        let stream = StreamBuffer(offset: 100)
        #expect(stream.firstByteOffset == 0 && stream.historyLength == 0)
        stream.activate()
        #expect(stream.firstByteOffset == 101 && stream.historyLength == 0)
        stream.append("PING")
        #expect(stream.end == 104 && stream.firstByteOffset == 101 && stream.historyLength == 4)
        #expect(stream.read(from: 100) == [UInt8]("PING".utf8))
        #expect(stream.read(from: 102) == [UInt8]("NG".utf8))
        #expect(stream.chunk(at: 104).isEmpty && stream.chunk(at: 99).isEmpty)
    }

    @Test func theBacklogKeepsItsSizeAndWhatACursorNeeds() {
        let stream = StreamBuffer(backlogSize: 16 << 10)
        stream.activate()
        let slow = stream.attach(at: 0)
        for _ in 0..<100 { stream.append(text: String(repeating: "x", count: 10_000)) }
        stream.trim()
        #expect(stream.historyLength == 1_000_000 && stream.pending(slow) == 1_000_000)
        stream.advance(slow, by: 990_000)
        stream.trim()
        #expect(stream.historyLength == 16 << 10)
        stream.detach(slow)
        #expect(
            stream.historyLength == 16 << 10 && stream.firstByteOffset == 1_000_001 - (16 << 10))
        #expect(stream.memory <= 4 * StreamBuffer.blockSize)
    }

    @Test func memoryDoesNotGrowWithReplicas() {
        let stream = StreamBuffer(backlogSize: 1 << 20)
        stream.activate()
        let cursors = (0..<100).map { _ in stream.attach(at: 0) }
        for _ in 0..<1000 {
            stream.append(text: String(repeating: "y", count: 5000))
            for cursor in cursors { stream.advance(cursor, by: Int(stream.pending(cursor))) }
        }
        #expect(stream.memory <= (1 << 20) + 4 * StreamBuffer.blockSize)
    }

    @Test func aGrownBacklogKeepsWhatItHeldAndAShrunkenOneItsTail() {
        let stream = StreamBuffer(backlogSize: 64 << 10)
        stream.activate()
        for _ in 0..<20 { stream.append(text: String(repeating: "z", count: 10_000)) }
        stream.trim()
        stream.resize(1 << 20)
        #expect(stream.historyLength == 64 << 10)
        stream.resize(1)
        #expect(stream.backlogSize == 16 << 10 && stream.historyLength == 16 << 10)
    }

    @Test func aNewHistoryBeginsEmpty() {
        let stream = StreamBuffer()
        stream.activate()
        stream.append("something")
        stream.restart(at: 5000)
        #expect(stream.isActive && stream.end == 5000 && stream.historyLength == 0)
        stream.append("else")
        #expect(stream.read(from: 5000) == [UInt8]("else".utf8))
        stream.deactivate()
        #expect(!stream.isActive && stream.memory == 0 && stream.end == 5004)
    }

    /// Against an array that remembers everything.
    @Test(arguments: 0..<8) func itEqualsAPlainModel(seed: Int) {
        var random = Seeded(state: UInt64(seed))
        let stream = StreamBuffer(offset: 7, backlogSize: 20_000)
        stream.activate()
        var model: [UInt8] = []
        var cursors: [StreamBuffer.Cursor] = []
        for step in 0..<3000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0...5:
                let n = Int.random(in: 0..<(step % 50 == 0 ? 200_000 : 3000), using: &random)
                let part = (0..<n).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ step) }
                Bytes.with(part) { stream.append($0) }
                model += part
            case 6:
                let place = Int64.random(in: stream.start...stream.end, using: &random)
                if cursors.count < 5 { cursors.append(stream.attach(at: place)) }
            case 7:
                guard let cursor = cursors.randomElement(using: &random) else { continue }
                let part = stream.chunk(of: cursor)
                let begin = Int(stream.position(of: cursor) - 7)
                #expect(part.array == Array(model[begin..<(begin + part.count)]), "seed \(seed)")
                stream.advance(cursor, by: Int.random(in: 0...part.count, using: &random))
            case 8:
                if cursors.count > 2 { stream.detach(cursors.removeLast()) }
            default: stream.trim()
            }
            #expect(stream.end == Int64(model.count) + 7)
            for cursor in cursors { #expect(stream.position(of: cursor) >= stream.start) }
        }
        let tail = stream.read(from: stream.start)
        #expect(tail == Array(model.suffix(tail.count)) && tail.count == Int(stream.historyLength))
    }
}

@Suite struct StreamFeedTests {
    private func text(_ stream: StreamBuffer) -> String {
        String(decoding: stream.read(from: 0), as: UTF8.self)
    }

    private func feed(_ body: (StreamFeed) -> Void) -> String {
        let stream = StreamBuffer()
        stream.activate()
        body(StreamFeed(stream: stream))
        return text(stream)
    }

    private func set(_ feed: StreamFeed, db: Int) {
        feed.feed([Bytes("SET"), Bytes("k"), Bytes("")], db: db)
    }

    private let select0 = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
    private let select12 = "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n"
    private let set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"

    @Test func selectIsSentWhereTheDbChanges() {
        let got = feed {
            set($0, db: 0)
            set($0, db: 0)
            set($0, db: 12)
            $0.ping()
            set($0, db: 12)
            $0.forgetDB()
            set($0, db: 12)
        }
        #expect(
            got == select0 + set + set + select12 + set + "*1\r\n$4\r\nPING\r\n" + set + select12
                + set)
    }

    @Test func aGroupIsFramedOnceAndOnlyWhenItHoldsSomething() {
        let multi = "*1\r\n$5\r\nMULTI\r\n"
        let exec = "*1\r\n$4\r\nEXEC\r\n"
        #expect(
            feed {
                $0.beginGroup()
                $0.endGroup()
                $0.beginGroup()
                set($0, db: 0)
                $0.beginGroup()
                set($0, db: 12)
                $0.endGroup()
                $0.endGroup()
                $0.endGroup()
            } == select0 + multi + set + select12 + set + exec)
    }

    @Test func anArgumentMayCrossBlocks() {
        let big = [UInt8](repeating: 0x61, count: StreamBuffer.blockSize * 2 + 5)
        let got = feed { feed in
            Bytes.with(big) { feed.feed([Bytes("ECHO"), $0], db: -1) }
            feed.begin(2, db: -1)
            feed.argument(Bytes("X"))
            feed.argument(decimal: -42)
        }
        let want =
            "*2\r\n$4\r\nECHO\r\n$\(big.count)\r\n" + String(decoding: big, as: UTF8.self)
            + "\r\n*2\r\n$1\r\nX\r\n$3\r\n-42\r\n"
        #expect(got == want)
    }

    @Test func numbersMayCrossBlocksAnywhere() {
        for before in (StreamBuffer.blockSize - 40)...StreamBuffer.blockSize {
            let got = feed { feed in
                Bytes.with([UInt8](repeating: 0x2E, count: before)) { feed.stream.append($0) }
                feed.begin(1, db: 12)
                feed.argument(decimal: 123_456_789)
            }
            #expect(got.dropFirst(before) == select12 + "*1\r\n$9\r\n123456789\r\n")
        }
    }
}
