// SPDX-License-Identifier: BSD-3-Clause
//
// BITFIELD: integers of any width up to 64 bits, at any bit of a string.

import Configuration
import Keyspace
import Memory
import RESP

extension Bits {
    private enum Overflow { case wrap, saturate, fail }

    private struct Step {
        enum Action { case get, set, increment }
        var action: Action
        var signed: Bool
        var width: Int
        var offset: Int
        var value: Int64
        var overflow: Overflow
    }

    static func bitfield(_ c: Client, readOnly: Bool) {
        guard let steps = parse(c) else { return }
        let end = steps.lazy.filter { $0.action != .get }.map { $0.offset + $0.width }.max()
        guard let end else {
            let entry = c.lookupRead(c[1])
            if let entry {
                guard c.check(entry, is: .string) else { return }
            }
            c.reply.array(steps.count)
            func answer(_ text: Bytes) {
                for step in steps { reply(c, step, read(text, step.offset, step.width)) }
            }
            if let entry { entry.withString(answer) } else { answer(.empty) }
            return
        }
        if readOnly {
            return c.reply.error("ERR BITFIELD_RO only supports the GET subcommand")
        }
        let mayFail = steps.contains { $0.overflow == .fail }
        let before = mayFail ? length(c) : nil
        guard let text = writable(c, c[1], atLeast: (end + 7) >> 3) else { return }
        c.reply.array(steps.count)
        var changes = 0
        for step in steps where run(c, step, text) { changes += 1 }
        if changes > 0 {
            c.changed(c[1], .string, "setbit", dirty: changes)
        } else if mayFail, before != text.count {
            // No step was taken, but the string was made as long as they need. Redis keeps that from
            // its replicas.
            c.server.dirty += 1
            c.server.touched(c[1], in: c.database, by: c)
        }
    }

    /// The bytes of the value; nil without one, or with one of another type.
    private static func length(_ c: Client) -> Int? {
        guard let entry = c.lookupWrite(c[1]), entry.type == .string else { return nil }
        return entry.withString { $0.count }
    }

    private static func parse(_ c: Client) -> [Step]? {
        var steps: [Step] = []
        var overflow = Overflow.wrap
        var index = 2
        while index < c.count {
            let more = c.count - 1 - index
            let action: Step.Action
            if c.word(index, is: "get"), more >= 2 {
                action = .get
            } else if c.word(index, is: "set"), more >= 3 {
                action = .set
            } else if c.word(index, is: "incrby"), more >= 3 {
                action = .increment
            } else if c.word(index, is: "overflow"), more >= 1 {
                guard let kind = overflowKind(c, index + 1) else { return nil }
                overflow = kind
                index += 2
                continue
            } else {
                c.syntaxError()
                return nil
            }
            guard let (signed, width) = type(c, index + 1),
                let offset = offset(c, index + 2, width: width)
            else { return nil }
            var value: Int64 = 0
            if action != .get {
                guard let given = c.integer(index + 3) else { return nil }
                value = given
            }
            steps.append(
                Step(
                    action: action, signed: signed, width: width, offset: offset, value: value,
                    overflow: overflow))
            index += action == .get ? 3 : 4
        }
        return steps
    }

    private static func overflowKind(_ c: Client, _ index: Int) -> Overflow? {
        if c.word(index, is: "wrap") { return .wrap }
        if c.word(index, is: "sat") { return .saturate }
        if c.word(index, is: "fail") { return .fail }
        c.reply.error("ERR Invalid OVERFLOW type specified")
        return nil
    }

    private static func type(_ c: Client, _ index: Int) -> (signed: Bool, width: Int)? {
        let word = c[index]
        let signed = word.count > 0 && word[0] == UInt8(ascii: "i")
        if signed || (word.count > 0 && word[0] == UInt8(ascii: "u")),
            let width = Decimal.parse(word.dropFirst(1)), width >= 1, width <= (signed ? 64 : 63)
        {
            return (signed, Int(width))
        }
        c.reply.error(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
        )
        return nil
    }

    private static func read(_ text: Bytes, _ offset: Int, _ width: Int) -> UInt64 {
        var value: UInt64 = 0
        for bit in offset..<(offset + width) {
            let byte = bit >> 3
            let set = byte < text.count && text[byte] & (UInt8(0x80) >> UInt8(bit & 7)) != 0
            value = value << 1 | (set ? 1 : 0)
        }
        return value
    }

    private static func write(_ text: Bytes, _ offset: Int, _ width: Int, _ value: UInt64) {
        for index in 0..<width {
            let bit = offset + index
            let mask = UInt8(0x80) >> UInt8(bit & 7)
            let old = text[bit >> 3]
            let set = value >> UInt64(width - 1 - index) & 1 == 1
            text.start.store(set ? old | mask : old & ~mask, at: bit >> 3)
        }
    }

    private static func extended(_ raw: UInt64, _ step: Step) -> Int64 {
        let value = Int64(bitPattern: raw)
        if !step.signed || step.width == 64 { return value }
        let shift = Int64(64 - step.width)
        return (value << shift) >> shift
    }

    private static func reply(_ c: Client, _ step: Step, _ raw: UInt64) {
        c.reply.integer(extended(raw, step))
    }

    /// Writes; false when the overflow rule forbade it.
    private static func run(_ c: Client, _ step: Step, _ text: Bytes) -> Bool {
        let raw = read(text, step.offset, step.width)
        if step.action == .get {
            reply(c, step, raw)
            return false
        }
        let old = step.action == .set ? 0 : extended(raw, step)
        guard let fresh = step.signed ? signedSum(old, step) : unsignedSum(old, step) else {
            c.reply.null()
            return false
        }
        write(text, step.offset, step.width, UInt64(bitPattern: fresh))
        if step.action == .set {
            reply(c, step, raw)
        } else {
            reply(c, step, UInt64(bitPattern: fresh))
        }
        return true
    }

    /// old + value within the step's width, by its overflow rule; nil to fail.
    private static func signedSum(_ old: Int64, _ step: Step) -> Int64? {
        let most = step.width == 64 ? Int64.max : Int64(1) << Int64(step.width - 1) - 1
        let least = -most - 1
        let (sum, overflow) = old.addingReportingOverflow(step.value)
        let over = overflow ? step.value > 0 : sum > most
        let under = overflow ? step.value < 0 : sum < least
        if !over && !under { return sum }
        switch step.overflow {
        case .wrap: return extended(UInt64(bitPattern: sum), step)
        case .saturate: return over ? most : least
        case .fail: return nil
        }
    }

    private static func unsignedSum(_ old: Int64, _ step: Step) -> Int64? {
        let most = Int64.max >> Int64(63 - step.width)
        let (sum, overflow) = old.addingReportingOverflow(step.value)
        // A negative value that is SET is a huge unsigned one.
        let over = overflow || sum > most || (step.action == .set && step.value < 0)
        let under = !over && sum < 0
        if !over && !under { return sum }
        switch step.overflow {
        case .wrap: return sum & most
        case .saturate: return over ? most : 0
        case .fail: return nil
        }
    }
}
