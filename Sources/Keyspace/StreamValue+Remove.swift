// SPDX-License-Identifier: BSD-3-Clause
//
// Taking entries out of a stream: one by its id, or the oldest. Nodes that lose all their entries go;
// within a node an entry is only marked, so that the others stay where they are.

import Memory

extension StreamValue {
    /// Removes the entry `id`; false when it is not there.
    public func remove(_ id: StreamID, in heap: Heap) -> Bool {
        var walk = walk(from: id, to: id)
        guard walk.next(), let place = walk.place else { return false }
        let node = walk.node
        if node.live == 1 {
            node.pack.free(in: heap)
            nodes.remove(place.id, in: heap)
        } else {
            node.markDeleted(walk.flagsAt)
            place.set(value: node.count(deleted: 1, in: heap).address)
        }
        length -= 1
        if maxDeletedID < id { maxDeletedID = id }
        return true
    }

    /// How far a trim goes.
    public enum Trim: Equatable {
        /// This many entries stay.
        case length(Int)
        /// Entries from this id on stay.
        case from(StreamID)
    }

    /// Removes the oldest entries; how many. `approximate`: whole nodes only, and not more than
    /// `limit` entries (0: no limit).
    public func trim(_ goal: Trim, approximate: Bool, limit: Int = 0, in heap: Heap) -> Int {
        var removed = 0
        while let place = nodes.first {
            if case .length(let most) = goal, length <= most { break }
            let node = StreamNode(Listpack(place.value), place.id)
            let live = node.live
            if limit > 0 && removed + live > limit { break }
            let whole: Bool
            switch goal {
            case .length(let most): whole = length - live >= most
            case .from(let id): whole = node.lastID < id
            }
            if whole {
                noteRemoved(upTo: node.lastID)
                node.pack.free(in: heap)
                nodes.remove(place.id, in: heap)
                length -= live
                removed += live
                continue
            }
            if !approximate { removed += trim(node, at: place, goal, heap) }
            break
        }
        return removed
    }

    /// Marks the node's oldest entries as deleted; some stay, or the node would have gone as a whole.
    private func trim(
        _ node: StreamNode, at place: StreamMap.Place, _ goal: Trim, _ heap: Heap
    ) -> Int {
        var walk = walk(from: .zero, to: node.lastID)
        var marked = 0
        while walk.next() {
            switch goal {
            case .length(let most): if length - marked <= most { return finish(marked) }
            case .from(let id): if !(walk.id < id) { return finish(marked) }
            }
            node.markDeleted(walk.flagsAt)
            noteRemoved(upTo: walk.id)
            marked += 1
        }
        return finish(marked)

        func finish(_ n: Int) -> Int {
            if n == 0 { return 0 }
            if n == node.live {
                node.pack.free(in: heap)
                nodes.remove(place.id, in: heap)
            } else {
                place.set(value: node.count(deleted: n, in: heap).address)
            }
            length -= n
            return n
        }
    }

    private func noteRemoved(upTo id: StreamID) {
        if maxDeletedID < id { maxDeletedID = id }
    }

    /// How many nodes the radix tree would have that Redis keeps a stream's nodes in (XINFO tells): one
    /// for each key, each place where keys part, and each run of bytes between these.
    public var radixNodes: Int {
        guard var place = nodes.first else { return 1 }
        var count = 0
        /// The depths of the open partings on the way to the key before.
        var open: [Int] = []
        func close(_ depth: Int, under parent: Int?) {
            count += 1
            if depth > (parent.map { $0 + 1 } ?? 0) { count += 1 }
        }
        /// Closes what lies deeper than `shared`, the leaf first.
        func part(_ shared: Int) {
            var depth = 16
            while let top = open.last, top > shared {
                close(depth, under: top)
                depth = top
                open.removeLast()
            }
            if shared >= 0 && open.last != shared { open.append(shared) }
            close(depth, under: open.last)
        }
        while let next = nodes.next(place) {
            part(Self.sharedBytes(place.id, next.id))
            place = next
        }
        part(-1)
        return count
    }

    /// Leading bytes that two ids have in common when written big-endian.
    private static func sharedBytes(_ a: StreamID, _ b: StreamID) -> Int {
        a.ms != b.ms
            ? (a.ms ^ b.ms).leadingZeroBitCount / 8 : 8 + (a.seq ^ b.seq).leadingZeroBitCount / 8
    }
}
