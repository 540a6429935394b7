// SPDX-License-Identifier: BSD-3-Clause
//
// Title, limits, pid file.

import Configuration
import Glibc
import Platform
import Testing

@testable import Redwing

@Suite(.serialized)
struct ProcessTests {
    @Test(arguments: [
        ("", "redwing-server *:6379"),
        ("--bind 10.0.0.1 ::1 --port 7", "redwing-server 10.0.0.1:7"),
        ("--port 0 --tls-port 8", "redwing-server *:8"),
        ("--port 0 --unixsocket /s", "redwing-server /s"),
        ("--proc-title-template {port}/{what}/{title}", "6379/{what}/redwing-server"),
    ])
    func titles(arguments: String, title: String) throws {
        let configuration = Configuration()
        try configuration.load(arguments: arguments.split(separator: " ").map(String.init))
        #expect(ProcessTitle.text("redwing-server", configuration) == title)
    }

    @Test func maxclientsFitsTheLimit() {
        guard case .success(let limit) = ProcessCalls.fileLimit() else { return }
        let configuration = Configuration()
        configuration.maxclients = 10
        #expect(OpenFiles.adjust(configuration))
        #expect(configuration.maxclients == 10)
        if limit.soft < 1 << 30 && getuid() != 0 {
            #expect(OpenFiles.adjust(toMaxclients: Int(UInt32.max)) != nil)
        }
    }

    @Test func pidFileHoldsThePid() {
        let configuration = Configuration()
        configuration.pidfile = "/tmp/redwing-pid-\(getpid())"
        Startup.writePidFile(configuration)
        #expect(ProcessCalls.readInteger(configuration.pidfile) == Int(getpid()))
        Startup.removePidFile(configuration)
        #expect(ProcessCalls.readInteger(configuration.pidfile) == nil)
    }

    @Test func supervisionNeedsItsEnvironment() {
        let configuration = Configuration()
        configuration.supervised = .auto
        #expect(
            Supervisor(configuration).mode == .no || ProcessCalls.hasEnvironment("NOTIFY_SOCKET"))
    }

    /// Where files without a name are unknown, one with a name loses it.
    @Test func aSpoolOnDiskLeavesNoName() {
        for fd in [redwing_spool_disk(), redwing_spool_named()] {
            #expect(fd >= 0)
            var status = stat()
            unsafe #expect(fstat(fd, &status) == 0)
            #expect(status.st_nlink == 0 && status.st_mode & 0o777 == 0o600)
            #expect(fcntl(fd, F_GETFD) & FD_CLOEXEC != 0)
            close(fd)
        }
    }
}
