// SPDX-License-Identifier: BSD-3-Clause
//
// `oom-score-adj`: the kernel takes a snapshot child before a replica, and a replica before a master.

import Configuration

public enum OomClass: Int, Sendable {
    case master, replica, child
}

/// Owned by the server; one per process, as the file of the kernel is.
public final class OomScore {
    private static let path = "/proc/self/oom_score_adj"
    /// What the process had when it was first changed; written back when the option goes off.
    private var base: Int?

    public init() {}

    /// Sets the score for what this process is now. Returns false (and logs) when it can't; only
    /// root may lower a score.
    @discardableResult
    public func apply(_ configuration: Configuration, _ processClass: OomClass) -> Bool {
        let value = configuration.oomScoreAdjValues[processClass.rawValue]
        switch configuration.oomScoreAdj {
        case .no:
            guard let before = base else { return true }
            base = nil
            return write(before)
        case .absolute:
            remember()
            return write(value)
        case .yes, .relative:
            return write(remember() + value)
        }
    }

    /// For a forked child, in the child; it logs nothing.
    public func applyInChild(_ configuration: Configuration) {
        let value = configuration.oomScoreAdjValues[OomClass.child.rawValue]
        switch configuration.oomScoreAdj {
        case .no: return
        case .absolute: _ = store(value)
        case .yes, .relative: _ = store((base ?? 0) + value)
        }
    }

    @discardableResult
    private func remember() -> Int {
        if let base { return base }
        let now = ProcessCalls.readInteger(Self.path) ?? 0
        base = now
        return now
    }

    private func write(_ value: Int) -> Bool {
        guard let code = store(value) else { return true }
        Log.warning("Unable to write oom_score_adj: \(ProcessCalls.errorText(code))")
        return false
    }

    private func store(_ value: Int) -> Int32? {
        ProcessCalls.writeFile(Self.path, "\(min(max(value, -1000), 1000))\n", create: false)
    }
}
