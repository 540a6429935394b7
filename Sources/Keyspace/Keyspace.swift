// SPDX-License-Identifier: BSD-3-Clause
//
// A whole data set: numbered databases on one heap. What a loader builds beside the one in service
// takes its place by an exchange of contents; the databases themselves stay, for clients hold them.

import Memory

/// Databases and the heap they share. The heap goes with it.
public final class Keyspace {
    public private(set) var heap = Heap()
    public let databases: [Database]
    /// Values of keys that are gone, to be freed when there is time.
    private var remains: [Remains] = []

    public init(databases count: Int) {
        let heap = heap
        databases = (0..<count).map { Database(index: $0, heap: heap) }
    }

    deinit { heap.destroy() }

    /// Keys in all databases.
    public var count: Int { databases.reduce(0) { $0 + $1.count } }

    /// Forgets everything at once. What takes long to give back is returned: `destroy` it, on any thread.
    public func dropAll() -> Heap? {
        let old = heap.empty() ? nil : heap
        if old != nil { heap = Heap() }
        remains = []
        for database in databases { database.restart(heap) }
        return old
    }

    /// Exchanges what two data sets hold, of as many databases each.
    public func swapContents(with other: Keyspace) {
        swap(&heap, &other.heap)
        swap(&remains, &other.remains)
        for (mine, theirs) in zip(databases, other.databases) { mine.swapContents(with: theirs) }
    }

    /// Removes `key`; a value that takes long to free is put aside for `freeRemains`.
    public func removeLazily(_ key: Bytes, in database: Database) -> Bool {
        guard let entry = database.detach(key) else { return false }
        let kind = entry.kind
        if kind != .stringInline && kind != .stringInteger,
            Values.freeEffort(kind, entry.container) > 64
        {
            remains.append(Remains(kind, entry.container, heap))
            heap.free(entry.address, entry.size)
        } else {
            database.release(entry)
        }
        return true
    }

    /// Values that wait for `freeRemains`.
    public var remainsCount: Int { remains.count }

    /// Frees about `most` elements of what was put aside.
    public func freeRemains(atMost most: Int) {
        if var last = remains.popLast(), !last.free(atMost: most) { remains.append(last) }
    }

    /// Exchanges what two of the databases hold.
    public func swapDatabases(_ first: Int, _ second: Int) {
        if first != second { databases[first].swapContents(with: databases[second]) }
    }
}

extension Database {
    func restart(_ heap: Heap) {
        forget()
        self.heap = heap
        keys = .create(heap)
        volatileKeys = .create(heap)
        averageTTL = 0
        expiryCursor = 0
    }

    func swapContents(with other: Database) {
        forget()
        other.forget()
        swap(&heap, &other.heap)
        swap(&keys, &other.keys)
        swap(&volatileKeys, &other.volatileKeys)
        swap(&averageTTL, &other.averageTTL)
        swap(&expiryCursor, &other.expiryCursor)
    }
}
