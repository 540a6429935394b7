// SPDX-License-Identifier: BSD-3-Clause
//
// CLIENT PAUSE and FAILOVER: clients are put off, all their requests or only those that write. Replicas
// and the master's link go on, so that what is on its way arrives; the data set stays as it is.
//
//     request → checks of dispatch → isPutOff? ─ yes → stays in the client's buffer, client in `postponed`
//                                                      └ any pause ends → looked at again

import Memory
import RESP

/// The pauses at work, one for each purpose: CLIENT UNPAUSE doesn't end a failover's, and the end of a
/// failover leaves a user's. The strictest holds.
struct Pauses {
    enum Purpose { case client, failover }

    private struct Pause {
        let purpose: Purpose
        /// ms of the monotonic clock.
        var end: Int64
        var onlyWrites: Bool
    }
    private var all: [Pause] = []

    var isEmpty: Bool { all.isEmpty }
    var onlyWrites: Bool { all.allSatisfy(\.onlyWrites) }
    /// When the first of them ends.
    var nextEnd: Int64? { all.map(\.end).min() }

    /// A longer or a stricter pause for the same purpose holds.
    mutating func add(_ purpose: Purpose, until end: Int64, onlyWrites: Bool) {
        if let at = all.firstIndex(where: { $0.purpose == purpose }) {
            all[at].end = max(all[at].end, end)
            all[at].onlyWrites = all[at].onlyWrites && onlyWrites
        } else {
            all.append(Pause(purpose: purpose, end: end, onlyWrites: onlyWrites))
        }
    }

    mutating func end(_ purpose: Purpose) { all.removeAll { $0.purpose == purpose } }

    mutating func endDue(at now: Int64) { all.removeAll { $0.end <= now } }
}

extension Server {
    var isPaused: Bool { !pauses.isEmpty }

    /// Pauses clients until `end`, ms of the monotonic clock.
    func pause(_ purpose: Pauses.Purpose, until end: Int64, onlyWrites: Bool) {
        pauses.add(purpose, until: end, onlyWrites: onlyWrites)
        pausesChanged()
    }

    func endPause(_ purpose: Pauses.Purpose) {
        pauses.end(purpose)
        pausesChanged()
    }

    private func pausesChanged() {
        let now = EventLoop.monotonic
        pauses.endDue(at: now)
        // The clients go on when the time is over, not at the cron's next turn.
        if let pauseTimer { loop.cancel(pauseTimer) }
        pauseTimer = pauses.nextEnd.map { end in
            loop.schedule(after: end - now) { [unowned self] in
                pauseTimer = nil
                pausesChanged()
            }
        }
        refreshGate()
        // What still has to wait is put off anew.
        let batch = postponed
        postponed = []
        for client in batch {
            client.flags.remove(.postponed)
            resume(client)
        }
    }

    /// Puts the request at hand off if a pause concerns it; true when it was put off.
    func isPutOff(_ client: Client, _ command: Command) -> Bool {
        if !client.flags.isDisjoint(with: [.replica, .master]) { return false }
        if pauses.onlyWrites, !mayWrite(client, command) { return false }
        client.flags.insert(.postponed)
        postponed.append(client)
        return true
    }

    private func mayWrite(_ client: Client, _ command: Command) -> Bool {
        let isExec = command.flags.contains(.runsQueue)
        // Inside MULTI a write is only queued; its EXEC waits.
        if client.flags.contains(.multi), !isExec { return false }
        let flags = isExec ? client.transaction?.flags ?? [] : command.flags
        return !flags.isDisjoint(with: [.write, .mayReplicate])
    }
}
