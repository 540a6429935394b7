// SPDX-License-Identifier: BSD-3-Clause
//
// HRANDFIELD: one field, so many with repetitions, so many different ones.

import Keyspace
import Memory
import Platform
import RESP

extension Hashes {
    static func random(_ c: Client) {
        if c.count == 2 {
            guard let hash = read(c, { c.reply.null() }) else { return }
            if let (field, _) = hash.random() { c.reply.bulk(field) } else { c.reply.null() }
            return
        }
        guard
            let count = c.integer(
                2, in: -Int64.max...Int64.max,
                orError:
                    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
            )
        else { return }
        if c.count > 4 || (c.count == 4 && !c.word(3, is: "withvalues")) { return c.syntaxError() }
        let withValues = c.count == 4
        if withValues && count.magnitude > UInt64(Int64.max / 2) {
            return c.reply.error("ERR value is out of range")
        }
        guard let hash = read(c, { c.reply.array(0) }) else { return }
        let sample = Sample(client: c, hash: hash, withValues: withValues)
        if count < 0 {
            sample.repeating(count.magnitude)
        } else if count == 0 {
            c.reply.array(0)
        } else {
            sample.distinct(Int(min(count, Int64(hash.count))))
        }
    }

    /// Replies with random pairs of a hash.
    struct Sample {
        let client: Client
        let hash: HashValue
        let withValues: Bool

        /// In RESP3 each pair is an array of its own.
        private func begin(_ n: Int) {
            client.reply.array(withValues && client.reply.version == 2 ? n * 2 : n)
        }

        private func put(_ field: ListpackElement, _ value: ListpackElement) {
            if withValues && client.reply.version == 3 { client.reply.array(2) }
            client.reply.bulk(field)
            if withValues { client.reply.bulk(value) }
        }

        func repeating(_ n: UInt64) {
            begin(Int(n))
            var left = n
            while left > 0, let (field, value) = hash.random() {
                put(field, value)
                left -= 1
                // So many that the client's limits must have their say in between.
                if left & 1023 == 0 {
                    client.server.checkOutputLimit(client)
                    if client.isClosed || client.flags.contains(.closeSoon) { return }
                }
            }
        }

        func distinct(_ n: Int) {
            begin(n)
            if hash.isPacked || n * 3 > hash.count { return walk(n) }
            var seen = Set<[UInt8]>(minimumCapacity: n)
            while seen.count < n, let (field, value) = hash.random() {
                if seen.insert(field.array).inserted { put(field, value) }
            }
        }

        /// One walk over all pairs, each taken with the chance that makes all choices equal.
        private func walk(_ n: Int) {
            var wanted = n
            var left = hash.count
            hash.forEach { field, value in
                if wanted > 0 && redwing_random() % UInt64(left) < UInt64(wanted) {
                    put(field, value)
                    wanted -= 1
                }
                left -= 1
            }
        }
    }
}
