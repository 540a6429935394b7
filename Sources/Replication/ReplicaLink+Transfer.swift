// SPDX-License-Identifier: BSD-3-Clause
//
// The full sync as its receiver sees it: the header line, the body, the load. Whatever goes wrong
// ends in a line that says what and a later attempt; the old data set stays until the load.

extension ReplicaLink {
    mutating func receivedHeader(
        _ line: String, _ transfer: Transfer, keyspaceIsEmpty: Bool, at now: Instant
    ) -> [Action] {
        var transfer = transfer
        guard transfer.phase == .header else { return [] }
        transfer.lastIO = now
        state = .transfer(transfer)
        // The master's sign of life while its snapshot is being made.
        if line.isEmpty { return [] }
        if line.hasPrefix("-") {
            let text = "MASTER aborted replication with an error: \(line.dropFirst())"
            return syncFailed(LogLine(.warning, text), at: now)
        }
        guard let size = Transfer.Size(header: line) else {
            let text =
                line.hasPrefix("$")
                ? "Bad protocol from MASTER: '\(line)' announces no transfer"
                : "Bad protocol from MASTER, the first byte is not '$' (we received '\(line)'), are "
                    + "you sure the host and port are right?"
            let expected = " (expected $<bytes> or $EOF:<\(EOFMark.size) characters>)"
            return syncFailed(LogLine(.warning, text + expected), at: now)
        }
        let parse = parses(keyspaceIsEmpty: keyspaceIsEmpty)
        transfer.phase = parse ? .parsing(size) : .receiving(size)
        state = .transfer(transfer)
        let target = parse ? "to parser" : "to disk"
        let text: String
        switch size {
        case .bytes(let count):
            text = "MASTER <-> REPLICA sync: receiving \(count) bytes from master \(target)"
        case .mark:
            text = "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF \(target)"
        }
        return [.notice(text), .startTransfer(size, parse: parse)]
    }

    private func parses(keyspaceIsEmpty: Bool) -> Bool {
        switch settings.disklessLoad {
        case .disabled: return false
        case .onEmptyDB: return keyspaceIsEmpty
        case .swapDB: return true
        }
    }

    /// `count` bytes of the body have come.
    public mutating func received(bytes count: Int64, at now: Instant) {
        switch state {
        case .transfer(var transfer):
            transfer.read += count
            transfer.meter.add(count, at: now)
            transfer.lastIO = now
            state = .transfer(transfer)
        case .none, .connect, .connecting, .handshake, .connected: break
        }
    }

    /// The body is complete: all bytes, or the mark, have come into the file.
    public mutating func transferred(at now: Instant) -> [Action] {
        switch state {
        case .transfer(var transfer):
            switch transfer.phase {
            case .receiving:
                transfer.phase = .loading
                transfer.newline = now
                state = .transfer(transfer)
                return [.load]
            case .header, .parsing, .loading: return []
            }
        case .none, .connect, .connecting, .handshake, .connected: return []
        }
    }

    /// The new data set is in place. `db` is the stream's db that the RDB tells, -1 when it doesn't.
    public mutating func loaded(db: Int = -1, at now: Instant) -> [Action] {
        switch state {
        case .transfer(let transfer):
            switch transfer.phase {
            case .parsing, .loading:
                var history = transfer.history
                history?.db = db
                becomeConnected(psync: history != nil, at: now)
                let log = Action.notice("MASTER <-> REPLICA sync: Finished with success")
                return [.adopt(history), log] + (history == nil ? [] : [.sendAck])
            case .header, .receiving: return []
            }
        case .none, .connect, .connecting, .handshake, .connected: return []
        }
    }

    /// The body is not what we can load; `line` says where and why.
    public mutating func loadFailed(_ line: String, at now: Instant) -> [Action] {
        switch state {
        case .transfer: return syncFailed(LogLine(.warning, line), at: now)
        case .none, .connect, .connecting, .handshake, .connected: return []
        }
    }

    mutating func transferLost(
        _ transfer: Transfer, _ reason: String, at now: Instant
    ) -> [Action] {
        let line: LogLine
        switch transfer.phase {
        case .header:
            line = LogLine(.warning, "I/O error reading bulk count from MASTER: \(reason)")
        case .receiving(let size), .parsing(let size):
            let place = size.total.map { " (byte \(transfer.read) of \($0))" }
            let text = "I/O error trying to sync with MASTER: \(reason)"
            line = LogLine(.warning, text + (place ?? " (byte \(transfer.read))"))
        case .loading:
            // The file is complete, and the load goes on; its end finds the link gone.
            return []
        }
        return syncFailed(line, at: now)
    }
}

extension ReplicaLink.Transfer.Size {
    /// `$<bytes>`, digits only and not 0, or `$EOF:<40 characters>`; nil for anything else.
    public init?(header line: String) {
        guard line.hasPrefix("$") else { return nil }
        let rest = line.dropFirst()
        if rest.hasPrefix("EOF:") {
            let mark = rest.dropFirst(4)
            guard mark.utf8.count == EOFMark.size else { return nil }
            self = .mark(String(mark))
            return
        }
        // No data set has 256 TiB: a length beyond is damage, or no RDB at all.
        guard rest.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let count = Int64(rest),
            count > 0,
            count < 1 << 48
        else { return nil }
        self = .bytes(count)
    }

    /// Bytes announced; nil for a transfer that ends with a mark.
    public var total: Int64? {
        switch self {
        case .bytes(let count): return count
        case .mark: return nil
        }
    }
}

extension ReplicaLink: CustomStringConvertible {
    public var description: String {
        let target = master.map { " master=\($0)" } ?? ""
        let from = cached.map { " cached=\($0.id):\($0.offset)" } ?? ""
        switch state {
        case .none: return "none"
        case .connect(let at): return "connect at=\(at) failures=\(failures)" + target + from
        case .connecting(let since): return "connecting since=\(since)" + target + from
        case .handshake(let step, let since):
            return "handshake step=\(step.name) since=\(since)" + target + from
        case .transfer(let transfer): return "transfer \(transfer)" + target
        case .connected(_, let lastIO, let psync):
            return "connected last_io=\(lastIO) psync=\(psync)" + target
        }
    }
}

extension ReplicaLink.Step {
    public var name: String {
        switch self {
        case .pong: return "pong"
        case .auth: return "auth"
        case .port: return "port"
        case .ip: return "ip"
        case .capa: return "capa"
        case .psync: return "psync"
        }
    }
}

extension ReplicaLink.Transfer: CustomStringConvertible {
    public var description: String {
        let id = history.map { "\($0.id):\($0.offset)" } ?? "unknown"
        let name: String
        switch phase {
        case .header: name = "header"
        case .receiving: name = "receiving"
        case .parsing: name = "parsing"
        case .loading: name = "loading"
        }
        return "phase=\(name) read=\(read) history=\(id)"
    }
}
