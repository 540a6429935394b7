// SPDX-License-Identifier: BSD-3-Clause
//
// Strings as they lie in or behind an entry.

import Memory

extension Entry {
    /// Bytes of an entry's block up to which a string is held in place.
    @usableFromInline static let mostInline = 1024
    /// Longest string that Redis calls "embstr".
    @usableFromInline static let longestEmbedded = 44

    /// The value of a stringInteger.
    @inlinable @inline(__always)
    public var integer: Int64 {
        get { payload.load(Int64.self) }
        nonmutating set { payload.store(newValue) }
    }

    /// The bytes of a stringInline.
    @inlinable @inline(__always)
    var inlineBytes: Bytes {
        let place = payload
        let short = place.byte(at: 0)
        if short < 0xFF { return Bytes(start: place + 1, count: Int(short)) }
        return Bytes(start: place + 5, count: Int(place.load(UInt32.self, at: 1)))
    }

    /// A short inline string without an expiry, whose payload takes just so many bytes.
    @inlinable @inline(__always)
    func isInline(payload size: Int) -> Bool {
        address.byte(at: 0) & ~Self.rawFlag == ValueKind.stringInline.rawValue
            && size <= 0xFF && Int(payload.byte(at: 0)) == size - 1
    }

    /// The bytes of a string that isn't held as an integer.
    @inlinable @inline(__always)
    public var stringBytes: Bytes {
        kind == .stringInline ? inlineBytes : RawString(container).bytes
    }

    /// The string's length, an integer's as its decimal text.
    @inlinable
    public var stringCount: Int {
        guard kind == .stringInteger else { return stringBytes.count }
        return Decimal.digits(integer.magnitude) + (integer < 0 ? 1 : 0)
    }

    /// Runs `body` on the string's bytes, good only inside; an integer's are its decimal text.
    @inlinable
    public func withString<R>(_ body: (Bytes) throws -> R) rethrows -> R {
        guard kind == .stringInteger else { return try body(stringBytes) }
        return try unsafe withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { scratch in
            let place = unsafe Bytes(UnsafeRawBufferPointer(scratch)).start
            return try body(Bytes(start: place, count: Decimal.write(integer, to: place)))
        }
    }

    /// The string as an integer, if it is one by Redis's strict rule.
    @inlinable
    public var stringInteger: Int64? {
        kind == .stringInteger ? integer : Decimal.parse(stringBytes)
    }

    /// What OBJECT ENCODING answers for a string.
    public var stringEncoding: StaticString {
        switch kind {
        case .stringInteger: "int"
        case .stringInline:
            address.byte(at: 0) & Self.rawFlag != 0 || inlineBytes.count > Self.longestEmbedded
                ? "raw" : "embstr"
        default: "raw"
        }
    }

    /// Bytes of the whole block.
    @inlinable @inline(__always)
    public var size: Int {
        let front = keyOffset + keyCount
        guard kind == .stringInline else { return front + 8 }
        let short = payload.byte(at: 0)
        return front + (short < 0xFF ? 1 + Int(short) : 5 + Int(payload.load(UInt32.self, at: 1)))
    }

    /// Bytes of the block of an entry like this.
    @inlinable @inline(__always)
    static func size(key: Int, expires: Bool, payload: Int) -> Int {
        4 + (key < 0xFF ? 1 : 5) + (expires ? 8 : 0) + key + payload
    }

    /// Bytes of the payload of an inline string of `count` bytes.
    @inlinable @inline(__always)
    static func inlineSize(_ count: Int) -> Int { count < 0xFF ? 1 + count : 5 + count }

    /// Writes all but the payload at this place.
    @inlinable @inline(__always)
    func begin(_ key: Bytes, _ kind: ValueKind, raw: Bool, expiry: Int64?, access: UInt32) {
        var flags = kind.rawValue
        if expiry != nil { flags |= Self.expiryFlag }
        if raw { flags |= Self.rawFlag }
        address.store(UInt32(flags) | access << 8)
        var at = 5
        if key.count < 0xFF {
            address.store(UInt8(key.count), at: 4)
        } else {
            address.store(UInt8(0xFF), at: 4)
            address.store(UInt32(key.count), at: 5)
            at = 9
        }
        if let expiry {
            address.store(expiry, at: at)
            at += 8
        }
        (address + at).copy(from: key)
    }

    /// Writes the length of an inline string; returns where its bytes go.
    @inlinable @inline(__always)
    static func beginInline(_ payload: Address, _ count: Int) -> Address {
        if count < 0xFF {
            payload.store(UInt8(count))
            return payload + 1
        }
        payload.store(UInt8(0xFF))
        payload.store(UInt32(count), at: 1)
        return payload + 5
    }

    /// The place of the expiry of an entry that has one.
    var expiryPlace: Address { address + (4 + keyCountSize) }
}
