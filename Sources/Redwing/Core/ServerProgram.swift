// SPDX-License-Identifier: BSD-3-Clause
//
// From the command line to a running server.

import Configuration
import Glibc
import Memory
import Platform

public enum ServerProgram {
    public static func run(_ arguments: [String]) {
        _ = signal(SIGPIPE, SIG_IGN)
        let log = ServerLog()
        let config = Configuration()
        do {
            let server = try Server(config: config, log: log)
            try server.listen()
            log.notice("Ready to accept connections")
            server.run()
        } catch {
            log.warning("\(error)")
            exit(1)
        }
    }
}
