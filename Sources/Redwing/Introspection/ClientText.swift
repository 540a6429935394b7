// SPDX-License-Identifier: BSD-3-Clause
//
// A client in one line, as CLIENT LIST and the log show it, and the ways to name a kind of client.

import Keyspace
import Memory
import RESP

/// The classes of CLIENT LIST TYPE and CLIENT KILL TYPE.
enum ClientType {
    case normal, master, replica, pubsub

    init?(_ word: Bytes) {
        if word.equalsIgnoringCase("normal") {
            self = .normal
        } else if word.equalsIgnoringCase("master") {
            self = .master
        } else if word.equalsIgnoringCase("replica") || word.equalsIgnoringCase("slave") {
            self = .replica
        } else if word.equalsIgnoringCase("pubsub") {
            self = .pubsub
        } else {
            return nil
        }
    }
}

extension Client {
    var type: ClientType {
        if flags.contains(.master) { return .master }
        // MONITOR is served as a normal client's command, as in Redis.
        if flags.contains(.replica), !flags.contains(.monitor) { return .replica }
        return flags.contains(.pubsub) ? .pubsub : .normal
    }

    private static let letters: [(ClientFlags, Character)] = [
        (.master, "M"), (.pubsub, "P"), (.multi, "x"), (.blocked, "b"), (.postponed, "b"),
        (.tracking, "t"),
        (.trackingBroken, "R"), (.trackingBroadcast, "B"),
        (.dirtyCas, "d"), (.closeAfterReply, "c"), (.unprocessed, "u"), (.closeSoon, "A"),
        (.unixSocket, "U"), (.readOnly, "r"), (.noEvict, "e"),
    ]

    private var letters: String {
        var text = flags.contains(.monitor) ? "O" : flags.contains(.replica) ? "S" : ""
        for (flag, letter) in Self.letters where flags.contains(flag) { text.append(letter) }
        return text.isEmpty ? "N" : text
    }

    private var eventLetters: String {
        if fd < 0 { return "" }
        let interest = server.loop.interest(of: fd)
        return (interest.contains(.read) ? "r" : "") + (interest.contains(.write) ? "w" : "")
    }

    /// The line of CLIENT LIST, without its end.
    public func describe() -> String {
        let now = server.now / 1000
        let queued = transaction.map { $0.steps.count } ?? -1
        let out = reply.out
        let stream = server.replication?.held(for: self) ?? (blocks: 0, bytes: 0)
        // A request that came whole lies in the buffer that all clients share.
        let input = query.isEmpty && server.current === self ? server.sharedInput : query
        let words = server.current === self ? arguments.all.reduce(0) { $0 + $1.count } : 0
        let omem = out.capacity + stream.bytes
        let memory = Self.objectBytes + query.capacity + omem + words
        return "id=\(id) addr=\(peerName) laddr=\(localName) fd=\(fd)"
            + " name=\(String(decoding: name, as: UTF8.self))"
            + " age=\(now - createdAt) idle=\(max(0, now - lastInteraction)) flags=\(letters)"
            + " db=\(database.index) sub=\(attachments.channels.count)"
            + " psub=\(attachments.patterns.count) multi=\(queued)"
            + " qbuf=\(input.count) qbuf-free=\(input.room) argv-mem=\(words) obl=\(out.count)"
            + " oll=\(stream.blocks) omem=\(omem) tot-mem=\(memory) events=\(eventLetters)"
            + " cmd=\(command?.name ?? "NULL") user=\(userName ?? "(superuser)")"
            + " redir=\(attachments.tracking.map { Int64(clamping: $0.redirection) } ?? -1)"
    }

    /// What a client takes besides its buffers, about.
    private static let objectBytes = 1024

    /// On this machine: over a UNIX socket or the loopback interface.
    var isLocal: Bool {
        if flags.contains(.unixSocket) { return true }
        let peer = peerName
        return peer.hasPrefix("127.") || peer.hasPrefix("[::1]") || peer.hasPrefix("[::ffff:127.")
    }

    /// As `isLocal`, or over an address of this machine: both ends have the same.
    var isOfThisMachine: Bool {
        if isLocal { return true }
        let host = { (name: String) in name.lastIndex(of: ":").map { name[..<$0] } }
        return host(peerName) == host(localName)
    }

    /// The user whose rights the client has; nil when it has all (the server's own, a master's link).
    var userName: String? { accessUser.map { String(decoding: $0.name, as: UTF8.self) } }

    var accessUser: User? {
        if flags.contains(.master) || fd < 0 { return nil }
        return attachments.user ?? server.rooms.access.defaultUser
    }
}
