// SPDX-License-Identifier: BSD-3-Clause
//
// Clients that wait for keys. A command that finds nothing says `client.block(...)`; when one of its
// keys may have what it wants the whole command is run again, in the order in which the clients
// began to wait, as soon as the command that made the key ready is done.

import Keyspace
import Memory
import RESP

/// What a blocked client waits for.
final class Wait {
    let keys: [WatchTable.WatchedKeyID]
    /// What a key must hold to be of use; nil: whatever became of it is to be told.
    let type: ValueType?
    /// The command to run again, its words copied.
    let command: Command?
    let words: [[UInt8]]
    /// Monotonic ms, nil for ever.
    let deadline: Int64?
    let order: UInt64
    /// Writes the reply of a wait that timed out.
    let timeoutReply: (Client) -> Void

    init(
        keys: [WatchTable.WatchedKeyID], type: ValueType?, command: Command?, words: [[UInt8]],
        deadline: Int64?, order: UInt64, timeoutReply: @escaping (Client) -> Void
    ) {
        self.keys = keys
        self.type = type
        self.command = command
        self.words = words
        self.deadline = deadline
        self.order = order
        self.timeoutReply = timeoutReply
    }
}

/// Who waits for which key, and which keys became ready during the command at hand.
struct BlockingTable {
    var waiting: [WatchTable.WatchedKeyID: [Client]] = [:]
    var ready: [WatchTable.WatchedKeyID] = []
    /// The ready key whose clients are being served.
    var serving: WatchTable.WatchedKeyID?
    var nextOrder: UInt64 = 0
    /// All blocked clients with a deadline are looked at when the earliest is due.
    var blocked: [UInt64: Client] = [:]
    var timer: TimerID?
    var timerDue: Int64 = Int64.max

    @inline(__always)
    var hasReadyKeys: Bool { !ready.isEmpty }

    @inline(__always)
    var isAwaited: Bool { !waiting.isEmpty }

    /// `key` may have become what somebody waits for.
    mutating func signal(_ key: Bytes, _ database: Int) {
        let id = WatchTable.WatchedKeyID(database: database, key: key.array)
        if waiting[id] != nil, !ready.contains(id) { ready.append(id) }
    }
}

extension Client {
    /// Inside EXEC, a script or the AOF a blocking command answers as if its time were over.
    public var mayBlock: Bool { !flags.contains(.denyBlocking) }

    /// While a wait is served, only the key that became ready counts, and only if it holds `type`:
    /// keys are served in the order in which they became ready, not in the command's.
    func passesOver(_ key: Bytes, _ entry: Entry, for type: ValueType) -> Bool {
        guard flags.contains(.retrying) else { return false }
        if entry.type != type { return true }
        guard let ready = server.blocking.serving else { return false }
        return Bytes.with(ready.key) { $0 != key }
    }

    /// Waits until one of `keys` is ready, then the command is run again. A key must hold `type`; nil
    /// when the command is to see whatever became of it. 0 milliseconds wait for ever. `words` is what
    /// to run again, when it is not the command as it came (XREAD's `$` made concrete); the reply of a
    /// timeout is the null array as a rule.
    public func block(
        on keys: [Bytes], holding type: ValueType?, milliseconds: Int64, words: [[UInt8]]? = nil,
        timeoutReply: @escaping (Client) -> Void = { $0.reply.nullArray() }
    ) {
        server.block(
            self, keys: keys, holding: type, milliseconds: milliseconds, words: words, timeoutReply)
    }

    /// The timeout argument at `index`, in seconds (a decimal fraction is allowed), as ms.
    /// Nil when it was refused, with the reply given.
    public func blockingTimeout(_ index: Int) -> Int64? {
        guard let seconds = FloatText.parseLongDouble(self[index]) else {
            reply.error("ERR timeout is not a float or out of range")
            return nil
        }
        let milliseconds = (seconds * 1000).rounded(.up)
        // What 64 bits don't hold comes out negative in Redis.
        guard seconds >= 0, milliseconds < 0x1p63 else {
            reply.error("ERR timeout is negative")
            return nil
        }
        return Int64(milliseconds)
    }
}

