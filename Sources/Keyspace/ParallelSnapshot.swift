// SPDX-License-Identifier: BSD-3-Clause
//
// A database written by several threads, in a forked child or in the foreground: the order of hashes
// is cut into parts, each thread turns the next part into RDB bytes in a buffer of its own, and the
// buffers go out in the order of the parts. The result is what one thread would write. Compression
// is most of a snapshot's time, so two threads take little more than half of it.

import Memory
import Platform
import Wing

@safe
final class ParallelSnapshot {
    /// What a part should hold, about: parts of half of that wait more for their turns than they gain
    /// by staying in a core's own cache.
    static let partBytes = 768 << 10
    /// A part that grows beyond this goes out in pieces, once it is its turn.
    private static let bufferBytes = 2 << 20
    /// The pipe, the disk and the parent need some of the machine.
    private static let mostThreads = 4

    private let snapshot: SnapshotWriter
    private let database: Database
    private let bits: UInt64
    private let target: Address
    private var options = RDBWriter.Options()
    private let turns: OpaquePointer
    /// Changed only by who has the turn.
    private var keys: UInt64

    /// Nil when memory is short.
    init?(
        _ snapshot: SnapshotWriter, _ database: Database, _ bits: Int,
        _ target: borrowing RDBWriter, before keys: UInt64
    ) {
        guard let turns = unsafe redwing_turns_create(1 << UInt64(bits)) else { return nil }
        unsafe self.turns = unsafe turns
        self.snapshot = snapshot
        self.database = database
        self.bits = UInt64(bits)
        self.target = target.place
        self.keys = keys
        options.compression = target.compresses
        options.checksum = false
        options.bufferSize = Self.bufferBytes
    }

    deinit { unsafe redwing_turns_free(turns) }

    /// Writes all; returns the keys written, with those before.
    func run(_ progress: (UInt64) -> Void) -> UInt64 {
        let others = max(0, min(Int(redwing_cpus()), Self.mostThreads) - 1)
        let helpers = unsafe redwing_helpers_start(
            Int32(others),
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<ParallelSnapshot>.fromOpaque(context)
                        .takeUnretainedValue().work { _ in }
                }
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
        work(progress)
        unsafe redwing_helpers_join(helpers)
        progress(keys)
        return keys
    }

    /// Takes part after part; on each of the threads.
    private func work(_ progress: (UInt64) -> Void) {
        // Where this thread's writer hands on its bytes: the turns, its part, the target.
        let store = ByteBuffer(capacity: 64)
        let lane = store.reserve(24)
        unsafe lane.store(address: Address(UInt(bitPattern: turns)), at: 0)
        lane.store(address: target, at: 16)
        let snapshot = snapshot
        let writer = unsafe RDBWriter.sink(Self.deliver, lane, options)
        while true {
            let part = unsafe redwing_turns_take(turns)
            if part < 0 { return }
            lane.store(part, at: 8)
            var count: UInt64 = 0
            if writer.isValid && writer.error == 0 {
                snapshot.reconsider(writer)
                let elements = database.keys.elements(part: UInt64(part), bits: bits)
                for element in EarlyContainers(elements) {
                    snapshot.writeKey(Entry(element), to: writer)
                    count &+= 1
                    if count & 63 == 0 { wing_turn_offer() }
                }
            }
            let code = writer.isValid ? writer.finish() : -12
            unsafe redwing_turns_await(turns, part)
            keys &+= count
            if code < 0 { RDBWriter.fail(target, code) }
            progress(keys)
            unsafe redwing_turns_pass(turns, part)
            wing_turn_offer()
        }
    }

    /// The sink: waits for the part's turn, then gives the bytes to the target.
    private static let deliver: RDBWriter.Sink = { context, bytes, size in
        guard let context = unsafe context else { return -22 }
        let lane = unsafe Address(context)
        let turns = unsafe OpaquePointer(lane.address(at: 0).pointer)
        unsafe redwing_turns_await(turns, lane.load(Int64.self, at: 8))
        return unsafe RDBWriter.writeMade(lane.address(at: 16), bytes, size)
    }
}
