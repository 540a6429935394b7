// SPDX-License-Identifier: BSD-3-Clause
//
// Connections within one machine aren't paced. BBR, the default of many a host, spaces segments by a
// timer each so that routers on the way aren't flooded; on a connection that doesn't leave the machine
// this only costs: a full sync of 1 GB to a replica beside its master took 1.4 times as long.
//
// A socket that was BBR's once stays paced whatever it is given later (Linux, sk_pacing_status), and an
// accepted one begins with what its listener has. So the listener gets Reno, which each kernel has and
// anybody may choose, and whoever comes from elsewhere is given the system's choice back.

struct LocalPacing {
    /// What the system has chosen, if that paces; nil: nothing is to be changed.
    private let chosen: String?
    private static let unpaced = "reno"

    /// To be called with a TCP socket before or behind listen(2), but before anybody is accepted.
    init(listener: Int32) {
        guard let name = SystemCalls.congestionControl(listener), name.hasPrefix("bbr"),
            SystemCalls.setCongestionControl(listener, Self.unpaced)
        else {
            chosen = nil
            return
        }
        chosen = name
    }

    /// For each accepted connection.
    func settle(_ fd: Int32, staysHere: Bool) {
        guard let chosen, !staysHere else { return }
        SystemCalls.setCongestionControl(fd, chosen)
    }
}
