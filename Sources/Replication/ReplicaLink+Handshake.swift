// SPDX-License-Identifier: BSD-3-Clause
//
// From the open connection to +CONTINUE or the beginning of a full sync. Each reply is one line,
// given here without its line end.

extension ReplicaLink {
    public mutating func connected(at now: Instant) -> [Action] {
        switch state {
        case .connecting:
            state = .handshake(.pong, since: now)
            return [.notice("Non blocking connect for SYNC fired the event."), .send(.ping)]
        case .none, .connect, .handshake, .transfer, .connected: return []
        }
    }

    public mutating func connectFailed(_ reason: String, at now: Instant) -> [Action] {
        switch state {
        case .connecting:
            return retry(
                after: .seconds(1), at: now,
                [.warning("Error condition on socket for SYNC: \(reason)"), .close])
        case .none, .connect, .handshake, .transfer, .connected: return []
        }
    }

    /// A line from the master. `keyspaceIsEmpty` decides `repl-diskless-load on-empty-db`.
    public mutating func received(
        line: String, keyspaceIsEmpty: Bool = true, at now: Instant
    ) -> [Action] {
        switch state {
        case .handshake(.pong, _): return receivedPong(line, at: now)
        case .handshake(.auth, _):
            if line.hasPrefix("-") {
                return retry(
                    after: .seconds(1), at: now,
                    [.warning("Unable to AUTH to MASTER: \(line)"), .close])
            }
            return step(.port, [.send(.listeningPort(settings.announcedPort))], at: now)
        case .handshake(.port, _):
            let complaint = refused(line, "listening-port")
            if let ip = settings.announcedIP, !ip.isEmpty {
                return step(.ip, complaint + [.send(.ipAddress(ip))], at: now)
            }
            return step(.capa, complaint + [.send(.capabilities)], at: now)
        case .handshake(.ip, _):
            return step(.capa, refused(line, "ip-address") + [.send(.capabilities)], at: now)
        case .handshake(.capa, _): return sendPsync(refused(line, "capa"), at: now)
        case .handshake(.psync(let asked), _):
            return receivedPsyncReply(line, asked: asked, at: now)
        case .transfer(let transfer):
            return receivedHeader(line, transfer, keyspaceIsEmpty: keyspaceIsEmpty, at: now)
        case .none, .connect, .connecting, .connected: return []
        }
    }

    private mutating func step(_ next: Step, _ actions: [Action], at now: Instant) -> [Action] {
        state = .handshake(next, since: now)
        return actions
    }

    private func refused(_ line: String, _ option: String) -> [Action] {
        guard line.hasPrefix("-") else { return [] }
        return [.notice("(Non critical) Master does not understand REPLCONF \(option): \(line)")]
    }

    private mutating func receivedPong(_ line: String, at now: Instant) -> [Action] {
        let tolerated = ["+", "-NOAUTH", "-NOPERM", "-ERR operation not permitted"]
        guard tolerated.contains(where: line.hasPrefix) else {
            return retry(
                after: .seconds(1), at: now,
                [
                    .warning(
                        "Error reply to PING from master: '\(line)' (expected +PONG, or an error that asks for AUTH)"
                    ),
                    .close,
                ])
        }
        let log = Action.notice("Master replied to PING, replication can continue...")
        if let password = settings.password {
            return step(
                .auth, [log, .send(.auth(user: settings.user, password: password))], at: now)
        }
        return step(.port, [log, .send(.listeningPort(settings.announcedPort))], at: now)
    }

    private mutating func sendPsync(_ actions: [Action], at now: Instant) -> [Action] {
        var actions = actions
        if let cached {
            let offset = cached.offset + 1
            actions += [
                .notice("Trying a partial resynchronization (request \(cached.id):\(offset))."),
                .send(.psync(id: cached.id.text, offset: offset, failover: failover)),
            ]
        } else {
            actions += [
                .notice("Partial resynchronization not possible (no cached master)"),
                .send(.psync(id: "?", offset: -1, failover: false)),
            ]
        }
        return step(.psync(cached), actions, at: now)
    }

    // MARK: The reply to PSYNC

