// SPDX-License-Identifier: BSD-3-Clause
//
// LATENCY DOCTOR: the events, their sizes and rhythm, and what may be done about them.

import Configuration
import Memory

/// What an operator may do, in the order in which it is said. The texts are Redis's, but for `fork`.
enum LatencyAdvice: CaseIterable {
    case fork, slowLogEnabled, slowLogTuning, slowLogInspect, scheduler
    case localDisk, ssd, dataWriteback, diskContention, noAppendfsync, relaxFsyncPolicy, writeLoad
    case hz, largeObjects, massEviction

    /// What may help against an event of this name under these settings.
    static func advices(for event: String, _ config: Configuration) -> [LatencyAdvice] {
        switch event {
        case "fork": return [.fork]
        case "command":
            let slow = config.slowlogLogSlowerThan
            if slow < 0 { return [.slowLogEnabled, .largeObjects] }
            let tuning = slow / 1000 > config.latencyMonitorThreshold
            return [tuning ? .slowLogTuning : .slowLogInspect, .largeObjects]
        case "fast-command": return [.scheduler]
        case "aof-write-pending-fsync": return [.localDisk, .diskContention, .ssd, .dataWriteback]
        case "aof-write-active-child": return [.noAppendfsync, .dataWriteback, .ssd]
        case "aof-write-alone": return [.localDisk, .dataWriteback, .ssd]
        case "aof-fsync-always": return [.relaxFsyncPolicy]
        case "aof-fstat", "rdb-unlink-temp-file": return [.diskContention, .localDisk]
        case "aof-rewrite-diff-write", "aof-rename":
            return [.writeLoad, .dataWriteback, .ssd, .localDisk]
        case "expire-cycle": return config.hz < 100 ? [.hz, .largeObjects] : [.largeObjects]
        case "expire-del", "eviction-del": return [.largeObjects]
        case "eviction-cycle": return [.massEviction]
        default: return []
        }
    }

    func text(_ config: Configuration) -> String {
        let microseconds = config.latencyMonitorThreshold * 1000
        switch self {
        case .fork:
            return
                "Forking a large process takes long when the kernel gives it no huge pages: see that transparent huge pages aren't off, and that the machine isn't short of memory."
        case .slowLogEnabled:
            return
                "There are latency issues with potentially slow commands you are using. Try to enable the Slow Log Redis feature using the command 'CONFIG SET slowlog-log-slower-than \(microseconds)'. If the Slow log is disabled Redis is not able to log slow commands execution for you."
        case .slowLogTuning:
            return
                "Your current Slow Log configuration only logs events that are slower than your configured latency monitor threshold. Please use 'CONFIG SET slowlog-log-slower-than \(microseconds)'."
        case .slowLogInspect:
            return
                "Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please check https://redis.io/commands/slowlog for more information."
        case .scheduler:
            return """
                The system is slow to execute Redis code paths not containing system calls. This usually means the system does not provide Redis CPU time to run for long periods. You should try to:
                  1) Lower the system load.
                  2) Use a computer / VM just for Redis if you are running other software in the same system.
                  3) Check if you have a "noisy neighbour" problem.
                  4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency in your system.
                """
        case .localDisk:
            return
                "It is strongly advised to use local disks for persistence, especially if you are using AOF. Remote disks provided by platform-as-a-service providers are known to be slow."
        case .ssd:
            return
                "SSD disks are able to reduce fsync latency, and total time needed for snapshotting and AOF log rewriting (resulting in smaller memory usage). With extremely high write load SSD disks can be a good option. However Redis should perform reasonably with high load using normal disks. Use this advice as a last resort."
        case .dataWriteback:
            return
                "Mounting ext3/4 filesystems with data=writeback can provide a performance boost compared to data=ordered, however this mode of operation provides less guarantees, and sometimes it can happen that after a hard crash the AOF file will have a half-written command at the end and will require to be repaired before Redis restarts."
        case .diskContention:
            return
                "Try to lower the disk contention. This is often caused by other disk intensive processes running in the same computer (including other Redis instances)."
        case .noAppendfsync:
            return
                "Assuming from the point of view of data safety this is viable in your environment, you could try to enable the 'no-appendfsync-on-rewrite' option, so that fsync will not be performed while there is a child rewriting the AOF file or producing an RDB file (the moment where there is high disk contention)."
        case .relaxFsyncPolicy:
            return
                "Your fsync policy is set to 'always'. It is very hard to get good performances with such a setup, if possible try to relax the fsync policy to 'everysec'."
        case .writeLoad:
            return
                "Latency during the AOF atomic rename operation or when the final difference is flushed to the AOF file at the end of the rewrite, sometimes is caused by very high write load, causing the AOF buffer to get very large. If possible try to send less commands to accomplish the same work, or use Lua scripts to group multiple operations into a single EVALSHA call."
        case .hz:
            return
                "In order to make the Redis keys expiring process more incremental, try to set the 'hz' configuration parameter to 100 using 'CONFIG SET hz 100'."
        case .largeObjects:
            return
                "Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you have very large objects that are often deleted, expired, or evicted, try to fragment those objects into multiple smaller objects."
        case .massEviction:
            return
                "Sudden changes to the 'maxmemory' setting via 'CONFIG SET', or allocation of large objects via sets or sorted sets intersections, STORE option of SORT, Redis Cluster large keys migrations (RESTORE command), may create sudden memory pressure forcing the server to block trying to evict keys."
        }
    }
}

extension Server {
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
        var wanted: Set<LatencyAdvice> = []
        for (number, (event, series)) in all.enumerated() {
            text += "\(number + 1). \(event): \(Self.summary(series, now: now / 1000)) "
            text += "Worst all time event \(series.highest)ms.\n"
            wanted.formUnion(LatencyAdvice.advices(for: event, config))
        }
        if wanted.isEmpty {
            return text
                + "\nWhile there are latency events logged, I'm not able to suggest any easy fix. Please use the Redis community to get some help, providing this report in your help request.\n"
        }
        text += "\nI have a few advices for you:\n\n"
        for advice in LatencyAdvice.allCases where wanted.contains(advice) {
            text += "- \(advice.text(config))\n"
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
}
