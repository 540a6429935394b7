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

    @inlinable @inline(__always)
    public var pointer: UnsafeMutableRawPointer {
        // Null never comes here on a correct path; address 1 faults at once instead of reading page 0.
        unsafe UnsafeMutableRawPointer(bitPattern: raw)
            ?? UnsafeMutableRawPointer(bitPattern: 1 as UInt).unsafelyUnwrapped
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

    /// Copies `count` bytes from `source` to here; the regions may not overlap.
    @inlinable @inline(__always)
    public func copy(from source: Address, count: Int) {
        if count > 0 { unsafe pointer.copyMemory(from: source.pointer, byteCount: count) }
    }

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
