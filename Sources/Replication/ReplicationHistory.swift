// SPDX-License-Identifier: BSD-3-Clause
//
// Whose history our data set has: the replication id, the second id that a former master left us,
// and up to which offset it holds. Offsets alone mean nothing; (id, offset) names one state of the
// data. The rules are Redis 4's to 6's; master_repl_offset itself is the stream's end (StreamBuffer).

/// 40 hexadecimal characters.
public struct ReplicationID: Hashable, Sendable, CustomStringConvertible {
    public let text: String

    /// What Redis prints when there is none.
    public static let none = ReplicationID(unchecked: String(repeating: "0", count: 40))

    /// An id from a peer: exactly 40 characters, letters and digits; otherwise nil.
    public init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard bytes.count == 40 else { return nil }
        for c in bytes {
            let isDigit = c >= 0x30 && c <= 0x39
            let isLetter = (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7A
            guard isDigit || isLetter else { return nil }
        }
        self.text = String(text)
    }

    init(unchecked text: String) { self.text = text }

    /// A new id from 20 random bytes; fewer are filled up with zeros.
    public init(random bytes: [UInt8]) {
        var text = ""
        for i in 0..<20 {
            let byte = i < bytes.count ? bytes[i] : 0
            text += String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
        self.text = text
    }

    /// Ids are compared without regard to case, as Redis does.
    func matches(_ other: String) -> Bool { text.lowercased() == other.lowercased() }

    public var description: String { text }
}

/// Which offsets a peer or a file may name.
public enum StreamOffset {
    /// No stream gets there, and sums with it don't overflow.
    public static let most: Int64 = 1 << 62

    public static func isPlausible(_ offset: Int64) -> Bool { offset >= 0 && offset <= most }
}

/// What `decide` finds about a request to go on from an offset.
public enum PartialResync: Equatable, Sendable {
    /// Go on from stream position `position` (the asked offset less one).
    case goOn(position: Int64, log: [LogLine])
    case full([LogLine])
}

/// Our ids. A value; the shell keeps one and saves it with each snapshot.
public struct ReplicationHistory: Equatable, Sendable {
    /// master_replid.
    public private(set) var id: ReplicationID
    /// master_replid2: the id of the master whose stream we continued.
    public private(set) var secondID: ReplicationID = .none
    /// second_repl_offset: the second id is good for requests up to this; -1 without one.
    public private(set) var secondOffset: Int64 = -1

    public init(id: ReplicationID) { self.id = id }

    public init(id: ReplicationID, secondID: ReplicationID, secondOffset: Int64) {
        self.id = id
        self.secondID = secondID
        self.secondOffset = secondOffset
    }

    /// A new history that shares nothing with the old one: first backlog, backlog given up, DEBUG
    /// CHANGE-REPL-ID.
    public mutating func begin(_ fresh: ReplicationID) {
        id = fresh
        clearSecond()
    }

    public mutating func change(_ fresh: ReplicationID) { id = fresh }

    public mutating func clearSecond() {
        secondID = .none
        secondOffset = -1
    }

    /// Promotion, or a restart of a master: what was is offered as the second id, up to and with the
    /// byte that would follow `offset`, the end of our stream.
    public mutating func shift(_ fresh: ReplicationID, at offset: Int64) -> LogLine {
        secondID = id
        secondOffset = offset + 1
        id = fresh
        return LogLine(
            .warning,
            "Setting secondary replication ID to \(secondID), valid up to offset: \(secondOffset). "
                + "New replication ID is \(id)")
    }

    /// A full sync put the master's data in place of ours.
    public mutating func adopt(_ master: ReplicationID) { begin(master) }

    /// `+CONTINUE <new id>`: the master goes on under another id from `offset`, the end of our stream.
    public mutating func rename(_ master: ReplicationID, at offset: Int64) {
        secondID = id
        secondOffset = offset + 1
        id = master
    }

    /// A full sync at `offset` of history `other` brings what became of our own data, which is at `end`.
    public func leads(to other: ReplicationID, at offset: Int64, from end: Int64) -> Bool {
        (other == id || other == secondID) && other != .none && offset >= end
    }

    /// May a replica that asks for `offset` of history `asked` be continued from what `stream` holds?
    public func decide(
        psync asked: String, offset: Int64, replica: String, stream: StreamBuffer
    ) -> PartialResync {
        decide(
            psync: asked, offset: offset, replica: replica,
            held: stream.isActive ? stream.start...stream.end : nil, end: stream.end)
    }

    /// The same from plain numbers; `held` is the positions of the history, nil without a backlog.
    public func decide(
        psync asked: String, offset: Int64, replica: String, held: ClosedRange<Int64>?, end: Int64
    ) -> PartialResync {
        let isFirst = id.matches(asked)
        let isSecond = secondID != .none && secondID.matches(asked)
        guard isFirst || (isSecond && offset <= secondOffset) else {
            return .full([refusal(asked, offset, replica, isSecond: isSecond)])
        }
        guard let held, offset >= 1, held.contains(offset - 1) else {
            return .full(lack(of: held, offset, replica, end: end))
        }
        let bytes = held.upperBound - (offset - 1)
        return .goOn(
            position: offset - 1,
            log: [
                LogLine(
                    .notice,
                    "Partial resynchronization request from \(replica) accepted. Sending \(bytes) "
                        + "bytes of backlog starting from offset \(offset).")
            ])
    }

    private func refusal(
        _ asked: String, _ offset: Int64, _ replica: String, isSecond: Bool
    ) -> LogLine {
        if asked.hasPrefix("?") {
            return LogLine(.notice, "Full resync requested by replica \(replica)")
        }
        if isSecond {
            return LogLine(
                .notice,
                "Partial resynchronization not accepted: Requested offset for second ID was "
                    + "\(offset), but I can reply up to \(secondOffset)")
        }
        return LogLine(
            .notice,
            "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for "
                + "'\(asked)', my replication IDs are '\(id)' and '\(secondID)')")
    }

    private func lack(
        of held: ClosedRange<Int64>?, _ offset: Int64, _ replica: String, end: Int64
    ) -> [LogLine] {
        let range = held.map { "I hold \($0.lowerBound + 1) to \($0.upperBound)" } ?? "I hold none"
        var lines = [
            LogLine(
                .notice,
                "Unable to partial resync with replica \(replica) for lack of backlog "
                    + "(Replica request was: \(offset)). \(range).")
        ]
        if offset > end + 1 {
            lines.append(
                LogLine(
                    .warning,
                    "Warning: replica \(replica) tried to PSYNC with an offset that is greater than "
                        + "the master replication offset."))
        }
        return lines
    }
}

extension ReplicationHistory: CustomStringConvertible {
    public var description: String {
        "history id=\(id) id2=\(secondID) second_offset=\(secondOffset)"
    }
}
