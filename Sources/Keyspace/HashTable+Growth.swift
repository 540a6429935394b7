// SPDX-License-Identifier: BSD-3-Clause
//
// How a table grows and shrinks: a segment through its sizes, two for one, one for two, and the
// directory above them. A change of size needs no look at the elements, for tags carry the order; only
// a split reads their keys again, for the one hash bit that each tag gains.

import Memory

extension HashTable {
    /// Makes room where `hash` belongs.
    @usableFromInline
    func grow(_ hash: UInt64, _ heap: Heap) {
        let word = place(hash).load(UInt64.self)
        if word == 0 {
            let segment = newSegment(8, heap)
            header.store(Self.word(segment, 8, 0), at: 8)
            header.store(UInt32(1), at: 20)
            return
        }
        var words = Self.words(word)
        while words < Segment.splitWords || word >> 56 >= Segment.mostDepth {
            let next = Segment.after(words)
            precondition(next > words, "more equal hashes than a segment has slots")
            words = next
            if resize(word, hash, to: words, heap) { return }
        }
        split(word, hash, heap)
    }

    /// Gives memory back where `hash` belongs, if enough of it lies idle.
    @usableFromInline
    func shrink(_ hash: UInt64, _ heap: Heap) {
        while true {
            let word = place(hash).load(UInt64.self)
            let depth = word >> 56
            let left = Int(Self.segment(word).load(UInt64.self))
            if depth == 0 {
                if left == 0 {
                    removeAll(heap)
                    return
                }
            } else if merge(word, hash, heap) {
                continue
            }
            let words = Self.words(word)
            if words > 8 && left * 5 < Segment.limit(words) * 2 {
                let target = Segment.words(for: left + left / 4 + 1)
                if target < words { _ = resize(word, hash, to: target, heap) }
            }
            return
        }
    }

    /// Makes an empty table ready for `count` elements, so that it takes them without growing.
    public func reserve(_ count: Int, _ heap: Heap) {
        guard self.count == 0, count > 6 else { return }
        removeAll(heap)
        var depth: UInt64 = 0
        while count >> Int(depth) > Segment.limit(Segment.splitWords) * 9 / 10 && depth < 30 {
            depth += 1
        }
        // Half of the segments get more than their share: three deviations are enough for nearly all.
        let share = (count >> Int(depth)) + 1
        let words = min(
            Segment.splitWords,
            Segment.words(for: depth == 0 ? share : share + 3 * Int(Double(share).squareRoot())))
        let total = 1 << Int(depth)
        let directory = depth == 0 ? header + 8 : heap.allocate(total * 8)
        if depth > 0 { account(Heap.rounded(total * 8)) }
        for index in 0..<total {
            directory.store(Self.word(newSegment(words, heap), words, depth), at: index * 8)
        }
        if depth > 0 { header.store(address: directory, at: 8) }
        header.store(UInt8(depth), at: 16)
        header.store(UInt32(total), at: 20)
    }

    private func account(_ bytes: Int) { header.store(self.bytes + bytes, at: 24) }

    private func newSegment(_ words: Int, _ heap: Heap) -> Address {
        account(Heap.rounded(words * 8))
        return heap.allocateZeroed(words * 8)
    }

    private func freeSegment(_ segment: Address, _ words: Int, _ heap: Heap) {
        account(-Heap.rounded(words * 8))
        heap.free(segment, words * 8)
    }

    /// The directory's first index of the segment of `word`, which holds `hash`, and how many it has.
    private func span(_ depth: UInt64, _ hash: UInt64) -> (first: Int, count: Int) {
        let count = 1 << Int(self.depth - depth)
        if depth == 0 { return (0, count) }
        return (Int(hash >> (64 - depth)) << Int(self.depth - depth), count)
    }

    private func setDirectory(_ first: Int, _ count: Int, _ word: UInt64) {
        let directory = depth == 0 ? header + 8 : header.address(at: 8)
        for index in first..<(first + count) { directory.store(word, at: index * 8) }
    }

    /// Moves a segment into one of another size; false, and nothing changed, when it doesn't fit.
    private func resize(_ word: UInt64, _ hash: UInt64, to words: Int, _ heap: Heap) -> Bool {
        let old = Self.segment(word)
        let fresh = newSegment(words, heap)
        var next = 0
        for index in 0..<Segment.slots(Self.words(word)) {
            let slot = old.load(UInt64.self, at: 8 + index * 8)
            if slot == 0 { continue }
            let at = max(next, Segment.home(slot >> 48, words))
            if at >= Segment.slots(words) {
                freeSegment(fresh, words, heap)
                return false
            }
            fresh.store(slot, at: 8 + at * 8)
            next = at + 1
        }
        fresh.store(old.load(UInt64.self))
        let (first, count) = span(word >> 56, hash)
        setDirectory(first, count, Self.word(fresh, words, word >> 56))
        freeSegment(old, Self.words(word), heap)
        return true
    }

