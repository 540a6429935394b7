// SPDX-License-Identifier: BSD-3-Clause
//
// CLIENT PAUSE: clients are put off, all their requests or only those that write. Replicas and the
// master's link go on, so that what is on its way arrives.

import Memory
import RESP

extension Server {
    /// Pauses for `milliseconds` from now. A longer or a stricter pause at work holds.
    func pause(for milliseconds: Int64, onlyWrites: Bool) {
        let (sum, overflow) = now.addingReportingOverflow(milliseconds)
        let end = overflow ? Int64.max : sum
        let running = pausedUntil > now
        pauseWritesOnly = onlyWrites && !(running && !pauseWritesOnly)
        pausedUntil = max(pausedUntil, end)
        // The clients go on when the time is over, not at the cron's next turn.
        if milliseconds < 1 << 32 {
            loop.schedule(after: milliseconds) { [unowned self] in endPauseIfDue() }
        }
    }

    /// Puts the client's requests off while all are paused; true when it was put off.
    func postponeWhilePaused(_ client: Client) -> Bool {
        if now >= pausedUntil {
            endPauseIfDue()
            return false
        }
        if pauseWritesOnly || !client.flags.isDisjoint(with: [.replica, .master]) { return false }
        postpone(client)
        return true
    }

    /// Puts the request at hand off when only writes are paused and it may write.
    func postponeWrite(_ client: Client) -> Bool {
        guard pauseWritesOnly, client.flags.isDisjoint(with: [.replica, .master]),
            client.arguments.count > 0, let command = commands.find(client.arguments[0])
        else { return false }
        let isExec = command.flags.contains(.runsQueue)
        let flags = isExec ? client.transaction?.flags ?? [] : command.flags
        guard !flags.isDisjoint(with: [.write, .mayReplicate]) else { return false }
        // Inside MULTI a write is only queued; its EXEC waits.
        if client.flags.contains(.multi), !isExec { return false }
        postpone(client)
        return true
    }

    private func postpone(_ client: Client) {
        if !postponed.contains(where: { $0 === client }) { postponed.append(client) }
    }

    func endPauseIfDue() {
        guard pausedUntil != 0, now >= pausedUntil else { return }
        endPause()
    }

    func endPause() {
        pausedUntil = 0
        pauseWritesOnly = false
        let batch = postponed
        postponed = []
        for client in batch { resume(client) }
    }
}
