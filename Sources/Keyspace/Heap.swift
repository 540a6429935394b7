// SPDX-License-Identifier: BSD-3-Clause
//
// Where stored data lives: one heap per data set, so that a whole data set can be dropped at once
// and a loader thread can build its own beside the one in service without a lock.
//
// Blocks up to 16 KiB come from slabs of 64 KiB, each cut into blocks of one size: up to 1 KiB a class
// every 8 bytes, above a class for each whole number of blocks from 63 down to 4. A heap reserves one huge range of addresses; slab n lies at base + n·64 KiB and its record
// at slabs + n·16, so a block's slab is a shift away and blocks carry no header. 32 slabs make a
// chunk, a huge page, which is the unit taken from and given back to the system. A slab that has
// become empty may serve any class. Larger blocks come from a jemalloc arena of the heap's own.
//
//     slab record (16 bytes)                      chunk record (16 bytes)
//     0  2  first freed block, in units of 8      0  4  free slabs, a bit each
//           bytes; 0xFFFF none                    4  4  next chunk of its list, 0 none
//     2  2  first block never used, same unit     8  4  previous chunk of its list, 0 none
//     4  2  blocks in use                         12 4  1 when it has pages
//     6  2  class: block size / 8; above 1 KiB 192 less the blocks of a slab
//     8  4  next slab of its class, 0 none
//     12 4  previous slab of its class, 0 none
//
// A freed block's first 2 bytes name the next freed one. Slabs and chunks are numbered from 1.

import Memory
import Platform

/// Memory of one data set: a handle, copied freely, to be destroyed once. One thread at a time.
/// Blocks are 8-byte aligned; the caller remembers the size of each (it stands in the data) and
/// gives it back on `free`.
@safe
public struct Heap: Equatable, Sendable {
    /// The record of the heap, in a mapping of its own.
    @usableFromInline let state: UInt

    @inlinable @inline(__always) var at: Address { Address(state) }

    @usableFromInline static let slabShift = 16
    @usableFromInline static let slabSize = 1 << 16
    @usableFromInline static let slabsPerChunk = 32
    @usableFromInline static let chunkSize = 1 << 21
    @usableFromInline static let largestSmall = 1024
    @usableFromInline static let largestSlabbed = 1 << 14
    @usableFromInline static let none: UInt16 = 0xFFFF
    /// Chunks without a block that may keep their pages.
    private static let mostVacantWithPages = 4

    /// Offsets in the record of the heap.
    @usableFromInline
    enum Field {
        @usableFromInline static let base = 0
        @usableFromInline static let slabs = 8
        @usableFromInline static let chunks = 16
        @usableFromInline static let used = 24
        @usableFromInline static let large = 32
        @usableFromInline static let chunkCount = 40
        @usableFromInline static let chunkLimit = 48
        @usableFromInline static let partialChunk = 56
        @usableFromInline static let vacantChunk = 60
        @usableFromInline static let vacantWithPages = 64
        @usableFromInline static let arenaFlags = 68
        @usableFromInline static let arena = 72
        @usableFromInline static let cache = 76
        @usableFromInline static let regionSize = 80
        @usableFromInline static let committedRecords = 88
        /// 189 slab numbers: the first slab of each class with room.
        @usableFromInline static let classes = 128
        /// 189 16-bit numbers: how many blocks a slab of the class has.
        @usableFromInline static let capacities = 128 + 189 * 4
        static let size = 4096
    }

    /// Bytes in use by blocks, with the rounding of their classes.
    @inlinable public var used: Int { at.load(Int.self, at: Field.used) }

    /// Bytes in use by blocks of more than 16 KiB.
    public var usedLarge: Int { at.load(Int.self, at: Field.large) }

    /// Bytes of the chunks that have pages, in use or not.
    public var chunkBytes: Int {
        let count = at.load(Int.self, at: Field.chunkCount)
        var bytes = 0
        for chunk in 1..<(count + 1) where chunkRecord(UInt32(chunk)).load(UInt32.self, at: 12) == 1
        {
            bytes += Self.chunkSize
        }
        return bytes
    }

    private static let smallestRegion = 64 << 20

