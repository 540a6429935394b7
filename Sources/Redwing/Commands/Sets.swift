// SPDX-License-Identifier: BSD-3-Clause
//
// Sets: adding, removing, asking. Unions and the like are in Sets+Algebra.swift, random members in
// Sets+Random.swift.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func sets() -> [Command] {
        [
            Command(
                "sadd", -3, "write denyoom fast", keys: (1, 1, 1), "set", since: "1.0.0",
                "Adds members to a set.", Sets.add),
            Command(
                "srem", -3, "write fast", keys: (1, 1, 1), "set", since: "1.0.0",
                "Removes members from a set.", Sets.remove),
            Command(
                "smove", 4, "write fast", keys: (1, 2, 1), "set", since: "1.0.0",
                "Moves a member from one set to another.", Sets.move),
            Command(
                "sismember", 3, "readonly fast", keys: (1, 1, 1), "set", since: "1.0.0",
                "Tells whether a set has a member.", Sets.isMember),
            Command(
                "smismember", -3, "readonly fast", keys: (1, 1, 1), "set", since: "6.2.0",
                "Tells of each of several members whether a set has it.", Sets.areMembers),
            Command(
                "scard", 2, "readonly fast", keys: (1, 1, 1), "set", since: "1.0.0",
                "Returns the number of members of a set.", Sets.count),
            Command(
                "smembers", 2, "readonly sort_for_script", keys: (1, 1, 1), "set", since: "1.0.0",
                "Returns all members of a set."
            ) {
                Sets.union($0, from: 1, store: false)
            },
            Command(
                "spop", -2, "write random fast", keys: (1, 1, 1), "set", since: "1.0.0",
                "Removes random members of a set and returns them.", Sets.pop),
            Command(
                "srandmember", -2, "readonly random", keys: (1, 1, 1), "set", since: "1.0.0",
                "Returns random members of a set.", Sets.random),
            Command(
                "sinter", -2, "readonly sort_for_script", keys: (1, -1, 1), "set", since: "1.0.0",
                "Returns the members that all of several sets have."
            ) {
                Sets.intersection($0, from: 1, store: false)
            },
            Command(
                "sinterstore", -3, "write denyoom", keys: (1, -1, 1), "set", since: "1.0.0",
                "Stores the members that all of several sets have."
            ) {
                Sets.intersection($0, from: 2, store: true)
            },
            Command(
                "sunion", -2, "readonly sort_for_script", keys: (1, -1, 1), "set", since: "1.0.0",
                "Returns the members that any of several sets has."
            ) {
                Sets.union($0, from: 1, store: false)
            },
            Command(
                "sunionstore", -3, "write denyoom", keys: (1, -1, 1), "set", since: "1.0.0",
                "Stores the members that any of several sets has."
            ) {
                Sets.union($0, from: 2, store: true)
            },
            Command(
                "sdiff", -2, "readonly sort_for_script", keys: (1, -1, 1), "set", since: "1.0.0",
                "Returns the members of a set that no other of several sets has."
            ) {
                Sets.difference($0, from: 1, store: false)
            },
            Command(
                "sdiffstore", -3, "write denyoom", keys: (1, -1, 1), "set", since: "1.0.0",
                "Stores the members of a set that no other of several sets has."
            ) {
                Sets.difference($0, from: 2, store: true)
            },
            Command(
                "sscan", -3, "readonly random", keys: (1, 1, 1), "set", since: "2.8.0",
                "Walks over the members of a set in steps.", Sets.scan),
        ]
    }
}

enum Sets {
    static func add(_ client: Client) {
        let key = client[1]
        var set: SetValue
        if let entry = client.lookupWrite(key) {
            guard client.check(entry, is: .set) else { return }
            set = client.withDatabase { SetValue(entry, in: $0) }
        } else {
            set = SetValue.insert(key, for: client[2], in: client.database)
        }
        var added = 0
        for index in 2..<client.count where set.add(client[index]) { added += 1 }
        if added > 0 { client.changed(key, .set, "sadd", dirty: added) }
        client.reply.integer(added)
    }

    static func remove(_ client: Client) {
        let key = client[1]
        guard var set = find(client, write: true) else { return }
        var removed = 0
        for index in 2..<client.count where set.remove(client[index]) {
            removed += 1
            if set.count == 0 { break }
        }
        if removed > 0 {
            client.changed(key, .set, "srem", dirty: removed)
            if set.count == 0 { client.deleteEmptied(key) }
        }
        client.reply.integer(removed)
    }

    static func move(_ client: Client) {
        let source = client[1]
        let target = client[2]
        let member = client[3]
        let from = client.lookupWrite(source)
        let to = client.lookupWrite(target)
        guard let from else { return client.reply.integer(0) }
        guard client.check(from, is: .set) else { return }
        if let to, !client.check(to, is: .set) { return }
        var set = SetValue(from, in: client.database)
        if source == target { return client.reply.integer(set.contains(member)) }
        guard set.remove(member) else { return client.reply.integer(0) }
        client.changed(source, .set, "srem")
        if set.count == 0 { client.deleteEmptied(source) }
        var other =
            to.map { SetValue($0, in: client.database) }
            ?? SetValue.insert(target, for: member, in: client.database)
        if other.add(member) {
            client.changed(target, .set, "sadd")
        } else {
            client.server.touched(target, in: client.database, by: client)
        }
        client.reply.integer(1)
    }

    static func isMember(_ client: Client) {
        guard let set = find(client, write: false) else { return }
        client.reply.integer(set.contains(client[2]))
    }

    static func areMembers(_ client: Client) {
        let entry = client.lookupRead(client[1])
        if let entry, !client.check(entry, is: .set) { return }
        let set = entry.map { SetValue($0, in: client.database) }
        client.reply.array(client.count - 2)
        for index in 2..<client.count {
            client.reply.integer(set?.contains(client[index]) ?? false)
        }
    }

    static func count(_ client: Client) {
        guard let set = find(client, write: false) else { return }
        client.reply.integer(set.count)
    }

    static func scan(_ client: Client) {
        guard let cursor = client.scanCursor(2) else { return }
        guard let entry = client.lookupRead(client[1]) else { return client.emptyScan() }
        guard client.check(entry, is: .set) else { return }
        guard let options = client.scanOptions(from: 3) else { return }
        let set = SetValue(entry, in: client.database)
        client.scanReply { emit in
            set.scan(cursor, count: options.count) { member in
                member.withBytes {
                    if !options.matches($0) { return }
                    client.reply.bulk(member)
                    emit(1)
                }
            }
        }
    }

    /// The set at the first argument; replies 0 when it is missing, WRONGTYPE when it is none.
    private static func find(_ client: Client, write: Bool) -> SetValue? {
        guard let entry = write ? client.lookupWrite(client[1]) : client.lookupRead(client[1])
        else {
            client.reply.integer(0)
            return nil
        }
        return client.check(entry, is: .set) ? SetValue(entry, in: client.database) : nil
    }
}
