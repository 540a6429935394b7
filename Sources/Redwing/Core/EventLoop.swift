// SPDX-License-Identifier: BSD-3-Clause
//
// The event loop: epoll, timers, and a mailbox for what other threads finished. One turn is: run
// what is due before sleeping (flush replies), wait, handle what is ready, run due timers. A descriptor
// tells when the earliest timer is due (timerfd): a turn without one reads no clock, and a wait needs
// no time limit, which the system would have to set and take back.
//
// An epoll key carries the descriptor and a generation, so that an event of a descriptor that was
// closed and opened again within one turn finds nobody.

import Glibc
import Memory
import Platform

/// What a descriptor is watched for, or is ready for.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let read = Readiness(rawValue: 1)
    public static let write = Readiness(rawValue: 2)
    /// A read that falls short may not be the last: the peer has closed, or sent urgent data.
    public static let more = Readiness(rawValue: 4)
}

/// Who is told about a descriptor.
open class EventHandler {
    public init() {}
    /// The descriptor is ready; errors and hang-ups count as ready for both.
    open func ready(_ readiness: Readiness) {}
}

/// A timer of the loop; cancel it with `EventLoop.cancel`.
public struct TimerID: Hashable {
    let number: UInt64
}

public final class EventLoop {
    private struct Watch {
        var handler: EventHandler?
        var generation: UInt32
        var interest: Readiness
        /// Readable is told when bytes arrive, not for as long as there are some.
        var onArrival = false
    }

    private struct Timer {
        let id: TimerID
        var due: Int64
        /// ms, or nil for once.
        let period: Int64?
        let body: () -> Void
    }

    private let epoll: Int32
    private var watches: [Watch] = []
    private var timers: [Timer] = []
    private var nextTimer: UInt64 = 1
    private let alarm: Alarm
    private var stopped = false
    /// What the last wait told of, and which of it was delivered. A turn inside of a handler goes on with
    /// that: the system tells of an arrival once.
    private let events: Address
    private var eventCount = 0
    private var nextEvent = 0
    private static let eventsPerTurn = 512
    let mailbox: Mailbox

    /// Work that must not wait: the loop does not sleep while this is set, and clears it each turn.
    public var busy = false
    /// Work that may wait a millisecond and no longer; cleared each turn as well.
    public var naps = false

