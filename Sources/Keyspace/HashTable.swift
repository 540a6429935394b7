// SPDX-License-Identifier: BSD-3-Clause
//
// The one hash table: databases, the index of volatile keys, members of sets, fields of hashes,
// members of sorted sets. Extendible hashing, so that it grows and shrinks a segment at a time, at
// 9 to 11 bytes an element, and everything in it lies in the order of the elements' hashes, which is
// what lets SCAN return each element once while the table changes under it.
//
//     header (32 bytes, anywhere)      a directory word
//     0   8  elements                  bits 0…47   the segment's address
//     8   8  depth 0: the one          bits 48…55  its size, in units of 8 words
//            directory word; else      bits 56…63  its depth: the hash bits that its elements share
//            the directory's address
//     16  1  depth of the directory: the hash's top bits that index it
//     20  4  segments as deep as that
//     24  8  bytes of all this
//
//     a segment: a word with the count in its low 16 bits, then slots. A slot: the element's address
//     in 48 bits, above it the tag: the 16 hash bits behind the depth's. Zero is an empty slot.
//
// Slots are probed linearly and kept sorted by tag; an element's home is tag · homes / 65536. There
// is no wrap-around: behind the homes lie a few slots more, and who would need more than those makes
// the segment grow. At 512 words a segment splits in two.

import Memory
import Platform

/// How the key of an element is read.
public protocol TableKeys {
    static func key(of element: Address) -> Bytes
}

/// Arithmetic on segments that does not depend on the elements.
@usableFromInline
enum Segment {
    @usableFromInline static let addressMask: UInt64 = 0xFFFF_FFFF_FFFF
    @usableFromInline static let splitWords = 512
    @usableFromInline static let mostWords = 2040
    /// So that a SCAN cursor is 48 bits: depth and tag.
    @usableFromInline static let mostDepth: UInt64 = 32

    @inlinable @inline(__always)
    static func slots(_ words: Int) -> Int { words &- 1 }

    /// Slots that are somebody's home.
    @inlinable @inline(__always)
    static func homes(_ words: Int) -> Int { words &- 1 &- max(1, words / 20) }

    /// Elements at which a segment grows. Small ones are filled to the last home.
    @inlinable @inline(__always)
    static func limit(_ words: Int) -> Int {
        words <= 32 ? homes(words) : homes(words) &* 92 / 100
    }

    @inlinable @inline(__always)
    static func home(_ tag: UInt64, _ words: Int) -> Int {
        Int(truncatingIfNeeded: (tag &* UInt64(homes(words))) >> 16)
    }

    /// The next size: all of them are whole size classes of the allocators.
    static func after(_ words: Int) -> Int {
        switch words {
        case ..<32: words + 8
        case ..<64: words + 16
        case ..<256: words + 32
        case ..<512: words + 64
        default: min(words + 128, mostWords)
        }
    }

    /// The smallest size that takes `count` elements.
    static func words(for count: Int) -> Int {
        var words = 8
        while limit(words) < count && words < mostWords { words = after(words) }
        return words
    }

    /// Puts a slot where its tag belongs; false when there is no room behind.
    @inlinable @inline(__always)
    static func place(_ segment: Address, _ words: Int, _ slot: UInt64) -> Bool {
        let tag = slot >> 48
        let end = slots(words)
        var at = home(tag, words)
        while at < end {
            let other = segment.load(UInt64.self, at: 8 &+ at &* 8)
            if other == 0 || other >> 48 > tag { break }
            at &+= 1
        }
        return put(segment, words, slot, at: at)
    }

    /// Puts a slot at `at`, which is where its tag belongs; false when there is no room behind.
    @inlinable @inline(__always)
    static func put(_ segment: Address, _ words: Int, _ slot: UInt64, at: Int) -> Bool {
        let end = slots(words)
        var empty = at
        while empty < end, segment.load(UInt64.self, at: 8 &+ empty &* 8) != 0 { empty &+= 1 }
        if empty >= end { return false }
        while empty > at {
            segment.store(segment.load(UInt64.self, at: empty &* 8), at: 8 &+ empty &* 8)
            empty &-= 1
        }
        segment.store(slot, at: 8 &+ at &* 8)
        return true
    }
}

