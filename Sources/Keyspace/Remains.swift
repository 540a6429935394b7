// SPDX-License-Identifier: BSD-3-Clause
//
// A value whose key is gone, on its way back to the heap. A heap has one thread, so no other can free it
// in the background: it is freed a part at a time between commands.

import Memory

struct Remains {
    private let kind: ValueKind
    private let container: Address
    private let heap: Heap
    /// How far a table has been freed.
    private var position = 0

    init(_ kind: ValueKind, _ container: Address, _ heap: Heap) {
        self.kind = kind
        self.container = container
        self.heap = heap
    }

    /// Frees about `most` elements; true when all is gone.
    mutating func free(atMost most: Int) -> Bool {
        let heap = heap
        switch kind {
        case .setTable:
            let table = HashTable<SetMember>(container)
            guard
                table.drain(&position, heap, atMost: most, { SetMember.free($0, in: heap) })
            else { return false }
            heap.free(container, HashTable<SetMember>.headerSize)
        case .hashTable:
            let table = HashTable<FieldKeys>(container)
            guard
                table.drain(
                    &position, heap, atMost: most, { heap.free($0, FieldBlock($0).size) })
            else { return false }
            heap.free(container, HashTable<FieldKeys>.headerSize)
        case .sortedSetSkip:
            let index = SortedSet.Index(container + SkipList.ownerOffset)
            guard
                index.drain(&position, heap, atMost: most, { heap.free($0, SkipNode($0).size) })
            else { return false }
            heap.free(container, SkipList.size)
        case .stringInteger, .stringInline, .stringRaw, .listQuick, .setInteger, .hashPacked,
            .sortedSetPacked, .stream:
            // A list's or a stream's nodes are packs of elements: few, and quickly freed.
            Values.free(kind, container, heap)
        }
        return true
    }
}
