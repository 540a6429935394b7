// SPDX-License-Identifier: BSD-3-Clause
//
// The room's system calls: reading a whole small file, replacing one atomically, the working
// directory.

import Glibc
import Memory

struct FileError: Error, Equatable {
    var code: Int32
    var text: String { SystemError.text(code) }
    var isNotFound: Bool { code == ENOENT }
}

enum File {
    static func read(_ path: String) -> Result<[UInt8], FileError> {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(FileError(code: errno)) }
        defer { close(descriptor) }
        return read(descriptor: descriptor)
    }

    static func read(descriptor: Int32) -> Result<[UInt8], FileError> {
        let buffer = ByteBuffer()
        while true {
            let place = buffer.reserve(65536)
            let n = unsafe Glibc.read(descriptor, place.pointer, 65536)
            if n < 0 {
                let code = errno
                if code == EINTR { continue }
                return .failure(FileError(code: code))
            }
            if n == 0 { return .success(buffer.bytes.array) }
            buffer.commit(n)
        }
    }

    /// Puts `content` in the place of the file: a temporary file beside it, fsync, rename. A link stays
    /// one, to a new file. Mode and owner of an old file are kept, the owner as far as we may; a
    /// failure leaves the old file as it was.
    static func replace(_ path: String, with content: [UInt8]) -> FileError? {
        let path = resolved(path)
        let temporary = "\(path).\(getpid()).tmp"
        var mode: mode_t = 0o644
        var status = stat()
        let isThere = unsafe stat(path, &status) == 0
        if isThere { mode = status.st_mode & 0o7777 }
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { return FileError(code: errno) }
        // Before the mode: a change of owner takes set-uid bits away.
        if isThere { _ = fchown(descriptor, status.st_uid, status.st_gid) }
        var failure = write(content, to: descriptor)
        if failure == nil && fchmod(descriptor, mode) != 0 { failure = FileError(code: errno) }
        if failure == nil && fsync(descriptor) != 0 { failure = FileError(code: errno) }
        close(descriptor)
        if failure == nil, unsafe rename(temporary, path) != 0 { failure = FileError(code: errno) }
        if failure != nil {
            remove(temporary)
            return failure
        }
        syncFolder(of: path)
        return nil
    }

    /// The file that links lead to; the path itself when there is none yet.
    private static func resolved(_ path: String) -> String {
        guard let memory = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(memory) }
        return unsafe String(cString: memory)
    }

    static func remove(_ path: String) { _ = unsafe unlink(path) }

    private static func write(_ content: [UInt8], to descriptor: Int32) -> FileError? {
        Bytes.with(content) { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let n = unsafe Glibc.write(descriptor, rest.start.pointer, rest.count)
                if n < 0 && errno == EINTR { continue }
                if n < 0 { return FileError(code: errno) }
                rest = rest.dropFirst(n)
            }
            return nil
        }
    }

    private static func syncFolder(of path: String) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Whether the file can be opened, or made, to append to it.
    static func canAppend(to path: String) -> FileError? {
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        if descriptor < 0 { return FileError(code: errno) }
        close(descriptor)
        return nil
    }

    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(WorkingDirectory.path)/\(path)"
    }
}

enum SystemError {
    static func text(_ code: Int32) -> String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}

enum WorkingDirectory {
    static func change(to path: String) -> FileError? {
        unsafe chdir(path) == 0 ? nil : FileError(code: errno)
    }

    static var path: String {
        guard let memory = unsafe getcwd(nil, 0) else { return "" }
        defer { unsafe free(memory) }
        return unsafe String(cString: memory)
    }
}
