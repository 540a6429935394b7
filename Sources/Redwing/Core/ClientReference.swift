// SPDX-License-Identifier: BSD-3-Clause
//
// The client whose command runs, noted twice a command, its command, and its database, asked for with
// each key; the clients that have something to write, noted once a turn: a counted reference would cost
// more than many a command does.

import Keyspace

/// A client, not counted. Only for as long as somebody up the stack holds it, or in a list from which
/// `Server.free` takes it.
@safe
struct ClientReference {
    private let reference: Unmanaged<Client>?

    init() { unsafe reference = nil }

    @inline(__always)
    init(_ client: Client) { unsafe reference = Unmanaged.passUnretained(client) }

    @inline(__always)
    var client: Client? { unsafe reference?.takeUnretainedValue() }
    @inline(__always)
    func with(_ body: (Client) -> Void) {
        if let reference = unsafe reference { unsafe reference._withUnsafeGuaranteedRef(body) }
    }
}

/// A command, not counted: the tables that hold them all live as long as the server does.
@safe
struct CommandReference {
    private let reference: Unmanaged<Command>

    @inline(__always)
    init(_ command: Command) { unsafe reference = Unmanaged.passUnretained(command) }

    @inline(__always)
    var command: Command { unsafe reference.takeUnretainedValue() }

    @inline(__always)
    func with<R>(_ body: (Command) -> R) -> R {
        unsafe reference._withUnsafeGuaranteedRef(body)
    }
}

extension Client {
    /// The command at hand or the last one.
    public var command: Command? {
        get { lastCommand?.command }
        set { lastCommand = newValue.map { CommandReference($0) } }
    }

    /// The selected database, not counted: a keyspace's databases live as long as it does.
    @inline(__always)
    func withDatabase<R>(_ body: (Database) -> R) -> R {
        unsafe Unmanaged.passUnretained(database)._withUnsafeGuaranteedRef(body)
    }
}
