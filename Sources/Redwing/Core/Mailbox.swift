// SPDX-License-Identifier: BSD-3-Clause
//
// How another thread tells the main one that it is done: a closure in a list and a bump of an
// eventfd. And the background thread that does what may block: fsync, close, freeing big values.

import Glibc
import Memory
import Platform

/// Carries a value to the one thread that will own it from then on.
struct Handover<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// Closures posted from any thread, run on the loop's. Threads: `post` any, the rest the loop's.
public final class Mailbox: @unchecked Sendable {
    let fd: Int32
    private let lock = Lock()
    private var letters: [() -> Void] = []

    init() throws(SystemError) {
        fd = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard fd >= 0 else { throw .last("eventfd") }
    }

    /// Hands `letter` to the main thread. What it captures must not be used by the sender afterwards.
    public func post(_ letter: @escaping () -> Void) {
        lock.with { letters.append(letter) }
        var one: UInt64 = 1
        unsafe _ = Glibc.write(fd, &one, 8)
    }

    func deliver() {
        var count: UInt64 = 0
        unsafe _ = Glibc.read(fd, &count, 8)
        let batch = lock.with {
            let batch = letters
            letters = []
            return batch
        }
        for letter in batch { letter() }
    }
}

/// A mutex for the few places where two threads meet; never on the path of a command.
final class Lock: @unchecked Sendable {
    private let mutex: Address

    init() {
        guard let memory = unsafe redwing_mutex_create() else {
            OutOfMemory.stop(40)
        }
        mutex = unsafe Address(UnsafeRawPointer(memory))
    }

    deinit { unsafe free(mutex.pointer) }

    func with<R>(_ body: () -> R) -> R {
        unsafe redwing_mutex_lock(mutex.pointer)
        defer { unsafe redwing_mutex_unlock(mutex.pointer) }
        return body()
    }
}

/// Starts a detached thread that blocks every signal (they belong to the main thread's signalfd) and
/// stands back for whoever waits for the main thread.
enum BackgroundThread {
    private final class Box {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    /// Runs `body` on a thread of its own; false when the system refuses one.
    static func start(stackBytes: Int = 1 << 20, _ body: @escaping () -> Void) -> Bool {
        let box = unsafe Unmanaged.passRetained(Box(body))
        let code = unsafe redwing_thread_start(
            { argument in
                ProcessCalls.ask(for: .long)
                if let argument = unsafe argument {
                    unsafe Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                }
                return nil
            }, box.toOpaque(), stackBytes)
        if code != 0 {
            unsafe box.release()
            return false
        }
        return true
    }
}

/// One thread that does jobs in order. `submit` from the main thread.
final class BackgroundJobs: @unchecked Sendable {
    private let lock = Lock()
    private var jobs: [() -> Void] = []
    private var running = false
    private(set) var pending = 0
    /// `bio_cpulist`
    var cpus = ""

    /// Runs `job` behind all earlier ones; here and now when no thread can be had.
    func submit(_ job: @escaping () -> Void) {
        let start = lock.with {
            jobs.append(job)
            pending += 1
            if running { return false }
            running = true
            return true
        }
        if start, !BackgroundThread.start({ [self] in drain() }) { drain() }
    }

    private func drain() {
        ProcessCalls.bind(toCPUs: cpus)
        while true {
            let job: (() -> Void)? = lock.with {
                if jobs.isEmpty {
                    running = false
                    return nil
                }
                return jobs.removeFirst()
            }
            guard let job else { return }
            job()
            lock.with { pending -= 1 }
        }
    }
}
