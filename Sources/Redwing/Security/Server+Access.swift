// SPDX-License-Identifier: BSD-3-Clause
//
// Who may run what, as dispatch asks it.

import Configuration
import Memory

extension Server {
    /// New connections must authenticate.
    var requiresPassword: Bool { !config.requirepass.isEmpty }
    /// Logs `client` in; false when the pair is wrong.
    func authenticate(_ client: Client, user: Bytes, password: Bytes) -> Bool {
        let right = config.requirepass
        guard user == "default", right.isEmpty || Secret.equal(password.array, right) else {
            return false
        }
        client.authenticated = true
        return true
    }

    /// Somebody has less than all rights.
    var hasAccessRules: Bool { false }
    /// The NOPERM text, or nil when `client` may run `command` with its arguments.
    func accessRefusal(_ client: Client, _ command: Command) -> String? { nil }
}
