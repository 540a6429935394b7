// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Replication

@Suite struct SpoolBoundTests {
    static let MB: UInt64 = 1 << 20

    /// A child that writes as fast as it may, and replicas of so many bytes a millisecond, looked at
    /// each 2 ms. A replica may be asleep for a while, as one of many processes on few CPUs.
    struct World {
        var bound = SpoolBound()
        let limit: UInt64
        let size: UInt64
        var places: [SpoolBound.Place]
        let speeds: [UInt64]
        var written: UInt64 = 0
        var most: UInt64 = 0
        var dropped: [Int] = []
        var now = 0.0

        init(limit: UInt64, size: UInt64, speeds: [UInt64]) {
            self.limit = limit
            self.size = size
            self.speeds = speeds
            places = speeds.indices.map { SpoolBound.Place(id: $0, offset: 0) }
        }

        mutating func turn(isAwake: (Int) -> Bool = { _ in true }) {
            written = min(size, bound.end(limit: limit))
            for i in places.indices where isAwake(places[i].id) {
                places[i].offset = min(written, places[i].offset + 2 * speeds[places[i].id])
            }
            most = max(most, bound.held(written: written))
            let before = bound.punched
            let actions = bound.look(
                places, written: written, childWrites: written < size, limit: limit, at: at(now))
            for action in actions {
                switch action {
                case .giveBack(let offset, let count):
                    #expect(offset == before && count % SpoolBound.largestFolio == 0)
                    #expect(places.allSatisfy { $0.offset >= offset + count })
                case .drop(let id, let held):
                    #expect(held == limit)
                    dropped.append(id)
                    places.removeAll { $0.id == id }
                }
            }
            places.removeAll { $0.offset == size }
            now += 0.002
        }

        mutating func run(seconds: Double, isAwake: (Int) -> Bool = { _ in true }) {
            while now < seconds && !places.isEmpty { turn(isAwake: isAwake) }
        }
    }

    @Test(arguments: [4, 8, 16, 24, 64, 1024] as [UInt64]) func oneAloneIsNeverDropped(
        limit: UInt64
    ) {
        var world = World(limit: limit * Self.MB, size: 200 * Self.MB, speeds: [20_000])
        world.run(seconds: 60)
        #expect(world.places.isEmpty && world.dropped.isEmpty && world.most <= world.limit)
    }

    @Test(arguments: [4, 8, 16, 24, 64] as [UInt64], 0..<10 as Range<UInt64>)
    func equalOnesTakeTurnsInBeingBehind(limit: UInt64, seed: UInt64) {
        var random = Seeded(state: limit << 8 | seed)
        var world = World(
            limit: limit * Self.MB, size: 4000 * Self.MB,
            speeds: Array(repeating: 2 * Self.MB, count: 5))
        var asleep = Array(repeating: 0.0, count: 5)
        while !world.places.isEmpty && world.now < 600 {
            for i in asleep.indices
            where asleep[i] < world.now && UInt.random(in: 0..<20, using: &random) == 0 {
                asleep[i] = world.now + Double.random(in: 0...0.1, using: &random)
            }
            let now = world.now
            world.turn { asleep[$0] < now }
        }
        #expect(world.places.isEmpty && world.dropped.isEmpty && world.most <= world.limit)
    }

    @Test(arguments: [4, 16, 64] as [UInt64]) func slowOnesAreDroppedAndTheOthersGoOn(limit: UInt64)
    {
        var world = World(
            limit: limit * Self.MB, size: 1000 * Self.MB,
            speeds: [600_000, 10_000, 600_000, 12_000, 0])
        world.run(seconds: 30)
        #expect(
            world.places.isEmpty && Set(world.dropped) == [1, 3, 4] && world.dropped.first == 4)
        #expect(world.most <= world.limit)
        // Alone the fast ones need 1.7 s. Each of the three costs the short patience at least.
        #expect(world.now < 1.2 * 1.75 + 3 * 0.5)
    }

    /// A sync of twenty seconds with one that is deaf and three that are slow in their own ways.
    @Test(arguments: [16, 64, 256] as [UInt64]) func theFastFinishWithinTheirTimeAndAThird(
        limit: UInt64
    ) {
        let size = 2000 * Self.MB
        var alone = World(limit: limit * Self.MB, size: size, speeds: [100_000, 100_000])
        alone.run(seconds: 60)
        var crowd = World(
            limit: limit * Self.MB, size: size,
            speeds: [100_000, 100_000, 10_000, 50_000, 70_000, 0])
        crowd.run(seconds: 60)
        #expect(crowd.places.isEmpty && Set(crowd.dropped).isDisjoint(with: [0, 1]))
        #expect(crowd.now < 1.3 * alone.now, "\(crowd.now) \(alone.now) \(crowd.dropped)")
    }

    @Test func aSlowOneIsLeftAloneAsLongAsNobodyNeedsRoom() {
        var world = World(limit: 64 * Self.MB, size: 60 * Self.MB, speeds: [300_000, 10_000])
        world.run(seconds: 30)
        #expect(world.places.isEmpty && world.dropped.isEmpty)
    }

    @Test func nothingIsGivenBackBelowHalf() {
        var bound = SpoolBound()
        let place = SpoolBound.Place(id: 1, offset: 30 * Self.MB)
        let look = { (bound: inout SpoolBound, written: UInt64) in
            bound.look([place], written: written, childWrites: true, limit: 64 * Self.MB, at: at(0))
        }
        #expect(look(&bound, 32 * Self.MB) == [])
        #expect(look(&bound, 33 * Self.MB) == [.giveBack(offset: 0, count: 30 * Self.MB)])
        #expect(
            look(&bound, 34 * Self.MB) == [] && bound.held(written: 34 * Self.MB) == 4 * Self.MB)
        #expect(bound.end(limit: 64 * Self.MB) == 94 * Self.MB)
    }

    @Test func aLookThatComesLateBlamesNobody() {
        var bound = SpoolBound()
        let places = [
            SpoolBound.Place(id: 1, offset: 0), SpoolBound.Place(id: 2, offset: 8 * Self.MB),
        ]
        for second in 0..<90 {
            let actions = bound.look(
                places, written: 8 * Self.MB, childWrites: true, limit: 8 * Self.MB,
                at: at(Double(second)))
            #expect(actions.isEmpty)
        }
    }
}
