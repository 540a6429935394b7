// SPDX-License-Identifier: BSD-3-Clause
//
// The newest entries of a log that holds so many at most: SLOWLOG's, ACL LOG's.

/// Adding costs the same however many entries there are.
struct RecentEntries<Entry> {
    /// The oldest first; the first `gone` have made room for newer ones.
    private var stored: [Entry] = []
    private var gone = 0

    var count: Int { stored.count - gone }

    /// At most `most` entries, the newest first.
    func newest(_ most: Int) -> ReversedCollection<ArraySlice<Entry>> {
        stored.suffix(min(most, count)).reversed()
    }

    /// Adds the newest entry; of all, the `limit` newest stay.
    mutating func add(_ entry: Entry, limit: Int) {
        stored.append(entry)
        trim(to: limit)
    }

    mutating func trim(to limit: Int) {
        gone = max(gone, stored.count - max(0, limit))
        // Half of the array at a time, so that each entry is moved about once.
        if gone > stored.count / 2 {
            stored.removeFirst(gone)
            gone = 0
        }
    }

    /// Takes the entry out that has `age` newer ones.
    mutating func remove(age: Int) { stored.remove(at: stored.count - 1 - age) }

    mutating func removeAll() { self = RecentEntries() }
}
