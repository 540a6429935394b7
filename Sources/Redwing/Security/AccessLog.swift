// SPDX-License-Identifier: BSD-3-Clause
//
// ACL LOG: what was refused lately. The same refusal again within a minute is counted, not added.

import Configuration
import Memory
import RESP

struct AccessLog {
    enum Reason {
        case auth, command, key, channel
        var word: StaticString {
            switch self {
            case .auth: "auth"
            case .command: "command"
            case .key: "key"
            case .channel: "channel"
            }
        }
    }

    enum Context {
        case toplevel, multi, lua
        var word: StaticString {
            switch self {
            case .toplevel: "toplevel"
            case .multi: "multi"
            case .lua: "lua"
            }
        }
    }

    struct Entry {
        var count = 1
        let reason: Reason
        let context: Context
        let object: [UInt8]
        let user: [UInt8]
        /// Unix ms of the last time.
        var time: Int64
        var client: String

        func isSame(_ other: Entry) -> Bool {
            reason == other.reason && context == other.context && object == other.object
                && user == other.user && abs(time - other.time) <= AccessLog.groupingSpan
        }
    }

    fileprivate static let groupingSpan: Int64 = 60_000
    static let longestWord = 1024
    /// As many of the newest are looked at for an equal one.
    private static let searched = 10

    private(set) var entries = RecentEntries<Entry>()

    mutating func add(_ entry: Entry, limit: Int) {
        var entry = entry
        let lately = entries.newest(Self.searched).enumerated()
        if let (age, same) = lately.first(where: { $0.element.isSame(entry) }) {
            entry.count = same.count + 1
            entries.remove(age: age)
        }
        entries.add(entry, limit: limit)
    }

    mutating func reset() { entries.removeAll() }
}
