// SPDX-License-Identifier: BSD-3-Clause
//
// Many small elements in one block, byte for byte as Redis 7 keeps and dumps them: lists' nodes,
// small hashes and sorted sets, and the nodes of streams.
//
//     offset  size
//     0       4     size of the block in bytes (little-endian, as everything here)
//     4       2     count of elements; 65535 means "walk and count"
//     6       …     the elements: encoding and data, then the size of those two, readable backwards
//     size-1  1     0xFF
//
//     first byte    what follows
//     0xxxxxxx      an integer from 0 to 127
//     10xxxxxx      a string of x bytes
//     110xxxxx +1   a 13-bit signed integer, high bits first
//     1110xxxx +1   a string of x (12 bits, high bits first) bytes
//     0xF0 +4       a string with a 32-bit length
//     0xF1 … 0xF4   an integer of 16, 24, 32 or 64 bits
//
// The backward size has 7 bits a byte, most significant first; all bytes but the first have bit 7.

import Memory

/// An element as it is stored: an integer has no text of its own.
@safe
public enum ListpackElement {
    case integer(Int64)
    /// A view into the block when read; good until the block changes.
    case bytes(Bytes)

    /// What Redis would store for `bytes`: an integer when they spell one.
    @inlinable @inline(__always)
    public init(_ bytes: Bytes) {
        if let value = Decimal.parse(bytes) {
            self = .integer(value)
        } else {
            self = .bytes(bytes)
        }
    }

    /// Calls `body` with the element's bytes, an integer's as decimal text; good only inside.
    @inlinable
    public func withBytes<R>(_ body: (Bytes) -> R) -> R {
        switch self {
        case .bytes(let bytes): return body(bytes)
        case .integer(let value):
            var room: (UInt64, UInt64, UInt64) = (0, 0, 0)
            return unsafe withUnsafeMutableBytes(of: &room) { buffer in
                let text = unsafe Bytes(UnsafeRawBufferPointer(buffer))
                return body(Bytes(start: text.start, count: Decimal.write(value, to: text.start)))
            }
        }
    }

    /// The number of bytes of the element's text.
    @inlinable
    public var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .integer(let value): Decimal.digits(value.magnitude) + (value < 0 ? 1 : 0)
        }
    }

    @inlinable
    public var array: [UInt8] { withBytes { $0.array } }

    /// True when the element's text is `other`.
    @inlinable
    public func equals(_ other: Bytes) -> Bool {
        switch self {
        case .bytes(let bytes): bytes == other
        case .integer(let value): Decimal.parse(other) == value
        }
    }

    /// The integer that the element is or spells, by Redis's strict rule.
    @inlinable
    public var integer: Int64? {
        switch self {
        case .bytes(let bytes): Decimal.parse(bytes)
        case .integer(let value): value
        }
    }
}

extension ByteBuffer {
    /// The element's text.
    @inlinable
    public func append(_ element: ListpackElement) {
        switch element {
        case .bytes(let bytes): append(bytes)
        case .integer(let value): append(decimal: value)
        }
    }
}

/// A view of a listpack's block. Places are offsets from the block's start: `first`, `next`,
/// `previous`, until `end`. Every edit may move the block: use what it returns, and drop old
/// offsets. The bytes given to an edit must not lie in the block itself. Nothing is checked here:
/// what comes from outside is validated by libwing before it becomes a block.
@safe
public struct Listpack: Equatable {
    public let address: Address

    @inlinable @inline(__always)
    public init(_ address: Address) { self.address = address }

    public static let headerSize = 6
    /// A text of so many bytes has a byte before it and one behind.
    @usableFromInline static let shortText = 63
    /// Header and end mark.
    public static let emptySize = 7
    /// No block grows beyond this (Redis's limit, far below what 32 bits can say).
    public static let maximumSize = 1 << 30

    @usableFromInline static let unknownCount: UInt16 = 0xFFFF

    /// Bytes of the block.
    @inlinable @inline(__always)
    public var size: Int { Int(address.load(UInt32.self)) }

    /// The whole block, as a dump holds it.
    @inlinable
    public var bytes: Bytes { Bytes(start: address, count: size) }

    @inlinable @inline(__always)
    public var isEmpty: Bool { address.byte(at: Self.headerSize) == 0xFF }

    /// The number of elements; O(n) from 65535 on.
    @inlinable
    public var count: Int {
        let known = address.load(UInt16.self, at: 4)
        return known == Self.unknownCount ? counted() : Int(known)
    }

    @usableFromInline
    func counted() -> Int {
        var n = 0
        var at = first
        while address.byte(at: at) != 0xFF {
            n += 1
            at = next(at)
        }
        if n < Int(Self.unknownCount) { address.store(UInt16(n), at: 4) }
        return n
    }

    // MARK: Walking

    @inlinable @inline(__always)
    public var first: Int { Self.headerSize }

    /// The place behind the last element.
    @inlinable @inline(__always)
    public var end: Int { size - 1 }

    /// The last element's place, or nil when there is none.
    @inlinable
    public var last: Int? { previous(end) }

    /// The place behind the element at `offset`: another element's, or `end`.
    @inlinable @inline(__always)
    public func next(_ offset: Int) -> Int {
        let n = entrySize(offset)
        return offset &+ n &+ Self.backSize(n)
    }