    /// Two segments for one, one bit deeper.
    private func split(_ word: UInt64, _ hash: UInt64, _ heap: Heap) {
        let depth = word >> 56
        if depth == self.depth { doubleDirectory(heap) }
        let old = Self.segment(word)
        let slots = Segment.slots(Self.words(word))
        let total = Int(old.load(UInt64.self))
        var right = 0
        for index in 0..<slots where old.load(UInt64.self, at: 8 + index * 8) >> 63 == 1 {
            right += 1
        }
        var leftWords = Segment.words(for: (total - right) * 9 / 8)
        var rightWords = Segment.words(for: right * 9 / 8)
        var leftSegment = newSegment(leftWords, heap)
        var rightSegment = newSegment(rightWords, heap)
        while !distribute(old, slots, depth, (leftSegment, leftWords), (rightSegment, rightWords)) {
            freeSegment(leftSegment, leftWords, heap)
            freeSegment(rightSegment, rightWords, heap)
            leftWords = Segment.after(leftWords)
            rightWords = Segment.after(rightWords)
            leftSegment = newSegment(leftWords, heap)
            rightSegment = newSegment(rightWords, heap)
        }
        leftSegment.store(UInt64(total - right))
        rightSegment.store(UInt64(right))
        let (first, count) = span(depth, hash)
        setDirectory(first, count / 2, Self.word(leftSegment, leftWords, depth + 1))
        setDirectory(first + count / 2, count / 2, Self.word(rightSegment, rightWords, depth + 1))
        if depth + 1 == self.depth { header.store(header.load(UInt32.self, at: 20) + 2, at: 20) }
        freeSegment(old, Self.words(word), heap)
    }

    /// Puts the slots of `old` into two new segments; false when one of them has no room.
    private func distribute(
        _ old: Address, _ slots: Int, _ depth: UInt64, _ left: (Address, Int),
        _ right: (Address, Int)
    ) -> Bool {
        let ahead = 12
        for index in 0..<slots {
            if index + ahead < slots {
                Self.element(old.load(UInt64.self, at: 8 + (index + ahead) * 8)).prefetch()
            }
            let slot = old.load(UInt64.self, at: 8 + index * 8)
            if slot == 0 { continue }
            let element = Self.element(slot)
            let tag = Self.tag(Self.hash(Keys.key(of: element)), depth + 1)
            let (segment, words) = slot >> 63 == 0 ? left : right
            if !Segment.place(segment, words, tag << 48 | UInt64(element.raw)) { return false }
        }
        return true
    }

    /// One segment for two that differ in their last bit, if both together are small.
    private func merge(_ word: UInt64, _ hash: UInt64, _ heap: Heap) -> Bool {
        let depth = word >> 56
        let mine = Int(Self.segment(word).load(UInt64.self))
        let most = Segment.limit(Segment.splitWords) * 6 / 10
        if mine > most / 2 { return false }
        let bit = UInt64(1) << (64 - depth)
        let buddy = place(hash ^ bit).load(UInt64.self)
        if buddy >> 56 != depth { return false }
        let total = mine + Int(Self.segment(buddy).load(UInt64.self))
        if total > most { return false }
        let words = Segment.words(for: total * 9 / 8 + 1)
        let (left, right) = hash & bit == 0 ? (word, buddy) : (buddy, word)
        let fresh = newSegment(words, heap)
        var next = 0
        for (half, part) in [(UInt64(0), left), (1, right)] {
            let segment = Self.segment(part)
            for index in 0..<Segment.slots(Self.words(part)) {
                let slot = segment.load(UInt64.self, at: 8 + index * 8)
                if slot == 0 { continue }
                let tag = half << 15 | slot >> 49
                let at = max(next, Segment.home(tag, words))
                if at >= Segment.slots(words) {
                    freeSegment(fresh, words, heap)
                    return false
                }
                fresh.store(tag << 48 | slot & Segment.addressMask, at: 8 + at * 8)
                next = at + 1
            }
        }
        fresh.store(UInt64(total))
        let (first, count) = span(depth - 1, hash)
        setDirectory(first, count, Self.word(fresh, words, depth - 1))
        freeSegment(Self.segment(left), Self.words(left), heap)
        freeSegment(Self.segment(right), Self.words(right), heap)
        if depth == self.depth {
            let deepest = header.load(UInt32.self, at: 20) - 2
            header.store(deepest, at: 20)
            if deepest == 0 { halveDirectory(heap) }
        }
        return true
    }

    private func doubleDirectory(_ heap: Heap) {
        let total = 1 << Int(depth)
        let old = depth == 0 ? header + 8 : header.address(at: 8)
        let fresh = heap.allocate(total * 16)
        for index in 0..<total {
            let word = old.load(UInt64.self, at: index * 8)
            fresh.store(word, at: index * 16)
            fresh.store(word, at: index * 16 + 8)
        }
        account(Heap.rounded(total * 16))
        if depth > 0 {
            heap.free(old, total * 8)
            account(-Heap.rounded(total * 8))
        }
        header.store(address: fresh, at: 8)
        header.store(UInt8(depth + 1), at: 16)
        header.store(UInt32(0), at: 20)
    }

    /// Makes the directory as small as its deepest segment allows.
    private func halveDirectory(_ heap: Heap) {
        let old = header.address(at: 8)
        let oldDepth = depth
        let total = 1 << Int(oldDepth)
        var target: UInt64 = 0
        for index in 0..<total { target = max(target, old.load(UInt64.self, at: index * 8) >> 56) }
        let count = 1 << Int(target)
        let stride = total / count
        var deepest: UInt32 = 0
        let fresh = target == 0 ? header + 8 : heap.allocate(count * 8)
        for index in 0..<count {
            let word = old.load(UInt64.self, at: index * stride * 8)
            fresh.store(word, at: index * 8)
            if word >> 56 == target { deepest += 1 }
        }
        if target > 0 {
            header.store(address: fresh, at: 8)
            account(Heap.rounded(count * 8))
        }
        heap.free(old, total * 8)
        account(-Heap.rounded(total * 8))
        header.store(UInt8(target), at: 16)
        header.store(deepest, at: 20)
    }
}
