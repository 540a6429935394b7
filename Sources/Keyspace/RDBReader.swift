// SPDX-License-Identifier: BSD-3-Clause
//
// libwing's RDB reader, as Swift code calls it.

import Glibc
import Memory
import Wing

/// Why an RDB could not be read: libwing's code, the byte it stands at, and the reason.
public struct RDBFault: Error, CustomStringConvertible {
    public let code: Int32
    public let offset: UInt64
    public let text: String
    public var description: String { "\(text) (at byte \(offset))" }

    public init(code: Int32, offset: UInt64, text: String) {
        self.code = code
        self.offset = offset
        self.text = text
    }

    /// Nobody wants what would be loaded any more.
    public static func cancelled(at offset: UInt64) -> RDBFault {
        RDBFault(code: -ECANCELED, offset: offset, text: "loading was cancelled")
    }
}

extension wing_rdb_text {
    /// The text's bytes, good until the reader's next call.
    @inline(__always)
    public var view: Bytes {
        unsafe Bytes(start: bytes.map { unsafe Address($0) } ?? .null, count: size)
    }
}

/// Pulls items and the parts of their values. What they point to is good until the next call.
@safe
public final class RDBReader {
    private let reader: OpaquePointer
    /// The thread that reads ahead, while there is one.
    private var ahead: OpaquePointer?
    public var item = unsafe wing_rdb_item()
    public var part = unsafe wing_rdb_part()

    public struct Options {
        /// Bytes to read at most; 0 for all.
        public var limit: UInt64 = 0
        /// Values that 6.0 can't hold are an error; else they are left out, with a note.
        public var refusesUnsupported = false
        public var ignoreChecksum = false
        public init() {}
    }

    private static func forWing(_ options: Options) -> wing_rdb_reader_options {
        wing_rdb_reader_options(
            buffer_size: 0, limit: options.limit,
            refuse: options.refusesUnsupported ? UInt32(WING_RDB_REFUSE_ALL.rawValue) : 0,
            ignore_checksum: options.ignoreChecksum)
    }

    private init(_ reader: OpaquePointer?) throws(RDBFault) {
        guard let reader = unsafe reader else {
            throw RDBFault(code: Int32(WING_E_NOMEM), offset: 0, text: "no memory for a reader")
        }
        unsafe self.reader = unsafe reader
    }

    /// Gives up to `capacity` bytes: how many, 0 at the end, or a negative code.
    public typealias Source =
        @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int) -> Int

    public convenience init(source: Source, context: Address, _ options: Options = Options())
        throws(RDBFault)
    {
        var forWing = Self.forWing(options)
        try unsafe self.init(wing_rdb_reader_open_source(source, context.pointer, &forWing))
    }

    /// Over the type byte and value of a DUMP payload whose size was verified; refuses what 6.0 can't hold.
    public convenience init(dump: Bytes) throws(RDBFault) {
        var options = Options()
        options.refusesUnsupported = true
        var forWing = Self.forWing(options)
        try unsafe self.init(wing_rdb_reader_open_dump(dump.start.pointer, dump.count, &forWing))
    }

    deinit {
        unsafe wing_rdb_ahead_stop(ahead)
        unsafe wing_rdb_reader_free(reader)
    }

    /// From now on, up to `stopAhead`, a thread of its own reads ahead, when there can be one. Who gives
    /// up before the end shuts a socket down first: the thread may wait for its bytes.
    public func readAhead() { unsafe ahead = unsafe wing_rdb_ahead_start(reader) }

    public func stopAhead() {
        unsafe wing_rdb_ahead_stop(ahead)
        unsafe ahead = nil
    }

    /// The size of type byte and value of a DUMP payload, nil when version or checksum are wrong.
    public static func verifyDump(_ payload: Bytes) -> Int? {
        let size = unsafe wing_rdb_dump_verify(payload.start.pointer, payload.count)
        return size > 0 ? size : nil
    }

    /// Moves on to the next item, in `item`.
    @inline(__always)
    public func next() throws(RDBFault) {
        if let ahead = unsafe ahead {
            if unsafe wing_rdb_ahead_next(ahead, &item) < 0 { throw fault }
            return
        }
        if unsafe wing_rdb_reader_next(reader, &item) < 0 { throw fault }
    }

    /// Moves on to the next part of the key's value, in `part`; false behind the last.
    @inline(__always)
    public func nextPart() throws(RDBFault) -> Bool {
        if let ahead = unsafe ahead {
            if unsafe wing_rdb_ahead_part(ahead, &part) < 0 { throw fault }
        } else if unsafe wing_rdb_reader_part(reader, &part) < 0 {
            throw fault
        }
        return unsafe part.kind != WING_RDB_PART_END
    }

    private var fault: RDBFault {
        guard let fault = unsafe wing_rdb_reader_fault(reader) else {
            return RDBFault(code: Int32(WING_E_FORMAT), offset: offset, text: "unknown fault")
        }
        return unsafe RDBFault(
            code: fault.pointee.code, offset: fault.pointee.offset,
            text: withUnsafeBytes(of: fault.pointee.text) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            })
    }

    /// A fault of the value itself that only its builder can see.
    public func malformed(_ text: String) -> RDBFault {
        RDBFault(code: Int32(WING_E_FORMAT), offset: offset, text: text)
    }

    /// Bytes consumed so far.
    public var offset: UInt64 {
        if let ahead = unsafe ahead { return unsafe wing_rdb_ahead_offset(ahead) }
        return unsafe wing_rdb_reader_offset(reader)
    }
    /// Bytes the source has given so far.
    public var received: UInt64 { unsafe wing_rdb_reader_received(reader) }

    /// Behind END: the next `count` bytes of the source.
    public func trail(_ count: Int) throws(RDBFault) -> [UInt8] {
        stopAhead()
        var bytes = [UInt8](repeating: 0, count: count)
        if unsafe wing_rdb_reader_trail(reader, &bytes, count) < 0 { throw fault }
        return bytes
    }

    /// Behind END: bytes read from the source but not consumed.
    public var left: Bytes {
        var size = 0
        guard let start = unsafe wing_rdb_reader_left(reader, &size) else { return .empty }
        return unsafe Bytes(start: Address(start), count: size)
    }
}
