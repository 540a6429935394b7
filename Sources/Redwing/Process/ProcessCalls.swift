// SPDX-License-Identifier: BSD-3-Clause
//
// The system calls of this folder: small files, limits, the title, the service manager.

import Glibc
import Memory
import Platform
import Wing

enum ProcessCalls {
    static func errorText(_ code: Int32) -> String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }

    // MARK: Small files

    /// Replaces a small file's content. Returns nil or an errno.
    static func writeFile(_ path: String, _ text: String, create: Bool) -> Int32? {
        let flags = O_WRONLY | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0)
        let descriptor = unsafe open(path, flags, 0o644)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        return Bytes.with(text) { bytes in
            let n = unsafe write(descriptor, bytes.start.pointer, bytes.count)
            return n == bytes.count ? nil : (n < 0 ? errno : EIO)
        }
    }

    /// The integer at the start of a small file of the kernel's.
    static func readInteger(_ path: String) -> Int? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let buffer = ByteBuffer()
        let n = unsafe read(descriptor, buffer.reserve(64).pointer, 64)
        guard n > 0 else { return nil }
        buffer.commit(n)
        return Int(buffer.bytes.string.prefix { $0 == "-" || $0.isNumber })
    }

    static func remove(_ path: String) { _ = unsafe unlink(path) }

    // MARK: Limits

    /// Open files: the limit of now and the one that may be asked for.
    static func fileLimit() -> Result<(soft: UInt, hard: UInt), ProcessError> {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return .failure(ProcessError(code: errno))
        }
        return .success((limit.rlim_cur, limit.rlim_max))
    }

    static func setFileLimit(_ count: UInt) -> ProcessError? {
        var limit = rlimit(rlim_cur: count, rlim_max: count)
        let failed = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0
        return failed ? ProcessError(code: errno) : nil
    }

    // MARK: Title, daemon, service manager

    static func prepareTitle() -> Int {
        // The array is made from the memory that the title will take.
        _ = CommandLine.arguments
        return unsafe redwing_title_prepare(CommandLine.argc, CommandLine.unsafeArgv)
    }

    static var titlePlace: Address {
        unsafe redwing_title_place().map { unsafe Address(UnsafeRawPointer($0)) } ?? .null
    }

    static func setTitle(_ title: String) { unsafe redwing_title_set(title) }

    /// Binds this thread to the CPUs of a list as `server_cpulist` has it; says in the log when it can't.
    static func bind(toCPUs list: String) {
        if list.isEmpty { return }
        let code = unsafe redwing_cpu_affinity(list)
        if code != 0 { Log.warning("Can't use the CPUs '\(list)': \(errorText(-code))") }
    }

    /// What a thread is to the scheduler, where it can be told (`wing/turn.h`): a client that waits for
    /// the main thread is not to wait for a tick of a snapshot's or a load's.
    enum Turns: UInt64 {
        /// The main thread and children: they have little to do, or offer their CPU.
        case short = 100
        /// Background threads: much to do, at any time.
        case long = 10_000
    }

    static func ask(for turns: Turns) { _ = wing_turn_ask(turns.rawValue) }

    static func daemonize() -> ProcessError? {
        let code = redwing_daemonize()
        return code == 0 ? nil : ProcessError(code: -code)
    }

    static func notify(_ state: String) -> ProcessError? {
        let code = unsafe redwing_notify(state)
        return code == 0 ? nil : ProcessError(code: -code)
    }

    static func hasEnvironment(_ name: String) -> Bool { unsafe getenv(name) != nil }

    static func removeEnvironment(_ name: String) { _ = unsafe unsetenv(name) }
}

struct ProcessError: Error, Equatable {
    var code: Int32
    var text: String { ProcessCalls.errorText(code) }
}
