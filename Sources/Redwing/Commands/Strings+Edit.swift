// SPDX-License-Identifier: BSD-3-Clause
//
// Strings: numbers in them and parts of them.

import Configuration
import Keyspace
import Memory
import RESP

extension Strings {
    // MARK: Numbers

    static func incrby(_ c: Client) {
        guard let step = c.integer(2) else { return }
        add(c, step)
    }

    static func decrby(_ c: Client) {
        guard let step = c.integer(2) else { return }
        if step == Int64.min { return c.reply.error("ERR decrement would overflow") }
        add(c, -step)
    }

    static func add(_ c: Client, _ step: Int64) {
        let key = c[1]
        let entry = c.lookupWrite(key)
        var value: Int64 = 0
        if let entry {
            guard c.check(entry, is: .string) else { return }
            guard let old = entry.stringInteger else {
                return c.reply.error("ERR value is not an integer or out of range")
            }
            value = old
        }
        let (sum, overflow) = value.addingReportingOverflow(step)
        if overflow { return c.reply.error("ERR increment or decrement would overflow") }
        if let entry, entry.kind == .stringInteger {
            entry.integer = sum
        } else {
            c.database.setInteger(key, sum, expiry: .keep)
        }
        c.changed(key, .string, "incrby")
        c.reply.integer(sum)
    }

    static func incrbyfloat(_ c: Client) {
        let key = c[1]
        let entry = c.lookupWrite(key)
        var value: Float80 = 0
        if let entry {
            guard c.check(entry, is: .string) else { return }
            guard let old = entry.withString({ FloatText.parseLongDouble($0) }) else {
                return c.reply.error("ERR value is not a valid float")
            }
            value = old
        }
        guard let step = FloatText.parseLongDouble(c[2]) else {
            return c.reply.error("ERR value is not a valid float")
        }
        value += step
        if !value.isFinite {
            return c.reply.error("ERR increment would produce NaN or Infinity")
        }
        let text = ByteBuffer()
        text.append(human: value)
        c.database.setString(key, text.bytes, expiry: .keep, form: .text)
        c.changed(key, .string, "incrbyfloat")
        c.reply.bulk(text.bytes)
        // Another machine may add otherwise: the result goes into the stream.
        c.propagateInstead([Bytes("SET"), key, text.bytes, Bytes("KEEPTTL")])
    }

    // MARK: Parts

    static func strlen(_ c: Client) {
        guard let entry = c.lookupRead(c[1]) else { return c.reply.integer(0) }
        guard c.check(entry, is: .string) else { return }
        c.reply.integer(entry.stringCount)
    }

    /// False, with the error replied, when a string may not become so long.
    static func mayGrow(_ c: Client, to count: Int) -> Bool {
        if count <= Int(c.server.config.protoMaxBulkLen) { return true }
        c.reply.error("ERR string exceeds maximum allowed size (512MB)")
        return false
    }

    static func append(_ c: Client) {
        let key = c[1]
        let tail = c[2]
        var count = tail.count
        if let entry = c.lookupWrite(key) {
            guard c.check(entry, is: .string) else { return }
            let old = entry.stringCount
            count += old
            guard mayGrow(c, to: count) else { return }
            let (_, bytes) = c.database.editString(entry, count: count)
            (bytes.start + old).copy(from: tail)
        } else {
            c.database.setString(key, tail)
        }
        c.changed(key, .string, "append")
        c.reply.integer(count)
    }

    static func setrange(_ c: Client) {
        guard let offset = c.integer(2) else { return }
        if offset < 0 { return c.reply.error("ERR offset is out of range") }
        let key = c[1]
        let value = c[3]
        let entry = c.lookupWrite(key)
        if let entry {
            guard c.check(entry, is: .string) else { return }
            if value.isEmpty { return c.reply.integer(entry.stringCount) }
        } else if value.isEmpty {
            return c.reply.integer(0)
        }
        let (end, overflow) = Int(offset).addingReportingOverflow(value.count)
        guard mayGrow(c, to: overflow ? Int.max : end) else { return }
        let target = entry ?? c.database.setString(key, .empty, form: .raw)
        let count = max(end, target.stringCount)
        let (_, bytes) = c.database.editString(target, count: count)
        (bytes.start + Int(offset)).copy(from: value)
        c.changed(key, .string, "setrange")
        c.reply.integer(count)
    }

    static func getrange(_ c: Client) {
        guard let first = c.integer(2), let last = c.integer(3) else { return }
        guard let entry = c.lookupRead(c[1]) else { return c.reply.bulk(Bytes.empty) }
        guard c.check(entry, is: .string) else { return }
        entry.withString { text in
            guard let range = clamp(first, last, text.count) else {
                return c.reply.bulk(Bytes.empty)
            }
            c.reply.bulk(text[range])
        }
    }

    /// First and last index, negative ones from the end, as a range of `count` bytes; nil when empty.
    static func clamp(_ first: Int64, _ last: Int64, _ count: Int) -> Range<Int>? {
        if first < 0 && last < 0 && first > last { return nil }
        let size = Int64(count)
        let from = max(0, first < 0 ? size &+ first : first)
        let to = min(size - 1, max(0, last < 0 ? size &+ last : last))
        if from > to || count == 0 { return nil }
        return Int(from)..<Int(to + 1)
    }
}
