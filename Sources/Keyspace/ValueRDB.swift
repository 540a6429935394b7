// SPDX-License-Identifier: BSD-3-Clause
//
// Values to RDB and back: one switch each way. How a type lies in memory is known in its own files.

import Memory
import Wing

public enum ValueRDB {
    /// The RDB type byte of an entry's value, in version 9.
    @inline(__always)
    public static func type(of entry: Entry) -> wing_rdb_type {
        switch entry.kind {
        case .stringInteger, .stringInline, .stringRaw: WING_RDB_TYPE_STRING
        case .listQuick: WING_RDB_TYPE_LIST_QUICKLIST
        case .setInteger: WING_RDB_TYPE_SET_INTSET
        case .setTable: WING_RDB_TYPE_SET
        case .hashPacked: WING_RDB_TYPE_HASH_ZIPLIST
        case .hashTable: WING_RDB_TYPE_HASH
        case .sortedSetPacked: WING_RDB_TYPE_ZSET_ZIPLIST
        case .sortedSetSkip: WING_RDB_TYPE_ZSET_2
        case .stream: WING_RDB_TYPE_STREAM_LISTPACKS
        }
    }

    /// Writes the value's parts, behind the key's head. Reads only.
    public static func write(_ entry: Entry, to writer: borrowing RDBWriter) {
        switch entry.kind {
        case .stringInteger: writer.integer(entry.integer)
        case .stringInline, .stringRaw: writer.string(entry.stringBytes)
        case .listQuick: ListValue(entry.container).write(to: writer)
        case .setInteger, .setTable: SetValue.write(entry, to: writer)
        case .hashPacked, .hashTable: HashValue(entry).write(to: writer)
        case .sortedSetPacked, .sortedSetSkip: SortedSet.write(entry, to: writer)
        case .stream: StreamValue(entry.container).write(to: writer)
        }
    }

    /// Builds the value of the key that `reader` stands at (strings are the loader's own affair); nil for
    /// a collection of nothing, which no command leaves behind. Then, as after an error, nothing is left
    /// on the heap.
    public static func read(
        _ reader: RDBReader, _ heap: Heap, _ limits: PackedLimits
    ) throws(RDBFault) -> (ValueKind, Address)? {
        switch unsafe reader.item.value {
        case WING_RDB_VALUE_LIST: return try ListValue.read(reader, heap, limits)
        case WING_RDB_VALUE_SET: return try SetValue.read(reader, heap, limits)
        case WING_RDB_VALUE_HASH: return try HashValue.read(reader, heap, limits)
        case WING_RDB_VALUE_ZSET: return try SortedSet.read(reader, heap, limits)
        case WING_RDB_VALUE_STREAM: return try StreamValue.read(reader, in: heap)
        default: throw reader.malformed("a value of a kind that is not known here")
        }
    }
}
