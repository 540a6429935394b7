// SPDX-License-Identifier: BSD-3-Clause
//
// libwing's RDB writer, as Swift code calls it. Usable in a forked child.

import Memory
import Wing

/// Writes RDB to a descriptor or into memory. Errors stick; `finish` gives the first one.
@safe
public struct RDBWriter: ~Copyable {
    /// The version written, which every Redis from 5.0 on reads.
    public static let version = Int(WING_RDB_VERSION)

    private let writer: OpaquePointer?
    /// It was opened to compress strings where that pays.
    let compresses: Bool

    private init(_ writer: OpaquePointer?, compresses: Bool) {
        unsafe self.writer = unsafe writer
        self.compresses = compresses
    }

    deinit { unsafe wing_rdb_writer_free(writer) }

    public struct Options {
        public var compression = true
        public var checksum = true
        /// Bytes between two fdatasync, 0 for none.
        public var syncBytes: UInt64 = 0
        /// Bytes gathered before they go out; 0 for the default.
        public var bufferSize = 0
        public init() {}

        var forWing: wing_rdb_writer_options {
            wing_rdb_writer_options(
                buffer_size: bufferSize, compression: compression, checksum: checksum,
                sync_bytes: syncBytes)
        }
    }

    /// Over `fd`, which stays the caller's.
    public static func descriptor(_ fd: Int32, _ options: Options) -> RDBWriter {
        var forWing = options.forWing
        return unsafe RDBWriter(
            wing_rdb_writer_open_fd(fd, &forWing), compresses: options.compression)
    }

    /// Into memory: DUMP.
    public static func memory(compression: Bool = true) -> RDBWriter {
        var options = Options()
        options.compression = compression
        var forWing = options.forWing
        return unsafe RDBWriter(wing_rdb_writer_open_memory(&forWing), compresses: compression)
    }

    /// Takes bytes: 0, or a negative code that ends the writing.
    public typealias Sink =
        @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32

    /// Through `sink`, given `context` (a codec between the writer and a file).
    public static func sink(_ sink: Sink, _ context: Address, _ options: Options) -> RDBWriter {
        var forWing = options.forWing
        return unsafe RDBWriter(
            wing_rdb_writer_open_sink(sink, context.pointer, &forWing),
            compresses: options.compression)
    }

    /// There was memory for the writer; to be asked once.
    public var isValid: Bool { unsafe writer != nil }
    public var error: Int32 { unsafe wing_rdb_writer_error(writer) }
    public var bytesWritten: UInt64 { unsafe wing_rdb_writer_bytes(writer) }
    /// Compresses the strings from here on, or doesn't.
    func compress(_ compression: Bool) { unsafe wing_rdb_writer_compress(writer, compression) }
    public func finish() -> Int32 { unsafe wing_rdb_writer_finish(writer) }

    /// A memory writer's bytes, good until its next call.
    public var memory: Bytes {
        var size = 0
        guard let start = unsafe wing_rdb_writer_memory(writer, &size) else { return .empty }
        return unsafe Bytes(start: Address(start), count: size)
    }

    /// The writer's place, for `writeMade` from a sink; good as long as the writer is.
    var place: Address { unsafe Address(UInt(bitPattern: writer)) }

    /// Hands the writer at `place` whole keys that another writer made. Returns its error, or 0.
    static func writeMade(_ place: Address, _ bytes: UnsafeRawPointer?, _ size: Int) -> Int32 {
        let writer = unsafe OpaquePointer(place.pointer)
        unsafe wing_rdb_write_made(writer, bytes, size)
        return unsafe wing_rdb_writer_error(writer)
    }

    /// Ends the work of the writer at `place`.
    static func fail(_ place: Address, _ code: Int32) {
        unsafe wing_rdb_writer_fail(OpaquePointer(place.pointer), code)
    }

    // MARK: Around the keys

