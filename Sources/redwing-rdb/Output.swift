// SPDX-License-Identifier: BSD-3-Clause
//
// A file being written in a container, which takes its place only when it is whole.

import Glibc
import Wing

@safe
final class Output {
    private var file: OpaquePointer?
    private var encoder: OpaquePointer?
    private let path: String

    init(path: String, container: Container) throws {
        self.path = path
        var fd: Int32 = -1
        var error: Int32 = 0
        guard let made = unsafe wing_rdb_file_create(path, &fd, &error) else {
            throw Failure(description: "\(path): \(text(of: error))")
        }
        unsafe file = unsafe made
        let emit: @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32 = {
            context, bytes, size in
            unsafe writeAll(
                Int32(Int(bitPattern: context)), UnsafeRawBufferPointer(start: bytes, count: size))
        }
        let codec: wing_codec =
            switch container {
            case .none: WING_CODEC_NONE
            case .lz4: WING_CODEC_LZ4
            case .gzip: WING_CODEC_GZIP
            }
        // The descriptor itself is the context: a number, never dereferenced.
        let context = unsafe UnsafeMutableRawPointer(bitPattern: Int(fd))
        unsafe encoder = unsafe wing_codec_encoder_create(codec, 0, emit, context)
        if unsafe encoder == nil {
            abort()
            throw Failure(description: text(of: WING_E_NOMEM))
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard let encoder = unsafe encoder else { return -EBADF }
        return unsafe wing_codec_encoder_write(
            UnsafeMutableRawPointer(encoder), bytes.baseAddress, bytes.count)
    }

    func commit() throws {
        let finished = unsafe wing_codec_encoder_finish(encoder)
        if finished < 0 { throw Failure(description: "\(path): \(text(of: finished))") }
        unsafe wing_codec_encoder_free(encoder)
        unsafe encoder = nil
        let committed = unsafe wing_rdb_file_commit(file)
        unsafe file = nil
        if committed < 0 { throw Failure(description: "\(path): \(text(of: committed))") }
    }

    func abort() {
        unsafe wing_codec_encoder_free(encoder)
        unsafe wing_rdb_file_abort(file)
        unsafe encoder = nil
        unsafe file = nil
    }
}

/// 0 or -errno.
private func writeAll(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    var left = unsafe bytes[...]
    while unsafe !left.isEmpty {
        let count = unsafe write(fd, UnsafeRawBufferPointer(rebasing: left).baseAddress, left.count)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return -errno }
        unsafe left = unsafe left.dropFirst(count)
    }
    return 0
}
