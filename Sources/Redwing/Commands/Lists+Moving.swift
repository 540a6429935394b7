// SPDX-License-Identifier: BSD-3-Clause
//
// From one list to another, and the commands that wait for an element. A client that waits has its
// command run again when one of its keys changes; a key that then holds no list is passed over, for
// who waits is not told of what others do with a key.

import Keyspace
import Memory
import RESP

extension Lists {
    /// LEFT or RIGHT at `index`, or a syntax error.
    private static func end(_ c: Client, _ index: Int) -> End? {
        if c.word(index, is: "left") { return .first }
        if c.word(index, is: "right") { return .last }
        c.syntaxError()
        return nil
    }

    static func move(_ c: Client) {
        guard let from = end(c, 3), let to = end(c, 4) else { return }
        guard let list = write(c, { c.reply.null() }) else { return }
        moveByEnds(c, list, from, to)
    }

    /// LMOVE came with 6.2: replicas get RPOPLPUSH, or a push and a pop. In this order, for a list
    /// that is moved round in itself must not be gone in between.
    private static func moveByEnds(_ c: Client, _ list: ListValue, _ from: End, _ to: End) {
        if from == .last, to == .first {
            if move(c, list, from, to) { c.propagateInstead([Bytes("RPOPLPUSH"), c[1], c[2]]) }
            return
        }
        guard let place = from == .first ? list.first : list.last else { return }
        let element = list[place].array
        guard move(c, list, from, to) else { return }
        Bytes.with(element) { c.propagateInstead([Bytes(to.pushName), c[2], $0]) }
        c.propagateAlso([Bytes(from.popName), c[1]])
    }

    static func popPush(_ c: Client) {
        guard let list = write(c, { c.reply.null() }) else { return }
        _ = move(c, list, .last, .first)
    }

    /// Moves an element of `source`, which is at the first key, to the second key, and replies it.
    /// False when the second holds something else; that is replied then.
    private static func move(_ c: Client, _ source: ListValue, _ from: End, _ to: End) -> Bool {
        let target: ListValue
        if let entry = c.lookupWrite(c[2]) {
            guard c.check(entry, is: .list) else { return false }
            target = ListValue(entry.container)
        } else {
            target = make(c, c[2])
        }
        guard let place = from == .first ? source.first : source.last else { return false }
        let element = source[place]
        c.reply.bulk(element)
        let heap = c.database.heap
        if target.address == source.address {
            // The push may move what the element lies in.
            let copy = element.array
            source.remove(place, in: heap)
            Bytes.with(copy) { push(c, target, $0, to) }
        } else {
            element.withBytes { push(c, target, $0, to) }
            source.remove(place, in: heap)
        }
        let emptied = source.count == 0
        c.changed(c[2], .list, to.pushEvent, dirty: 0)
        c.changed(c[1], .list, from.popEvent)
        if emptied { c.deleteEmptied(c[1]) }
        return true
    }

    // MARK: Waiting

    static func blockingPop(_ c: Client, _ end: End) {
        guard let timeout = c.blockingTimeout(c.count - 1) else { return }
        for i in 1..<(c.count - 1) {
            guard let entry = c.lookupWrite(c[i]), !c.passesOver(c[i], entry, for: .list) else {
                continue
            }
            guard c.check(entry, is: .list) else { return }
            let list = ListValue(entry.container)
            c.reply.array(2)
            c.reply.bulk(c[i])
            replyAndRemove(c, list, end)
            c.propagateInstead([Bytes(end.popName), c[i]])
            return popped(c, c[i], list, end, 1)
        }
        if !c.mayBlock { return c.reply.nullArray() }
        c.block(on: (1..<(c.count - 1)).map { c[$0] }, holding: .list, milliseconds: timeout)
    }

    static func blockingMove(_ c: Client) {
        guard let from = end(c, 3), let to = end(c, 4), let timeout = c.blockingTimeout(5) else {
            return
        }
        guard let list = sourceOrWait(c, timeout) else { return }
        moveByEnds(c, list, from, to)
    }

    static func blockingPopPush(_ c: Client) {
        guard let timeout = c.blockingTimeout(3) else { return }
        guard let list = sourceOrWait(c, timeout) else { return }
        if move(c, list, .last, .first) {
            c.propagateInstead([Bytes("RPOPLPUSH"), c[1], c[2]])
        }
    }

    /// The list at the first key; nil when the client now waits for it, or was answered.
    private static func sourceOrWait(_ c: Client, _ timeout: Int64) -> ListValue? {
        if let entry = c.lookupWrite(c[1]) {
            if entry.type == .list { return ListValue(entry.container) }
            if !c.flags.contains(.retrying) { c.wrongType() }
            return nil
        }
        if !c.mayBlock {
            c.reply.null()
        } else {
            c.block(on: [c[1]], holding: .list, milliseconds: timeout)
        }
        return nil
    }
}
