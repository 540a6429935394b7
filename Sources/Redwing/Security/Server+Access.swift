// SPDX-License-Identifier: BSD-3-Clause
//
// Who may run what, as dispatch asks it.

import Configuration

extension Server {
    /// New connections must authenticate.
    var requiresPassword: Bool { !config.requirepass.isEmpty }
    /// Somebody has less than all rights.
    var hasAccessRules: Bool { false }
    /// The NOPERM text, or nil when `client` may run `command` with its arguments.
    func accessRefusal(_ client: Client, _ command: Command) -> String? { nil }
    /// Begins an encrypted session on a client just accepted; false when there can't be one.
    func startTLS(_ client: Client) -> Bool { false }
}