    /// A new, empty heap. It costs a reservation of addresses and two pages.
    public init() {
        var region = max(1 << 40, 4 * Int(redwing_physical_memory()) & ~(Self.chunkSize - 1))
        // Where addresses are limited, others need some as well: the next data set is made beside this
        // one (FLUSHALL, a full sync), while the one before may still be on its way out.
        let limit = redwing_address_limit()
        if limit < UInt64(region) { region = Int(limit / 4) & ~(Self.chunkSize - 1) }
        var start: UInt = 0
        while region >= Self.smallestRegion {
            start = redwing_map_reserve(Self.recordBytes(region) + region)
            if start != 0 { break }
            region = region / 2 & ~(Self.chunkSize - 1)
        }
        if start == 0 || redwing_map_commit(start, Field.size) != 0 { OutOfMemory.stop(region) }
        state = start
        let records = Self.recordBytes(region)
        let chunks = region / Self.chunkSize
        at.store(start + UInt(records), at: Field.base)
        at.store(start + UInt(Field.size), at: Field.chunks)
        at.store(start + UInt(Field.size + (chunks + 1) * 16), at: Field.slabs)
        at.store(chunks, at: Field.chunkLimit)
        at.store(region + records, at: Field.regionSize)
        for step in 1...128 {
            at.store(UInt16(Self.slabSize / (step * 8)), at: Field.capacities + step * 2)
        }
        for blocks in 4...63 {
            at.store(UInt16(blocks), at: Field.capacities + Self.step(blocks: blocks) * 2)
        }
    }

    private static func recordBytes(_ region: Int) -> Int {
        let chunks = region / chunkSize
        let bytes = Field.size + (chunks + 1) * 16 + (chunks * slabsPerChunk + 1) * 16
        return (bytes + chunkSize - 1) & ~(chunkSize - 1)
    }

    /// Gives everything back, all blocks included; on any thread, when no other uses the heap.
    public func destroy() {
        if at.load(Int32.self, at: Field.arenaFlags) != 0 {
            redwing_arena_destroy(
                at.load(UInt32.self, at: Field.arena), at.load(UInt32.self, at: Field.cache))
        }
        redwing_map_drop(state, at.load(Int.self, at: Field.regionSize))
    }

    /// Forgets all blocks at once and keeps the pages for others, which need not be taken from the system
    /// and cleared again. Not where there is more than stays vacant: false, and nothing happened.
    public func empty() -> Bool {
        let count = at.load(Int.self, at: Field.chunkCount)
        guard count <= Self.mostVacantWithPages, at.load(Int32.self, at: Field.arenaFlags) == 0
        else { return false }
        at.store(0, at: Field.used)
        (at + Field.classes).fill(0, count: Field.capacities - Field.classes)
        at.store(UInt32(0), at: Field.partialChunk)
        at.store(UInt32(0), at: Field.vacantChunk)
        for chunk in stride(from: count, to: 0, by: -1) {
            chunkRecord(UInt32(chunk)).store(UInt32.max)
            linkChunk(UInt32(chunk), Field.vacantChunk)
        }
        // So few keep their pages whatever becomes of them.
        at.store(UInt32(count), at: Field.vacantWithPages)
        return true
    }

    // MARK: Blocks

    @inlinable @inline(__always)
    public func allocate(_ size: Int) -> Address {
        if size > Self.largestSmall { return allocateBeyondSmall(size) }
        let step = size <= 8 ? 1 : (size &+ 7) >> 3
        return take(step, units: step)
    }

    /// A block of class `step`, of `units` times 8 bytes.
    @inlinable @inline(__always)
    func take(_ step: Int, units: Int) -> Address {
        var slab = at.load(UInt32.self, at: Field.classes &+ step &* 4)
        if slab == 0 { slab = openSlab(step) }
        at.store(at.load(Int.self, at: Field.used) &+ units &* 8, at: Field.used)
        let record = slabRecord(slab)
        let place: Address
        let free = record.load(UInt16.self)
        if free != Self.none {
            place = slabStart(slab) + Int(free) &* 8
            record.store(place.load(UInt16.self))
        } else {
            let next = record.load(UInt16.self, at: 2)
            place = slabStart(slab) + Int(next) &* 8
            record.store(next &+ UInt16(truncatingIfNeeded: units), at: 2)
        }
        let live = record.load(UInt16.self, at: 4) &+ 1
        record.store(live, at: 4)
        if live == at.load(UInt16.self, at: Field.capacities &+ step &* 2) { unlink(slab, step) }
        return place
    }

