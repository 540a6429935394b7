// SPDX-License-Identifier: BSD-3-Clause
//
// Strings as arrays of bits: bit 0 is the top bit of the first byte. BITFIELD is in a file of its own.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func bits() -> [Command] {
        let one = (1, 1, 1)
        return [
            Command(
                "setbit", 4, "write denyoom", keys: one, "bitmap", since: "2.2.0",
                "Sets or clears one bit of a string.", Bits.setbit),
            Command(
                "getbit", 3, "readonly fast", keys: one, "bitmap", since: "2.2.0",
                "Returns one bit of a string.", Bits.getbit),
            Command(
                "bitcount", -2, "readonly", keys: one, "bitmap", since: "2.6.0",
                "Counts the bits of a string that are set.", Bits.bitcount),
            Command(
                "bitpos", -3, "readonly", keys: one, "bitmap", since: "2.8.7",
                "Finds the first bit of a string that is set, or clear.", Bits.bitpos),
            Command(
                "bitop", -4, "write denyoom", keys: (2, -1, 1), "bitmap", since: "2.6.0",
                "Combines strings bit by bit and stores the result.", Bits.bitop),
            Command(
                "bitfield", -2, "write denyoom", keys: one, "bitmap", since: "3.2.0",
                "Reads, writes and increments integers of any width inside a string."
            ) {
                Bits.bitfield($0, readOnly: false)
            },
            Command(
                "bitfield_ro", -2, "readonly fast", keys: one, "bitmap", since: "6.0.0",
                "Reads integers of any width inside a string."
            ) {
                Bits.bitfield($0, readOnly: true)
            },
        ]
    }
}

enum Bits {
    /// The argument at `index` as a bit offset; `#n` is the n-th field of `width` bits, if not 0.
    static func offset(_ c: Client, _ index: Int, width: Int = 0) -> Int? {
        var word = c[index]
        let scaled = width > 0 && word.count > 0 && word[0] == UInt8(ascii: "#")
        if scaled { word = word.dropFirst(1) }
        if let value = Decimal.parse(word), value >= 0 {
            let (bit, overflow) = Int(value).multipliedReportingOverflow(by: scaled ? width : 1)
            if !overflow && bit >> 3 < Int(c.server.config.protoMaxBulkLen) { return bit }
        }
        c.reply.error("ERR bit offset is not an integer or out of range")
        return nil
    }

    /// The string at `key`, made at least `count` bytes long, for writing; nil after WRONGTYPE.
    static func writable(_ c: Client, _ key: Bytes, atLeast count: Int) -> Bytes? {
        let old = c.lookupWrite(key)
        if let old {
            guard c.check(old, is: .string) else { return nil }
        }
        let entry = old ?? c.database.setString(key, .empty, form: .raw)
        return c.database.editString(entry, count: max(count, entry.stringCount)).bytes
    }

    static func setbit(_ c: Client) {
        guard let offset = offset(c, 2) else { return }
        let word = c[3]
        guard word == "0" || word == "1" else {
            return c.reply.error("ERR bit is not an integer or out of range")
        }
        guard let bytes = writable(c, c[1], atLeast: offset >> 3 + 1) else { return }
        let place = bytes.start + (offset >> 3)
        let mask = UInt8(0x80) >> UInt8(offset & 7)
        let old = place.byte(at: 0)
        place.store(word == "1" ? old | mask : old & ~mask)
        c.changed(c[1], .string, "setbit")
        c.reply.integer(old & mask != 0)
    }

    static func getbit(_ c: Client) {
        guard let offset = offset(c, 2) else { return }
        guard let entry = c.lookupRead(c[1]) else { return c.reply.integer(0) }
        guard c.check(entry, is: .string) else { return }
        entry.withString { text in
            let byte = offset >> 3
            let bit = byte < text.count && text[byte] & (UInt8(0x80) >> UInt8(offset & 7)) != 0
            c.reply.integer(bit)
        }
    }

    // MARK: Counting and finding

    /// A range of bits of a text, from the words at `first` and behind it.
    private struct Range {
        var from: Int
        var to: Int
        var endGiven: Bool

        /// Nil after an error. `from` > `to` is the empty range. Of two errors the first counts, and
        /// BITPOS reads the unit before the end.
        static func parse(
            _ c: Client, _ first: Int, _ count: Int, unitBeforeEnd: Bool = false
        ) -> Range? {
            var from: Int64 = 0
            var last: Int64 = Int64(count) - 1
            let words = c.count - first
            let inBits = words == 3 && c.word(first + 2, is: "bit")
            let unitIsWrong = words == 3 && !inBits && !c.word(first + 2, is: "byte")
            if words >= 1 {
                guard let value = c.integer(first) else { return nil }
                from = value
            }
            if words >= 2, !(unitBeforeEnd && unitIsWrong) {
                guard let value = c.integer(first + 1) else { return nil }
                last = value
            }
            if unitIsWrong {
                c.syntaxError()
                return nil
            }
            let size = Int64(inBits ? count * 8 : count)
            if from < 0 && last < 0 && from > last { return Range(from: 1, to: 0, endGiven: true) }
            if from < 0 { from = max(0, size &+ from) }
            if last < 0 { last = max(0, size &+ last) }
            last = min(last, size - 1)
            if from > last { return Range(from: 1, to: 0, endGiven: words >= 2) }
            if inBits { return Range(from: Int(from), to: Int(last), endGiven: words >= 2) }
            return Range(from: Int(from) * 8, to: Int(last) * 8 + 7, endGiven: words >= 2)
        }
    }

