// SPDX-License-Identifier: BSD-3-Clause
//
// What INFO tells of the process and the machine.

import Glibc
import Memory
import Platform

/// jemalloc's counters and the kernel's, in bytes.
struct AllocatorFacts {
    var allocated = 0
    var active = 0
    var resident = 0

    init() {
        let place = ByteBuffer(capacity: 64)
        unsafe redwing_allocator_stats(
            place.reserve(40).pointer.assumingMemoryBound(to: UInt64.self))
        place.commit(40)
        let start = place.bytes.start
        allocated = Int(clamping: start.load(UInt64.self))
        active = Int(clamping: start.load(UInt64.self, at: 8))
        resident = Int(clamping: start.load(UInt64.self, at: 16))
    }

    /// jemalloc's own report.
    static func report() -> String {
        let out = ByteBuffer()
        let context = unsafe Unmanaged.passUnretained(out).toOpaque()
        unsafe malloc_stats_print(
            { context, text in
                guard let context = unsafe context, let text = unsafe text else { return }
                unsafe Unmanaged<ByteBuffer>.fromOpaque(context).takeUnretainedValue()
                    .append(text: String(cString: text))
            }, context, nil)
        return out.bytes.string
    }
}

enum ProcessFacts {
    /// Resident bytes, 0 when the kernel doesn't say.
    static func residentBytes() -> Int {
        guard let text = text(of: "/proc/self/statm") else { return 0 }
        let words = text.split(separator: " ")
        guard words.count > 1, let pages = Int(words[1]) else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    static func physicalMemory() -> Int { Int(clamping: redwing_physical_memory()) }

    /// CPU time of this process, or of its ended children: seconds with six digits behind the point.
    static func processorTime(children: Bool) -> (user: String, system: String) {
        var usage = rusage()
        let who = children ? RUSAGE_CHILDREN.rawValue : RUSAGE_SELF.rawValue
        unsafe getrusage(__rusage_who_t(who), &usage)
        return (seconds(usage.ru_utime), seconds(usage.ru_stime))
    }

    private static func seconds(_ time: timeval) -> String {
        let digits = String(time.tv_usec)
        return "\(time.tv_sec)." + String(repeating: "0", count: max(0, 6 - digits.utf8.count))
            + digits
    }

    /// "Linux 6.1.0 x86_64"
    static func system() -> String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "Linux" }
        return [field(&names.sysname), field(&names.release), field(&names.machine)]
            .joined(separator: " ")
    }

    /// A field of utsname: a null-terminated array that Swift sees as a tuple.
    private static func field<T>(_ tuple: inout T) -> String {
        unsafe withUnsafeBytes(of: &tuple) { bytes in
            let length = unsafe bytes.firstIndex(of: 0) ?? bytes.count
            return unsafe String(decoding: bytes[0..<length], as: UTF8.self)
        }
    }

    /// The path of the running binary.
    static func executable() -> String {
        let place = ByteBuffer(capacity: 4096)
        let n = unsafe readlink(
            "/proc/self/exe", place.reserve(4096).pointer.assumingMemoryBound(to: CChar.self), 4096)
        if n <= 0 { return CommandLine.arguments.first ?? "" }
        place.commit(n)
        return place.bytes.string
    }

    /// A small file of the kernel's.
    static func text(of path: String) -> String? {
        let fd = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        let buffer = ByteBuffer()
        let n = unsafe read(fd, buffer.reserve(4096).pointer, 4096)
        guard n > 0 else { return nil }
        buffer.commit(n)
        return buffer.bytes.string
    }

    static func pid() -> Int32 { getpid() }

    static func sleep(microseconds: UInt64) {
        var time = timespec(
            tv_sec: Int(microseconds / 1_000_000), tv_nsec: Int(microseconds % 1_000_000) * 1000)
        var left = timespec()
        while unsafe nanosleep(&time, &left) != 0 && errno == EINTR { time = left }
    }
}
