// SPDX-License-Identifier: BSD-3-Clause
//
// The entries of a walk, a few held back: the table's iterator asks for the memory of entries ahead,
// this for that of their containers, which is known once the entry is there.

import Memory

@safe
struct EarlyContainers: Sequence, IteratorProtocol {
    private var source: TableIterator<EntryKeys>
    /// Eight addresses in a ring, the oldest at `first`.
    private var held = InlineArray<8, UInt>(repeating: 0)
    private var first = 0
    private var isBegun = false

    init(_ source: TableIterator<EntryKeys>) { self.source = source }

    /// The next entry of the source, 0 behind the last.
    @inline(__always)
    private mutating func pull() -> UInt {
        guard let element = source.next() else { return 0 }
        let entry = Entry(element)
        switch entry.kind {
        case .stringInline, .stringInteger: break
        default:
            let container = entry.container
            container.prefetch()
            (container + 64).prefetch()
        }
        return element.raw
    }

    @inline(__always)
    mutating func next() -> Address? {
        if !isBegun {
            isBegun = true
            for place in 0..<8 { held[place] = pull() }
        }
        let oldest = held[first]
        if oldest == 0 { return nil }
        held[first] = pull()
        first = (first &+ 1) & 7
        return Address(oldest)
    }
}
