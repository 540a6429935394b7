// SPDX-License-Identifier: BSD-3-Clause
//
// What looks on while commands run: MONITOR and the slow log.

extension Server {
    func feedMonitors(_ client: Client, _ command: Command) {}
    /// `command` took longer than `slowlog-log-slower-than`.
    func wasSlow(_ client: Client, _ command: Command, microseconds: UInt64) {}
}
