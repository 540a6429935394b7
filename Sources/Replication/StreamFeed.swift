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
    @usableFromInline let scratch = ByteBuffer(capacity: 64)

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

    @inlinable
    public func argument(decimal value: Int64) {
        scratch.removeAll()
        let place = scratch.reserve(Decimal.maximumSize)
        scratch.commit(Decimal.write(value, to: place))
        let text = scratch.bytes.array
        Bytes.with(text) { argument($0) }
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
        let digits = Decimal.digits(UInt64(target))
        stream.append("*2\r\n$6\r\nSELECT\r\n")
        header(0x24, digits)
        number(target)
        stream.append("\r\n")
        db = target
    }

    /// `*<n>` or `$<n>` with its line end.
    private func header(_ kind: UInt8, _ n: Int) {
        scratch.removeAll()
        let place = scratch.reserve(Decimal.maximumSize + 3)
        place.store(kind)
        let size = 1 + Decimal.write(Int64(n), to: place + 1)
        place.store(UInt8(0x0D), at: size)
        place.store(UInt8(0x0A), at: size + 1)
        scratch.commit(size + 2)
        stream.append(scratch.bytes)
    }

    private func number(_ n: Int) {
        scratch.removeAll()
        let place = scratch.reserve(Decimal.maximumSize)
        scratch.commit(Decimal.write(Int64(n), to: place))
        stream.append(scratch.bytes)
    }
}