    public func header() { unsafe wing_rdb_write_header(writer) }
    public func aux(_ name: String, _ value: String) {
        Bytes.with(name) { name in
            Bytes.with(value) { value in
                unsafe wing_rdb_write_aux(
                    writer, name.start.pointer, name.count, value.start.pointer, value.count)
            }
        }
    }
    public func aux(_ name: String, _ value: Bytes) {
        Bytes.with(name) { name in
            unsafe wing_rdb_write_aux(
                writer, name.start.pointer, name.count, value.start.pointer, value.count)
        }
    }
    public func aux(_ name: String, _ value: Int64) {
        unsafe wing_rdb_write_aux_integer(writer, name, value)
    }
    public func select(_ database: Int) { unsafe wing_rdb_write_select(writer, UInt64(database)) }
    public func resize(keys: Int, expires: Int) {
        unsafe wing_rdb_write_resize(writer, UInt64(keys), UInt64(expires))
    }
    public func end() { unsafe wing_rdb_write_end(writer) }
    public func beginMark(_ mark: String) { unsafe wing_rdb_write_mark_begin(writer, mark) }
    public func endMark(_ mark: String) { unsafe wing_rdb_write_mark_end(writer, mark) }
    public func beginDump(_ type: wing_rdb_type) { unsafe wing_rdb_write_dump_begin(writer, type) }
    public func endDump() { unsafe wing_rdb_write_dump_end(writer) }

    // MARK: Keys and values; see wing/rdb_writer.h for the order of the parts

    @inline(__always)
    public func key(
        _ type: wing_rdb_type, _ key: Bytes, expiry: Int64, idle: Int64, frequency: Int32
    ) {
        unsafe wing_rdb_write_key(
            writer, type, key.start.pointer, key.count, expiry, idle, frequency)
    }

    @inline(__always)
    public func stringKey(
        _ key: Bytes, expiry: Int64, idle: Int64, frequency: Int32, _ value: Bytes
    ) {
        unsafe wing_rdb_write_string_key(
            writer, key.start.pointer, key.count, expiry, idle, frequency, value.start.pointer,
            value.count)
    }

    @inline(__always)
    public func count(_ count: Int) { unsafe wing_rdb_write_count(writer, UInt64(count)) }
    @inline(__always)
    public func string(_ bytes: Bytes) {
        unsafe wing_rdb_write_string(writer, bytes.start.pointer, bytes.count)
    }
    @inline(__always)
    public func integer(_ value: Int64) { unsafe wing_rdb_write_integer(writer, value) }
    @inline(__always)
    public func score(_ value: Double) { unsafe wing_rdb_write_score(writer, value) }
    @inline(__always)
    public func blob(_ bytes: Bytes) {
        unsafe wing_rdb_write_blob(writer, bytes.start.pointer, bytes.count)
    }
    /// A whole hash or sorted set held as a listpack.
    @inline(__always)
    public func listpack(_ listpack: Address) {
        unsafe wing_rdb_write_listpack(writer, listpack.pointer)
    }
    @inline(__always)
    public func listNode(_ listpack: Address) {
        unsafe wing_rdb_write_list_node(writer, listpack.pointer)
    }
    public func listPlain(_ bytes: Bytes) {
        unsafe wing_rdb_write_list_plain(writer, bytes.start.pointer, bytes.count)
    }

    public func streamNode(_ id: wing_stream_id, _ listpack: Bytes) {
        unsafe wing_rdb_write_stream_node(writer, id, listpack.start.pointer, listpack.count)
    }
    public func streamMeta(length: UInt64, last: wing_stream_id) {
        unsafe wing_rdb_write_stream_meta(writer, length, last)
    }
    public func streamGroup(_ name: Bytes, last: wing_stream_id) {
        unsafe wing_rdb_write_stream_group(writer, name.start.pointer, name.count, last)
    }
    public func streamPending(_ id: wing_stream_id, delivered: Int64, deliveries: UInt64) {
        unsafe wing_rdb_write_stream_pending(writer, id, delivered, deliveries)
    }
    public func streamConsumer(_ name: Bytes, seen: Int64) {
        unsafe wing_rdb_write_stream_consumer(writer, name.start.pointer, name.count, seen)
    }
    public func streamConsumerPending(_ id: wing_stream_id) {
        unsafe wing_rdb_write_stream_consumer_pending(writer, id)
    }
}
