// SPDX-License-Identifier: BSD-3-Clause
//
// libwing's transfers and the few system calls of this room behind safe types. Descriptors are plain
// numbers here; who opened one closes it.

import Glibc
import Keyspace
import Memory
import Platform
import Wing

enum TransferCalls {
    /// Writes all of `bytes` at `offset`, which moves: 0 or -errno.
    static func write(_ file: Int32, _ bytes: Bytes, at offset: inout UInt64) -> Int32 {
        var rest = bytes
        while !rest.isEmpty {
            let n = unsafe pwrite(file, rest.start.pointer, rest.count, off_t(offset))
            if n < 0 {
                if errno == EINTR { continue }
                return -errno
            }
            offset += UInt64(n)
            rest = rest.dropFirst(n)
        }
        return 0
    }

    /// Up to `limit` bytes of `file` from `offset` on to `socket`: how many; 0: it is full; negative:
    /// libwing's code.
    static func send(_ socket: Int32, _ file: Int32, _ offset: inout UInt64, _ limit: Int) -> Int {
        unsafe wing_transfer_send(socket, file, &offset, limit)
    }

    /// The text of a libwing code.
    static func reason(_ code: Int32) -> String { unsafe String(cString: wing_strerror(code)) }

    /// Bytes of `file` at `offset`, into `buffer`; how many, or -1 with errno.
    static func read(_ file: Int32, _ buffer: ByteBuffer, _ count: Int, at offset: UInt64) -> Int {
        let place = buffer.reserve(count)
        let n = unsafe pread(file, place.pointer, count, off_t(offset))
        if n > 0 { buffer.commit(n) }
        return n
    }

    /// Whether the peer's window takes more than is under way; nil where that is no TCP socket.
    static func peerHasRoom(_ socket: Int32) -> Bool? {
        let answer = redwing_peer_has_room(socket)
        return answer < 0 ? nil : answer == 1
    }

    static func size(_ file: Int32) -> UInt64 {
        var status = stat()
        return unsafe fstat(file, &status) == 0 ? UInt64(status.st_size) : 0
    }

    /// What the socket holds, up to `count` bytes, left there; as recv(2).
    static func peek(_ socket: Int32, _ buffer: ByteBuffer, _ count: Int) -> Int {
        buffer.removeAll()
        let n = unsafe recv(socket, buffer.reserve(count).pointer, count, Int32(MSG_PEEK))
        if n > 0 { buffer.commit(n) }
        return n
    }

    /// Takes `count` bytes that `peek` has shown.
    static func take(_ socket: Int32, _ count: Int) {
        let buffer = ByteBuffer(capacity: count)
        unsafe _ = recv(socket, buffer.reserve(count).pointer, count, 0)
    }

    /// A new file, or -1 with errno.
    static func create(_ path: String) -> Int32 {
        unsafe open(path, O_CREAT | O_RDWR | O_EXCL | O_CLOEXEC, 0o644)
    }

    static func openToRead(_ path: String) -> Int32 { unsafe open(path, O_RDONLY | O_CLOEXEC) }
    static func remove(_ path: String) { unsafe _ = unlink(path) }
    static func move(_ path: String, to target: String) -> Bool { unsafe rename(path, target) == 0 }
    /// The working directory's entries are on disk.
    static func syncDirectory() {
        let folder = unsafe open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        _ = fsync(folder)
        SystemCalls.close(folder)
    }

    /// The peer sends nothing any more: what the socket holds is all there will be.
    static func hasEnded(_ socket: Int32) -> Bool {
        // POLLRDHUP, which is EPOLLRDHUP.
        waits(socket, for: Int32(EPOLLRDHUP.rawValue), 0)
    }

    /// A pipe's reading and writing end, or -errno.
    static func pipe(size: Int32) -> Result<(Int32, Int32), SystemError> {
        var ends: [Int32] = [-1, -1]
        let code = unsafe redwing_pipe(&ends, size)
        return code < 0
            ? .failure(SystemError(call: "pipe2", code: -code)) : .success((ends[0], ends[1]))
    }

