// SPDX-License-Identifier: BSD-3-Clause
//
// Our side as the master, one value per replica: from its SYNC or PSYNC to its being online.
//
//   idle ──► waitBgsaveStart ──► waitBgsaveEnd(disk) ──► sendBulk ─────────────────► online
//     │                   └────► streaming(socket, spool) ──► awaitingAck ── ACK ──► online
//     └── partial resync ──────────────────────────────────────────────────────────► online
//
// The stream's bytes for a replica wait in the shared StreamBuffer at its cursor; nothing is held
// for one replica alone. A replica that doesn't move is dropped after repl-timeout in every state.

/// What a replica said it understands.
public struct Capabilities: OptionSet, Hashable, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// It can read a transfer of unknown length.
    public static let eof = Capabilities(rawValue: 1)
    /// It understands `+CONTINUE <new id>`.
    public static let psync2 = Capabilities(rawValue: 2)
}

/// A value: events in, actions out.
public struct ReplicaSession: Equatable, Sendable {
    /// Where a snapshot goes.
    public enum Target: Equatable, Sendable { case disk, socket, spool }

    public enum State: Equatable, Sendable {
        /// A connection that may have said REPLCONF, not yet PSYNC.
        case idle
        /// No snapshot for it has begun.
        case waitBgsaveStart(since: Instant)
        /// A snapshot to disk runs; its data ends where the stream was at `offset`.
        case waitBgsaveEnd(offset: Int64)
        /// The file goes out: `sent` of `size` bytes, and when bytes last moved.
        case sendBulk(sent: Int64, size: Int64, moved: Instant)
        /// The running snapshot's bytes go out as they are made; `size` once it has ended.
        case streaming(Target, sent: Int64, size: Int64?, moved: Instant)
        /// All of it is sent, with the mark; nothing may follow before the first ACK.
        case awaitingAck(since: Instant)
        case online(since: Instant)
    }

    public enum Action: Equatable, Sendable {
        /// Write `+FULLRESYNC <id> <offset>` past any queue, put the cursor at `offset`.
        case sendFullResync(ReplicationID, offset: Int64)
        /// The same for an old SYNC client, which gets no line: only the cursor is put.
        case placeCursor(offset: Int64)
        /// Begin to send the file: `$<size>` and its bytes.
        case sendFile(size: Int64)
        /// Let the stream flow from the cursor.
        case goOnline
        case sendNewline
        /// Write this error and close behind it.
        case closeWithError(String)
        /// Close now.
        case close
        case log(LogLine)
    }

    /// Address and port, as the log names it.
    public var name: String
    public var capabilities: Capabilities = []
    /// It came by the old SYNC: it sends no ACK, and none is missed.
    public private(set) var isOld = false
    public private(set) var state: State = .idle
    /// repl_ack_off and repl_ack_time.
    public private(set) var acknowledged: Int64 = 0
    public private(set) var acknowledgedAt: Instant
    /// What has gone of the snapshot, and how fast.
    public private(set) var meter = RateMeter()
    /// It asked for the snapshot alone (`REPLCONF rdb-only`): nothing follows.
    public var isSnapshotOnly = false

    public init(name: String, at now: Instant) {
        self.name = name
        acknowledgedAt = now
    }

    // MARK: Into the sync

    /// A full sync was asked for, or a partial one refused.
    public mutating func waitForSnapshot(old: Bool, at now: Instant) {
        isOld = old
        meter = RateMeter()
        acknowledgedAt = now
        state = .waitBgsaveStart(since: now)
    }

    /// A partial resync was granted: the line is sent, the stream flows from the cursor.
    public mutating func continued(at now: Instant) -> [Action] {
        acknowledgedAt = now
        state = .online(since: now)
        return [.goOnline]
    }

