// SPDX-License-Identifier: BSD-3-Clause
//
// One key of a database: a single block that holds the key, its expiry and a small value.
//
//     offset  size
//     0       1     kind (ValueKind) in the low 4 bits; flags above: 0x80 an expiry follows,
//                   0x40 the string reports encoding "raw" though it is held in place
//     1       3     access: 24 bits of LRU clock or LFU counter, as in Redis
//     4       1|5   key length: one byte below 255, or 255 and 4 bytes little-endian
//     …       0|8   expiry, Unix time in ms, when flagged
//     …       n     key
//     …       …     payload: by kind. stringInteger: 8 bytes. stringInline: length (1 or 5 bytes as
//                   above) and the bytes. All others: 8 bytes, the address of the container.

import Memory

/// The six types by Redis's names.
public enum ValueType: UInt8, Sendable {
    case string, list, set, sortedSet, hash, stream
}

/// Type and encoding of a value.
public enum ValueKind: UInt8, Sendable {
    case stringInteger, stringInline, stringRaw
    case listQuick
    case setInteger, setTable
    case hashPacked, hashTable
    case sortedSetPacked, sortedSetSkip
    case stream

    /// As `init(rawValue:)`, which isn't inlined, for a number that is one of them.
    @inlinable @inline(__always)
    init(bits: UInt8) {
        self =
            switch bits {
            case 0: .stringInteger
            case 2: .stringRaw
            case 3: .listQuick
            case 4: .setInteger
            case 5: .setTable
            case 6: .hashPacked
            case 7: .hashTable
            case 8: .sortedSetPacked
            case 9: .sortedSetSkip
            case 10: .stream
            default: .stringInline
            }
    }

    @inlinable @inline(__always)
    public var type: ValueType {
        switch self {
        case .stringInteger, .stringInline, .stringRaw: .string
        case .listQuick: .list
        case .setInteger, .setTable: .set
        case .hashPacked, .hashTable: .hash
        case .sortedSetPacked, .sortedSetSkip: .sortedSet
        case .stream: .stream
        }
    }
}

/// A key's block in its database's heap. Good until the key is changed or removed: a change of the
/// expiry or of a string's size moves the block, a change of a container doesn't.
@safe
public struct Entry: Equatable {
    public let address: Address

    @inlinable @inline(__always)
    public init(_ address: Address) { self.address = address }

    @usableFromInline static let kindMask: UInt8 = 0x0F
    @usableFromInline static let expiryFlag: UInt8 = 0x80
    @usableFromInline static let rawFlag: UInt8 = 0x40

    @inlinable @inline(__always)
    public var kind: ValueKind {
        get { ValueKind(bits: address.byte(at: 0) & Self.kindMask) }
        nonmutating set {
            address.store((address.byte(at: 0) & ~Self.kindMask) | newValue.rawValue)
        }
    }

    @inlinable @inline(__always)
    public var type: ValueType { kind.type }

    @inlinable @inline(__always)
    public var hasExpiry: Bool { address.byte(at: 0) & Self.expiryFlag != 0 }

    /// 24 bits: LRU clock, or LFU minutes (16) and counter (8).
    @inlinable @inline(__always)
    public var access: UInt32 {
        get { address.load(UInt32.self) >> 8 }
        nonmutating set {
            address.store((address.load(UInt32.self) & 0xFF) | (newValue << 8))
        }
    }

    @inlinable @inline(__always)
    var keyCountSize: Int { address.byte(at: 4) == 0xFF ? 5 : 1 }

    @inlinable @inline(__always)
    public var keyCount: Int {
        let short = address.byte(at: 4)
        return short == 0xFF ? Int(address.load(UInt32.self, at: 5)) : Int(short)
    }

    @inlinable @inline(__always)
    var keyOffset: Int { 4 + keyCountSize + (hasExpiry ? 8 : 0) }

    @inlinable @inline(__always)
    public var key: Bytes { Bytes(start: address + keyOffset, count: keyCount) }

    /// Unix time in ms at which the key dies, or nil.
    @inlinable @inline(__always)
    public var expiry: Int64? {
        hasExpiry ? address.load(Int64.self, at: 4 + keyCountSize) : nil
    }

    /// First byte behind the key.
    @inlinable @inline(__always)
    public var payload: Address { address + (keyOffset + keyCount) }

    /// The container's address, for all kinds but stringInteger and stringInline.
    @inlinable @inline(__always)
    public var container: Address {
        get { payload.address(at: 0) }
        nonmutating set { payload.store(address: newValue, at: 0) }
    }
}
