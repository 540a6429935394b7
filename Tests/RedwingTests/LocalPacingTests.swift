// SPDX-License-Identifier: BSD-3-Clause
//
// Who is paced: connections from elsewhere, where the system paces at all.

import Glibc
import Testing

@testable import Redwing

struct LocalPacingTests {
    /// Accepts one connection from here and one from elsewhere, as it were, on a listener whose congestion
    /// control was `name` before it was looked at; false where the system has no such control.
    private func accept(_ name: String, _ body: (_ listener: Int32) -> Void = { _ in }) throws
        -> Bool
    {
        let listener = try SystemCalls.listenTCP("127.0.0.1", port: 0, backlog: 4, family: AF_INET)
        defer { SystemCalls.close(listener) }
        guard SystemCalls.setCongestionControl(listener, name) else { return false }
        let pacing = LocalPacing(listener: listener)
        for staysHere in [true, false] {
            let port = try #require(SystemCalls.endpoint(listener, peer: false)).port
            let visitor = try SystemCalls.connect("127.0.0.1", port: port)
            defer { SystemCalls.close(visitor) }
            #expect(TransferCalls.isReadable(listener, milliseconds: 30_000))
            let accepted = try #require(try SystemCalls.accept(listener))
            defer { SystemCalls.close(accepted) }
            pacing.settle(accepted, staysHere: staysHere)
            let expected = staysHere && name.hasPrefix("bbr") ? "reno" : name
            #expect(SystemCalls.congestionControl(accepted) == expected)
            body(listener)
        }
        return true
    }

    @Test func bbrPacesOnlyWhoComesFromElsewhere() throws {
        let known = try accept("bbr") { listener in
            #expect(SystemCalls.congestionControl(listener) == "reno")
        }
        let socket = try SystemCalls.listenTCP("127.0.0.1", port: 0, backlog: 4, family: AF_INET)
        defer { SystemCalls.close(socket) }
        // A kernel without BBR refuses the name and keeps what it had.
        if !known { #expect(SystemCalls.congestionControl(socket) != "bbr") }
    }

    @Test func othersStayAsTheyAre() throws {
        #expect(try accept("reno"))
    }
}
