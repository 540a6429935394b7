// SPDX-License-Identifier: BSD-3-Clause
//
// KEYS and SCAN.

import Keyspace
import Memory
import RESP

enum KeyScan {
    static func keys(_ c: Client) {
        let pattern = c[1]
        let mark = c.reply.openArray()
        var count = 0
        let all = pattern == "*"
        for element in c.database.keys.elements {
            let entry = Entry(element)
            if !all && !Glob.matches(pattern, entry.key) { continue }
            if let expiry = entry.expiry, expiry < c.server.now { continue }
            c.reply.bulk(entry.key)
            count += 1
        }
        c.reply.closeArray(mark, count: count)
    }

    static func scan(_ c: Client) {
        guard let cursor = c.scanCursor(1), let options = c.scanOptions(from: 2, allowsType: true)
        else { return }
        var expired: [[UInt8]] = []
        let now = c.server.now
        c.scanReply { emit in
            c.database.scan(cursor, options.count) { entry in
                guard options.matches(entry.key) else { return }
                if let expiry = entry.expiry, expiry < now {
                    expired.append(entry.key.array)
                    return
                }
                if let type = options.type, !type.equalsIgnoringCase(Keys.name(entry.type)) {
                    return
                }
                c.reply.bulk(entry.key)
                emit(1)
            }
        }
        // Deleted as any command that meets them would, now that nobody walks the table.
        for key in expired { Bytes.with(key) { _ = c.server.peek($0, in: c.database) } }
    }
}
