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
