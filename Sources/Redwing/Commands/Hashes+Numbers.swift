// SPDX-License-Identifier: BSD-3-Clause
//
// Numbers in a hash's fields.

import Keyspace
import Memory
import RESP

extension Hashes {
    /// The field's value for a command that changes it; nil when it was answered already.
    private static func value(_ c: Client) -> (entry: Entry?, value: ListpackElement?)? {
        guard let entry = c.lookupWrite(c[1]) else { return (nil, nil) }
        guard c.check(entry, is: .hash) else { return nil }
        return (entry, HashValue(entry).get(c[2]))
    }

    static func increment(_ c: Client) {
        guard let step = c.integer(3), let (entry, old) = value(c) else { return }
        var number: Int64 = 0
        if let old {
            guard let integer = old.integer else {
                return c.reply.error("ERR hash value is not an integer")
            }
            number = integer
        }
        let (sum, overflow) = number.addingReportingOverflow(step)
        if overflow { return c.reply.error("ERR increment or decrement would overflow") }
        guard let hash = entry.map({ HashValue($0) }) ?? open(c) else { return }
        ListpackElement.integer(sum).withBytes { _ = set(c, hash, c[2], $0) }
        c.reply.integer(sum)
        c.changed(c[1], .hash, "hincrby")
    }

    static func incrementByFloat(_ c: Client) {
        guard let step = FloatText.parseLongDouble(c[3]) else {
            return c.reply.error("ERR value is not a valid float")
        }
        if step.isNaN || step.isInfinite { return c.reply.error("ERR value is NaN or Infinity") }
        guard let (entry, old) = value(c) else { return }
        var number: Float80 = 0
        if let old {
            guard let float = old.withBytes({ FloatText.parseLongDouble($0) }) else {
                return c.reply.error("ERR hash value is not a float")
            }
            number = float
        }
        number += step
        if number.isNaN || number.isInfinite {
            return c.reply.error("ERR increment would produce NaN or Infinity")
        }
        guard let hash = entry.map({ HashValue($0) }) ?? open(c) else { return }
        let text = ByteBuffer(capacity: 64)
        text.append(human: number)
        set(c, hash, c[2], text.bytes)
        c.reply.bulk(text.bytes)
        c.changed(c[1], .hash, "hincrbyfloat")
        // Replicas are told the result: their floating point may round otherwise.
        c.propagateInstead([Bytes("HSET"), c[1], c[2], text.bytes])
    }
}