    /// A block whose bytes are all zero.
    @inlinable
    public func allocateZeroed(_ size: Int) -> Address {
        let block = allocate(size)
        block.fill(0, count: size)
        return block
    }

    @inlinable @inline(__always)
    public func free(_ block: Address, _ size: Int) {
        if size > Self.largestSmall { return freeBeyondSmall(block, size) }
        let step = size <= 8 ? 1 : (size &+ 7) >> 3
        giveBack(block, step, units: step)
    }

    @inlinable @inline(__always)
    func giveBack(_ block: Address, _ step: Int, units: Int) {
        at.store(at.load(Int.self, at: Field.used) &- units &* 8, at: Field.used)
        let offset = block.raw &- at.load(UInt.self, at: Field.base)
        let slab = UInt32(truncatingIfNeeded: offset >> UInt(Self.slabShift)) &+ 1
        let record = slabRecord(slab)
        assert(record.load(UInt16.self, at: 6) == UInt16(step), "freed with another size")
        block.store(record.load(UInt16.self))
        record.store(
            UInt16(truncatingIfNeeded: (offset & UInt(Self.slabSize &- 1)) >> 3))
        let live = record.load(UInt16.self, at: 4) &- 1
        record.store(live, at: 4)
        if live == 0 || live &+ 1 == at.load(UInt16.self, at: Field.capacities &+ step &* 2) {
            turned(slab, step, live)
        }
    }

    /// Grows or shrinks a block, moving it when it must; the first min(from, to) bytes are kept.
    public func resize(_ block: Address, from: Int, to: Int) -> Address {
        if from > Self.largestSlabbed && to > Self.largestSlabbed {
            let flags = at.load(Int32.self, at: Field.arenaFlags)
            let change = Int(redwing_block_size(to)) - Int(redwing_block_size(from))
            let moved = redwing_block_resize(block.raw, from, to, flags)
            if moved == 0 { OutOfMemory.stop(to) }
            count(large: change)
            return Address(moved)
        }
        if Self.rounded(from) == Self.rounded(to) { return block }
        let fresh = allocate(to)
        fresh.copy(from: block, count: min(from, to))
        free(block, from)
        return fresh
    }

    /// The bytes that a block of `size` really takes.
    @inlinable
    public static func rounded(_ size: Int) -> Int {
        if size <= 8 { return 8 }
        return size <= largestSmall ? (size + 7) & ~7 : roundedBeyondSmall(size)
    }

    // MARK: Beyond 1 KiB

    /// How many blocks for `size`, 1025 to 16384 bytes, a slab has: 63 to 4.
    @inline(__always)
    private static func blocks(for size: Int) -> Int { slabSize / ((size + 7) & ~7) }

    /// The class of slabs with so many blocks, and these blocks' size in units of 8 bytes.
    @inline(__always)
    private static func step(blocks: Int) -> Int { 192 - blocks }
    @inline(__always)
    private static func units(blocks: Int) -> Int { slabSize / blocks / 8 }

    @usableFromInline
    static func roundedBeyondSmall(_ size: Int) -> Int {
        size <= largestSlabbed
            ? units(blocks: blocks(for: size)) * 8 : Int(redwing_block_size(size))
    }

    @usableFromInline
    func allocateBeyondSmall(_ size: Int) -> Address {
        if size > Self.largestSlabbed { return allocateLarge(size) }
        let blocks = Self.blocks(for: size)
        return take(Self.step(blocks: blocks), units: Self.units(blocks: blocks))
    }

    @usableFromInline
    func freeBeyondSmall(_ block: Address, _ size: Int) {
        if size > Self.largestSlabbed { return freeLarge(block, size) }
        let blocks = Self.blocks(for: size)
        giveBack(block, Self.step(blocks: blocks), units: Self.units(blocks: blocks))
    }

    // MARK: Inside

