// SPDX-License-Identifier: BSD-3-Clause
//
// Where log lines go: standard output or a file, and syslog. The file is opened for each line, as
// Redis does, so that a log may be rotated at any time without a signal.
//
// The state is set by the main thread while it starts, and the level and role later; other threads
// and forked children only read it: single words, of which an old value does no harm. A line is one
// write(2) to a descriptor with O_APPEND, so lines of several threads and processes don't mix.

import Glibc
import Memory
import Platform

enum LogSink {
    /// The lowest level that is written: 0 debug, 1 verbose, 2 notice, 3 warning, 4 none.
    nonisolated(unsafe) private static var threshold: UInt8 = 2
    nonisolated(unsafe) private static var role: LogRole = .child
    /// The server's pid; another one is a child's. 0 until the server has started.
    nonisolated(unsafe) private static var serverPid: pid_t = 0
    /// The log file's path, null for standard output. An old one is never freed: a thread may
    /// read it.
    nonisolated(unsafe) private static var path: UnsafeMutablePointer<CChar>?
    nonisolated(unsafe) private static var usesSyslog = false
    /// Seconds from UTC to local time, and the quarter of an hour it was asked for in.
    nonisolated(unsafe) private static var utcOffset: Int64 = 0
    nonisolated(unsafe) private static var offsetQuarter: Int64 = -1

    // MARK: Settings

    @inline(__always)
    static var level: UInt8 {
        get { unsafe threshold }
        set { unsafe threshold = newValue }
    }

    static var currentRole: LogRole {
        get { unsafe role }
        set { unsafe role = newValue }
    }

    /// This process is the server from now on; lines of its children carry the role C.
    static func becomeServer() { unsafe serverPid = getpid() }

    static var isForkedChild: Bool {
        let pid = unsafe serverPid
        return pid != 0 && pid != getpid()
    }

    static func setFile(_ name: String) {
        unsafe path = name.isEmpty ? nil : strdup(name)
    }

    static func openSyslog(ident: String, facility: String) {
        unsafe redwing_syslog_open(ident, facility)
        unsafe usesSyslog = true
    }

    // MARK: Writing

    /// Writes one line. No allocation, no lock of ours: any thread, any forked child.
    static func write(_ level: UInt8, _ message: Bytes) {
        let wallMs = redwing_wall_us() / 1000
        let pid = getpid()
        let server = unsafe serverPid
        if pid == server || server == 0 { refreshOffset(wallMs / 1000) }
        let offset = unsafe utcOffset
        let localMs = wallMs + offset * 1000
        let author = pid == server ? currentRole : .child
        unsafe withUnsafeTemporaryAllocation(byteCount: LogLine.maximumSize, alignment: 16) {
            room in
            guard let base = room.baseAddress else { return }
            let place = unsafe Address(UnsafeRawPointer(base))
            let size = LogLine.write(
                pid: Int64(pid), role: author, localMs: localMs, level: level, message, to: place)
            writeRaw(Bytes(start: place, count: size))
        }
        if unsafe usesSyslog {
            let text = message.prefix(LogLine.maximumMessage)
            let start = unsafe UnsafePointer(text.start.pointer.assumingMemoryBound(to: CChar.self))
            unsafe redwing_syslog(Int32(level), start, text.count)
        }
    }

    /// Writes bytes as they are (reports of many lines).
    static func writeRaw(_ bytes: Bytes) {
        guard !bytes.isEmpty else { return }
        guard let file = unsafe path else {
            _ = unsafe Glibc.write(STDOUT_FILENO, bytes.start.pointer, bytes.count)
            return
        }
        let descriptor = unsafe open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return }
        _ = unsafe Glibc.write(descriptor, bytes.start.pointer, bytes.count)
        close(descriptor)
    }

    /// The C library takes a lock for local time, which a forked child must not; so we ask it when
    /// a quarter of an hour has passed (no clock is changed within one) and children use what we
    /// know.
    private static func refreshOffset(_ seconds: Int64) {
        let quarter = seconds / 900
        if unsafe quarter == offsetQuarter { return }
        unsafe offsetQuarter = quarter
        unsafe utcOffset = Int64(redwing_utc_offset(Int(seconds)))
    }
}