    static func waitWritable(_ fd: Int32, milliseconds: Int32) {
        var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        unsafe _ = poll(&entry, 1, milliseconds)
    }

    static func waitReadable(_ fd: Int32, milliseconds: Int32) {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        unsafe _ = poll(&entry, 1, milliseconds)
    }

    static func isWritable(_ fd: Int32, milliseconds: Int32) -> Bool {
        waits(fd, for: Int32(POLLOUT), milliseconds)
    }

    static func isReadable(_ fd: Int32, milliseconds: Int32) -> Bool {
        waits(fd, for: Int32(POLLIN), milliseconds)
    }

    /// False when the time was over; an error or the peer's end counts as ready: the next call tells.
    private static func waits(_ fd: Int32, for events: Int32, _ milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: fd, events: Int16(events), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) > 0
    }

    /// An unlinked file: in memory, or in the data directory.
    static func makeSpool(onDisk: Bool) throws(SystemError) -> Int32 {
        let fd = onDisk ? redwing_spool_disk() : redwing_spool_memory()
        if fd < 0 { throw SystemError(call: "spool", code: -fd) }
        return fd
    }

    static func sleep(microseconds: UInt32) { usleep(microseconds) }
}

/// How far a snapshot's child may write into its spool: see redwing_spool_gate.
@safe
final class SpoolGate {
    private let gate: OpaquePointer

    /// Nil when memory is short.
    init?(_ spool: Int32) {
        guard let gate = unsafe redwing_spool_gate_create(spool) else { return nil }
        unsafe self.gate = unsafe gate
    }

    deinit { unsafe redwing_spool_gate_free(gate) }

    /// The link is slower than the writer: set by the parent, asked by the child.
    var isNarrow: Bool {
        get { unsafe redwing_spool_gate_is_narrow(gate) != 0 }
        set { unsafe redwing_spool_gate_narrow(gate, newValue ? 1 : 0) }
    }

    func open(upTo end: UInt64) { unsafe redwing_spool_gate_open(gate, end) }

    /// For the child: what it writes waits at the gate. The gate must outlive the writer.
    func writer(_ options: RDBWriter.Options) -> RDBWriter {
        unsafe RDBWriter.sink(redwing_spool_write, Address(UnsafeRawPointer(gate)), options)
    }
}

/// Moves bytes from a socket into a file without a copy.
@safe
final class SocketReceiver {
    private let receiver: OpaquePointer?

    init() { unsafe receiver = wing_transfer_receiver_create() }
    deinit { unsafe wing_transfer_receiver_free(receiver) }

    /// As wing_transfer_receive.
    func receive(_ socket: Int32, into file: Int32, _ offset: inout UInt64, _ limit: Int) -> Int {
        guard unsafe receiver != nil else { return -Int(ENOMEM) }
        return unsafe wing_transfer_receive(receiver, socket, file, &offset, limit)
    }
}

/// Hands each byte of a pipe to several sockets.
@safe
final class PipeFan {
    private let fan: OpaquePointer?

    init(_ pipe: Int32) { unsafe fan = wing_transfer_fan_create(pipe) }
    deinit { unsafe wing_transfer_fan_free(fan) }

    /// The sink's index, or a negative code.
    func add(_ socket: Int32) -> Int32 {
        unsafe fan == nil ? -ENOMEM : wing_transfer_fan_add(fan, socket)
    }

    func remove(_ index: Int32) {
        if unsafe fan != nil { unsafe _ = wing_transfer_fan_remove(fan, Int(index)) }
    }

    func step(_ limit: Int) -> Int {
        unsafe fan == nil ? -Int(ENOMEM) : wing_transfer_fan_step(fan, limit)
    }

    var wantsSource: Bool { unsafe fan != nil && wing_transfer_fan_wants_source(fan) != 0 }

    struct Sink {
        let error: Int32
        let sent: UInt64
        let pending: UInt64
    }

    func sink(_ index: Int32) -> Sink? {
        guard unsafe fan != nil, let state = unsafe wing_transfer_fan_sink(fan, Int(index))
        else { return nil }
        return unsafe Sink(
            error: state.pointee.error, sent: state.pointee.sent, pending: state.pointee.pending)
    }
}
