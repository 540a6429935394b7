// SPDX-License-Identifier: BSD-3-Clause
//
// PFADD and its kin.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func hyperLogLogs() -> [Command] {
        let one = (1, 1, 1)
        let all = (1, -1, 1)
        return [
            Command(
                "pfadd", -2, "write denyoom fast", keys: one, "hyperloglog", since: "2.8.9",
                "Adds elements to a HyperLogLog.", HyperLogLogs.add),
            Command(
                "pfcount", -2, "readonly may_replicate", keys: all, "hyperloglog", since: "2.8.9",
                "Estimates how many different elements HyperLogLogs have seen.",
                HyperLogLogs.count),
            Command(
                "pfmerge", -2, "write denyoom", keys: all, "hyperloglog", since: "2.8.9",
                "Merges HyperLogLogs into one.", HyperLogLogs.merge),
            Command(
                "pfdebug", -3, "admin write", keys: (2, 2, 1), "hyperloglog", since: "2.8.9",
                "Looks inside a HyperLogLog, for tests.", HyperLogLogs.debug),
            Command(
                "pfselftest", 1, "admin", "hyperloglog", since: "2.8.9",
                "Examines the HyperLogLog implementation.", HyperLogLogs.selfTest),
        ]
    }
}

enum HyperLogLogs {
    private static func corrupted(_ c: Client) {
        c.reply.error("INVALIDOBJ Corrupted HLL object detected")
    }

    /// The sketch in `entry`; nil with the error replied when it is none.
    private static func read(_ c: Client, _ entry: Entry) -> HyperLogLog? {
        guard c.check(entry, is: .string) else { return nil }
        return entry.withString { text in
            if HyperLogLog.isValid(text) { return HyperLogLog(text) }
            c.reply.error("WRONGTYPE Key is not a valid HyperLogLog string value.")
            return nil
        }
    }

    /// Puts the sketch back, in place if it has the same size.
    private static func write(_ c: Client, _ key: Bytes, _ sketch: HyperLogLog) {
        Bytes.with(sketch.bytes) { bytes in
            if let entry = c.database.find(key), entry.type == .string,
                entry.kind != .stringInteger, entry.stringBytes.count == bytes.count
            {
                entry.stringBytes.start.copy(from: bytes)
            } else {
                c.database.setString(key, bytes, expiry: .keep, form: .raw)
            }
        }
    }

    static func add(_ c: Client) {
        let key = c[1]
        var sketch = HyperLogLog()
        var updates = 1
        if let entry = c.lookupWrite(key) {
            guard let old = read(c, entry) else { return }
            sketch = old
            updates = 0
        }
        let limit = Int(c.server.config.hllSparseMaxBytes)
        for index in 2..<max(2, c.count) {
            let (register, value) = HyperLogLog.place(c[index])
            guard let raised = sketch.raise(register, value, sparseLimit: limit) else {
                return corrupted(c)
            }
            if raised { updates += 1 }
        }
        if updates > 0 {
            sketch.forgetCount()
            write(c, key, sketch)
            c.changed(key, .string, "pfadd", dirty: updates)
        }
        c.reply.integer(updates > 0)
    }

    static func count(_ c: Client) {
        if c.count > 2 { return countUnion(c) }
        guard let entry = c.lookupRead(c[1]) else { return c.reply.integer(0) }
        guard var sketch = read(c, entry) else { return }
        if let known = entry.withString({ HyperLogLog.remembered($0) }) {
            return c.reply.integer(Int64(bitPattern: known))
        }
        guard let values = sketch.values() else { return corrupted(c) }
        let count = HyperLogLog.count(values)
        // The count is remembered in the value: a write, which replicas and the AOF get to see.
        sketch.remember(count)
        write(c, c[1], sketch)
        c.server.touched(c[1], in: c.database, by: c)
        c.server.dirty += 1
        c.reply.integer(Int64(bitPattern: count))
    }

