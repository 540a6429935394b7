// SPDX-License-Identifier: BSD-3-Clause
//
// The bytes of one load, as libwing's reader pulls them on whatever thread it runs. The descriptor is
// this load's own: the link may be closed, and its number be another's, while a thread still reads.
//
//     opened (main) ── pull … pull (the loader, or who reads ahead of it) ── close (main, thread ended)
//                 └─── interrupt (main, any time): a waiting pull returns, the peer sees the end
//
// A file may still be growing: then its end is the end only when `progress.isWhole`, and `grew` (main)
// wakes who waits for more.

import Glibc
import Keyspace
import Memory
import Platform
import Wing

@safe
final class LoadInput: @unchecked Sendable {
    private let fd: Int32
    private var isOpen = true
    /// A socket, read with patience; with TLS through its session.
    private let isSocket: Bool
    private let transport: TLSConnection?
    private let patience_ms: Int64
    /// An eventfd that tells of a growing file; -1 for what doesn't grow.
    private var bell: Int32 = -1
    /// Finds out and takes off the container of a file; nil where there must be none.
    private var codec: OpaquePointer?
    /// What the container's decoder said, when it was it that failed.
    private var containerFault: Int32 = 0
    private var sourceFault = 0
    private let progress: LoadProgress

    private init(
        _ fd: Int32, _ progress: LoadProgress, isSocket: Bool = false,
        transport: TLSConnection? = nil,
        patience_ms: Int = 0
    ) {
        self.fd = fd
        self.progress = progress
        self.isSocket = isSocket
        self.transport = transport
        self.patience_ms = Int64(patience_ms)
    }

    deinit {
        close()
        unsafe wing_codec_reader_free(codec)
    }

    /// A file in any container.
    static func file(_ path: String, _ progress: LoadProgress) throws(LoadFailure) -> LoadInput {
        let fd = TransferCalls.openToRead(path)
        guard fd >= 0 else {
            throw LoadFailure("can't open \(path): \(SystemError.last("open").reason)")
        }
        _ = posix_fadvise(fd, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
        let input = LoadInput(fd, progress)
        let context = unsafe Unmanaged.passUnretained(input).toOpaque()
        unsafe input.codec = unsafe wing_codec_reader_create(
            WING_CODEC_AUTO,
            { context, out, capacity in
                guard let context = unsafe context, let out = unsafe out else {
                    return -Int(EINVAL)
                }
                // The codec is freed with the input that it is part of.
                return unsafe Unmanaged<LoadInput>.fromOpaque(context).takeUnretainedValue()
                    .read(into: Address(UnsafeRawPointer(out)), capacity)
            }, context)
        guard unsafe input.codec != nil else { throw LoadFailure("no memory to read \(path)") }
        return input
    }

    /// An open file, from its first byte on, as it is.
    static func copy(of file: Int32, _ progress: LoadProgress) throws(LoadFailure) -> LoadInput {
        let fd = try duplicate(file)
        _ = lseek(fd, 0, SEEK_SET)
        return LoadInput(fd, progress)
    }

    /// The same while it is being written. `grew` is to be called for each piece, and for its end.
    static func growing(_ file: Int32, _ progress: LoadProgress) throws(LoadFailure) -> LoadInput {
        let input = try copy(of: file, progress)
        input.bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard input.bell >= 0 else {
            throw LoadFailure("eventfd: \(SystemError.last("eventfd").reason)")
        }
        progress.isWhole = false
        return input
    }

    /// A non-blocking socket, which may keep silent for `patience_ms`.
    static func socket(
        _ socket: Int32, _ transport: TLSConnection?, patience_ms: Int, _ progress: LoadProgress
    ) throws(LoadFailure) -> LoadInput {
        LoadInput(
            try duplicate(socket), progress, isSocket: true, transport: transport,
            patience_ms: patience_ms)
    }

    private static func duplicate(_ fd: Int32) throws(LoadFailure) -> Int32 {
        let copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw LoadFailure("fcntl: \(SystemError.last("fcntl").reason)") }
        return copy
    }

