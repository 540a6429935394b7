// SPDX-License-Identifier: BSD-3-Clause
//
// Random members of a set: taken out by SPOP, shown by SRANDMEMBER.

import Keyspace
import Memory
import RESP

extension Sets {
    // MARK: SPOP

    /// A replica can't draw the same members, so that it is told which ones went (SREM, DEL).
    static func pop(_ client: Client) {
        if client.count == 3 { return popMany(client) }
        if client.count > 3 { return client.syntaxError() }
        let key = client[1]
        guard let entry = client.lookupWrite(key) else { return client.reply.null() }
        guard client.check(entry, is: .set) else { return }
        var set = SetValue(entry, in: client.database)
        set.random().withBytes { member in
            client.reply.bulk(member)
            client.propagateInstead([Bytes("SREM"), key, member])
            // A member of a table is freed by its removal: nothing reads it afterwards.
            _ = set.remove(member)
        }
        client.changed(key, .set, "spop")
        if set.count == 0 { client.deleteEmptied(key) }
    }

    private static func popMany(_ client: Client) {
        guard let wanted = client.integer(2) else { return }
        if wanted < 0 { return client.reply.error("ERR index out of range") }
        let key = client[1]
        guard let entry = client.lookupWrite(key) else { return client.reply.set(0) }
        guard client.check(entry, is: .set) else { return }
        if wanted == 0 { return client.reply.set(0) }
        var set = SetValue(entry, in: client.database)
        let size = set.count
        if wanted >= size { return popAll(client, set, size) }

        var chosen: [[UInt8]] = []
        set.forDistinct(Int(wanted)) { chosen.append($0.array) }
        client.reply.set(chosen.count)
        withViews(of: chosen) { members in
            for member in members {
                client.reply.bulk(member)
                _ = set.remove(member)
            }
            client.propagateInstead([Bytes("SREM"), key] + members)
        }
        client.changed(key, .set, "spop", dirty: chosen.count)
    }

    private static func popAll(_ client: Client, _ set: SetValue, _ size: Int) {
        client.reply.set(size)
        set.forEach { client.reply.bulk($0) }
        client.propagateInstead([Bytes("DEL"), client[1]])
        client.changed(client[1], .set, "spop", dirty: size)
        client.deleteEmptied(client[1])
    }

    // MARK: SRANDMEMBER

    static func random(_ client: Client) {
        if client.count == 3 { return randomMany(client) }
        if client.count > 3 { return client.syntaxError() }
        guard let entry = client.lookupRead(client[1]) else { return client.reply.null() }
        guard client.check(entry, is: .set) else { return }
        client.reply.bulk(SetValue(entry, in: client.database).random())
    }

    private static func randomMany(_ client: Client) {
        guard let wanted = client.signedCount(2) else { return }
        guard let entry = client.lookupRead(client[1]) else { return client.reply.array(0) }
        guard client.check(entry, is: .set) else { return }
        client.replyRandom(wanted, of: SetValue(entry, in: client.database)) {
            client.reply.bulk($0)
        }
    }

    /// Runs `body` on views of `members`, which stay valid in it.
    private static func withViews(of members: [[UInt8]], _ body: ([Bytes]) -> Void) {
        let buffer = ByteBuffer(capacity: max(1, members.reduce(0) { $0 + $1.count }))
        for member in members { buffer.append(member) }
        var at = 0
        let all = buffer.bytes
        body(
            members.map { member in
                defer { at += member.count }
                return all[at..<(at + member.count)]
            })
    }
}

extension Reply {
    /// A member of a collection as a bulk string.
    @inlinable
    func bulk(_ member: Member) {
        switch member {
        case .bytes(let bytes): bulk(bytes)
        case .integer(let value): bulk(value)
        }
    }
}
