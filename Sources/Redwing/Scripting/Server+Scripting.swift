// SPDX-License-Identifier: BSD-3-Clause
//
// What dispatch asks of scripting.

extension Server {
    /// A script runs beyond its time limit.
    var isBusy: Bool { false }
    func busyRefusal(_ client: Client, _ command: Command) -> String? { nil }
    /// The scripts that replicas know by their hashes: they travel with a snapshot.
    func replicatedScripts() -> [[UInt8]] { [] }
}
