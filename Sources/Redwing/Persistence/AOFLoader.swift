// SPDX-License-Identifier: BSD-3-Clause
//
// Reading an AOF: behind the preamble each command is run by a client of the server's own, a
// transaction when its EXEC is there, so all or nothing of it. The main thread does it, in slices, so
// that clients are answered -LOADING in between.

import Glibc
import Keyspace
import Memory
import RESP

/// How reading went on.
enum AOFStep: Equatable {
    case more
    case done
    /// The file ends in the middle of something; what is before `good` was applied.
    case truncated
    /// It can't be read or understood at all: Redis's line.
    case failed(String)
}

/// One pass over a file's commands. Main thread only.
final class AOFLoader {
    private let server: Server
    private let fd: Int32
    private let fileSize: UInt64
    private let client: Client
    private let buffer = ByteBuffer()
    private var parser = RequestParser()
    private var limits = RequestLimits()
    /// Place in the file of the buffer's first byte.
    private(set) var offset: UInt64
    /// Behind the last command that is whole and outside of an open transaction.
    private(set) var good: UInt64
    private(set) var positions: AOFPositions
    private(set) var commands: UInt64 = 0
    private var errorsLogged = 0
    private static let chunk = 1 << 20

    /// The commands begin at `offset`, behind the preamble.
    init(_ server: Server, fd: Int32, offset: UInt64, size: UInt64, base: SnapshotInfo.Replication?)
    {
        self.server = server
        self.fd = fd
        self.offset = offset
        good = offset
        fileSize = size
        positions = AOFPositions(base: base)
        client = server.makeInternalClient()
        // What was written was within limits then; the file's own size bounds what is reserved.
        limits.bulk = Int.max / 4
        limits.words = Int.max / 4
    }

    /// Reads on until `deadline` (ms, monotonic).
    func step(until deadline: Int64) -> AOFStep {
        while true {
            if let end = runBuffered(deadline) { return end }
            if EventLoop.monotonic >= deadline { return .more }
            let missing = max(Self.chunk, min(parser.missing(have: buffer.count), buffer.count))
            let place = buffer.reserve(missing)
            let n = unsafe pread(fd, place.pointer, missing, off_t(offset) + off_t(buffer.count))
            if n < 0 {
                let code = errno
                if code == EINTR { continue }
                return .failed(
                    "Unrecoverable error reading the append only file: \(AppendOnlyFile.reason(code))"
                )
            }
            if n == 0 {
                if client.flags.contains(.multi) {
                    Log.warning("Revert incomplete MULTI/EXEC transaction from AOF file")
                    return .truncated
                }
                return buffer.isEmpty ? .done : .truncated
            }
            buffer.commit(n)
        }
    }

    /// Runs whole commands; nil when more bytes are needed or the time is over.
    private func runBuffered(_ deadline: Int64) -> AOFStep? {
        while !buffer.isEmpty {
            let first = buffer.bytes[0]
            if first == UInt8(ascii: "#"), !parser.isMidRequest {
                guard skipLine() else { return nil }
                continue
            }
            if first != UInt8(ascii: "*") { return badFormat() }
            switch parser.parse(buffer.bytes, limits: limits) {
            case .request(let size):
                client.arguments = parser.arguments
                if let end = run(size) { return end }
                commands += 1
                if commands & 127 == 0, EventLoop.monotonic >= deadline { return .more }
            case .incomplete: return nil
            case .empty, .violation, .noBulk: return badFormat()
            }
        }
        return nil
    }

    /// An annotation of Redis 7.
    private func skipLine() -> Bool {
        let bytes = buffer.bytes
        for i in 0..<bytes.count where bytes[i] == 0x0A {
            buffer.consume(i + 1)
            offset += UInt64(i + 1)
            if !client.flags.contains(.multi) { good = offset }
            return true
        }
        return false
    }

    private func badFormat() -> AOFStep {
        .failed(
            "Bad file format reading the append only file: make a backup of your AOF file, then use ./redis-check-aof --fix <filename> (at byte \(offset))"
        )
    }

    private func run(_ size: Int) -> AOFStep? {
        let end = offset + UInt64(size)
        let name = client[0]
        // A record is no command: it is read whatever rename-command made of ECHO.
        if client.count == 2, client.word(0, is: "echo"), let record = AOFRecord(client[1]) {
            if isTorn(record, end) { return .truncated }
            positions.read(record, end: end)
            consume(size)
            return nil
        }
        guard let command = server.commands.find(name) else {
            return .failed(
                "Unknown command '\(name.prefix(128).string)' reading the append only file")
        }
        // Arity is checked here since bodies rely on it.
        guard command.accepts(client.count) else {
            return .failed(
                "Wrong number of arguments for '\(command.name)' reading the append only file (at byte \(offset))"
            )
        }
        client.command = command
        client.request = Bytes(start: buffer.bytes.start, count: size)
        if client.flags.contains(.multi), !command.flags.contains(.inMulti) {
            server.queue(client, command)
        } else {
            server.runLoaded(client, command)
        }
        client.request = .empty
        noteError(command)
        consume(size)
        if !client.flags.contains(.multi) { positions.applied(end: end) }
        return nil
    }

    /// A batch that isn't whole: a replica goes back to where it was before it and asks its master for
    /// the rest. A master has nobody to ask: it keeps what is there.
    private func isTorn(_ record: AOFRecord, _ end: UInt64) -> Bool {
        server.isReplica && UInt64(record.size) > fileSize - min(end, fileSize)
    }

    private func consume(_ size: Int) {
        buffer.consume(size)
        offset += UInt64(size)
        if !client.flags.contains(.multi) { good = offset }
        server.persistence.load?.progress.bytes = offset
    }

    /// What the file has went well when it was written.
    private func noteError(_ command: Command) {
        let out = client.reply.out
        if !out.isEmpty, out.bytes[0] == UInt8(ascii: "-") {
            errorsLogged += 1
            if errorsLogged <= 10 {
                let text = out.bytes.dropFirst(1).prefix(128).string.prefix {
                    $0 != "\r\n" && $0 != "\r"
                }
                Log.warning(
                    "Command '\(command.name)' at byte \(offset) of the append only file failed: \(text)"
                )
            }
        }
        out.removeAll(keeping: 1 << 16)
    }
}

extension Server {
    /// Runs a command from the AOF: nothing of it is propagated, counted or timed.
    fileprivate func runLoaded(_ client: Client, _ command: Command) {
        let outer = propagation
        propagation = Propagation()
        let previous = currentReference
        currentReference = ClientReference(client)
        command.body(client)
        currentReference = previous
        propagation = outer
    }
}
