// SPDX-License-Identifier: BSD-3-Clause
//
// Intersections, unions and differences of sets, answered or stored.

import Keyspace
import Memory
import RESP

extension Sets {
    static func intersection(_ client: Client, from first: Int, store: Bool) {
        guard let sets = operands(client, from: first) else { return }
        let present = sets.compactMap { $0 }
        if present.count < sets.count { return finish(client, nil, "sinterstore", store) }
        // The smallest first: the others only answer whether they hold its members.
        let sorted = present.sorted { $0.count < $1.count }
        let others = sorted.dropFirst()
        emit(client, "sinterstore", store) { body in
            sorted[0].forEach { member in
                if others.allSatisfy({ $0.contains(member) }) { body(member) }
            }
        }
    }

    static func union(_ client: Client, from first: Int, store: Bool) {
        guard let sets = operands(client, from: first) else { return }
        let present = sets.compactMap { $0 }
        if present.count == 1 && !store {
            client.reply.set(present[0].count)
            return present[0].forEach { client.reply.bulk($0) }
        }
        var result = SetValue.detached(in: client.database)
        for set in present {
            set.forEach { member in member.withBytes { _ = result.add($0) } }
        }
        finish(client, result, "sunionstore", store)
    }

    static func difference(_ client: Client, from first: Int, store: Bool) {
        guard let sets = operands(client, from: first) else { return }
        guard let minuend = sets[0] else { return finish(client, nil, "sdiffstore", store) }
        let others = sets.dropFirst().compactMap { $0 }.sorted { $0.count > $1.count }
        emit(client, "sdiffstore", store) { body in
            minuend.forEach { member in
                if !others.contains(where: { $0.contains(member) }) { body(member) }
            }
        }
    }

    /// The sets at the arguments from `first` on, nil where there is none; or WRONGTYPE is replied.
    private static func operands(_ client: Client, from first: Int) -> [SetValue?]? {
        var sets: [SetValue?] = []
        for index in first..<client.count {
            let entry = client.lookupRead(client[index])
            if let entry, !client.check(entry, is: .set) { return nil }
            sets.append(entry.map { SetValue($0, in: client.database) })
        }
        return sets
    }

    /// Replies what `members` yields, or gathers it into a set to store.
    private static func emit(
        _ client: Client, _ event: StaticString, _ store: Bool,
        _ members: ((Member) -> Void) -> Void
    ) {
        if store {
            var result = SetValue.detached(in: client.database)
            members { member in member.withBytes { _ = result.add($0) } }
            return finish(client, result, event, store)
        }
        let mark = client.reply.openArray()
        var count = 0
        members { member in
            client.reply.bulk(member)
            count += 1
        }
        client.reply.closeSet(mark, count: count)
    }

    /// Replies or stores `result`, nil for an empty one, and disposes of it.
    private static func finish(
        _ client: Client, _ result: consuming SetValue?, _ event: StaticString, _ store: Bool
    ) {
        guard store else {
            client.reply.set(result?.count ?? 0)
            result?.forEach { client.reply.bulk($0) }
            result?.free()
            return
        }
        let key = client[1]
        guard let result, result.count > 0 else {
            result?.free()
            client.reply.integer(0)
            if client.lookupWrite(key) != nil { client.replaceWithNothing(key) }
            return
        }
        client.server.remove(key, in: client.database)
        client.database.insert(key, result.kind, container: result.container)
        client.reply.integer(result.count)
        client.changed(key, .set, event)
    }
}

extension Client {
    /// What a command that stores its result does with an empty one: the old key goes.
    func replaceWithNothing(_ key: Bytes) {
        server.remove(key, in: database)
        changed(key, .generic, "del")
    }
}

extension Reply {
    /// As `closeArray`, for a set: `~` in RESP3.
    func closeSet(_ mark: Int, count: Int) {
        closeArray(mark, count: count, marker: UInt8(ascii: version == 3 ? "~" : "*"))
    }
}