    @inlinable @inline(__always)
    func slabRecord(_ slab: UInt32) -> Address {
        at.address(at: Field.slabs) + Int(slab) &* 16
    }

    @inlinable @inline(__always)
    func slabStart(_ slab: UInt32) -> Address {
        at.address(at: Field.base) + (Int(slab) &- 1) << Self.slabShift
    }

    func chunkRecord(_ chunk: UInt32) -> Address { at.address(at: Field.chunks) + Int(chunk) * 16 }

    /// Takes a full slab, the first of its class, out of the list of those with room.
    @usableFromInline
    func unlink(_ slab: UInt32, _ step: Int) {
        let record = slabRecord(slab)
        let next = record.load(UInt32.self, at: 8)
        let previous = record.load(UInt32.self, at: 12)
        if previous == 0 {
            at.store(next, at: Field.classes + step * 4)
        } else {
            slabRecord(previous).store(next, at: 8)
        }
        if next != 0 { slabRecord(next).store(previous, at: 12) }
        record.store(UInt64(0), at: 8)
    }

    private func link(_ slab: UInt32, _ step: Int) {
        let first = at.load(UInt32.self, at: Field.classes + step * 4)
        let record = slabRecord(slab)
        record.store(first, at: 8)
        record.store(UInt32(0), at: 12)
        if first != 0 { slabRecord(first).store(slab, at: 12) }
        at.store(slab, at: Field.classes + step * 4)
    }

    /// A slab that was full has room again, or one has become empty.
    @usableFromInline
    func turned(_ slab: UInt32, _ step: Int, _ live: UInt16) {
        if live + 1 == at.load(UInt16.self, at: Field.capacities + step * 2) { link(slab, step) }
        guard live == 0 else { return }
        let record = slabRecord(slab)
        // The last slab with room stays, lest a class pays for opening one again and again.
        if record.load(UInt64.self, at: 8) == 0 && used > 0 {
            record.store(Self.none)
            record.store(UInt16(0), at: 2)
            return
        }
        unlink(slab, step)
        closeSlab(slab)
    }

    /// A slab for a class that has none with room.
    @usableFromInline
    func openSlab(_ step: Int) -> UInt32 {
        var chunk = at.load(UInt32.self, at: Field.partialChunk)
        if chunk == 0 { chunk = openChunk() }
        let record = chunkRecord(chunk)
        let free = record.load(UInt32.self)
        let slab = (chunk - 1) * UInt32(Self.slabsPerChunk) + UInt32(free.trailingZeroBitCount) + 1
        let left = free & (free - 1)
        record.store(left)
        if left == 0 { unlinkChunk(chunk, Field.partialChunk) }
        let slabRecord = slabRecord(slab)
        slabRecord.store(Self.none)
        slabRecord.store(UInt16(0), at: 2)
        slabRecord.store(UInt16(0), at: 4)
        slabRecord.store(UInt16(step), at: 6)
        link(slab, step)
        return slab
    }

    private func closeSlab(_ slab: UInt32) {
        let chunk = (slab - 1) / UInt32(Self.slabsPerChunk) + 1
        let bit = UInt32(1) << ((slab - 1) % UInt32(Self.slabsPerChunk))
        let record = chunkRecord(chunk)
        let before = record.load(UInt32.self)
        let free = before | bit
        record.store(free)
        if before == 0 { linkChunk(chunk, Field.partialChunk) }
        guard free == UInt32.max else { return }
        unlinkChunk(chunk, Field.partialChunk)
        linkChunk(chunk, Field.vacantChunk)
        let vacant = at.load(UInt32.self, at: Field.vacantWithPages)
        if vacant >= Self.mostVacantWithPages {
            redwing_map_release(slabStart(slab).raw & ~UInt(Self.chunkSize - 1), Self.chunkSize)
            record.store(UInt32(0), at: 12)
        } else {
            at.store(vacant + 1, at: Field.vacantWithPages)
        }
    }

