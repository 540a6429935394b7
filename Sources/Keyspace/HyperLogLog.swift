// SPDX-License-Identifier: BSD-3-Clause
//
// Counting distinct elements in 12 KiB, in the bytes that Redis keeps in a string, so that they travel
// in GET, SET and RDB files.
//
//     0   4  "HYLL"
//     4   1  encoding: 0 dense, 1 sparse
//     5   3  zero
//     8   8  the last count, little-endian; its top bit says that it is out of date
//     16  …  dense: 16384 registers of 6 bits, lowest bits first.
//            sparse: runs. 00nnnnnn: n + 1 zeros. 01nnnnnn nnnnnnnn: n + 1 zeros.
//            1vvvvvnn: n + 1 registers of value v + 1.
//
// The count is Ertl's improved estimator ("New cardinality estimation algorithms for HyperLogLog
// sketches", 2017), as in Redis since 5.

import Glibc
import Memory

/// A HyperLogLog in an array of its own. Every read of a run is checked against the end: the bytes may
/// be any that a client has SET.
public struct HyperLogLog {
    public private(set) var bytes: [UInt8]

    public static let registers = 16384
    static let headerSize = 16
    static let denseSize = headerSize + (registers * 6 + 7) / 8
    static let hashBits = 50

    /// A sparse one that has seen nothing.
    public init() {
        bytes = Array("HYLL".utf8) + [1] + [UInt8](repeating: 0, count: 11)
        bytes += Self.zeros(Self.registers)
    }

    public init(_ text: Bytes) { bytes = text.array }

    /// Whether `text` may be a HyperLogLog: magic, encoding, and a dense one's size.
    public static func isValid(_ text: Bytes) -> Bool {
        guard text.count >= headerSize, text.prefix(4) == "HYLL", text[4] <= 1 else { return false }
        return text[4] != 0 || text.count == denseSize
    }

    public var isSparse: Bool { bytes[4] == 1 }

    // MARK: The remembered count

    /// The last count, when nothing changed since.
    public static func remembered(_ text: Bytes) -> UInt64? {
        text[15] & 0x80 == 0 ? text.start.load(UInt64.self, at: 8) : nil
    }

    public mutating func forgetCount() { bytes[15] |= 0x80 }

    public mutating func remember(_ count: UInt64) {
        for index in 0..<8 {
            bytes[8 + index] = UInt8(truncatingIfNeeded: count >> UInt64(8 * index))
        }
    }

    // MARK: Elements

    /// Register and value of an element.
    public static func place(_ element: Bytes) -> (register: Int, value: UInt8) {
        let hash = murmur(element)
        let rest = hash >> 14 | 1 << UInt64(hashBits)
        return (Int(hash & 16383), UInt8(rest.trailingZeroBitCount + 1))
    }

    /// Raises a register to `value`; false when it was as high. Nil when the bytes are corrupt.
    public mutating func raise(_ register: Int, _ value: UInt8, sparseLimit: Int) -> Bool? {
        if !isSparse { return raiseDense(register, value) }
        if value > 32 { return promote() ? raiseDense(register, value) : nil }
        return raiseSparse(register, value, limit: sparseLimit)
    }

    /// 64-bit MurmurHash2 of Appleby (public domain) with the seed that Redis uses.
    private static func murmur(_ text: Bytes) -> UInt64 {
        let factor: UInt64 = 0xC6A4_A793_5BD1_E995
        var h = 0xADC8_3B19 ^ (UInt64(text.count) &* factor)
        var at = 0
        while at + 8 <= text.count {
            var k = text.start.load(UInt64.self, at: at) &* factor
            k = (k ^ (k >> 47)) &* factor
            h = (h ^ k) &* factor
            at += 8
        }
        if at < text.count {
            for index in at..<text.count { h ^= UInt64(text[index]) << UInt64(8 * (index - at)) }
            h = h &* factor
        }
        h = (h ^ (h >> 47)) &* factor
        return h ^ (h >> 47)
    }

    // MARK: Dense

    private static func dense(_ bytes: Bytes, _ register: Int) -> UInt8 {
        let at = headerSize + register * 6 / 8
        let shift = UInt16(register * 6 & 7)
        let high = at + 1 < bytes.count ? UInt16(bytes[at + 1]) << 8 : 0
        return UInt8(truncatingIfNeeded: (UInt16(bytes[at]) | high) >> shift) & 63
    }

    private mutating func raiseDense(_ register: Int, _ value: UInt8) -> Bool {
        let old = Bytes.with(bytes) { Self.dense($0, register) }
        if value <= old { return false }
        setDense(register, value)
        return true
    }

    private mutating func setDense(_ register: Int, _ value: UInt8) {
        let at = Self.headerSize + register * 6 / 8
        let shift = UInt16(register * 6 & 7)
        bytes[at] = bytes[at] & ~UInt8(truncatingIfNeeded: 63 << shift)
        bytes[at] |= UInt8(truncatingIfNeeded: UInt16(value) << shift)
        if shift > 2 {
            bytes[at + 1] &= ~UInt8(truncatingIfNeeded: UInt16(63) >> (8 - shift))
            bytes[at + 1] |= value >> UInt8(8 - shift)
        }
    }