/// A walk through the slots of a hash. Good until the table changes.
@usableFromInline
struct Probe: BitwiseCopyable {
    @usableFromInline var slot: Address
    @usableFromInline let end: Address
    @usableFromInline let tag: UInt64

    @inlinable @inline(__always)
    init(slot: Address, end: Address, tag: UInt64) {
        self.slot = slot
        self.end = end
        self.tag = tag
    }

    /// Finds nothing.
    @inlinable @inline(__always)
    static var none: Probe { Probe(slot: .null, end: .null, tag: 0) }

    /// Goes to the first slot from here on with the tag, and returns its element; null when there is none.
    @inlinable @inline(__always)
    mutating func next() -> Address {
        while slot.raw < end.raw {
            let value = slot.load(UInt64.self)
            if value == 0 || value >> 48 > tag { return .null }
            if value >> 48 == tag { return Address(UInt(value & Segment.addressMask)) }
            slot = slot + 8
        }
        return .null
    }

    /// Asks for the cache lines of the element that is likely meant, and returns it; null when there is
    /// none.
    @inlinable @inline(__always)
    mutating func prefetchElement() -> Address {
        let element = next()
        if element.isNull { return .null }
        // Half of the elements of usual size lie across two lines.
        element.prefetch()
        (element + 32).prefetch()
        return element
    }
}

/// A table of elements, blocks that the caller owns and whose key `Keys` reads. A handle; the
/// header's bytes belong to whoever made room for them (`headerSize`).
@safe
public struct HashTable<Keys: TableKeys> {
    public let header: Address

    @inlinable @inline(__always)
    public init(_ header: Address) { self.header = header }

    @inlinable public static var headerSize: Int { 32 }

    /// Makes an empty table at `header`.
    public static func initialize(at header: Address) -> HashTable {
        header.fill(0, count: headerSize)
        header.store(headerSize, at: 24)
        return HashTable(header)
    }

    /// Makes an empty table with a header block of its own; `destroy` gives it back.
    public static func create(_ heap: Heap) -> HashTable {
        initialize(at: heap.allocate(headerSize))
    }

    @inlinable @inline(__always)
    public var count: Int { header.load(Int.self) }

    /// Bytes of header, directory and segments, without the elements.
    public var bytes: Int { header.load(Int.self, at: 24) }

    @inlinable @inline(__always)
    var depth: UInt64 { UInt64(header.byte(at: 16)) }

    @inlinable @inline(__always)
    static func hash(_ key: Bytes) -> UInt64 { redwing_hash(key.start.raw, key.count) }

    /// The place of the directory's word for `hash`.
    @inlinable @inline(__always)
    func place(_ hash: UInt64) -> Address {
        let depth = depth
        if depth == 0 { return header + 8 }
        return header.address(at: 8) + Int(truncatingIfNeeded: hash >> (64 &- depth)) &* 8
    }

    @inlinable @inline(__always)
    static func segment(_ word: UInt64) -> Address { Address(UInt(word & Segment.addressMask)) }
    @inlinable @inline(__always)
    static func words(_ word: UInt64) -> Int {
        Int(truncatingIfNeeded: (word >> 48) & 0xFF) &* 8
    }
    @inlinable @inline(__always)
    static func tag(_ hash: UInt64, _ depth: UInt64) -> UInt64 { (hash << depth) >> 48 }
    @inlinable @inline(__always)
    static func element(_ slot: UInt64) -> Address { Address(UInt(slot & Segment.addressMask)) }

