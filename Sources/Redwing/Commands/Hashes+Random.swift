// SPDX-License-Identifier: BSD-3-Clause
//
// HRANDFIELD: one field, so many with repetitions, so many different ones.

import Keyspace
import Memory
import RESP

extension Hashes {
    static func random(_ c: Client) {
        if c.count == 2 {
            guard let hash = read(c, { c.reply.null() }) else { return }
            if let (field, _) = hash.random() { c.reply.bulk(field) } else { c.reply.null() }
            return
        }
        guard let wanted = c.signedCount(2), let withValues = c.randomOption("withvalues", wanted),
            let hash = read(c, { c.reply.array(0) })
        else { return }
        // In RESP3 each pair is an array of its own.
        let pairs = withValues && c.reply.version == 3
        c.replyRandom(wanted, of: hash, words: withValues && !pairs ? 2 : 1) { field, value in
            if pairs { c.reply.array(2) }
            c.reply.bulk(field)
            if withValues { c.reply.bulk(value) }
        }
    }
}
