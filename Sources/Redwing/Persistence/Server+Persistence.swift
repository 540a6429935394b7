// SPDX-License-Identifier: BSD-3-Clause
//
// What the rest of the server asks of persistence.

extension Server {
    /// A snapshot or rewrite child runs: pages written to now are copied.
    var childRuns: Bool { false }
    /// The MISCONF text, when writes are refused because saving fails.
    func diskRefusal() -> String? { nil }
}