    static func word(_ segment: Address, _ words: Int, _ depth: UInt64) -> UInt64 {
        UInt64(segment.raw) | UInt64(words / 8) << 48 | depth << 56
    }

    // MARK: Finding

    /// The element with `key`, or null.
    @inlinable @inline(__always)
    public func find(_ key: Bytes) -> Address {
        let slot = findSlot(key, Self.hash(key))
        return slot.isNull ? .null : Self.element(slot.load(UInt64.self))
    }

    @inlinable @inline(__always)
    public func contains(_ key: Bytes) -> Bool { !findSlot(key, Self.hash(key)).isNull }

    /// The slot of the element with `key`, or null. Good until the table changes.
    @inlinable
    public func findSlot(_ key: Bytes, _ hash: UInt64) -> Address {
        var probe = probe(hash)
        while true {
            let element = probe.next()
            if element.isNull { return .null }
            if Keys.key(of: element) == key { return probe.slot }
            probe.slot = probe.slot + 8
        }
    }

    /// Where elements with this hash would have their slots.
    @inlinable @inline(__always)
    func probe(_ hash: UInt64) -> Probe {
        let word = place(hash).load(UInt64.self)
        if word == 0 { return .none }
        return Probe(
            slot: Self.home(hash, word), end: Self.segment(word) + Self.words(word) &* 8,
            tag: Self.tag(hash, word >> 56))
    }

    @inlinable @inline(__always)
    public func element(at slot: Address) -> Address { Self.element(slot.load(UInt64.self)) }

    /// The element of `slot` has moved to `element`; its key is the same.
    @inlinable @inline(__always)
    public func replace(at slot: Address, with element: Address) {
        let tag = slot.load(UInt64.self) & ~Segment.addressMask
        slot.store(tag | UInt64(element.raw))
    }

    /// Where an element with the hash has its home, in the segment that `word` of the directory names.
    @inlinable @inline(__always)
    static func home(_ hash: UInt64, _ word: UInt64) -> Address {
        segment(word) + (8 &+ Segment.home(tag(hash, word >> 56), words(word)) &* 8)
    }

    /// Asks for the cache lines that an insertion with this hash touches: the slot's, and the one in
    /// which the segment counts its elements.
    @inlinable
    public func prefetchInsertion(_ hash: UInt64) {
        let word = place(hash).load(UInt64.self)
        if word == 0 { return }
        Self.segment(word).prefetch()
        Self.home(hash, word).prefetch()
    }

    // MARK: Changing

    /// Adds an element whose key is not in the table.
    @inlinable
    public func insert(_ element: Address, _ heap: Heap) {
        insert(element, Self.hash(Keys.key(of: element)), heap)
    }

    @inlinable
    public func insert(_ element: Address, _ hash: UInt64, _ heap: Heap) {
        while true {
            let word = place(hash).load(UInt64.self)
            if word != 0 {
                let segment = Self.segment(word)
                let words = Self.words(word)
                let count = segment.load(UInt64.self)
                let slot = Self.tag(hash, word >> 56) << 48 | UInt64(element.raw)
                if count < UInt64(Segment.limit(words)) && Segment.place(segment, words, slot) {
                    segment.store(count &+ 1)
                    break
                }
            }
            grow(hash, heap)
        }
        header.store(count &+ 1)
    }

