// SPDX-License-Identifier: BSD-3-Clause
//
// Keyspace notifications and client-side caching, as the keyspace's changes reach them.

import Keyspace
import Memory

extension Server {
    /// The bits of `notify-keyspace-events`; 0 when it is off.
    var notifiedEvents: Int { 0 }
    func publishKeyEvent(
        _ key: Bytes, in database: Database, _ eventClass: EventClass, _ event: StaticString
    ) {}

    /// Some client has CLIENT TRACKING on.
    var isTracking: Bool { false }
    func invalidate(_ key: Bytes, by client: Client?) {}
    /// A tracking client read the keys of `command`.
    func trackKeys(_ client: Client, _ command: Command) {}
    /// Every cached key may be wrong: the data set was replaced.
    func invalidateAll() {}
}
