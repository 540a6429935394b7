// SPDX-License-Identifier: BSD-3-Clause
//
// The descriptor that becomes readable when the event loop's earliest timer is due.

import Platform

final class Alarm: EventHandler {
    let fd: Int32
    /// It has been due since this was last set to false.
    var rings = false
    /// Milliseconds of the monotonic clock; the largest number when it isn't set.
    private var due = Int64.max

    static func create() throws(SystemError) -> Alarm {
        let fd = redwing_timer_create()
        if fd < 0 { throw SystemError(call: "timerfd_create", code: -fd) }
        return Alarm(fd)
    }

    private init(_ fd: Int32) {
        self.fd = fd
        super.init()
    }

    deinit { SystemCalls.close(fd) }

    /// Sets it to `time`, in ms of the monotonic clock, unless it rings before that anyway: once too often
    /// does no harm, and most timers that are cancelled needn't be taken back.
    func set(noLaterThan time: Int64) {
        if time >= due { return }
        due = time
        redwing_timer_set(fd, time)
    }

    override func ready(_ readiness: Readiness) {
        rings = true
        due = .max
    }
}