    private mutating func receivedPsyncReply(
        _ line: String, asked: CachedMaster?, at now: Instant
    ) -> [Action] {
        // An empty line: the master is still at it.
        if line.isEmpty { return step(.psync(asked), [], at: now) }
        if line.hasPrefix("+FULLRESYNC") { return fullResync(line, at: now) }
        if line.hasPrefix("+CONTINUE") { return goOn(line, asked: asked, at: now) }
        let answered = failoverAnswered(accepted: false)
        if line.hasPrefix("-NOMASTERLINK") || line.hasPrefix("-LOADING") {
            let text = "Master is currently unable to PSYNC but should be in the future: \(line)"
            return retry(after: .seconds(1), at: now, answered + [.notice(text), .close])
        }
        var actions = answered
        if line.hasPrefix("-ERR") {
            actions.append(
                .notice("Master does not support PSYNC or is in error state (reply: \(line))"))
        } else {
            actions.append(
                .warning(
                    "Unexpected reply to PSYNC from master: \(line) (expected +FULLRESYNC <id> <offset>, or +CONTINUE)"
                ))
        }
        actions += discardingCached()
        actions += [.notice("Retrying with SYNC..."), .send(.sync)]
        state = .transfer(Transfer(history: nil, lastIO: now, newline: now))
        return actions
    }

    private mutating func fullResync(_ line: String, at now: Instant) -> [Action] {
        let answered = failoverAnswered(accepted: true)
        let words = line.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 3, let id = ReplicationID(words[1]), let offset = Int64(words[2]),
            StreamOffset.isPlausible(offset)
        else {
            // Redis goes on with a blank id; then offsets would mean nothing. We ask again.
            failures += 1
            let text =
                "Master replied with wrong +FULLRESYNC syntax. The line was '\(line)' "
                + "(expected +FULLRESYNC <40 characters> <offset up to 2^62>)"
            return retry(after: nil, at: now, answered + [.warning(text), .close])
        }
        var actions = answered + [.notice("Full resync from master: \(id):\(offset)")]
        actions += discardingCached()
        let history = CachedMaster(id: id, offset: offset, db: -1)
        state = .transfer(Transfer(history: history, lastIO: now, newline: now))
        return actions
    }

    private mutating func goOn(
        _ line: String, asked: CachedMaster?, at now: Instant
    ) -> [Action] {
        let words = line.split(separator: " ", omittingEmptySubsequences: true)
        guard var state = asked, words.count == 1 || ReplicationID(words[1]) != nil else {
            failures += 1
            cached = nil
            let text =
                "Unexpected reply to PSYNC from master: '\(line)' to a request for "
                + (asked.map { "\($0.id):\($0.offset + 1)" } ?? "a full resynchronization")
            return retry(
                after: nil, at: now, failoverAnswered(accepted: false) + [.warning(text), .close])
        }
        var actions = failoverAnswered(accepted: true)
        actions.append(.notice("Successful partial resynchronization with master."))
        if words.count > 1, let id = ReplicationID(words[1]), id != state.id {
            actions += [.warning("Master replication ID changed to \(id)"), .rename(id)]
            state.id = id
        }
        cached = nil
        becomeConnected(psync: true, at: now)
        return actions + [
            .resume(state),
            .notice(
                "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization."),
            .sendAck,
        ]
    }

    mutating func becomeConnected(psync: Bool, at now: Instant) {
        downSince = nil
        failures = 0
        state = .connected(since: now, lastIO: now, psync: psync)
    }

    private mutating func discardingCached() -> [Action] {
        guard cached != nil else { return [] }
        cached = nil
        return [.notice("Discarding previously cached master state.")]
    }

    private mutating func failoverAnswered(accepted: Bool) -> [Action] {
        guard failover else { return [] }
        failover = false
        return [.failoverAnswered(accepted: accepted)]
    }

    mutating func handshakeLost(_ step: Step, _ reason: String, at now: Instant) -> [Action] {
        let text: String
        switch step {
        case .pong, .auth, .port, .ip, .capa:
            text = "Master did not respond to command during SYNC handshake: \(reason)"
        case .psync: text = "Master did not reply to PSYNC, will try later: \(reason)"
        }
        return retry(
            after: .seconds(1), at: now,
            failoverAnswered(accepted: false) + [.warning(text), .close])
    }
}
