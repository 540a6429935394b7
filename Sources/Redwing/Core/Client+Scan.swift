// SPDX-License-Identifier: BSD-3-Clause
//
// What SCAN, SSCAN, HSCAN and ZSCAN have in common: cursor, options, the form of the reply.

import Memory
import RESP

/// COUNT, MATCH and TYPE of a SCAN command.
public struct ScanOptions {
    public var count = 10
    public var pattern: Bytes?
    public var type: Bytes?

    /// The element is to be shown.
    public func matches(_ element: Bytes) -> Bool {
        guard let pattern else { return true }
        return Glob.matches(pattern, element)
    }
}

extension Client {
    /// The cursor at `index`, or its error. As Redis's strtoul: a sign is allowed, nothing is 0.
    public func scanCursor(_ index: Int) -> UInt64? {
        let text = self[index]
        var value: UInt64 = 0
        let signed =
            text.count > 1 && (text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+"))
        for at in (signed ? 1 : 0)..<text.count {
            let digit = text[at] &- 0x30
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
            if digit > 9 || overflow || carry {
                reply.error("ERR invalid cursor")
                return nil
            }
            value = sum
        }
        return signed && text[0] == UInt8(ascii: "-") ? 0 &- value : value
    }

    /// The options from the argument at `first` on, or their error. TYPE is SCAN's own.
    public func scanOptions(from first: Int, allowsType: Bool = false) -> ScanOptions? {
        var options = ScanOptions()
        var index = first
        while index < count {
            guard index + 1 < count else {
                syntaxError()
                return nil
            }
            if word(index, is: "count") {
                guard let wanted = integer(index + 1) else { return nil }
                if wanted < 1 {
                    syntaxError()
                    return nil
                }
                options.count = Int(wanted)
            } else if word(index, is: "match") {
                // Everything matches a lone star; no need to look.
                options.pattern = self[index + 1] == "*" ? nil : self[index + 1]
            } else if allowsType && word(index, is: "type") {
                options.type = self[index + 1]
            } else {
                syntaxError()
                return nil
            }
            index += 2
        }
        return options
    }

    /// The reply of a scan over what isn't there.
    public func emptyScan() { reply.raw("*2\r\n$1\r\n0\r\n*0\r\n") }

    /// The reply of a scan. `body` writes the elements, tells `emit` how many words it wrote, and
    /// returns the next cursor, 0 at the end.
    public func scanReply(_ body: (_ emit: (Int) -> Void) -> UInt64) {
        // The cursor stands before the elements but is known after them.
        let mark = reply.openArray()
        var words = 0
        let cursor = body { words += $0 }
        reply.closeArray(mark, count: words)
        reply.insertScanCursor(cursor, at: mark)
    }
}

extension Reply {
    /// Puts the two-element header and the cursor before everything written since `mark`.
    fileprivate func insertScanCursor(_ cursor: UInt64, at mark: Int) {
        let header = Array("*2\r\n$\(Decimal.digits(cursor))\r\n\(cursor)\r\n".utf8)
        let body = out.count - mark
        _ = out.reserve(header.count)
        let start = out.bytes.start + mark
        (start + header.count).move(from: start, count: body)
        Bytes.with(header) { start.copy(from: $0) }
        out.commit(header.count)
    }
}
