// SPDX-License-Identifier: BSD-3-Clause
//
// Walking over a stream's entries between two ids, forward or backward. Nothing is written: a
// snapshot child walks so too.

import Memory

/// Where a walk stands. `next` moves to the next entry; `id` and the fields are then its own. Good
/// until the stream changes.
@safe
public struct StreamWalk {
    private let nodes: StreamMap
    private let from: StreamID
    private let to: StreamID
    private let reversed: Bool

    private(set) var place: StreamMap.Place?
    private(set) var node = StreamNode(Listpack(.null), .zero)
    private var head = StreamNode.Head(fieldCount: 0, fields: 0, entries: 0)
    /// Where the next entry begins; backward, the place behind the one to come.
    private var offset = 0

    public private(set) var id = StreamID.zero
    /// Pairs of field and value.
    public private(set) var fieldCount = 0
    /// Where the entry's flags stand.
    private(set) var flagsAt = 0
    private var items = 0
    private var sameFields = false

    init(_ stream: StreamValue, from: StreamID, to: StreamID, reversed: Bool) {
        nodes = stream.nodes
        self.from = from
        self.to = to
        self.reversed = reversed
        if to < from { return }
        place = nodes.seek(upTo: reversed ? to : from) ?? (reversed ? nil : nodes.first)
        enter()
    }

    private mutating func enter() {
        guard let place else { return }
        node = StreamNode(Listpack(place.value), place.id)
        head = node.head
        offset = reversed ? node.pack.end : head.entries
    }

    /// Moves to the next entry that isn't deleted; false when there is none within the range.
    public mutating func next() -> Bool {
        while let here = place {
            if reversed ? !stepBack() : !step() {
                place = reversed ? nodes.previous(here) : nodes.next(here)
                enter()
                continue
            }
            if node.pack.integer(at: flagsAt) & StreamFlag.deleted != 0 { continue }
            if reversed ? id < from : id > to {
                place = nil
                return false
            }
            if reversed ? id > to : id < from { continue }
            return true
        }
        return false
    }

    /// Reads the entry at `offset` and moves behind it; false at the node's end.
    private mutating func step() -> Bool {
        if offset >= node.pack.end { return false }
        read(offset)
        let pack = node.pack
        offset = pack.next(pack.advance(items, by: sameFields ? fieldCount : fieldCount * 2))
        return true
    }

    private mutating func stepBack() -> Bool {
        let pack = node.pack
        if offset <= head.entries { return false }
        guard var at = pack.previous(offset) else { return false }
        for _ in 0..<pack.integer(at: at) {
            guard let before = pack.previous(at) else { return false }
            at = before
        }
        offset = at
        read(at)
        return true
    }

    private mutating func read(_ at: Int) {
        let pack = node.pack
        flagsAt = at
        let ms = pack.next(at)
        let seq = pack.next(ms)
        id = StreamID(
            node.base.ms &+ UInt64(bitPattern: pack.integer(at: ms)),
            node.base.seq &+ UInt64(bitPattern: pack.integer(at: seq)))
        items = pack.next(seq)
        sameFields = pack.integer(at: at) & StreamFlag.sameFields != 0
        if sameFields {
            fieldCount = head.fieldCount
        } else {
            fieldCount = Int(pack.integer(at: items))
            items = pack.next(items)
        }
    }

    /// Calls `body` with each field and its value.
    public func forEachField(_ body: (ListpackElement, ListpackElement) -> Void) {
        let pack = node.pack
        var field = sameFields ? head.fields : items
        var value = sameFields ? items : pack.next(field)
        for i in 0..<fieldCount {
            body(pack[field], pack[value])
            if i + 1 == fieldCount { return }
            field = pack.next(sameFields ? field : value)
            value = pack.next(sameFields ? value : field)
        }
    }
}

extension StreamValue {
    /// The entries from `from` to `to`, both included; `reversed` begins with the greatest id.
    public func walk(
        from: StreamID = .zero, to: StreamID = .max, reversed: Bool = false
    ) -> StreamWalk {
        StreamWalk(self, from: from, to: to, reversed: reversed)
    }
}
