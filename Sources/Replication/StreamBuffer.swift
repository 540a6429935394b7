// SPDX-License-Identifier: BSD-3-Clause
//
// The replication stream: one list of fixed-size raw blocks that the backlog and all replicas share.
//
//      first block                                    last block
//      [ freed | history ................................ | room ]
//              ^ start         ^ cursor    ^ cursor       ^ end = master_repl_offset
//
// Feeding costs one copy whatever the number of replicas; a replica is a cursor, an absolute offset;
// the backlog is the tail that nobody needs any more but that PSYNC may ask for. All blocks have one
// size, so the block of an offset is found by a division. What is trimmed is what lies below both
// the backlog's size and the slowest cursor. Freed blocks are used again at once: in the steady
// state the stream goes round in the same megabyte of memory, and so in the same cache lines.
//
// Offsets: `end` counts the bytes ever fed, as master_repl_offset does. A position p is "the reader
// has everything before p"; the byte there is the one Redis calls number p + 1 (INFO and PSYNC count
// from 1, `firstByteOffset`).

import Memory

/// Owns its blocks; one thread. `append` is O(bytes), `chunk` O(1), `trim` O(cursors + freed blocks).
public final class StreamBuffer {
    /// A replica's place in the stream, given by `attach`, good until `detach`.
    public struct Cursor: Hashable, Sendable {
        public let slot: Int
    }

    /// 64 KiB: a block is one large-class allocation, and a backlog of 1 MB wastes at most 6 %.
    public static let blockSize = 64 << 10
    /// repl-backlog-size has this floor in Redis.
    public static let minimumBacklogSize = 16 << 10

    /// master_repl_offset: bytes ever fed.
    public private(set) var end: Int64
    /// Position of the first byte of the history that PSYNC may ask for.
    public private(set) var start: Int64
    /// A backlog exists: with the first replica, until its time to live without one is over.
    public private(set) var isActive = false
    /// repl-backlog-size.
    public private(set) var backlogSize: Int

    /// Where the next byte goes, and how many fit there.
    @usableFromInline var place: Address = .null
    @usableFromInline var room = 0

    /// Blocks from the one that holds `base` on, a ring of a power of two.
    private var ring: [Address] = Array(repeating: .null, count: 32)
    private var head = 0
    private var blocks = 0
    /// Position of the first byte of the first block.
    private var base: Int64
    private var spare: [Address] = []
    /// Positions of the cursors; `free` marks a slot without one.
    private var cursors: [Int64] = []
    private static let free = Int64.max

    public init(offset: Int64 = 0, backlogSize: Int = 1 << 20) {
        end = offset
        start = offset
        base = offset
        self.backlogSize = max(backlogSize, Self.minimumBacklogSize)
    }

    deinit {
        for i in 0..<blocks { Self.release(ring[(head + i) & (ring.count - 1)]) }
        for block in spare { Self.release(block) }
    }

    // MARK: Feeding

    /// Adds bytes that all replicas will get: our own commands, or a master's, byte for byte.
    @inlinable @inline(__always)
    public func append(_ bytes: Bytes) {
        let n = bytes.count
        if n < room {
            place.copy(from: bytes)
            commit(n)
        } else {
            appendAcrossBlocks(bytes)
        }
    }

    @inlinable @inline(__always)
    public func append(_ literal: StaticString) { append(Bytes(literal)) }

    /// `n` bytes were written at `place`, where `room` has more than that.
    @usableFromInline @inline(__always)
    func commit(_ n: Int) {
        place = place + n
        room &-= n
        end &+= Int64(n)
    }

    @usableFromInline @inline(never)
    func appendAcrossBlocks(_ bytes: Bytes) {
        var rest = bytes
        while !rest.isEmpty {
            if room == 0 { addBlock() }
            let part = rest.prefix(room)
            place.copy(from: part)
            place = place + part.count
            room -= part.count
            end += Int64(part.count)
            rest = rest.dropFirst(part.count)
        }
    }

    private func addBlock() {
        trim()
        if blocks == 0 { base = end }
        if blocks == ring.count {
            var wider = Array(repeating: Address.null, count: ring.count * 2)
            for i in 0..<blocks { wider[i] = ring[(head + i) & (ring.count - 1)] }
            ring = wider
            head = 0
        }
        let block = spare.popLast() ?? Self.allocate()
        ring[(head + blocks) & (ring.count - 1)] = block
        blocks += 1
        place = block
        room = Self.blockSize
    }

    // MARK: Reading

