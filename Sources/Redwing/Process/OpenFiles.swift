// SPDX-License-Identifier: BSD-3-Clause
//
// Enough open files for `maxclients`, or fewer clients.

import Configuration

public enum OpenFiles {
    /// Redis's CONFIG_MIN_RESERVED_FDS: listeners, logs, snapshots, replication.
    public static let reserved = 32

    /// Raises the process's limit for `maxclients` or lowers `maxclients` to the limit, with Redis's
    /// log lines. False when the server can't start with so few.
    public static func adjust(_ configuration: Configuration) -> Bool {
        let wanted = UInt(configuration.maxclients + reserved)
        let old: UInt
        switch ProcessCalls.fileLimit() {
        case .failure(let error):
            Log.warning(
                "Unable to obtain the current NOFILE limit (\(error.text)), assuming 1024 and setting "
                    + "the max clients configuration accordingly.")
            configuration.maxclients = 1024 - reserved
            return true
        case .success(let limit): old = limit.soft
        }
        guard old < wanted else { return true }
        let (best, error) = raise(from: old, to: wanted)
        if best >= wanted {
            Log.notice(
                "Increased maximum number of open files to \(wanted) (it was originally set to \(old))."
            )
            return true
        }
        return lower(configuration, to: best, wanted: wanted, old: old, error)
    }

    /// For CONFIG SET maxclients: the reason it can't be, or nil.
    public static func adjust(toMaxclients count: Int) -> String? {
        let wanted = UInt(count + reserved)
        guard case .success(let limit) = ProcessCalls.fileLimit(), limit.soft < wanted else {
            return nil
        }
        let (best, _) = raise(from: limit.soft, to: wanted)
        if best >= wanted { return nil }
        return
            "The operating system is not able to handle the specified number of clients, try with "
            + "\(max(0, Int(best) - reserved))"
    }

    /// The highest limit the system grants, 16 files at a time downwards as Redis tries.
    private static func raise(from old: UInt, to wanted: UInt) -> (best: UInt, error: ProcessError?)
    {
        var error = ProcessCalls.setFileLimit(wanted)
        if error == nil { return (wanted, nil) }
        // Nobody gets more than the kernel's own bound: steps from far above it would take minutes.
        let most = UInt(max(0, ProcessCalls.readInteger("/proc/sys/fs/nr_open") ?? 1 << 20))
        var best = min(wanted, most + 16)
        while best > old {
            error = ProcessCalls.setFileLimit(best)
            if error == nil { return (best, nil) }
            if best < 16 { break }
            best -= 16
        }
        return (max(best, old), error)
    }

    private static func lower(
        _ configuration: Configuration, to best: UInt, wanted: UInt, old: UInt,
        _ error: ProcessError?
    ) -> Bool {
        let asked = configuration.maxclients
        guard best > UInt(reserved) else {
            Log.warning(
                "Your current 'ulimit -n' of \(old) is not enough for the server to start. Please "
                    + "increase your open file limit to at least \(wanted). Exiting.")
            return false
        }
        configuration.maxclients = Int(best) - reserved
        Log.warning(
            "You requested maxclients of \(asked) requiring at least \(wanted) max file descriptors."
        )
        Log.warning(
            "Server can't set maximum open files to \(wanted) because of OS error: "
                + "\(error?.text ?? "unknown").")
        Log.warning(
            "Current maximum open files is \(best). maxclients has been reduced to "
                + "\(configuration.maxclients) to compensate for low ulimit. If you need higher "
                + "maxclients increase 'ulimit -n'.")
        return true
    }
}
