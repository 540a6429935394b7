// SPDX-License-Identifier: BSD-3-Clause
//
// How commands become the stream: SELECT where the db changes, MULTI and EXEC around what belongs
// together, and the RESP form itself, written straight into the stream's blocks.

import Memory

/// The stream with its rules. `db` is slaveseldb: what the stream has selected, -1 when the next
/// command must select, so that a replica whose snapshot was just taken knows where it is.
public final class StreamFeed {
    public let stream: StreamBuffer
    public internal(set) var db = -1
    /// What is fed between `beginGroup` and `endGroup` is framed by MULTI and EXEC, if anything is.
    private enum Group { case none, open(depth: Int), framed(depth: Int) }
    private var group = Group.none
    /// Between `beginGroup` and `endGroup`: the stream's end is no place to go on from.
    public var isGrouped: Bool {
        if case .none = group { return false }
        return true
    }
    /// Two, since an argument's digits wait in one while its header is made in the other.
    private let digits = ByteBuffer(capacity: 64)
    private let heading = ByteBuffer(capacity: 64)

    public init(stream: StreamBuffer) { self.stream = stream }

    /// A command of `count` arguments follows, for `db` (-1: for none in particular, like PING).
    public func begin(_ count: Int, db target: Int) {
        switch group {
        case .open(let depth):
            select(target)
            stream.append("*1\r\n$5\r\nMULTI\r\n")
            group = .framed(depth: depth)
        case .framed, .none: select(target)
        }
        header(0x2A, count)
    }

    /// The next argument of the command.
    public func argument(_ bytes: Bytes) {
        header(0x24, bytes.count)
        stream.append(bytes)
        stream.append("\r\n")
    }

    public func argument(decimal value: Int64) {
        let place = digits.reserve(Decimal.maximumSize)
        argument(Bytes(start: place, count: Decimal.write(value, to: place)))
    }

    /// A command that came in as a plain RESP array and goes on unchanged: one copy, no encoding.
    public func append(request bytes: Bytes, db target: Int) {
        switch group {
        case .open(let depth):
            select(target)
            stream.append("*1\r\n$5\r\nMULTI\r\n")
            group = .framed(depth: depth)
        case .framed, .none: select(target)
        }
        stream.append(bytes)
    }

    /// A whole command from words of ours.
    public func append(words: [Bytes], db target: Int) { feed(words, db: target) }

    /// A whole command from arguments of ours.
    public func feed(_ arguments: [Bytes], db target: Int) {
        begin(arguments.count, db: target)
        for bytes in arguments { argument(bytes) }
    }

    /// What our master sent, byte for byte; the stream's db is then not ours to know.
    public func proxy(_ bytes: Bytes) { stream.append(bytes) }

    /// The keepalive: counts in the offset, belongs to no db.
    public func ping() { stream.append("*1\r\n$4\r\nPING\r\n") }

    /// Asks all replicas for an ACK, for WAIT.
    public func getAck() { stream.append("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n") }

    /// The next command selects its db anew: a snapshot was just taken for a replica.
    public func forgetDB() { db = -1 }

    /// The stream has `db` selected: restored from an RDB, or taken over from a master.
    public func assumeDB(_ db: Int) { self.db = db }

    // MARK: What belongs together

    /// A transaction or a script begins. Groups nest; the outermost frames.
    public func beginGroup() {
        switch group {
        case .none: group = .open(depth: 1)
        case .open(let depth): group = .open(depth: depth + 1)
        case .framed(let depth): group = .framed(depth: depth + 1)
        }
    }

    public func endGroup() {
        switch group {
        case .none: break
        case .open(let depth): group = depth == 1 ? .none : .open(depth: depth - 1)
        case .framed(let depth) where depth > 1: group = .framed(depth: depth - 1)
        case .framed:
            stream.append("*1\r\n$4\r\nEXEC\r\n")
            group = .none
        }
    }

    // MARK: Pieces

    private func select(_ target: Int) {
        guard target >= 0, target != db else { return }
        stream.append("*2\r\n$6\r\nSELECT\r\n")
        argument(decimal: Int64(target))
        db = target
    }

    /// `*<n>` or `$<n>` with its line end, written in place where the block has room.
    private func header(_ kind: UInt8, _ n: Int) {
        if stream.room > Self.headerSize {
            stream.commit(Self.write(kind, n, to: stream.place))
        } else {
            let place = heading.reserve(Self.headerSize)
            stream.append(Bytes(start: place, count: Self.write(kind, n, to: place)))
        }
    }

    private static let headerSize = Decimal.maximumSize + 3

    private static func write(_ kind: UInt8, _ n: Int, to place: Address) -> Int {
        place.store(kind)
        let size = 1 + Decimal.write(Int64(n), to: place + 1)
        place.store(UInt8(0x0D), at: size)
        place.store(UInt8(0x0A), at: size + 1)
        return size + 2
    }
}
