// SPDX-License-Identifier: BSD-3-Clause
//
// The next requests of a pipeline, found in one go: the parser's state is kept in registers, and who
// runs them can see what the later ones will need. Only what is whole and plain is taken; a request
// that is broken, large, inline or not all there is left to `RequestParser`, which judges it.

import Memory

/// Up to 16 requests at the head of a buffer. One thread; its views are good until the next `fill`
/// or until the buffer changes.
public struct RequestWindow: ~Copyable {
    /// Requests looked at together: enough that the first one's memory has arrived when the last one's
    /// has been asked for, few enough to stay in the first-level cache.
    public static let capacity = 16
    /// Words of all of them.
    static let wordCapacity = 512

    private struct Request: BitwiseCopyable {
        let size: Int
        let arguments: Arguments
    }

    /// The requests, then the places of their words. Not an array: it would be copied to be read.
    private let store = ByteBuffer(capacity: requestsSize + wordCapacity * WordList.size)
    private static let requestSize = MemoryLayout<Request>.stride
    private static let requestsSize = capacity * requestSize
    public private(set) var count = 0

    public init() {}

    /// Finds the requests that `bytes` begin with; `count` says how many, 0 when there is none that
    /// can be taken.
    public mutating func fill(from bytes: Bytes, limits: RequestLimits) {
        let words = store.base + Self.requestsSize
        let start = bytes.start
        let end = bytes.count
        var used = 0
        var at = 0
        count = 0
        while count < Self.capacity && at < end {
            let header = Self.line(UInt8(ascii: "*"), bytes, at)
            guard header.number > 0, header.number <= limits.words,
                header.number <= Self.wordCapacity &- used
            else { return }
            let begin = at
            at = header.behind
            var word = used
            let last = used &+ header.number
            while word < last {
                let line = Self.line(UInt8(ascii: "$"), bytes, at)
                let size = line.number
                // No size, -1, is a large one unsigned.
                guard UInt(bitPattern: size) <= UInt(bitPattern: limits.bulk),
                    size <= end &- line.behind &- 2
                else { return }
                words.store(
                    Bytes(start: start + line.behind, count: size), at: word &* WordList.size)
                at = line.behind &+ size &+ 2
                word &+= 1
            }
            let arguments = Arguments(
                words: words + used &* WordList.size, count: header.number)
            store.base.store(
                Request(size: at &- begin, arguments: arguments), at: count &* Self.requestSize)
            used = last
            count &+= 1
        }
    }

    /// The number of bytes of a request.
    @inline(__always)
    public func size(of index: Int) -> Int { request(index).size }

    @inline(__always)
    public func arguments(of index: Int) -> Arguments { request(index).arguments }

    @inline(__always)
    private func request(_ index: Int) -> Request {
        precondition(index >= 0 && index < count, "no such request")
        return store.base.load(Request.self, at: index &* Self.requestSize)
    }

    /// The number in the line at `at`, which begins with `mark`, and the place behind the line. -1 when
    /// the line is not all there or anything else. Places are given and returned, not kept in a variable
    /// of the loop: that would live in memory.
    @inline(__always)
    private static func line(_ mark: UInt8, _ bytes: Bytes, _ at: Int) -> (number: Int, behind: Int)
    {
        // Nearly each line is a mark, one digit or two, CR and LF: one load shows all of it. Less what it
        // would be with a zero and turned by the mark, it is the number or more than any digit.
        if bytes.count &- at >= 8 {
            let line = UInt64(littleEndian: bytes.start.load(UInt64.self, at: at))
            let rest = UInt32(truncatingIfNeeded: line) &- (0x0A0D_3000 | UInt32(mark))
            let digit = rest >> 8 | rest << 24
            if _fastPath(digit <= 9) { return (Int(digit), at &+ 4) }
            let first = (line >> 8 & 0xFF) &- 0x30
            let second = (line >> 16 & 0xFF) &- 0x30
            if line & 0xFF_FF00_00FF == 0x0A_0D00_0000 | UInt64(mark), first &- 1 < 9, second <= 9 {
                return (Int(truncatingIfNeeded: first &* 10 &+ second), at &+ 5)
            }
        }
        return longLine(mark, bytes, at)
    }

    @inline(never)
    private static func longLine(
        _ mark: UInt8, _ bytes: Bytes, _ at: Int
    ) -> (number: Int, behind: Int) {
        if at >= bytes.count || bytes.start.byte(at: at) != mark { return (-1, at) }
        var behind = at &+ 1
        guard let number = RequestParser.header(bytes, &behind) else { return (-1, at) }
        return (number, behind)
    }
}
