// SPDX-License-Identifier: BSD-3-Clause
//
// Glob patterns as KEYS, SCAN, PSUBSCRIBE, ACL and CONFIG GET understand them.

/// `*` any run, `?` any byte, `[abc]`, `[^abc]`, `[a-z]` one of a set, `\c` the byte c itself. An
/// open bracket without its close takes the pattern's last byte as the close.
public enum Glob {
    /// Whether all of `text` matches. Time is O(pattern · text) at worst: a star that was followed
    /// by another star need never be tried again, so only the last one is remembered.
    public static func matches(_ pattern: Bytes, _ text: Bytes, ignoringCase: Bool = false) -> Bool
    {
        // As in Redis, where KEYS and SCAN take "*" without matching: nothing else, not even "**",
        // matches the empty text.
        if text.isEmpty { return pattern.isEmpty || pattern == "*" }
        var p = 0
        var t = 0
        /// Behind the last star, and the text position it is tried at.
        var star = -1
        var retry = 0
        while true {
            if p < pattern.count && pattern.start.byte(at: p) == UInt8(ascii: "*") {
                while p < pattern.count && pattern.start.byte(at: p) == UInt8(ascii: "*") {
                    p &+= 1
                }
                if p == pattern.count { return true }
                star = p
                retry = t
                continue
            }
            if p == pattern.count && t == text.count { return true }
            if p < pattern.count && t < text.count {
                let next = step(pattern, p, text.start.byte(at: t), ignoringCase)
                if next > 0 {
                    p = next
                    t &+= 1
                    continue
                }
            }
            if star < 0 || retry >= text.count { return false }
            retry &+= 1
            t = retry
            p = star
        }
    }

    /// Whether the pattern is a plain text: only one key can match.
    public static func isLiteral(_ pattern: Bytes) -> Bool {
        for i in 0..<pattern.count {
            switch pattern.start.byte(at: i) {
            case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\"):
                return false
            default: continue
            }
        }
        return true
    }

    /// The pattern position behind the element at `p` when it matches `c`, else 0.
    @inline(__always)
    private static func step(_ pattern: Bytes, _ p: Int, _ c: UInt8, _ ignoringCase: Bool) -> Int {
        let element = pattern.start.byte(at: p)
        switch element {
        case UInt8(ascii: "?"):
            return p &+ 1
        case UInt8(ascii: "["):
            return set(pattern, p &+ 1, c, ignoringCase)
        case UInt8(ascii: "\\") where p &+ 1 < pattern.count:
            return equal(pattern.start.byte(at: p &+ 1), c, ignoringCase) ? p &+ 2 : 0
        default:
            return equal(element, c, ignoringCase) ? p &+ 1 : 0
        }
    }

    /// The set that begins behind '['.
    private static func set(_ pattern: Bytes, _ begin: Int, _ c: UInt8, _ ignoringCase: Bool) -> Int
    {
        var p = begin
        let n = pattern.count
        let negated = p < n && pattern.start.byte(at: p) == UInt8(ascii: "^")
        if negated { p &+= 1 }
        var found = false
        while p < n {
            let element = pattern.start.byte(at: p)
            if element == UInt8(ascii: "\\") && n &- p >= 2 {
                p &+= 1
                // Escapes compare exactly, also when case is ignored, as in Redis.
                if pattern.start.byte(at: p) == c { found = true }
            } else if element == UInt8(ascii: "]") {
                break
            } else if n &- p >= 3 && pattern.start.byte(at: p &+ 1) == UInt8(ascii: "-") {
                var low = fold(element, ignoringCase)
                var high = fold(pattern.start.byte(at: p &+ 2), ignoringCase)
                if pattern.start.byte(at: p) > pattern.start.byte(at: p &+ 2) { swap(&low, &high) }
                let folded = fold(c, ignoringCase)
                p &+= 2
                if folded >= low && folded <= high { found = true }
            } else if equal(element, c, ignoringCase) {
                found = true
            }
            p &+= 1
        }
        if found == negated { return 0 }
        return p < n ? p &+ 1 : n
    }

    @inline(__always)
    private static func fold(_ c: UInt8, _ ignoringCase: Bool) -> UInt8 {
        ignoringCase ? c.lowerCased : c
    }

    @inline(__always)
    private static func equal(_ a: UInt8, _ b: UInt8, _ ignoringCase: Bool) -> Bool {
        a == b || (ignoringCase && fold(a, true) == fold(b, true))
    }
}