    /// A snapshot begins (or one that runs is joined: `offset` is then where the other's began).
    public mutating func snapshotStarted(
        _ target: Target, id: ReplicationID, offset: Int64, at now: Instant
    ) -> [Action] {
        switch state {
        case .waitBgsaveStart:
            acknowledgedAt = now
            switch target {
            case .disk: state = .waitBgsaveEnd(offset: offset)
            case .socket, .spool:
                state = .streaming(target, sent: 0, size: nil, moved: now)
            }
            return isOld ? [.placeCursor(offset: offset)] : [.sendFullResync(id, offset: offset)]
        case .idle, .waitBgsaveEnd, .sendBulk, .streaming, .awaitingAck, .online: return []
        }
    }

    /// No snapshot could be started: the replica shall ask again.
    public mutating func snapshotRefused() -> [Action] {
        switch state {
        case .waitBgsaveStart:
            state = .idle
            return [.closeWithError("-ERR BGSAVE failed, replication can't continue\r\n")]
        case .idle, .waitBgsaveEnd, .sendBulk, .streaming, .awaitingAck, .online: return []
        }
    }

    /// The snapshot's child has ended; `size` is what the file or the stream holds, nil: it failed.
    public mutating func snapshotEnded(size: Int64?, at now: Instant) -> [Action] {
        switch state {
        case .waitBgsaveEnd:
            guard let size else {
                return [.warning("SYNC failed. BGSAVE child returned an error"), .close]
            }
            state = .sendBulk(sent: 0, size: size, moved: now)
            return [.sendFile(size: size)]
        case .streaming(let target, let sent, _, let moved):
            guard let size else {
                return [.warning("SYNC failed. BGSAVE child returned an error"), .close]
            }
            state = .streaming(target, sent: sent, size: size, moved: moved)
            return complete(sent: sent, size: size, at: now)
        case .idle, .waitBgsaveStart, .sendBulk, .awaitingAck, .online: return []
        }
    }

    /// `count` bytes of the snapshot have gone to the replica.
    public mutating func sent(_ count: Int64, at now: Instant) -> [Action] {
        switch state {
        case .sendBulk(let before, let size, _):
            meter.add(count, at: now)
            state = .sendBulk(sent: before + count, size: size, moved: now)
            guard before + count >= size else { return [] }
            if isSnapshotOnly { return snapshotOnlyIsDone() }
            acknowledgedAt = now
            state = .online(since: now)
            return [.goOnline, .notice("Synchronization with replica \(name) succeeded")]
        case .streaming(let target, let before, let size, _):
            meter.add(count, at: now)
            let sent = before + count
            state = .streaming(target, sent: sent, size: size, moved: now)
            return size.map { complete(sent: sent, size: $0, at: now) } ?? []
        case .idle, .waitBgsaveStart, .waitBgsaveEnd, .awaitingAck, .online: return []
        }
    }

    private mutating func complete(sent: Int64, size: Int64, at now: Instant) -> [Action] {
        guard sent >= size else { return [] }
        if isSnapshotOnly { return snapshotOnlyIsDone() }
        acknowledgedAt = now
        state = .awaitingAck(since: now)
        return [
            .notice(
                "Streamed RDB transfer with replica \(name) succeeded (socket). Waiting for "
                    + "REPLCONF ACK from slave to enable streaming")
        ]
    }

    /// As 7.0 does: whoever wants no stream would only be dropped later for not acknowledging it.
    private mutating func snapshotOnlyIsDone() -> [Action] {
        state = .idle
        return [
            .notice(
                "RDB transfer completed, rdb only replica (\(name)) should be disconnected asap"),
            .close,
        ]
    }

    // MARK: Afterwards

    /// REPLCONF ACK. An offset from the future is a lie; `end` is our stream's end.
    public mutating func acknowledged(_ offset: Int64, end: Int64, at now: Instant) -> [Action] {
        if offset > end {
            let text =
                "Replica \(name) acknowledged offset \(offset), our stream ends at \(end): "
                + "disconnecting it"
            return [.warning(text), .close]
        }
        acknowledged = max(acknowledged, offset)
        acknowledgedAt = now
        switch state {
        case .awaitingAck:
            state = .online(since: now)
            return [.goOnline, .notice("Synchronization with replica \(name) succeeded")]
        case .idle, .waitBgsaveStart, .waitBgsaveEnd, .sendBulk, .streaming, .online: return []
        }
    }