    /// All registers; nil when the bytes are corrupt.
    public func values() -> [UInt8]? {
        if !isSparse {
            return Bytes.with(bytes) { view in
                (0..<Self.registers).map { Self.dense(view, $0) }
            }
        }
        var values: [UInt8] = []
        values.reserveCapacity(Self.registers)
        var at = Self.headerSize
        while let run = run(at) {
            if values.count + run.length > Self.registers { return nil }
            values.append(contentsOf: repeatElement(run.value, count: run.length))
            at += run.size
        }
        return at == bytes.count && values.count == Self.registers ? values : nil
    }

    /// Makes it dense; false when the bytes are corrupt.
    public mutating func promote() -> Bool {
        guard isSparse else { return true }
        guard let values = values() else { return false }
        bytes =
            Array(bytes[0..<Self.headerSize])
            + [UInt8](repeating: 0, count: Self.denseSize - Self.headerSize)
        bytes[4] = 0
        for (register, value) in values.enumerated() where value > 0 { setDense(register, value) }
        return true
    }

    // MARK: Sparse

    struct Run {
        /// 0 for a run of zeros.
        var value: UInt8
        var length: Int
        /// Bytes that it takes.
        var size: Int
    }

    /// The run at `at`; nil at the end, or when it is cut off.
    func run(_ at: Int) -> Run? {
        guard at < bytes.count else { return nil }
        let byte = bytes[at]
        if byte & 0x80 != 0 {
            return Run(value: (byte >> 2 & 31) + 1, length: Int(byte & 3) + 1, size: 1)
        }
        if byte & 0x40 == 0 { return Run(value: 0, length: Int(byte & 63) + 1, size: 1) }
        guard at + 1 < bytes.count else { return nil }
        return Run(value: 0, length: Int(byte & 63) << 8 + Int(bytes[at + 1]) + 1, size: 2)
    }

    private static func zeros(_ length: Int) -> [UInt8] {
        if length <= 64 { return [UInt8(length - 1)] }
        return [0x40 | UInt8((length - 1) >> 8), UInt8((length - 1) & 0xFF)]
    }

    private static func val(_ value: UInt8, _ length: Int) -> UInt8 {
        0x80 | (value - 1) << 2 | UInt8(length - 1)
    }

    private mutating func raiseSparse(_ register: Int, _ value: UInt8, limit: Int) -> Bool? {
        var at = Self.headerSize
        var previous: Int?
        var first = 0
        var found: Run?
        while let run = run(at) {
            if register < first + run.length {
                found = run
                break
            }
            previous = at
            first += run.length
            at += run.size
        }
        guard let run = found else { return nil }
        if run.value >= value { return false }
        var fresh: [UInt8] = []
        let before = register - first
        let behind = first + run.length - 1 - register
        func part(_ length: Int) -> [UInt8] {
            if length == 0 { return [] }
            return run.value == 0 ? Self.zeros(length) : [Self.val(run.value, length)]
        }
        fresh = part(before) + [Self.val(value, 1)] + part(behind)
        let growth = fresh.count - run.size
        if growth > 0 && bytes.count + growth > limit {
            return promote() ? raiseDense(register, value) : nil
        }
        bytes.replaceSubrange(at..<(at + run.size), with: fresh)
        joinRuns(from: previous ?? Self.headerSize)
        return true
    }

    /// Joins equal neighbours among the five runs from `start`: more can't have become equal.
    private mutating func joinRuns(from start: Int) {
        var at = start
        for _ in 0..<5 {
            guard let run = run(at) else { return }
            if run.value > 0, let next = self.run(at + 1), next.value == run.value,
                run.length + next.length <= 4
            {
                bytes[at + 1] = Self.val(run.value, run.length + next.length)
                bytes.remove(at: at)
                continue
            }
            at += run.size
        }
    }

    /// What PFDEBUG DECODE shows; nil when it is dense or corrupt.
    public func decoded() -> String? {
        guard isSparse, values() != nil else { return nil }
        var parts: [String] = []
        var at = Self.headerSize
        while let run = run(at) {
            let name = run.size == 2 ? "Z:" : run.value == 0 ? "z:" : "v:\(run.value),"
            parts.append("\(name)\(run.length)")
            at += run.size
        }
        return parts.joined(separator: " ")
    }

    // MARK: Counting

    /// How many distinct elements registers of these values stand for.
    public static func count(_ values: [UInt8]) -> UInt64 {
        let m = Double(registers)
        var histogram = [Int](repeating: 0, count: 64)
        for value in values { histogram[Int(value & 63)] += 1 }
        var z = m * tau((m - Double(histogram[hashBits + 1])) / m)
        for index in stride(from: hashBits, through: 1, by: -1) {
            z = (z + Double(histogram[index])) * 0.5
        }
        z += m * sigma(Double(histogram[0]) / m)
        let estimate = 0.721347520444481703680 * m * m / z
        return estimate.isFinite ? UInt64(estimate.rounded(.toNearestOrAwayFromZero)) : 0
    }

    private static func sigma(_ start: Double) -> Double {
        if start == 1 { return .infinity }
        var (x, y, z) = (start, 1.0, start)
        while true {
            x *= x
            let last = z
            z += x * y
            y += y
            if last == z { return z }
        }
    }

    private static func tau(_ start: Double) -> Double {
        if start == 0 || start == 1 { return 0 }
        var (x, y, z) = (start, 1.0, 1 - start)
        while true {
            x = x.squareRoot()
            let last = z
            y *= 0.5
            z -= (1 - x) * (1 - x) * y
            if last == z { return z / 3 }
        }
    }
}
