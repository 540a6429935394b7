// SPDX-License-Identifier: BSD-3-Clause
//
// `crash-log-enabled`: a crash says in the log that it was one, and where.

import Configuration
import Platform

enum CrashLog {
    static func apply(_ configuration: Configuration) {
        guard configuration.crashLogEnabled else { return redwing_crash_ignore() }
        let path = configuration.logfile
        unsafe redwing_crash_watch(path.isEmpty ? nil : path, Version.redwing)
    }
}
