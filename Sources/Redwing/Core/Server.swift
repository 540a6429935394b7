// SPDX-License-Identifier: BSD-3-Clause
//
// The server: all that lives as long as the process. Owned by the main thread.

import Configuration
import Keyspace
import Memory

/// The words that a command leaves for the stream in place of, or besides, itself.
public struct Propagation {
    var replacement: [[UInt8]]?
    var extra: [(db: Int, words: [[UInt8]])] = []
    var suppressed = false

    mutating func instead(_ words: [Bytes]) { replacement = words.map(\.array) }
    mutating func also(_ words: [Bytes], _ database: Database) {
        extra.append((database.index, words.map(\.array)))
    }
    mutating func nothing() { suppressed = true }
}

public final class Server {
    /// Unix time in ms, read once per turn of the event loop and once per command.
    public var now: Int64 = 0
    public var dirty: Int = 0
    public var propagation = Propagation()
    /// The data set in service.
    public var keyspace = Keyspace(databases: 16)

    public init() {}

    func lookup(_ key: Bytes, in database: Database, write: Bool) -> Entry? {
        database.find(key)
    }

    func changed(
        _ key: Bytes, in database: Database, by client: Client?, _ eventClass: EventClass,
        _ event: StaticString, dirty: Int
    ) {
        self.dirty += dirty
    }

    func notify(
        _ key: Bytes, in database: Database, _ eventClass: EventClass, _ event: StaticString
    ) {}

    @discardableResult
    func remove(_ key: Bytes, in database: Database) -> Bool { database.remove(key) }
}