    /// Adds what `make` returns, unless an element with `key`, whose hash is given, is there: then that
    /// one's slot is returned, else null. `make` may not change the table. One walk finds the one and
    /// the place for the other.
    @inlinable @inline(__always)
    public func insert(
        _ key: Bytes, _ hash: UInt64, _ heap: Heap, unlessThere make: () -> Address
    ) -> Address {
        let word = place(hash).load(UInt64.self)
        if word == 0 {
            insert(make(), hash, heap)
            return .null
        }
        let segment = Self.segment(word)
        let words = Self.words(word)
        let tag = Self.tag(hash, word >> 56)
        let end = Segment.slots(words)
        var at = Segment.home(tag, words)
        while at < end {
            let other = segment.load(UInt64.self, at: 8 &+ at &* 8)
            if other == 0 || other >> 48 > tag { break }
            if other >> 48 == tag && Keys.key(of: Self.element(other)) == key {
                return segment + (8 &+ at &* 8)
            }
            at &+= 1
        }
        let element = make()
        let count = segment.load(UInt64.self)
        let slot = tag << 48 | UInt64(element.raw)
        if count < UInt64(Segment.limit(words)) && Segment.put(segment, words, slot, at: at) {
            segment.store(count &+ 1)
            header.store(self.count &+ 1)
        } else {
            insert(element, hash, heap)
        }
        return .null
    }

    /// Takes the element with `key` out and returns it, for the caller to free; null when there is none.
    @inlinable
    public func remove(_ key: Bytes, _ heap: Heap) -> Address {
        let hash = Self.hash(key)
        let slot = findSlot(key, hash)
        if slot.isNull { return .null }
        let element = element(at: slot)
        remove(at: slot, hash, heap)
        return element
    }

    /// Takes the element at `slot`, whose hash is given, out.
    @inlinable
    public func remove(at slot: Address, _ hash: UInt64, _ heap: Heap) {
        let word = place(hash).load(UInt64.self)
        let segment = Self.segment(word)
        let words = Self.words(word)
        let end = segment + words &* 8
        var hole = slot
        while true {
            let next = hole + 8
            if next.raw >= end.raw { break }
            let value = next.load(UInt64.self)
            if value == 0 { break }
            if segment + (8 &+ Segment.home(value >> 48, words) &* 8) == next { break }
            hole.store(value)
            hole = next
        }
        hole.store(UInt64(0))
        let left = segment.load(UInt64.self) &- 1
        segment.store(left)
        header.store(count &- 1)
        if left & 7 == 0 || left &* 4 < UInt64(Segment.limit(words)) { shrink(hash, heap) }
    }

    /// Frees directory and segments (not the elements) and leaves an empty table.
    public func removeAll(_ heap: Heap) {
        var index = 0
        let total = 1 << Int(depth)
        let directory = depth == 0 ? header + 8 : header.address(at: 8)
        while index < total {
            let word = directory.load(UInt64.self, at: index * 8)
            if word == 0 { break }
            heap.free(Self.segment(word), Self.words(word) * 8)
            index += 1 << Int(depth - word >> 56)
        }
        if depth > 0 { heap.free(directory, total * 8) }
        _ = Self.initialize(at: header)
    }

    /// Frees elements, by `free`, and segments from the directory's word `position` on, about `most`
    /// elements; true when nothing is left but the header. Nothing else may use the table meanwhile.
    func drain(
        _ position: inout Int, _ heap: Heap, atMost most: Int, _ free: (Address) -> Void
    ) -> Bool {
        let total = 1 << Int(depth)
        let directory = depth == 0 ? header + 8 : header.address(at: 8)
        var freed = 0
        while position < total {
            if freed >= most { return false }
            let word = directory.load(UInt64.self, at: position * 8)
            if word == 0 { break }
            let segment = Self.segment(word)
            let words = Self.words(word)
            for index in 1..<words {
                if index + 12 < words {
                    Self.element(segment.load(UInt64.self, at: (index + 12) * 8)).prefetch()
                }
                let slot = segment.load(UInt64.self, at: index * 8)
                if slot == 0 { continue }
                free(Self.element(slot))
                freed += 1
            }
            position += 1 << Int(depth - word >> 56)
            heap.free(segment, words * 8)
        }
        if depth > 0 { heap.free(directory, total * 8) }
        _ = Self.initialize(at: header)
        return true
    }

    /// `removeAll`, then the header block that `create` made.
    public func destroy(_ heap: Heap) {
        removeAll(heap)
        heap.free(header, Self.headerSize)
    }
}
