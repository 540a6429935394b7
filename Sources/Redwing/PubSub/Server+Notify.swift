// SPDX-License-Identifier: BSD-3-Clause
//
// Keyspace notifications, as the keyspace's changes reach them.

import Configuration
import Keyspace
import Memory

extension Server {
    /// The bits of `notify-keyspace-events`, 0 when it is off.
    @inline(__always)
    var notifiedEvents: Int { Int(config.notifyKeyspaceEvents.rawValue) }

    /// `__keyspace@<db>__:<key>` gets the event, `__keyevent@<db>__:<event>` the key.
    func publishKeyEvent(
        _ key: Bytes, in database: Database, _ eventClass: EventClass, _ event: StaticString
    ) {
        let wanted = EventClass(rawValue: notifiedEvents)
        if wanted.contains(.keyspace) {
            let channel = Array("__keyspace@\(database.index)__:".utf8) + key.array
            Bytes.with(channel) { _ = publish($0, Bytes(event)) }
        }
        if wanted.contains(.keyevent) {
            Bytes.with("__keyevent@\(database.index)__:\(event)") { _ = publish($0, key) }
        }
    }
}
