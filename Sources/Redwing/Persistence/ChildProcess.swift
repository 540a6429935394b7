// SPDX-License-Identifier: BSD-3-Clause
//
// A forked child as the event loop sees it: it runs a closure on the memory as it was, its reports
// and its end come as events.

import Glibc
import Memory
import Platform
import Wing

/// What a child reported, and how it ended.
public struct ChildEnd {
    /// The child's function returned 0.
    public let succeeded: Bool
    public let exitCode: Int32
    public let signal: Int32
    /// The negative code the function failed with, 0 otherwise.
    public let result: Int32
    public let keys: UInt64
    public let bytes: UInt64
    /// Private dirty bytes: the copy-on-write bill.
    public let copiedBytes: UInt64
}

/// Progress from inside the child.
@safe
public struct ChildReport {
    fileprivate let report: OpaquePointer?

    /// Cheap enough for every thousandth key.
    public func progress(keys: UInt64, bytes: UInt64) {
        unsafe wing_fork_progress(report, keys, bytes)
    }
}

/// One child. Main thread only.
public final class ChildProcess {
    private unowned let server: Server
    private var child = wing_fork_child()
    private var newest = wing_fork_message()
    private var exited: EndWatch?
    private var reports: ReportWatch?
    private let finished: (ChildEnd) -> Void

    /// Its threads would take all CPUs of a small machine: who serves clients comes first. Measured with
    /// two CPUs, a client's p99 during a full sync fell by a third, and the sync took no longer.
    private static let niceness: Int32 = 5

    public var pid: Int32 { child.pid }
    public var keysWritten: UInt64 { newest.keys }
    public var bytesWritten: UInt64 { newest.bytes }
    public var copiedBytes: UInt64 { newest.private_dirty_bytes }
    public var forkMicroseconds: UInt64 { child.fork_us }

    private final class Box {
        let body: (ChildReport) -> Int32
        init(_ body: @escaping (ChildReport) -> Int32) { self.body = body }
    }

    /// Forks; in the child `body` runs and the process ends with its result. Besides 0, 1 and 2 it has
    /// the descriptors of `keeping`. `finished` runs on the main thread when the child is gone. Throws
    /// what fork(2) was refused for.
    ///
    /// - Throws: `SystemError`.
    public init(
        _ server: Server, title: String, keeping: [Int32],
        body: @escaping (ChildReport) -> Int32, finished: @escaping (ChildEnd) -> Void
    ) throws(SystemError) {
        self.server = server
        self.finished = finished
        let box = Box(body)
        let context = unsafe Unmanaged.passUnretained(box).toOpaque()
        let place = ProcessTitle.place
        let shown = ProcessTitle.ofChild(title, server.config)
        let room = shown == nil ? 0 : server.titleRoom
        let code: Int32 = unsafe (shown ?? "").withCString { title in
            unsafe keeping.withUnsafeBufferPointer { keep in
                var options = unsafe wing_fork_options(
                    keep: keep.baseAddress, keep_count: keep.count, niceness: Self.niceness,
                    title: shown == nil ? nil : title,
                    title_buffer: room > 0
                        ? place.pointer.assumingMemoryBound(to: CChar.self) : nil,
                    title_size: room)
                return unsafe wing_fork_spawn(
                    &options,
                    { context, report in
                        guard let context = unsafe context else { return -1 }
                        let box = unsafe Unmanaged<Box>.fromOpaque(context).takeUnretainedValue()
                        return unsafe box.body(ChildReport(report: report))
                    }, context, &child)
            }
        }
        withExtendedLifetime(box) {}
        if code < 0 { throw SystemError(call: "fork", code: 0 - code) }
        server.statistics.forks += 1
        server.statistics.latestForkMicroseconds = Int64(child.fork_us)
        server.observe(latency: "fork", microseconds: Int64(child.fork_us))
        let exited = EndWatch { [unowned self] in self.reap() }
        let reports = ReportWatch { [unowned self] in self.readReports() }
        self.exited = exited
        self.reports = reports
        try server.loop.watch(child.pidfd, .read, exited)
        try server.loop.watch(child.report, .read, reports)
    }

    /// SIGUSR1: it ends quietly and counts as stopped, not as failed.
    public func stop() { unsafe _ = wing_fork_kill(&child, SIGUSR1) }

    private func readReports() {
        var message = wing_fork_message()
        let code = unsafe wing_fork_read(child.report, &message)
        if code == 1 { newest = message }
        if code < 0 { server.loop.unwatch(child.report) }
    }

    private func reap() {
        readReports()
        var end = wing_fork_end()
        if unsafe wing_fork_reap(&child, &end) == 0 { return }
        server.loop.unwatch(child.report)
        server.loop.unwatch(child.pidfd)
        unsafe wing_fork_close(&child)
        finished(
            ChildEnd(
                succeeded: end.exit_code == 0 && end.signal == 0, exitCode: end.exit_code,
                signal: end.signal, result: newest.result, keys: newest.keys, bytes: newest.bytes,
                copiedBytes: newest.private_dirty_bytes))
    }
}

private final class EndWatch: EventHandler {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
    override func ready(_ readiness: Readiness) { body() }
}

private final class ReportWatch: EventHandler {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
    override func ready(_ readiness: Readiness) { body() }
}