    /// The highest of each register over the keys from `first` on; nil after an error reply.
    private static func union(_ c: Client, from first: Int) -> (values: [UInt8], dense: Bool)? {
        var highest = [UInt8](repeating: 0, count: HyperLogLog.registers)
        var dense = false
        for index in first..<c.count {
            guard let entry = c.lookupRead(c[index]) else { continue }
            guard let sketch = read(c, entry) else { return nil }
            if !sketch.isSparse { dense = true }
            guard let values = sketch.values() else {
                corrupted(c)
                return nil
            }
            for (register, value) in values.enumerated() where value > highest[register] {
                highest[register] = value
            }
        }
        return (highest, dense)
    }

    private static func countUnion(_ c: Client) {
        guard let (values, _) = union(c, from: 1) else { return }
        c.reply.integer(Int64(bitPattern: HyperLogLog.count(values)))
    }

    static func merge(_ c: Client) {
        guard let (values, dense) = union(c, from: 1) else { return }
        var sketch = HyperLogLog()
        if let entry = c.lookupWrite(c[1]) {
            guard let old = read(c, entry) else { return }
            sketch = old
        }
        if dense && !sketch.promote() { return corrupted(c) }
        let limit = Int(c.server.config.hllSparseMaxBytes)
        for (register, value) in values.enumerated() where value > 0 {
            guard sketch.raise(register, value, sparseLimit: limit) != nil else {
                return corrupted(c)
            }
        }
        sketch.forgetCount()
        write(c, c[1], sketch)
        c.changed(c[1], .string, "pfadd")
        c.reply.ok()
    }

    static func debug(_ c: Client) {
        guard let entry = c.lookupWrite(c[2]) else {
            return c.reply.error("ERR The specified key does not exist")
        }
        guard var sketch = read(c, entry) else { return }
        func hasArity() -> Bool {
            if c.count == 3 { return true }
            c.reply.error(
                "ERR Wrong number of arguments for the '\(c[1].string)' subcommand")
            return false
        }
        if c.word(1, is: "getreg") {
            guard hasArity() else { return }
            promote(c, &sketch)
            guard let values = sketch.values() else { return corrupted(c) }
            c.reply.array(values.count)
            for value in values { c.reply.integer(Int(value)) }
        } else if c.word(1, is: "decode") {
            guard hasArity() else { return }
            guard sketch.isSparse else {
                return c.reply.error("ERR HLL encoding is not sparse")
            }
            guard let text = sketch.decoded() else { return corrupted(c) }
            c.reply.bulk(text)
        } else if c.word(1, is: "encoding") {
            guard hasArity() else { return }
            c.reply.status(sketch.isSparse ? "sparse" : "dense")
        } else if c.word(1, is: "todense") {
            guard hasArity() else { return }
            let converted = sketch.isSparse
            promote(c, &sketch)
            if sketch.isSparse { return corrupted(c) }
            c.reply.integer(converted)
        } else {
            c.reply.error("ERR Unknown PFDEBUG subcommand '\(c[1].string)'")
        }
    }

    private static func promote(_ c: Client, _ sketch: inout HyperLogLog) {
        if !sketch.isSparse || !sketch.promote() { return }
        write(c, c[2], sketch)
        c.server.dirty += 1
    }

    /// Adds a hundred thousand numbers and sees that the error stays below five standard errors.
    static func selfTest(_ c: Client) {
        var sketch = HyperLogLog()
        var digits = ByteBuffer(capacity: 64)
        var limit = 1
        for number in 1...100_000 {
            digits.removeAll()
            digits.append(decimal: Int64(number))
            let (register, value) = HyperLogLog.place(digits.bytes)
            _ = sketch.raise(register, value, sparseLimit: 3000)
            if number < limit { continue }
            limit *= 10
            guard let values = sketch.values() else { return failed(c, number) }
            let error = abs(Double(HyperLogLog.count(values)) - Double(number))
            if error > 5 * 1.04 / 128 * Double(number) + 1 { return failed(c, number) }
        }
        digits = ByteBuffer()
        c.reply.ok()
    }

    private static func failed(_ c: Client, _ number: Int) {
        c.reply.error("ERR TESTFAILED Too big error at \(number) elements")
    }
}
