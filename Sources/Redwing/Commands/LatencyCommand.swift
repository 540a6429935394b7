// SPDX-License-Identifier: BSD-3-Clause
//
// LATENCY.

import Configuration
import Memory
import RESP

extension CommandTable {
    static func latency() -> [Command] {
        [
            Command(
                "latency", -2, "admin noscript loading stale", "",
                subcommands: LatencyCommand.subcommands, since: "2.8.13",
                "Tells of events that held the server up.")
        ]
    }
}

enum LatencyCommand {
    static let subcommands = [
        Subcommand(
            "doctor", 2...2,
            "DOCTOR              -- Return a human readable latency analysis report."
        ) { $0.reply.verbatim($0.server.latencyReport()) },
        Subcommand(
            "graph", 3...3,
            "GRAPH   <event>     -- Return an ASCII latency graph for the event class.",
            body: graph),
        Subcommand(
            "history", 3...3,
            "HISTORY <event>     -- Return time-latency samples for the event class.",
            body: history),
        Subcommand(
            "latest", 2...2,
            "LATEST              -- Return the latest latency samples for all events.",
            body: latest),
        Subcommand(
            "reset", 2...,
            "RESET   [event ...] -- Reset latency data of one or more event classes.",
            "                       (default: reset all data for all event classes)",
            body: reset),
        .help("HELP                -- Prints this help."),
    ]

    private static func history(_ c: Client) {
        let samples = c.server.rooms.observation.latency.series[c[2].string]?.samples ?? []
        c.reply.array(samples.count)
        for sample in samples {
            c.reply.array(2)
            c.reply.integer(sample.time)
            c.reply.integer(sample.milliseconds)
        }
    }

    private static func graph(_ c: Client) {
        let event = c[2].string
        guard let series = c.server.rooms.observation.latency.series[event] else {
            return c.reply.error("ERR No samples available for event '\(event)'")
        }
        c.reply.verbatim(graph(event, series, now: c.server.now / 1000))
    }

    private static func reset(_ c: Client) {
        let observation = c.server.rooms.observation
        if c.count == 2 { return c.reply.integer(observation.latency.resetAll()) }
        c.reply.integer((2..<c.count).count { observation.latency.reset(c[$0].string) })
    }

    private static func latest(_ c: Client) {
        let all = c.server.rooms.observation.latency.series.sorted { $0.key < $1.key }
        c.reply.array(all.count)
        for (event, series) in all {
            c.reply.array(4)
            c.reply.bulk(event)
            c.reply.integer(series.samples.last?.time ?? 0)
            c.reply.integer(series.samples.last?.milliseconds ?? 0)
            c.reply.integer(series.highest)
        }
    }

    private static func graph(_ event: String, _ series: LatencyEvents.Series, now: Int64) -> String
    {
        let values = series.samples.map(\.milliseconds)
        var text = "\(event) - high \(values.max() ?? 0) ms, low \(values.min() ?? 0) ms"
        text += " (all time high \(series.highest) ms)\n" + String(repeating: "-", count: 80) + "\n"
        return text
            + Sparkline.render(
                series.samples.map { (Double($0.milliseconds), age(now - $0.time)) }, rows: 4)
    }

    private static func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m"
        case ..<86400: "\(seconds / 3600)h"
        default: "\(seconds / 86400)d"
        }
    }
}

extension Server {
    /// LATENCY DOCTOR: the events, their sizes and rhythm, and what may be done.
    func latencyReport() -> String {
        let all = rooms.observation.latency.series.sorted { $0.key < $1.key }
        if all.isEmpty {
            if config.latencyMonitorThreshold == 0 {
                return
                    "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
            }
            return
                "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n"
        }
        var text =
            "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n"
        var advice: [String] = []
        for (number, (event, series)) in all.enumerated() {
            text += "\(number + 1). \(event): \(Self.summary(series, now: now / 1000)) "
            text += "Worst all time event \(series.highest)ms.\n"
            if let line = Self.advice[event], !advice.contains(line) { advice.append(line) }
        }
        if !advice.isEmpty {
            text += "\nI have a few advices for you:\n\n"
            for line in advice { text += "- \(line)\n" }
        }
        return text
    }

    private static func summary(_ series: LatencyEvents.Series, now: Int64) -> String {
        let samples = series.samples
        let count = Int64(max(1, samples.count))
        let mean = samples.reduce(0) { $0 + $1.milliseconds } / count
        let deviation = samples.reduce(0) { $0 + abs($1.milliseconds - mean) } / count
        let period = max(1, (now - (samples.first?.time ?? now)) / count)
        return
            "\(samples.count) latency spikes (average \(mean)ms, mean deviation \(deviation)ms, period \(decimal(Double(period), 2)) sec)."
    }

    private static let advice: [String: String] = [
        "command":
            "Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please check https://redis.io/commands/slowlog for more information.",
        "fast-command":
            "The system is slow to execute Redis code paths not containing system calls. This usually means the system does not provide Redis CPU time to run for long periods. You should try to lower the system load, and to check for intrinsic latency (redis-cli --intrinsic-latency).",
        "fork":
            "Forking a large process takes long when the kernel gives it no huge pages: see that transparent huge pages aren't off, and that the machine isn't short of memory.",
        "expire-cycle":
            "Many keys expire at the same time. Spread their expiries, or set lazyfree-lazy-expire to yes.",
        "eviction-cycle":
            "Evicting keys takes long: raise maxmemory, or set lazyfree-lazy-eviction to yes.",
        "aof-write":
            "The disk is slow to take the AOF. Use a faster disk, or one that nobody else writes to.",
        "aof-fsync-always":
            "Your fsync policy is set to 'always'. It is very hard to get good performances with such a setup, if possible try to relax the fsync policy to 'everysec'.",
    ]
}