    /// A byte out of band, like the newline of a replica that is loading.
    public mutating func alive(at now: Instant) { acknowledgedAt = now }

    /// Once a second: the sign of life to one that waits, the end of one that doesn't move. `owed`:
    /// bytes of a running snapshot lie ready for it. Only then is it the replica that doesn't move;
    /// else its child is slow, or held up by another replica.
    public mutating func tick(timeout: Duration_ms, owed: Bool, at now: Instant) -> [Action] {
        switch state {
        case .idle: return []
        case .waitBgsaveStart, .waitBgsaveEnd: return [.sendNewline]
        case .sendBulk(_, _, let moved):
            return now - moved > timeout ? timedOut("full sync") : []
        case .streaming(let target, let sent, let size, let moved):
            if owed { return now - moved > timeout ? timedOut("full sync") : [] }
            state = .streaming(target, sent: sent, size: size, moved: now)
            return []
        case .awaitingAck:
            return now - acknowledgedAt > timeout ? timedOut("full sync") : []
        case .online:
            return !isOld && now - acknowledgedAt > timeout ? timedOut("streaming sync") : []
        }
    }

    private func timedOut(_ phase: String) -> [Action] {
        [.warning("Disconnecting timedout replica (\(phase)): \(name)"), .close]
    }

    // MARK: What INFO, WAIT and the planner ask

    public var isOnline: Bool {
        switch state {
        case .online: return true
        case .idle, .waitBgsaveStart, .waitBgsaveEnd, .sendBulk, .streaming, .awaitingAck:
            return false
        }
    }

    /// Its full sync has begun and isn't over.
    public var isSyncing: Bool {
        switch state {
        case .waitBgsaveEnd, .sendBulk, .streaming: return true
        case .idle, .waitBgsaveStart, .awaitingAck, .online: return false
        }
    }

    public var waitingSince: Instant? {
        switch state {
        case .waitBgsaveStart(let since): return since
        case .idle, .waitBgsaveEnd, .sendBulk, .streaming, .awaitingAck, .online: return nil
        }
    }

    /// Whole seconds since its last ACK; 0 unless online, as INFO prints.
    public func lag(at now: Instant) -> Int64 {
        isOnline ? (now - acknowledgedAt).seconds : 0
    }

    /// Counts for min-replicas-to-write.
    public func isGood(maxLag: Int, at now: Instant) -> Bool {
        isOnline && lag(at: now) <= Int64(maxLag)
    }

    /// INFO's word for the state; nil: not listed.
    public var infoState: String? {
        switch state {
        case .idle: return nil
        case .waitBgsaveStart, .waitBgsaveEnd: return "wait_bgsave"
        case .sendBulk, .streaming: return "send_bulk"
        case .awaitingAck, .online: return "online"
        }
    }
}

extension ReplicaSession.Action {
    static func notice(_ text: String) -> Self { .log(LogLine(.notice, text)) }
    static func warning(_ text: String) -> Self { .log(LogLine(.warning, text)) }
}

extension ReplicaSession: CustomStringConvertible {
    public var description: String {
        switch state {
        case .idle: return "idle \(name)"
        case .waitBgsaveStart(let since): return "wait_bgsave_start since=\(since) \(name)"
        case .waitBgsaveEnd(let offset): return "wait_bgsave_end offset=\(offset) \(name)"
        case .sendBulk(let sent, let size, _): return "send_bulk sent=\(sent)/\(size) \(name)"
        case .streaming(let target, let sent, let size, _):
            return "streaming target=\(target) sent=\(sent)/\(size.map(String.init) ?? "?") \(name)"
        case .awaitingAck(let since): return "awaiting_ack since=\(since) \(name)"
        case .online: return "online offset=\(acknowledged) \(name)"
        }
    }
}