    /// The place of the element before `offset`; nil when that is the first.
    @inlinable @inline(__always)
    public func previous(_ offset: Int) -> Int? {
        if offset <= Self.headerSize { return nil }
        var at = offset &- 1
        var byte = address.byte(at: at)
        var n = Int(byte & 127)
        var shift = 7
        while byte & 128 != 0 {
            at &-= 1
            byte = address.byte(at: at)
            n |= Int(byte & 127) << shift
            shift &+= 7
        }
        return at &- n
    }

    /// The place of the element at `index` (negative from the end), or nil when there is none.
    @inlinable
    public func seek(_ index: Int) -> Int? {
        var left = index
        if index < 0 {
            var at = last
            while left < -1, let here = at {
                at = previous(here)
                left += 1
            }
            return at
        }
        let known = address.load(UInt16.self, at: 4)
        if known != Self.unknownCount {
            if index >= Int(known) { return nil }
            if index > Int(known) / 2 { return seek(index - Int(known)) }
        }
        var at = first
        while address.byte(at: at) != 0xFF {
            if left == 0 { return at }
            left -= 1
            at = next(at)
        }
        return nil
    }

    /// The place `n` elements behind `offset`; stops at `end`.
    @inlinable
    public func advance(_ offset: Int, by n: Int) -> Int {
        var at = offset
        var left = n
        while left > 0 && address.byte(at: at) != 0xFF {
            at = next(at)
            left -= 1
        }
        return at
    }

    // MARK: Reading

    /// Bytes of encoding and data of the element at `offset`.
    @inlinable @inline(__always)
    func entrySize(_ offset: Int) -> Int {
        let lead = address.byte(at: offset)
        if lead < 0x80 { return 1 }
        if lead < 0xC0 { return 1 &+ Int(lead & 0x3F) }
        if lead < 0xE0 { return 2 }
        if lead < 0xF0 { return 2 &+ (Int(lead & 0x0F) << 8 | Int(address.byte(at: offset &+ 1))) }
        switch lead {
        case 0xF0: return 5 &+ Int(address.load(UInt32.self, at: offset &+ 1))
        case 0xF1: return 3
        case 0xF2: return 4
        case 0xF3: return 5
        default: return 9
        }
    }

    @inlinable @inline(__always)
    static func backSize(_ n: Int) -> Int {
        if n <= 127 { return 1 }
        if n < 16383 { return 2 }
        if n < 2_097_151 { return 3 }
        return n < 268_435_455 ? 4 : 5
    }

    /// The element at `offset`, which is not `end`.
    @inlinable @inline(__always)
    public subscript(offset: Int) -> ListpackElement {
        let at = address + offset
        let lead = at.byte(at: 0)
        if lead < 0x80 { return .integer(Int64(lead)) }
        if lead < 0xC0 { return .bytes(Bytes(start: at + 1, count: Int(lead & 0x3F))) }
        if lead < 0xE0 {
            let bits = UInt16(lead & 0x1F) << 8 | UInt16(at.byte(at: 1))
            return .integer(Int64(Int16(bitPattern: bits << 3) >> 3))
        }
        if lead < 0xF0 {
            let n = Int(lead & 0x0F) << 8 | Int(at.byte(at: 1))
            return .bytes(Bytes(start: at + 2, count: n))
        }
        switch lead {
        case 0xF0:
            return .bytes(Bytes(start: at + 5, count: Int(at.load(UInt32.self, at: 1))))
        case 0xF1: return .integer(Int64(at.load(Int16.self, at: 1)))
        case 0xF2:
            let bits = UInt32(at.load(UInt16.self, at: 1)) | UInt32(at.byte(at: 3)) << 16
            return .integer(Int64(Int32(bitPattern: bits << 8) >> 8))
        case 0xF3: return .integer(Int64(at.load(Int32.self, at: 1)))
        default: return .integer(at.load(Int64.self, at: 1))
        }
    }

    /// The element at `offset` as an integer; 0 when it isn't one (streams' own layouts).
    @inlinable
    public func integer(at offset: Int) -> Int64 { self[offset].integer ?? 0 }

    /// True when the element at `offset` has the text `other`.
    @inlinable
    public func element(at offset: Int, equals other: Bytes) -> Bool { self[offset].equals(other) }

    /// The place of the first element from `offset` on, looking at each `step`th, whose text is
    /// `bytes`; nil when there is none.
    @inlinable
    public func find(_ bytes: Bytes, from offset: Int? = nil, step: Int = 1) -> Int? {
        var at = offset ?? first
        let wanted = ListpackElement(bytes)
        while address.byte(at: at) != 0xFF {
            switch (self[at], wanted) {
            case (.integer(let a), .integer(let b)): if a == b { return at }
            case (.bytes(let a), .bytes(let b)): if a == b { return at }
            // An integer kept as text: no writer of today makes one, but it is valid.
            case (.bytes(let a), .integer): if a == bytes { return at }
            case (.integer, .bytes): break
            }
            at = next(at)
            for _ in 1..<step where address.byte(at: at) != 0xFF { at = next(at) }
        }
        return nil
    }
}