    /// The bytes that lie in one piece from `position` on; empty at the end of the stream or outside
    /// of the history. Good until the next change of the stream. Call again behind it for the next.
    public func chunk(at position: Int64) -> Bytes {
        guard position >= base, position < end, blocks > 0 else { return .empty }
        let distance = Int(position - base)
        let index = distance / Self.blockSize
        let inside = distance % Self.blockSize
        let left = Int(min(end - position, Int64(Self.blockSize - inside)))
        return Bytes(start: ring[(head + index) & (ring.count - 1)] + inside, count: left)
    }

    // MARK: Cursors

    /// A new reader at `position`, which must lie in what is held.
    public func attach(at position: Int64) -> Cursor {
        precondition(position >= start && position <= end, "a cursor outside of the history")
        if let slot = cursors.firstIndex(of: Self.free) {
            cursors[slot] = position
            return Cursor(slot: slot)
        }
        cursors.append(position)
        return Cursor(slot: cursors.count - 1)
    }

    public func position(of cursor: Cursor) -> Int64 { cursors[cursor.slot] }

    /// The next bytes for this reader in one piece.
    public func chunk(of cursor: Cursor) -> Bytes { chunk(at: cursors[cursor.slot]) }

    /// The reader has got `n` more bytes.
    public func advance(_ cursor: Cursor, by n: Int) {
        let next = cursors[cursor.slot] + Int64(n)
        precondition(n >= 0 && next <= end, "a cursor cannot pass the end of the stream")
        cursors[cursor.slot] = next
    }

    /// Bytes this reader still has to get.
    public func pending(_ cursor: Cursor) -> Int64 { end - cursors[cursor.slot] }

    public func detach(_ cursor: Cursor) {
        cursors[cursor.slot] = Self.free
        trim()
    }

    /// The position that the slowest reader needs, nil without readers.
    public var slowest: Int64? {
        let least = cursors.min() ?? Self.free
        return least == Self.free ? nil : least
    }

    // MARK: The backlog

    /// repl_backlog_first_byte_offset: the number of the first byte held, counted from 1.
    public var firstByteOffset: Int64 { isActive ? start + 1 : 0 }

    /// repl_backlog_histlen: bytes held.
    public var historyLength: Int64 { isActive ? end - start : 0 }

    /// Memory in bytes: the backlog's and the replicas' share, held once.
    public var memory: Int { (blocks + spare.count) * Self.blockSize }

    /// Makes the backlog, empty: the history begins here.
    public func activate() {
        guard !isActive else { return }
        isActive = true
        start = end
    }

    /// Frees the backlog: the history is forgotten. Readers must be gone.
    public func deactivate() {
        isActive = false
        discard(to: end)
    }

    /// Begins a new history at `offset`: after a full sync from a master, or a restart. Readers must
    /// be gone; the backlog stays active, and empty.
    public func restart(at offset: Int64) { discard(to: offset) }

    /// repl-backlog-size was changed. Unlike in Redis 6 what is held stays, as far as it fits.
    public func resize(_ size: Int) {
        backlogSize = max(size, Self.minimumBacklogSize)
        trim()
    }

    /// Gives up what neither the backlog's size nor a reader needs.
    public func trim() {
        guard isActive else { return }
        let needed = min(slowest ?? end, end - Int64(backlogSize))
        guard needed > start else { return }
        start = needed
        while blocks > 1, base + Int64(Self.blockSize) <= start {
            recycle(ring[head])
            head = (head + 1) & (ring.count - 1)
            blocks -= 1
            base += Int64(Self.blockSize)
        }
    }

    private func discard(to offset: Int64) {
        precondition(slowest == nil, "a history cannot be dropped under its readers")
        for i in 0..<blocks { recycle(ring[(head + i) & (ring.count - 1)]) }
        if !isActive {
            for block in spare { Self.release(block) }
            spare = []
        }
        head = 0
        blocks = 0
        room = 0
        place = .null
        end = offset
        start = offset
        base = offset
    }

    /// Two spare blocks cover the steady state (one in, one out); after a burst the rest goes back.
    private func recycle(_ block: Address) {
        if spare.count < 2 { spare.append(block) } else { Self.release(block) }
    }

    private static func allocate() -> Address {
        unsafe Address(
            UnsafeRawPointer(UnsafeMutableRawPointer.allocate(byteCount: blockSize, alignment: 16)))
    }

    private static func release(_ block: Address) { unsafe block.pointer.deallocate() }
}

extension StreamBuffer: CustomStringConvertible {
    public var description: String {
        "stream end=\(end) start=\(start) cursors=\(cursors.count { $0 != Self.free })"
            + " memory=\(memory) backlog=\(isActive ? "\(backlogSize)" : "off")"
    }
}
