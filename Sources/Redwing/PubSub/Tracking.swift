// SPDX-License-Identifier: BSD-3-Clause
//
// Client-side caching: which clients may hold which keys, and who hears of whole prefixes.
//
//     a tracking client reads a key  → keys[key] gains its id
//     the key changes, expires, goes → its clients get "invalidate" and are forgotten with the key
//     BCAST: a key with a prefix changes → prefixes[prefix].changed, sent before the loop sleeps

/// What the server keeps of a client with CLIENT TRACKING on.
struct TrackingState {
    enum Mode { case all, optIn, optOut, broadcast }
    var mode = Mode.all
    var noLoop = false
    /// The client that gets the messages; 0 for the client itself.
    var redirection: UInt64 = 0
    var prefixes: [[UInt8]] = []
    /// CLIENT CACHING was sent: the next command is an exception from the mode.
    var isException = false
    /// Its own commands' invalidations: sent behind their replies, which must not be cut in two.
    var pending: [[UInt8]] = []
    var hasPendingFlush = false

    var remembersKeys: Bool {
        switch mode {
        case .all: true
        case .optIn: isException
        case .optOut: !isException
        case .broadcast: false
        }
    }
}

struct TrackingTable {
    struct Prefix {
        var clients: [UInt64] = []
        /// Keys that changed since the last messages, and the client that changed each last.
        var changed: [[UInt8]: UInt64] = [:]
    }

    var clientCount = 0
    /// By key, ids of clients; an id may be of a client that is gone or no longer tracks.
    private(set) var keys: [[UInt8]: Set<UInt64>] = [:]
    /// The sum of the sets' sizes.
    private(set) var items = 0
    private(set) var prefixes: [[UInt8]: Prefix] = [:]
    /// Messages of a client (nil: of all keys) to another one that is just being replied to.
    var deferred: [(client: UInt64, keys: [[UInt8]]?)] = []

    mutating func remember(_ key: [UInt8], for client: UInt64) {
        if keys[key, default: []].insert(client).inserted { items += 1 }
    }

    /// The clients that may have `key`, which they have no longer when they were told.
    mutating func take(_ key: [UInt8]) -> Set<UInt64>? {
        guard let ids = keys.removeValue(forKey: key) else { return nil }
        items -= ids.count
        return ids
    }

    /// Some keys, for a table that has grown too big.
    func anyKeys(_ count: Int) -> [[UInt8]] { Array(keys.keys.prefix(count)) }

    mutating func forgetKeys() {
        keys = [:]
        items = 0
    }

    // MARK: Prefixes

    mutating func add(_ client: UInt64, prefix: [UInt8]) -> Bool {
        if prefixes[prefix]?.clients.contains(client) == true { return false }
        prefixes[prefix, default: Prefix()].clients.append(client)
        return true
    }

    mutating func remove(_ client: UInt64, prefix: [UInt8]) {
        prefixes[prefix]?.clients.removeAll { $0 == client }
        if prefixes[prefix]?.clients.isEmpty == true { prefixes[prefix] = nil }
    }

    mutating func noteChange(_ key: [UInt8], by client: UInt64) {
        for prefix in prefixes.keys where key.starts(with: prefix) {
            prefixes[prefix]?.changed[key] = client
        }
    }

    /// The prefixes with changed keys, whose lists begin anew.
    mutating func takeChanges() -> [Prefix] {
        var changed: [Prefix] = []
        for (name, prefix) in prefixes where !prefix.changed.isEmpty {
            changed.append(prefix)
            prefixes[name]?.changed = [:]
        }
        return changed
    }
}
