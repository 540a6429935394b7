// SPDX-License-Identifier: BSD-3-Clause
//
// INFO: sections and fields in the order and by the names of Redis 6.0.7, then those of 7.0 that
// tools have come to read.

import Configuration
import Keyspace
import Memory
import RESP

/// The text in the making: "# Section", lines of name:value, a blank line between sections.
struct InfoText {
    private(set) var text = ""

    mutating func section(_ name: String) {
        if !text.isEmpty { text += "\r\n" }
        text += "# \(name)\r\n"
    }

    mutating func field(_ name: String, _ value: String) { text += "\(name):\(value)\r\n" }
    mutating func field(_ name: String, _ value: some BinaryInteger) {
        text += "\(name):\(value)\r\n"
    }
    mutating func field(_ name: String, _ value: Bool) { text += "\(name):\(value ? 1 : 0)\r\n" }

    /// Lines that are whole already.
    mutating func lines(_ lines: String) { text += lines }

    /// An amount, and again for people: 1.50M.
    mutating func size(_ name: String, _ bytes: Int) {
        field(name, bytes)
        field(name + "_human", Self.human(bytes))
    }

    static func human(_ bytes: Int) -> String {
        let units: [(String, Double)] = [
            ("B", 1), ("K", 1024), ("M", 1_048_576), ("G", 1_073_741_824), ("T", 1_099_511_627_776),
            ("P", 1_125_899_906_842_624),
        ]
        if bytes < 1024 { return "\(bytes)B" }
        let size = Double(bytes)
        let unit = units.dropFirst().first { size < $0.1 * 1024 } ?? units[5]
        return decimal(size / unit.1, 2) + unit.0
    }
}

extension Server {
    /// The sections by name, in order. Those marked are shown when nothing is asked for.
    private static let infoSections: [(name: String, byDefault: Bool)] = [
        ("server", true), ("clients", true), ("memory", true), ("persistence", true),
        ("stats", true),
        ("replication", true), ("cpu", true), ("modules", true), ("commandstats", false),
        ("cluster", true), ("keyspace", true),
    ]

    /// The text of INFO for these sections; none stands for the default ones.
    func info(_ wanted: [String]) -> String {
        let wanted = Set(wanted.map { $0.lowercased() })
        let all = wanted.contains("all") || wanted.contains("everything")
        let defaults = wanted.isEmpty || wanted.contains("default")
        var info = InfoText()
        for (name, byDefault) in Self.infoSections
        where all || defaults && byDefault || wanted.contains(name) {
            write(name, to: &info)
        }
        return info.text
    }

    private func write(_ section: String, to info: inout InfoText) {
        switch section {
        case "server": serverInfo(&info)
        case "clients": clientsInfo(&info)
        case "memory": memoryInfo(&info)
        case "persistence": persistenceInfo(&info)
        case "stats": statsInfo(&info)
        case "replication":
            info.section("Replication")
            info.lines(replicationInfo())
        case "cpu": processorInfo(&info)
        case "modules": info.section("Modules")
        case "commandstats": commandInfo(&info)
        case "cluster":
            info.section("Cluster")
            info.field("cluster_enabled", 0)
        default: keyspaceInfo(&info)
        }
    }

    private func serverInfo(_ info: inout InfoText) {
        let uptime = now / 1000 - startedAt
        info.section("Server")
        info.field("redis_version", Version.redis)
        info.field("redis_git_sha1", "00000000")
        info.field("redis_git_dirty", 0)
        info.field("redis_build_id", "redwing-\(Version.redwing)")
        info.field("redis_mode", "standalone")
        info.field("os", ProcessFacts.system())
        info.field("arch_bits", Int.bitWidth)
        info.field("multiplexing_api", "epoll")
        info.field("atomicvar_api", "c11-builtin")
        info.field("gcc_version", "0.0.0")
        info.field("process_id", ProcessFacts.pid())
        info.field("run_id", runID)
        info.field("tcp_port", config.port != 0 ? config.port : config.tlsPort)
        info.field("uptime_in_seconds", uptime)
        info.field("uptime_in_days", uptime / 86400)
        info.field("hz", config.hz)
        info.field("configured_hz", config.hz)
        info.field("lru_clock", lruClock)
        info.field("executable", ProcessFacts.executable())
        info.field("config_file", config.configFile)
        info.field("io_threads_active", 0)
        info.field("redwing_version", Version.redwing)
    }

    private func clientsInfo(_ info: inout InfoText) {
        let replicas = clients.values.count { $0.flags.contains(.replica) }
        let observation = rooms.observation
        info.section("Clients")
        info.field("connected_clients", clients.count - replicas)
        info.field("client_recent_max_input_buffer", observation.recentInput.value)
        info.field("client_recent_max_output_buffer", observation.recentOutput.value)
        info.field("blocked_clients", blocking.blocked.count)
        info.field("tracking_clients", clients.values.count { $0.flags.contains(.tracking) })
        info.field(
            "clients_in_timeout_table", blocking.blocked.values.count { $0.wait?.deadline != nil })
        info.field("maxclients", config.maxclients)
    }

    private func processorInfo(_ info: inout InfoText) {
        let own = ProcessFacts.processorTime(children: false)
        let children = ProcessFacts.processorTime(children: true)
        info.section("CPU")
        info.field("used_cpu_sys", own.system)
        info.field("used_cpu_user", own.user)
        info.field("used_cpu_sys_children", children.system)
        info.field("used_cpu_user_children", children.user)
    }

    private func commandInfo(_ info: inout InfoText) {
        info.section("Commandstats")
        for command in commands.all.sorted(by: { $0.name < $1.name }) {
            if command.calls == 0 { continue }
            let microseconds = command.nanoseconds / 1000
            let each = command.calls == 0 ? 0 : Double(microseconds) / Double(command.calls)
            info.field(
                "cmdstat_\(command.name)",
                "calls=\(command.calls),usec=\(microseconds),usec_per_call=\(decimal(each, 2))")
        }
    }

    private func keyspaceInfo(_ info: inout InfoText) {
        info.section("Keyspace")
        for database in keyspace.databases where database.count > 0 {
            info.field(
                "db\(database.index)",
                "keys=\(database.count),expires=\(database.volatileCount),avg_ttl=\(database.averageTTL)"
            )
        }
    }
}
