// SPDX-License-Identifier: BSD-3-Clause
//
// What looks on while commands run: MONITOR, the slow log and the latency monitor.

import Configuration
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func monitoring() -> [Command] {
        [
            Command(
                "monitor", 1, "admin noscript loading stale", "", since: "1.0.0",
                "Shows every command that the server runs.", Monitor.run)
        ]
    }
}

enum Monitor {
    static func run(_ c: Client) {
        if !c.flags.isDisjoint(with: [.replica, .monitor]) { return }
        c.flags.insert(.monitor)
        c.server.monitors.append(c)
        c.reply.ok()
    }
}

extension Server {
    /// Shows `command` to all monitors:
    /// `+1339518083.107412 [0 127.0.0.1:60866] "set" "key" "value"`
    func feedMonitors(_ client: Client, _ command: Command) {
        if !command.flags.isDisjoint(with: [.skipMonitor, .admin]) { return }
        showToMonitors(client)
    }

    /// EXEC is shown behind what it ran.
    func showToMonitors(_ client: Client) {
        if loading { return }
        let time = (clock &+ wallOffset) / 1000
        let line = ByteBuffer(capacity: 256)
        line.append("+")
        line.append(decimal: time / 1_000_000)
        let fraction = String(time % 1_000_000)
        line.append(text: "." + String(repeating: "0", count: 6 - fraction.utf8.count) + fraction)
        let source =
            client.flags.contains(.script)
            ? "lua"
            : client.flags.contains(.unixSocket) ? "unix:\(config.unixsocket)" : client.peerName
        line.append(text: " [\(client.database.index) \(source)]")
        for word in client.arguments.all {
            line.append(" ")
            line.append(quoted: word)
        }
        line.append("\r\n")
        for monitor in monitors {
            monitor.reply.raw(line.bytes)
            pushed(to: monitor)
        }
    }

    /// `command` took as long as the slow log or the latency monitor ask for.
    func wasSlow(_ client: Client, _ command: Command, microseconds: UInt64) {
        let limit = config.slowlogLogSlowerThan
        if limit >= 0, microseconds >= UInt64(limit), !command.flags.contains(.skipSlowlog) {
            rooms.observation.slowLog.add(
                client, microseconds: microseconds, limit: config.slowlogMaxLen)
        }
        if !command.flags.contains(.runsQueue) {
            let event = command.flags.contains(.fast) ? "fast-command" : "command"
            observe(latency: event, microseconds: Int64(clamping: microseconds))
        }
    }

    /// From what duration on `wasSlow` is worth a call.
    func applySlowThreshold() {
        let slow = config.slowlogLogSlowerThan
        let spike = config.latencyMonitorThreshold
        var least = UInt64.max
        if slow >= 0 { least = UInt64(slow).multipliedReportingOverflow(by: 1000).partialValue }
        if spike > 0 {
            least = min(
                least, UInt64(spike).multipliedReportingOverflow(by: 1_000_000).partialValue)
        }
        slowNanoseconds = least
    }
}

extension ByteBuffer {
    /// The bytes in quotes, with what doesn't print as escapes.
    func append(quoted bytes: Bytes) {
        append(UInt8(ascii: "\""))
        for i in 0..<bytes.count {
            let c = bytes[i]
            switch c {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                append(UInt8(ascii: "\\"))
                append(c)
            case 10: append("\\n")
            case 13: append("\\r")
            case 9: append("\\t")
            case 7: append("\\a")
            case 8: append("\\b")
            case 32...126: append(c)
            default: append(text: "\\x" + Hash.hex([c]))
            }
        }
        append(UInt8(ascii: "\""))
    }
}