    /// Who pulls stops soon, and our peer sees the end at once.
    func interrupt() {
        if isSocket && isOpen { _ = shutdown(fd, Int32(SHUT_RDWR)) }
        grew()
    }

    /// There is more in the growing file, or it is whole now.
    func grew() {
        var one: UInt64 = 1
        if isOpen, bell >= 0 { unsafe _ = Glibc.write(bell, &one, 8) }
    }

    /// Waits until the file is whole; false when the load is given up.
    func awaitWhole() -> Bool {
        while !progress.isWhole {
            if progress.isCancelled { return false }
            awaitGrowth()
        }
        return true
    }

    private func awaitGrowth() {
        TransferCalls.waitReadable(bell, milliseconds: 1000)
        var count: UInt64 = 0
        unsafe _ = Glibc.read(bell, &count, 8)
    }

    /// Nobody pulls any more.
    func close() {
        if isOpen {
            SystemCalls.close(fd)
            if bell >= 0 { SystemCalls.close(bell) }
        }
        isOpen = false
    }

    // MARK: Reading

    /// A reader over this input, which must outlive it.
    func reader(_ options: RDBReader.Options) throws(RDBFault) -> RDBReader {
        let context = unsafe Address(UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()))
        return try unsafe RDBReader(
            source: { context, out, capacity in
                guard let context = unsafe context, let out = unsafe out else {
                    return -Int(EINVAL)
                }
                return unsafe Unmanaged<LoadInput>.fromOpaque(context).takeUnretainedValue()
                    .pull(into: Address(UnsafeRawPointer(out)), capacity)
            }, context: context, options)
    }

    private func pull(into place: Address, _ capacity: Int) -> Int {
        guard let codec = unsafe codec else { return read(into: place, capacity) }
        let n = unsafe wing_codec_reader_read(
            UnsafeMutableRawPointer(codec), place.pointer, capacity)
        if n < 0, sourceFault == 0 { containerFault = Int32(n) }
        return n
    }

    /// Up to `capacity` bytes of the descriptor; 0 at its end, or -errno.
    private func read(into place: Address, _ capacity: Int) -> Int {
        let limit = EventLoop.monotonic + patience_ms
        while true {
            if progress.isCancelled { return failed(ECANCELED) }
            let isWhole = progress.isWhole
            switch transport?.read(into: place, capacity)
                ?? SystemCalls.read(fd, into: place, capacity)
            {
            case .bytes(let n):
                progress.bytes += UInt64(n)
                return n
            case .end:
                if isWhole { return 0 }
                awaitGrowth()
            case .failed(let code): return failed(code)
            case .wouldBlock:
                let left = limit - EventLoop.monotonic
                if left <= 0 { return failed(EAGAIN) }
                // A session may be closed, or want to write, without an event that tells.
                _ = TransferCalls.isReadable(
                    fd, milliseconds: Int32(clamping: transport == nil ? left : min(left, 50)))
            }
        }
    }

    private func failed(_ code: Int32) -> Int {
        sourceFault = -Int(code)
        return sourceFault
    }

    // MARK: What there is to say

    /// Bytes of the file.
    var size: UInt64 { TransferCalls.size(fd) }

    /// Something stands behind what was read so far.
    var hasMore: Bool {
        let buffer = ByteBuffer(capacity: 8)
        return pull(into: buffer.reserve(1), 1) != 0
    }

    /// What is wrong with the container, where that is what is wrong. `offset` is the place in the RDB.
    func containerTrouble(at offset: UInt64) -> String? {
        guard containerFault < 0, let codec = unsafe codec else { return nil }
        let name = unsafe wing_codec_reader_codec(codec) == WING_CODEC_LZ4 ? "lz4" : "gzip"
        let trouble =
            containerFault == WING_E_END
            ? "ends early" : "is damaged: \(TransferCalls.reason(containerFault))"
        let place = unsafe wing_codec_reader_pulled(codec)
        return
            "the \(name) container \(trouble) (byte \(place) of the file, byte \(offset) of the RDB)"
    }
}