    static func bitcount(_ c: Client) {
        guard let entry = c.lookupRead(c[1]) else { return c.reply.integer(0) }
        guard c.check(entry, is: .string) else { return }
        if c.count == 3 || c.count > 5 { return c.syntaxError() }
        entry.withString { text in
            guard let range = Range.parse(c, 2, text.count) else { return }
            c.reply.integer(range.from > range.to ? 0 : count(text, range.from, range.to))
        }
    }

    /// Set bits from bit `from` to bit `to`, both in the text.
    static func count(_ text: Bytes, _ from: Int, _ to: Int) -> Int {
        var total = 0
        var byte = from >> 3
        let last = to >> 3
        let head = UInt8(0xFF) >> UInt8(from & 7)
        let tail = UInt8(truncatingIfNeeded: 0xFF00 >> ((to & 7) + 1))
        if byte == last { return (text[byte] & head & tail).nonzeroBitCount }
        total += (text[byte] & head).nonzeroBitCount + (text[last] & tail).nonzeroBitCount
        byte += 1
        while byte + 8 <= last {
            total += text.start.load(UInt64.self, at: byte).nonzeroBitCount
            byte += 8
        }
        while byte < last {
            total += text[byte].nonzeroBitCount
            byte += 1
        }
        return total
    }

    static func bitpos(_ c: Client) {
        guard let bit = c.integer(2) else { return }
        guard bit == 0 || bit == 1 else {
            return c.reply.error("ERR The bit argument must be 1 or 0.")
        }
        guard let entry = c.lookupRead(c[1]) else { return c.reply.integer(bit == 1 ? -1 : 0) }
        guard c.check(entry, is: .string) else { return }
        if c.count > 6 { return c.syntaxError() }
        entry.withString { text in
            guard let range = Range.parse(c, 3, text.count, unitBeforeEnd: true) else { return }
            if range.from > range.to { return c.reply.integer(-1) }
            if let found = find(bit == 1, text, range.from, range.to) {
                return c.reply.integer(found)
            }
            // Clear bits go on for ever behind the text, unless the caller named its end.
            c.reply.integer(bit == 0 && !range.endGiven ? text.count * 8 : -1)
        }
    }

    private static func find(_ bit: Bool, _ text: Bytes, _ from: Int, _ to: Int) -> Int? {
        var at = from
        let uniform: UInt8 = bit ? 0 : 0xFF
        while at <= to {
            let byte = text[at >> 3]
            if at & 7 == 0 && byte == uniform {
                at += 8
                continue
            }
            if (byte & (UInt8(0x80) >> UInt8(at & 7)) != 0) == bit { return at }
            at += 1
        }
        return nil
    }

    // MARK: BITOP

    static func bitop(_ c: Client) {
        let operation: (UInt8, UInt8) -> UInt8
        var invert = false
        if c.word(1, is: "and") {
            operation = { $0 & $1 }
        } else if c.word(1, is: "or") {
            operation = { $0 | $1 }
        } else if c.word(1, is: "xor") {
            operation = { $0 ^ $1 }
        } else if c.word(1, is: "not") {
            operation = { $0 | $1 }
            invert = true
        } else {
            return c.syntaxError()
        }
        if invert && c.count != 4 {
            return c.reply.error("ERR BITOP NOT must be called with a single source key.")
        }
        var size = 0
        for index in 3..<c.count {
            guard let entry = c.lookupRead(c[index]) else { continue }
            guard c.check(entry, is: .string) else { return }
            size = max(size, entry.stringCount)
        }
        let result = ByteBuffer(capacity: max(size, 1))
        let place = result.reserve(size)
        place.fill(0, count: size)
        result.commit(size)
        for index in 3..<c.count {
            // A source may have expired since: it counts as empty either way.
            let gone = c.server.isLogicallyExpired(c[index], in: c.database)
            let source = gone ? nil : c.database.find(c[index])
            combine(place, size, source, first: index == 3, operation)
        }
        if invert {
            for at in 0..<size { place.store(~place.byte(at: at), at: at) }
        }
        store(c, c[2], result.bytes)
        c.reply.integer(size)
    }

    /// Puts a source, taken as zeros behind its end, onto the bytes gathered so far.
    private static func combine(
        _ place: Address, _ size: Int, _ source: Entry?, first: Bool,
        _ operation: (UInt8, UInt8) -> UInt8
    ) {
        func apply(_ text: Bytes) {
            for at in 0..<size {
                let byte = at < text.count ? text.start.byte(at: at) : 0
                place.store(first ? byte : operation(place.byte(at: at), byte), at: at)
            }
        }
        if let source { source.withString(apply) } else { apply(.empty) }
    }

    private static func store(_ c: Client, _ key: Bytes, _ value: Bytes) {
        if !value.isEmpty {
            c.database.setString(key, value, form: .raw)
            c.changed(key, .string, "set")
        } else if c.server.remove(key, in: c.database) {
            c.changed(key, .generic, "del")
        }
    }
}
