// SPDX-License-Identifier: BSD-3-Clause
//
// Client-side caching, as commands and the keyspace's changes reach it. A client's own changes are
// told behind the reply to its command (as from Redis 6.2 on), others' at once.

import Configuration
import Memory
import RESP

extension Server {
    /// Some client has CLIENT TRACKING on.
    @inline(__always)
    var isTracking: Bool { rooms.tracking.clientCount > 0 }

    var trackingTotals: (keys: Int, items: Int, prefixes: Int) {
        (rooms.tracking.keys.count, rooms.tracking.items, rooms.tracking.prefixes.count)
    }

    // MARK: On and off

    /// Turns tracking on for `client`, or changes how it is done. `prefixes` come to those it has.
    func startTracking(_ client: Client, _ state: TrackingState, prefixes: [[UInt8]]) {
        var state = state
        if let old = client.attachments.tracking {
            state.prefixes = old.prefixes
            state.pending = old.pending
        } else {
            rooms.tracking.clientCount += 1
        }
        client.flags.insert(.tracking)
        client.flags.remove(.trackingBroken)
        if state.mode == .broadcast {
            client.flags.insert(.trackingBroadcast)
            for prefix in prefixes where rooms.tracking.add(client.id, prefix: prefix) {
                state.prefixes.append(prefix)
            }
        }
        client.attachments.tracking = state
    }

    func stopTracking(_ client: Client) {
        guard let state = client.attachments.tracking else { return }
        for prefix in state.prefixes { rooms.tracking.remove(client.id, prefix: prefix) }
        client.attachments.tracking = nil
        client.flags.subtract([.tracking, .trackingBroken, .trackingBroadcast])
        rooms.tracking.clientCount -= 1
        if rooms.tracking.clientCount == 0 { rooms.tracking.forgetKeys() }
    }

    // MARK: Commands

    /// A tracking client ran `command`.
    func ranTracking(_ client: Client, _ command: Command) {
        if command.flags.contains(.readonly) { trackKeys(client, command) }
        // Inside EXEC: the whole is what the exception is for, and its reply isn't complete.
        guard current == nil, client.attachments.tracking != nil else { return }
        if !client.flags.contains(.multi), command.name != "client" {
            client.attachments.tracking?.isException = false
        }
        sendPending(client)
    }

    /// A tracking client read the keys of `command`.
    func trackKeys(_ client: Client, _ command: Command) {
        guard let state = client.attachments.tracking, state.remembersKeys else { return }
        for i in command.keyIndices(client.arguments) where i < client.count {
            rooms.tracking.remember(client[i].array, for: client.id)
        }
    }

    private func sendPending(_ client: Client) {
        guard let state = client.attachments.tracking else { return }
        if state.hasPendingFlush {
            client.attachments.tracking?.hasPendingFlush = false
            tell(client, nil)
        }
        guard !state.pending.isEmpty else { return }
        client.attachments.tracking?.pending = []
        for key in state.pending { tell(client, [key]) }
    }

    // MARK: Changes

    /// `key` changed, by `client`'s command or (nil) of itself.
    func invalidate(_ key: Bytes, by client: Client?) { invalidate(key.array, by: client) }

    private func invalidate(_ key: [UInt8], by client: Client?) {
        let author = author(client)
        if !rooms.tracking.prefixes.isEmpty { rooms.tracking.noteChange(key, by: author?.id ?? 0) }
        forget(key, by: author)
    }

    private func forget(_ key: [UInt8], by author: Client?) {
        guard let ids = rooms.tracking.take(key) else { return }
        for id in ids {
            guard let reader = clients[id], let state = reader.attachments.tracking,
                state.mode != .broadcast
            else { continue }
            if state.noLoop, reader === author { continue }
            if isRunning(reader) {
                reader.attachments.tracking?.pending.append(key)
            } else {
                tell(reader, [key])
            }
        }
    }

    /// A script's changes are its caller's.
    private func author(_ client: Client?) -> Client? {
        guard let client, client.flags.contains(.script) else { return client }
        return rooms.scripting?.run?.caller
    }

    /// The reply to a command of `client` is being written.
    private func isRunning(_ client: Client) -> Bool {
        guard let current else { return false }
        return client === current || client === author(current)
    }

    /// Every cached key may be wrong: the data set was replaced.
    func invalidateAll() {
        if isTracking { invalidateFlushed(all: true) }
    }

    /// A database was emptied: which keys it had isn't gone through, all are given up.
    func invalidateFlushed(all: Bool) {
        for client in clients.values where client.flags.contains(.tracking) {
            if isRunning(client) {
                client.attachments.tracking?.hasPendingFlush = true
            } else {
                tell(client, nil)
            }
        }
        if all { rooms.tracking.forgetKeys() }
    }

    /// Before the loop sleeps: prefixes' messages, and keys that the table has no room for.
    func sendInvalidations() {
        let deferred = rooms.tracking.deferred
        if !deferred.isEmpty {
            rooms.tracking.deferred = []
            for (id, keys) in deferred {
                if let client = clients[id] { tell(client, keys) }
            }
        }
        for prefix in rooms.tracking.takeChanges() {
            let keys = Array(prefix.changed.keys)
            for id in prefix.clients {
                guard let client = clients[id], let state = client.attachments.tracking else {
                    continue
                }
                let told = state.noLoop ? keys.filter { prefix.changed[$0] != id } : keys
                if !told.isEmpty { tell(client, told) }
            }
        }
        limitKeys()
    }

    /// Keys given up in one turn at most: a limit lowered by much must not hold everybody up.
    private static let mostForgotten = 1000

    private func limitKeys() {
        let limit = config.trackingTableMaxKeys
        let surplus = rooms.tracking.keys.count - limit
        guard limit > 0, surplus > 0 else { return }
        for key in rooms.tracking.anyKeys(min(surplus, Self.mostForgotten)) { forget(key, by: nil) }
        if surplus > Self.mostForgotten { loop.busy = true }
    }

    // MARK: Messages

    /// Sends `keys` (nil: all) to `client` or to where it has them sent.
    private func tell(_ client: Client, _ keys: [[UInt8]]?) {
        guard let state = client.attachments.tracking else { return }
        var target = client
        if state.redirection != 0 {
            guard let other = clients[state.redirection], !other.isClosed else {
                return tellBroken(client, state.redirection)
            }
            // Inside a reply the message would break its framing.
            if isRunning(other) { return rooms.tracking.deferred.append((client.id, keys)) }
            target = other
        }
        if target.reply.version == 3 {
            target.reply.push(2)
            target.reply.bulk("invalidate")
        } else if target !== client, target.flags.contains(.pubsub) {
            target.reply.push(3)
            target.reply.bulk("message")
            target.reply.bulk("__redis__:invalidate")
        } else {
            // Nothing that this connection could tell from a reply.
            return
        }
        if let keys {
            target.reply.array(keys.count)
            for key in keys { target.reply.bulk(key) }
        } else {
            target.reply.null()
        }
        pushed(to: target)
    }

    private func tellBroken(_ client: Client, _ redirection: UInt64) {
        client.flags.insert(.trackingBroken)
        guard client.reply.version == 3 else { return }
        client.reply.push(2)
        client.reply.bulk("tracking-redir-broken")
        client.reply.integer(Int64(clamping: redirection))
        pushed(to: client)
    }
}