extension Server {
    func block(
        _ client: Client, keys: [Bytes], holding type: ValueType?, milliseconds: Int64,
        words: [[UInt8]]?,
        _ timeoutReply: @escaping (Client) -> Void
    ) {
        // A retry that found nothing keeps its place and its deadline.
        if client.flags.contains(.retrying) { return }
        let ids = keys.map {
            WatchTable.WatchedKeyID(database: client.database.index, key: $0.array)
        }
        blocking.nextOrder += 1
        let wait = Wait(
            keys: ids, type: type, command: client.command,
            words: words ?? client.arguments.all.map(\.array),
            deadline: milliseconds == 0 ? nil : EventLoop.deadline(after: milliseconds),
            order: blocking.nextOrder, timeoutReply: timeoutReply)
        for id in Set(ids) { blocking.waiting[id, default: []].append(client) }
        startWait(client, wait)
    }

    func startWait(_ client: Client, _ wait: Wait) {
        client.wait = wait
        client.flags.insert(.blocked)
        blocking.blocked[client.id] = client
        if let deadline = wait.deadline { armWaitTimer(deadline) }
    }

    /// Takes `client` out of all waiting lists; its further requests are then looked at.
    func endWait(_ client: Client) {
        guard let wait = client.wait else { return }
        for id in wait.keys {
            blocking.waiting[id]?.removeAll { $0 === client }
            if blocking.waiting[id]?.isEmpty == true { blocking.waiting[id] = nil }
        }
        client.wait = nil
        client.flags.remove(.blocked)
        blocking.blocked[client.id] = nil
        resume(client)
    }

    private func armWaitTimer(_ deadline: Int64) {
        if deadline >= blocking.timerDue { return }
        if let timer = blocking.timer { loop.cancel(timer) }
        blocking.timerDue = deadline
        blocking.timer = loop.schedule(after: max(0, deadline - EventLoop.monotonic)) { [self] in
            waitsDue()
        }
    }

    private func waitsDue() {
        blocking.timer = nil
        blocking.timerDue = Int64.max
        let time = EventLoop.monotonic
        var next = Int64.max
        for client in blocking.blocked.values.sorted(by: {
            ($0.wait?.order ?? 0) < ($1.wait?.order ?? 0)
        }) {
            guard let wait = client.wait, let deadline = wait.deadline else { continue }
            if deadline <= time {
                unblock(client, error: nil)
            } else {
                next = min(next, deadline)
            }
        }
        if next != Int64.max { armWaitTimer(next) }
    }

    /// Serves those who wait for keys that the last command made ready; what they do may make more ready.
    func serveReadyKeys() {
        if inExec || current != nil { return }
        while !blocking.ready.isEmpty {
            let ready = blocking.ready
            blocking.ready = []
            for id in ready {
                blocking.serving = id
                defer { blocking.serving = nil }
                for client in blocking.waiting[id] ?? [] {
                    guard let wait = client.wait, let command = wait.command, !client.isClosed
                    else {
                        continue
                    }
                    if let type = wait.type, !holds(id, type) { continue }
                    retry(client, wait, command)
                }
            }
        }
    }

    private func holds(_ id: WatchTable.WatchedKeyID, _ type: ValueType) -> Bool {
        Bytes.with(id.key) { keyspace.databases[id.database].find($0)?.type == type }
    }

    private func retry(_ client: Client, _ wait: Wait, _ command: Command) {
        let before = client.reply.out.count
        client.owed = before
        client.flags.insert(.retrying)
        let outer = client.arguments
        Self.withViews(wait.words) { words in
            Arguments.with(words) {
                client.arguments = $0
                client.request = .empty
                client.command = command
                callAgain(client, command)
            }
        }
        client.arguments = outer
        client.flags.remove(.retrying)
        if client.reply.out.count != before || client.isClosed {
            replied(client)
            endWait(client)
        }
    }

    /// Ends a client's wait from outside (CLIENT UNBLOCK, a role change).
    func unblock(_ client: Client, error: String?) {
        guard let wait = client.wait else { return }
        client.owed = client.reply.out.count
        if let error { client.reply.error(error) } else { wait.timeoutReply(client) }
        replied(client)
        endWait(client)
    }
}
