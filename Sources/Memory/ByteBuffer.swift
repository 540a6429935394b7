// SPDX-License-Identifier: BSD-3-Clause
//
// A growing run of bytes: what is read from a socket, what is to be written to one, what an AOF or
// a stream gathers. Taken from the front, added at the back; room is made by moving or growing.

import Platform

/// Owns its memory; one owner, one thread. Appending is amortised O(1); `consume` is O(1).
public final class ByteBuffer {
    public private(set) var base: Address = .null
    /// Bytes the memory at `base` holds.
    public private(set) var capacity: Int = 0
    /// First unread byte and end of the written ones, from `base`.
    @usableFromInline var head: Int = 0
    @usableFromInline var tail: Int = 0

    public init(capacity: Int = 0) {
        if capacity > 0 { grow(to: capacity) }
    }

    deinit { unsafe free(base.isNull ? nil : base.pointer) }

    @inlinable @inline(__always)
    public var count: Int { tail &- head }

    @inlinable @inline(__always)
    public var isEmpty: Bool { tail == head }

    /// The unread bytes; good until the next change of the buffer.
    @inlinable @inline(__always)
    public var bytes: Bytes { Bytes(start: base + head, count: tail &- head) }

    /// Makes room for `extra` more bytes at the back and returns its address.
    @inlinable @inline(__always)
    public func reserve(_ extra: Int) -> Address {
        if capacity &- tail < extra { makeRoom(extra) }
        return base + tail
    }

    /// Bytes free at the back, behind `reserve`.
    @inlinable @inline(__always)
    public var room: Int { capacity &- tail }

    /// Says that `n` bytes were written at `reserve`'s address.
    @inlinable @inline(__always)
    public func commit(_ n: Int) { tail &+= n }

    /// Takes `n` bytes off the front.
    @inlinable @inline(__always)
    public func consume(_ n: Int) {
        precondition(n <= tail &- head, "consumed more than the buffer holds")
        head &+= n
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Cuts the back so that `n` unread bytes stay.
    @inlinable
    public func truncate(to n: Int) {
        precondition(n <= count, "cannot truncate to more than the buffer holds")
        tail = head + n
    }

    @inlinable @inline(__always)
    public func append(_ bytes: Bytes) {
        reserve(bytes.count).copy(from: bytes)
        tail &+= bytes.count
    }

    @inlinable @inline(__always)
    public func append(_ literal: StaticString) { append(Bytes(literal)) }

    @inlinable @inline(__always)
    public func append(_ byte: UInt8) {
        reserve(1).store(byte)
        tail &+= 1
    }

    /// Not without its label: a literal would be a `String` by default, counted and copied.
    public func append(text: String) { Bytes.with(text) { append($0) } }

    public func append(_ array: [UInt8]) { Bytes.with(array) { append($0) } }

    /// Decimal digits of `value`.
    @inlinable
    public func append(decimal value: Int64) {
        let n = Decimal.write(value, to: reserve(Decimal.maximumSize))
        tail &+= n
    }

    /// Empties the buffer; memory beyond `keep` bytes is given back.
    public func removeAll(keeping keep: Int = Int.max) {
        head = 0
        tail = 0
        if capacity > keep {
            unsafe free(base.pointer)
            base = .null
            capacity = 0
        }
    }

    /// Gives memory back when little of it is in use.
    public func shrink(below limit: Int) {
        guard capacity > limit, count < capacity / 4 else { return }
        let old = base
        let n = count
        let size = max(n, 64)
        let fresh = Self.allocate(size)
        fresh.copy(from: old + head, count: n)
        unsafe free(old.pointer)
        base = fresh
        capacity = size
        head = 0
        tail = n
    }

    @usableFromInline
    func makeRoom(_ extra: Int) {
        let used = tail - head
        if head > 0 && capacity - used >= extra && head >= used {
            base.move(from: base + head, count: used)
            head = 0
            tail = used
            return
        }
        grow(to: used + extra)
    }

    private func grow(to need: Int) {
        let size = max(256, need, min(capacity * 2, capacity + (64 << 20)))
        let fresh = Self.allocate(size)
        let used = tail - head
        fresh.copy(from: base + head, count: used)
        if !base.isNull { unsafe free(base.pointer) }
        base = fresh
        capacity = size
        head = 0
        tail = used
    }

    private static func allocate(_ size: Int) -> Address {
        guard let memory = unsafe malloc(size) else { OutOfMemory.stop(size) }
        return unsafe Address(UnsafeRawPointer(memory))
    }
}

/// The system has no memory for a request that was already checked against every limit of ours.
/// Like Redis, the server stops with a line in its log: there is no state to go on from.
public enum OutOfMemory {
    public static func stop(_ size: Int) -> Never {
        Bytes.with("Out Of Memory allocating \(size) bytes!\n") { text in
            unsafe _ = write(2, text.start.pointer, text.count)
        }
        abort()
    }
}