    public init() throws(SystemError) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .last("epoll_create1") }
        let size = unsafe MemoryLayout<epoll_event>.stride * Self.eventsPerTurn
        guard let memory = unsafe malloc(size) else { OutOfMemory.stop(size) }
        events = unsafe Address(UnsafeRawPointer(memory))
        mailbox = try Mailbox()
        alarm = try Alarm.create()
        try watch(mailbox.fd, .read, MailboxHandler(mailbox))
        try watch(alarm.fd, .read, alarm, onArrival: true)
    }

    // MARK: Descriptors

    /// With `onArrival`, a descriptor that is watched for reading alone is announced when bytes arrive; a
    /// handler that leaves some behind says so by `rearm`. Else each wait would poll each descriptor of
    /// the last one again, to find nothing: 0.4 us a request.
    public func watch(
        _ fd: Int32, _ interest: Readiness, _ handler: EventHandler, onArrival: Bool = false
    ) throws(SystemError) {
        let index = Int(fd)
        while watches.count <= index {
            watches.append(Watch(handler: nil, generation: 0, interest: []))
        }
        watches[index].generation &+= 1
        watches[index].handler = handler
        watches[index].interest = interest
        watches[index].onArrival = onArrival
        let code = control(EPOLL_CTL_ADD, fd)
        if code < 0 {
            watches[index].handler = nil
            throw SystemError(call: "epoll_ctl", code: -code)
        }
    }

    /// Changes what `fd` is watched for; nothing happens when that is so already.
    public func setInterest(_ fd: Int32, _ interest: Readiness) {
        let index = Int(fd)
        guard index < watches.count, watches[index].handler != nil,
            watches[index].interest != interest
        else { return }
        watches[index].interest = interest
        _ = control(EPOLL_CTL_MOD, fd)
    }

    /// Bytes were left behind in `fd`: if it is watched for their arrival, they count as arriving again.
    public func rearm(_ fd: Int32) {
        let index = Int(fd)
        guard index >= 0, index < watches.count, watches[index].handler != nil,
            watches[index].onArrival, watches[index].interest == .read
        else { return }
        _ = control(EPOLL_CTL_MOD, fd)
    }

    public func interest(of fd: Int32) -> Readiness {
        Int(fd) < watches.count ? watches[Int(fd)].interest : []
    }

    /// Stops watching; to be called before the descriptor is closed.
    public func unwatch(_ fd: Int32) {
        let index = Int(fd)
        guard index >= 0, index < watches.count, watches[index].handler != nil else { return }
        watches[index].handler = nil
        watches[index].interest = []
        _ = redwing_epoll_control(epoll, EPOLL_CTL_DEL, fd, 0, 0)
    }

    /// Tells the system what the watch of `fd` says.
    private func control(_ operation: Int32, _ fd: Int32) -> Int32 {
        let watch = watches[Int(fd)]
        var mask: UInt32 = 0
        if watch.interest.contains(.read) { mask |= EPOLLIN.rawValue }
        if watch.interest.contains(.write) { mask |= EPOLLOUT.rawValue }
        if watch.onArrival, watch.interest == .read {
            mask |= EPOLLET.rawValue | EPOLLRDHUP.rawValue | EPOLLPRI.rawValue
        }
        let key = UInt64(watch.generation) << 32 | UInt64(UInt32(bitPattern: fd))
        return redwing_epoll_control(epoll, operation, fd, mask, key)
    }

    // MARK: Timers

    /// Milliseconds of the monotonic clock.
    public static var monotonic: Int64 { redwing_monotonic_ns() / 1_000_000 }

    /// The moment `delay` ms from now; a delay that is too long to be counted never ends.
    public static func deadline(after delay: Int64) -> Int64 {
        let (sum, overflow) = monotonic.addingReportingOverflow(max(0, delay))
        return overflow ? Int64.max : sum
    }

    /// Runs `body` in `delay` ms, and each `period` ms from then on when one is given.
    @discardableResult
    public func schedule(
        after delay: Int64, every period: Int64? = nil, _ body: @escaping () -> Void
    )
        -> TimerID
    {
        let id = TimerID(number: nextTimer)
        nextTimer += 1
        timers.append(Timer(id: id, due: Self.deadline(after: delay), period: period, body: body))
        setAlarm()
        return id
    }

    /// Who asked for the alarm may be gone when it rings.
    public func cancel(_ id: TimerID) { timers.removeAll { $0.id == id } }

    private func setAlarm() { alarm.set(noLaterThan: timers.reduce(Int64.max) { min($0, $1.due) }) }

    private func runTimers() {
        alarm.rings = false
        let now = Self.monotonic
        // A timer's body may add and cancel timers, so each is looked up by its id.
        for id in timers.filter({ $0.due <= now }).map(\.id) {
            guard let index = timers.firstIndex(where: { $0.id == id }) else { continue }
            let body = timers[index].body
            if let period = timers[index].period {
                timers[index].due = max(timers[index].due + period, now + 1)
            } else {
                timers.remove(at: index)
            }
            body()
        }
        setAlarm()
    }

    // MARK: Running

    public func stop() { stopped = true }

    /// Turns until `stop`. `before` runs before each wait: replies are flushed there. `after` runs right
    /// behind each wait: clocks are read there.
    public func run(before: () -> Void, after: () -> Void) {
        stopped = false
        while !stopped {
            before()
            if stopped { break }
            turn(after: after)
        }
    }

    /// One wait and what follows. `limit` bounds the wait, in ms; a long-running script calls this with
    /// 0 to serve others in between.
    public func turn(limit: Int64 = Int64.max, timers runsTimers: Bool = true, after: () -> Void) {
        if nextEvent == eventCount { wait(limit) }
        after()
        while nextEvent < eventCount {
            let event = unsafe (events + nextEvent * MemoryLayout<epoll_event>.stride).pointer
                .assumingMemoryBound(to: epoll_event.self)
            nextEvent += 1
            deliver(unsafe redwing_epoll_key(event), unsafe redwing_epoll_events(event))
        }
        if runsTimers, alarm.rings { runTimers() }
    }

    private func wait(_ limit: Int64) {
        var wait: Int64 = busy ? 0 : limit
        busy = false
        if naps { wait = min(wait, 1) }
        naps = false
        let timeout = wait == Int64.max ? -1 : Int32(clamping: wait)
        let count = unsafe epoll_wait(
            epoll, events.pointer.assumingMemoryBound(to: epoll_event.self),
            Int32(Self.eventsPerTurn), timeout)
        nextEvent = 0
        eventCount = max(0, Int(count))
    }

    @inline(__always)
    private func deliver(_ key: UInt64, _ bits: UInt32) {
        let index = Int(UInt32(truncatingIfNeeded: key))
        guard index < watches.count, let handler = watches[index].handler,
            watches[index].generation == UInt32(truncatingIfNeeded: key >> 32)
        else { return }
        var readiness: Readiness = []
        if bits & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
            readiness = [.read, .write, .more]
        } else {
            if bits & EPOLLIN.rawValue != 0 { readiness.insert(.read) }
            if bits & EPOLLOUT.rawValue != 0 { readiness.insert(.write) }
            // What a handler before this one changed counts.
            readiness.formIntersection(watches[index].interest)
            if bits & (EPOLLRDHUP.rawValue | EPOLLPRI.rawValue) != 0 {
                readiness.formUnion([.read, .more])
            }
        }
        handler.ready(readiness)
    }
}

private final class MailboxHandler: EventHandler {
    let mailbox: Mailbox
    init(_ mailbox: Mailbox) { self.mailbox = mailbox }
    override func ready(_ readiness: Readiness) { mailbox.deliver() }
}
