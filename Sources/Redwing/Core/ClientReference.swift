// SPDX-License-Identifier: BSD-3-Clause
//
// The client whose command runs, noted twice a command: a counted reference would cost more than many
// a command does.

/// A client, not counted. Only for as long as somebody up the stack holds it.
@safe
struct ClientReference {
    private let reference: Unmanaged<Client>?

    init() { unsafe reference = nil }

    @inline(__always)
    init(_ client: Client) { unsafe reference = Unmanaged.passUnretained(client) }

    @inline(__always)
    var client: Client? { unsafe reference?.takeUnretainedValue() }
}
