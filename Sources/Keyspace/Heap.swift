// SPDX-License-Identifier: BSD-3-Clause
//
// Where stored data lives: one heap per data set, so that a whole data set can be dropped at once
// and a loader thread can build its own beside the one in service without a lock.

import Memory
import Platform

/// Memory of one data set. One thread at a time. Blocks are 8-byte aligned; the caller remembers
/// the size of each (it stands in the data) and gives it back on `free`.
public final class Heap {
    /// Bytes in use by blocks, with the allocator's rounding.
    public private(set) var used: Int = 0

    public init() {}

    public func allocate(_ size: Int) -> Address {
        guard let memory = unsafe malloc(size) else { OutOfMemory.stop(size) }
        used += unsafe malloc_usable_size(memory)
        return unsafe Address(UnsafeRawPointer(memory))
    }

    public func free(_ block: Address, _ size: Int) {
        used -= unsafe malloc_usable_size(block.pointer)
        unsafe Platform.free(block.pointer)
    }

    /// Grows or shrinks a block, moving it when it must; the first min(from, to) bytes are kept.
    public func resize(_ block: Address, from: Int, to: Int) -> Address {
        let fresh = allocate(to)
        fresh.copy(from: block, count: min(from, to))
        free(block, from)
        return fresh
    }
}