    /// A chunk with all its slabs free: a vacant one, or the next of the range.
    private func openChunk() -> UInt32 {
        var chunk = at.load(UInt32.self, at: Field.vacantChunk)
        if chunk != 0 {
            unlinkChunk(chunk, Field.vacantChunk)
            if chunkRecord(chunk).load(UInt32.self, at: 12) == 1 {
                at.store(
                    at.load(UInt32.self, at: Field.vacantWithPages) - 1, at: Field.vacantWithPages)
            }
        } else {
            let count = at.load(Int.self, at: Field.chunkCount) + 1
            if count > at.load(Int.self, at: Field.chunkLimit) { OutOfMemory.stop(Self.chunkSize) }
            commit(count)
            at.store(count, at: Field.chunkCount)
            chunk = UInt32(count)
        }
        let record = chunkRecord(chunk)
        record.store(UInt32.max)
        record.store(UInt32(1), at: 12)
        linkChunk(chunk, Field.partialChunk)
        return chunk
    }

    /// Makes chunk number `count` and its records usable; records in steps of 128 chunks.
    private func commit(_ count: Int) {
        let committed = at.load(Int.self, at: Field.committedRecords)
        if count > committed {
            let step = 128
            let limit = at.load(Int.self, at: Field.chunkLimit)
            let target = min(committed + step, limit)
            let chunks = at.load(UInt.self, at: Field.chunks)
            let slabs = at.load(UInt.self, at: Field.slabs)
            commit(chunks, upTo: chunks + UInt(target + 1) * 16)
            let first = slabs + UInt(committed * Self.slabsPerChunk) * 16
            commit(first, upTo: slabs + UInt(target * Self.slabsPerChunk + 1) * 16)
            at.store(target, at: Field.committedRecords)
        }
        let start = at.load(UInt.self, at: Field.base) + UInt((count - 1) * Self.chunkSize)
        commit(start, upTo: start + UInt(Self.chunkSize))
    }

    private func commit(_ from: UInt, upTo end: UInt) {
        let start = from & ~4095
        let size = Int((end - start + 4095) & ~4095)
        if redwing_map_commit(start, size) != 0 { OutOfMemory.stop(size) }
    }

    private func linkChunk(_ chunk: UInt32, _ list: Int) {
        let first = at.load(UInt32.self, at: list)
        let record = chunkRecord(chunk)
        record.store(first, at: 4)
        record.store(UInt32(0), at: 8)
        if first != 0 { chunkRecord(first).store(chunk, at: 8) }
        at.store(chunk, at: list)
    }

    private func unlinkChunk(_ chunk: UInt32, _ list: Int) {
        let record = chunkRecord(chunk)
        let next = record.load(UInt32.self, at: 4)
        let previous = record.load(UInt32.self, at: 8)
        if previous == 0 {
            at.store(next, at: list)
        } else {
            chunkRecord(previous).store(next, at: 4)
        }
        if next != 0 { chunkRecord(next).store(previous, at: 8) }
    }

    private func allocateLarge(_ size: Int) -> Address {
        var flags = at.load(Int32.self, at: Field.arenaFlags)
        if flags == 0 {
            var arena: UInt32 = 0
            var cache: UInt32 = 0
            flags = unsafe redwing_arena_create(&arena, &cache)
            if flags == 0 { OutOfMemory.stop(size) }
            at.store(flags, at: Field.arenaFlags)
            at.store(arena, at: Field.arena)
            at.store(cache, at: Field.cache)
        }
        let block = redwing_block_allocate(size, flags)
        if block == 0 { OutOfMemory.stop(size) }
        count(large: Int(redwing_block_size(size)))
        return Address(block)
    }

    private func freeLarge(_ block: Address, _ size: Int) {
        redwing_block_free(block.raw, size, at.load(Int32.self, at: Field.arenaFlags))
        count(large: -Int(redwing_block_size(size)))
    }

    private func count(large bytes: Int) {
        at.store(at.load(Int.self, at: Field.used) &+ bytes, at: Field.used)
        at.store(at.load(Int.self, at: Field.large) &+ bytes, at: Field.large)
    }
}

/// The memory of this thread outside of the heaps: buffers, clients, the runtime.
public enum MemoryUse {
    public static var outside: Int { Int(redwing_outside_bytes()) }

    /// All of `used_memory`: the blocks of the given heaps and everything outside.
    public static func total(_ heaps: Heap...) -> Int {
        heaps.reduce(max(0, outside)) { $0 + $1.used }
    }
}
