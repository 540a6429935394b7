// SPDX-License-Identifier: BSD-3-Clause
//
// The fence around raw memory. Stored data is plain bytes outside of Swift's heap: no reference
// counts, so that a forked snapshot child that only reads it dirties no page. `Address` is the one
// way to such bytes; who holds one answers for its bounds and its life, and every room above keeps
// its own invariants on top (the block's size stands in the block). Debug builds check for null.

import Platform

/// A place in raw memory. Loads and stores are unaligned, host order (little-endian, x86-64/arm64).
@safe
public struct Address: Hashable, BitwiseCopyable {
    public var raw: UInt

    @inlinable @inline(__always)
    public init(_ raw: UInt) { self.raw = raw }

    @inlinable @inline(__always)
    public init(_ pointer: UnsafeRawPointer) { raw = UInt(bitPattern: pointer) }

    @inlinable @inline(__always)
    public static var null: Address { Address(0) }

    @inlinable @inline(__always)
    public var isNull: Bool { raw == 0 }

    /// Null never comes here on a correct path. An optimised build doesn't ask, which would cost three
    /// instructions for each load and store of the program: the access faults.
    @inlinable @inline(__always)
    public var pointer: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(bitPattern: raw).unsafelyUnwrapped
    }

    @inlinable @inline(__always)
    public static func + (base: Address, offset: Int) -> Address {
        Address(base.raw &+ UInt(bitPattern: offset))
    }

    /// Bytes from `other` to here.
    @inlinable @inline(__always)
    public static func - (end: Address, other: Address) -> Int {
        Int(bitPattern: end.raw &- other.raw)
    }

    @inlinable @inline(__always)
    public func load<T: BitwiseCopyable>(_ type: T.Type = T.self, at offset: Int = 0) -> T {
        unsafe pointer.loadUnaligned(fromByteOffset: offset, as: T.self)
    }

    @inlinable @inline(__always)
    public func store<T: BitwiseCopyable>(_ value: T, at offset: Int = 0) {
        unsafe pointer.storeBytes(of: value, toByteOffset: offset, as: T.self)
    }

    @inlinable @inline(__always)
    public func byte(at offset: Int) -> UInt8 { load(UInt8.self, at: offset) }

    @inlinable @inline(__always)
    public func address(at offset: Int) -> Address { Address(load(UInt.self, at: offset)) }

    @inlinable @inline(__always)
    public func store(address: Address, at offset: Int) { store(address.raw, at: offset) }

    /// Copies `count` bytes from `source` to here; the regions may not overlap. Up to 32, the usual
    /// size of a key or a member, take less than a call: loads that may meet in the middle.
    @inlinable @inline(__always)
    public func copy(from source: Address, count: Int) {
        if count > 32 {
            unsafe pointer.copyMemory(from: source.pointer, byteCount: count)
        } else if count > 16 {
            let end = count &- 16
            let (front, back) = (source.load(Half.self), source.load(Half.self, at: end))
            store(front)
            store(back, at: end)
        } else if count >= 8 {
            let back = source.load(UInt64.self, at: count &- 8)
            store(source.load(UInt64.self))
            store(back, at: count &- 8)
        } else if count >= 4 {
            let back = source.load(UInt32.self, at: count &- 4)
            store(source.load(UInt32.self))
            store(back, at: count &- 4)
        } else if count > 0 {
            let (middle, last) = (source.byte(at: count >> 1), source.byte(at: count &- 1))
            store(source.byte(at: 0))
            store(middle, at: count >> 1)
            store(last, at: count &- 1)
        }
    }

    /// Whether `count` bytes from here on equal those from `other` on. For up to 32 not by memcmp: that
    /// loads 32 bytes whatever it was asked for, half the time from a cache line that nothing else needs.
    @inlinable @inline(__always)
    public func equals(_ other: Address, count: Int) -> Bool {
        if count > 32 { return unsafe memcmp(pointer, other.pointer, count) == 0 }
        return equalsShort(other, count: count)
    }

    /// As `equals`, for at most 32 bytes: no path of it is a call, so that a caller may be without a frame.
    @inlinable @inline(__always)
    public func equalsShort(_ other: Address, count: Int) -> Bool {
        if count > 16 {
            let end = count &- 16
            let front = load(Half.self) ^ other.load(Half.self)
            let back = load(Half.self, at: end) ^ other.load(Half.self, at: end)
            let differing = front | back
            return differing.x | differing.y == 0
        }
        if count >= 8 {
            let front = load(UInt64.self) ^ other.load(UInt64.self)
            let back = load(UInt64.self, at: count &- 8) ^ other.load(UInt64.self, at: count &- 8)
            return front | back == 0
        }
        if count >= 4 {
            let front = load(UInt32.self) ^ other.load(UInt32.self)
            let back = load(UInt32.self, at: count &- 4) ^ other.load(UInt32.self, at: count &- 4)
            return front | back == 0
        }
        if count <= 0 { return true }
        return byte(at: 0) == other.byte(at: 0)
            && byte(at: count >> 1) == other.byte(at: count >> 1)
            && byte(at: count &- 1) == other.byte(at: count &- 1)
    }

    /// Half of the 32 bytes that are copied and compared without a call.
    @usableFromInline typealias Half = SIMD2<UInt64>

    /// Copies `bytes` to here; the regions may not overlap.
    @inlinable @inline(__always)
    public func copy(from bytes: Bytes) { copy(from: bytes.start, count: bytes.count) }

    /// Moves `count` bytes from `source` to here; the regions may overlap.
    @inlinable @inline(__always)
    public func move(from source: Address, count: Int) {
        if count > 0 { unsafe memmove(pointer, source.pointer, count) }
    }

    @inlinable @inline(__always)
    public func fill(_ byte: UInt8, count: Int) {
        if count > 0 { unsafe _ = memset(pointer, Int32(byte), count) }
    }

    /// Asks the CPU to fetch the cache line at this place. Any value is allowed, also null.
    @inlinable @inline(__always)
    public func prefetch() { unsafe redwing_prefetch(UnsafeRawPointer(bitPattern: raw)) }
}
