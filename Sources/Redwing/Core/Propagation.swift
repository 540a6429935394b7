// SPDX-License-Identifier: BSD-3-Clause
//
// What of a command goes into the replication stream and the AOF: as a rule the request as it came,
// or what the command says in its place.

import Keyspace
import Memory
import RESP
import Replication

/// What the command at hand has said of its propagation.
public struct Propagation {
    var replacement: [[UInt8]]?
    var extra: [(db: Int, words: [[UInt8]])] = []
    var suppressed = false
    /// Said something, so that the common path need not look further.
    var isSpecial = false
    /// Where it may go; scripts narrow this by redis.set_repl.
    var toReplicas = true
    var toAOF = true
    /// As it came, though nothing was dirty (FLUSHALL of an empty set, SCRIPT FLUSH).
    var forced = false

    mutating func instead(_ words: [Bytes]) {
        replacement = words.map(\.array)
        isSpecial = true
    }
    mutating func also(_ words: [Bytes], _ database: Database) {
        extra.append((database.index, words.map(\.array)))
        isSpecial = true
    }
    mutating func nothing() {
        suppressed = true
        isSpecial = true
    }
    mutating func force() {
        forced = true
        isSpecial = true
    }
}

/// Takes the write commands of the server, in order: the replication stream, the AOF.
public protocol CommandSink: AnyObject {
    /// What follows until `endGroup` belongs together (MULTI … EXEC). Nests.
    func beginGroup()
    func endGroup()
    /// A request as it came, a RESP array.
    func append(request: Bytes, db: Int)
    func append(words: [Bytes], db: Int)
}

extension Server {
    /// Sends what `command` changed to all sinks.
    @inline(__always)
    func propagate(_ client: Client, _ command: Command, changed: Bool) {
        // The common case, without a copy of anything.
        if !propagation.isSpecial, client.flags.isDisjoint(with: [.master, .script]), !loading {
            if command.flags.contains(.frame) || !changed { return }
            if let file = rooms.appendOnlyFile, file.takesCommands { passOn(client, to: file) }
            if let room = rooms.replicationRoom, room.takesCommands {
                passOn(client, to: room)
                client.writtenTo = room.stream.end
            }
            return
        }
        propagateAsSaid(client, command, changed: changed)
    }

    /// The rare case: the command said what to send, or its client's commands go their own ways.
    private func propagateAsSaid(_ client: Client, _ command: Command, changed: Bool) {
        let said = propagation
        // Everything from a master goes on byte for byte, when it is applied (see masterApplied).
        var toReplicas = said.toReplicas && !client.flags.contains(.master)
        var toAOF = said.toAOF
        if client.flags.contains(.script) {
            let targets = scriptTargets(client)
            toReplicas = toReplicas && targets.replicas
            toAOF = toAOF && targets.aof
        }
        for sink in activeSinks(replicas: toReplicas, aof: toAOF) {
            let own =
                !said.suppressed && (changed || said.forced || said.replacement != nil)
                && !command.flags.contains(.frame)
            let count = (own ? 1 : 0) + said.extra.count
            if count > 1 { sink.beginGroup() }
            if own {
                if let replacement = said.replacement {
                    Self.withViews(replacement) {
                        sink.append(words: $0, db: client.database.index)
                    }
                } else if !client.request.isEmpty {
                    sink.append(request: client.request, db: client.database.index)
                } else {
                    sink.append(words: client.arguments.all, db: client.database.index)
                }
            }
            for (db, words) in said.extra {
                Self.withViews(words) { sink.append(words: $0, db: db) }
            }
            if count > 1 { sink.endGroup() }
        }
        // A script's commands went out under a client of its own.
        if changed || said.forced || !said.extra.isEmpty, let room = rooms.replicationRoom {
            client.writtenTo = room.stream.end
        }
    }

    /// The command as it came.
    private func passOn(_ client: Client, to sink: some CommandSink) {
        let db = client.database.index
        if !client.request.isEmpty {
            sink.append(request: client.request, db: db)
        } else {
            sink.append(words: client.arguments.all, db: db)
        }
    }

    /// Sends `words` to all sinks outside of any command (expired and evicted keys).
    public func propagate(_ words: [Bytes], in database: Database) {
        for sink in activeSinks(replicas: true, aof: true) {
            sink.append(words: words, db: database.index)
        }
    }

    func beginGroup() { for sink in activeSinks(replicas: true, aof: true) { sink.beginGroup() } }
    func endGroup() { for sink in activeSinks(replicas: true, aof: true) { sink.endGroup() } }

    /// Runs `body` on views of `words`, good only inside.
    static func withViews<R>(_ words: [[UInt8]], _ body: ([Bytes]) -> R) -> R {
        let store = ByteBuffer(capacity: words.reduce(1) { $0 + $1.count })
        var ranges: [(Int, Int)] = []
        for word in words {
            ranges.append((store.count, word.count))
            store.append(word)
        }
        let base = store.bytes.start
        let result = body(ranges.map { Bytes(start: base + $0.0, count: $0.1) })
        store.removeAll()
        return result
    }
}
