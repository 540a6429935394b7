// SPDX-License-Identifier: BSD-3-Clause
//
// Random elements of a set, a hash or a sorted set, as SPOP, SRANDMEMBER, HRANDFIELD and ZRANDMEMBER
// ask for them: so many different ones, or so many of which some may come again. Only the latter can
// be more than the data: what they may take is bounded before the first is written.

import Keyspace
import Memory
import RESP

/// A collection whose elements can be drawn.
protocol RandomElements {
    associatedtype Element
    var count: Int { get }
    /// Gives `body` an element, each as likely as any other. There must be one.
    func withRandom(_ body: (Element) -> Void)
    func forEachElement(_ body: (Element) -> Void)
    /// What tells the element from all others.
    static func name(of element: Element) -> ListpackElement
    /// The bytes that the element holds.
    static func size(of element: Element) -> Int
}

extension RandomElements {
    /// Gives `wanted` different elements, not more than there are; each choice is as likely as any other.
    func forDistinct(_ wanted: Int, _ body: (Element) -> Void) {
        if wanted == count { return forEachElement(body) }
        if wanted > count / 4 || count <= RandomReply.fewElements { return walk(wanted, body) }
        var seen = Set<[UInt8]>(minimumCapacity: wanted)
        while seen.count < wanted {
            withRandom { if seen.insert(Self.name(of: $0).array).inserted { body($0) } }
        }
    }

    /// One pass: an element is taken with the chance that what is still wanted has among the rest.
    private func walk(_ wanted: Int, _ body: (Element) -> Void) {
        var wanted = wanted
        var left = count
        forEachElement { element in
            if Chance.below(left) < wanted {
                body(element)
                wanted -= 1
            }
            left -= 1
        }
    }

    /// Gives elements until `body` has enough of them; the same may come again.
    fileprivate func forRepeated(_ wanted: Int, until isEnough: (Element) -> Bool) {
        // A packed collection is walked to each element: many draws read it once instead.
        if wanted > count, count <= RandomReply.fewElements {
            var all: [Element] = []
            forEachElement { all.append($0) }
            while !isEnough(all[Chance.below(all.count)]) {}
            return
        }
        var enough = false
        while !enough { withRandom { enough = isEnough($0) } }
    }

    /// What `wanted` elements may be expected to hold, by a few of them.
    fileprivate func expectedSize(of wanted: UInt64) -> Double {
        let tries = 64
        var sum = 0
        for _ in 0..<tries {
            withRandom { sum += max(Self.size(of: $0), RandomReply.smallestElement) }
        }
        return Double(wanted) * Double(sum) / Double(tries)
    }
}

private enum RandomReply {
    /// As far as an array of all elements is no waste, and a walk over them no work.
    static let fewElements = 1024
    /// The elements that one reply repeats hold no more than the largest string.
    static let mostBytes = 512 << 20
    /// What an element counts for at least: drawing it takes its time.
    static let smallestElement = 32
    /// Up to so many are not estimated before they are drawn.
    static let fewWanted = 1024
}

extension Client {
    /// The option behind the count; nil, and the error replied, when something else stands there or
    /// when twice the `wanted` elements couldn't be counted.
    func randomOption(_ name: StaticString, _ wanted: Int64) -> Bool? {
        if count > 4 || (count == 4 && !word(3, is: name)) {
            syntaxError()
            return nil
        }
        if count == 4, wanted.magnitude > UInt64(Int64.max / 2) {
            reply.error("ERR value is out of range")
            return nil
        }
        return count == 4
    }

    /// Replies with random elements of `collection`, which isn't empty. `show` writes one, as `words`
    /// elements of the reply.
    func replyRandom<Collection: RandomElements>(
        _ wanted: Int64, of collection: Collection, words: Int = 1,
        _ show: (Collection.Element) -> Void
    ) {
        if wanted < 0 { return replyRepeated(wanted.magnitude, of: collection, words, show) }
        let count = Int(min(wanted, Int64(collection.count)))
        reply.array(count * words)
        collection.forDistinct(count, show)
    }

    private func replyRepeated<Collection: RandomElements>(
        _ wanted: UInt64, of collection: Collection, _ words: Int,
        _ show: (Collection.Element) -> Void
    ) {
        if wanted > RandomReply.fewWanted,
            collection.expectedSize(of: wanted) > Double(RandomReply.mostBytes)
        {
            return reply.error("ERR value is out of range")
        }
        let mark = reply.out.count
        reply.array(Int(wanted) * words)
        var left = Int(wanted)
        collection.forRepeated(left) { element in
            show(element)
            left -= 1
            if reply.out.count - mark > RandomReply.mostBytes {
                reply.out.truncate(to: mark)
                reply.error("ERR value is out of range")
                return true
            }
            if left & 1023 == 0 { server.checkOutputLimit(self) }
            return left == 0 || isClosed || flags.contains(.closeSoon)
        }
    }
}

extension SetValue: RandomElements {
    func withRandom(_ body: (Member) -> Void) { body(random()) }
    func forEachElement(_ body: (Member) -> Void) { forEach(body) }
    static func name(of element: Member) -> ListpackElement { element }
    static func size(of element: Member) -> Int { element.count }
}

extension HashValue: RandomElements {
    typealias Element = (ListpackElement, ListpackElement)
    func withRandom(_ body: (Element) -> Void) { if let pair = random() { body(pair) } }
    func forEachElement(_ body: (Element) -> Void) { forEach { body(($0, $1)) } }
    static func name(of element: Element) -> ListpackElement { element.0 }
    static func size(of element: Element) -> Int { element.0.count + element.1.count }
}

extension SortedSet: RandomElements {
    typealias Element = (Member, Double)
    func withRandom(_ body: (Element) -> Void) { random { body(($0, $1)) } }
    func forEachElement(_ body: (Element) -> Void) { forEach { body(($0, $1)) } }
    static func name(of element: Element) -> ListpackElement { element.0 }
    static func size(of element: Element) -> Int { element.0.count }
}
