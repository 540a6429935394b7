// SPDX-License-Identifier: BSD-3-Clause
//
// An RDB file being read: descriptor → container → RDB reader → items. All raw memory of the
// tool's reading side is here; libwing's pointers are good until its next call, so all is copied.

import Glibc
import Wing

@safe
final class Input {
    private let fd: Int32
    private let codec: OpaquePointer
    private var reader: OpaquePointer?
    private let copy: Output?
    private let path: String

    /// Over the file at `path`; every byte that is read out of its container also goes to `copy`.
    /// What 6.0 can't hold comes as a note, or is an error.
    init(path: String, unsupported: Unsupported, copyingTo copy: Output? = nil) throws {
        self.path = path
        self.copy = copy
        fd = path == "-" ? 0 : unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw Failure(description: "\(path): \(text(of: -errno))") }
        let pull: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int) -> Int =
            {
                context, out, capacity in
                let fd = Int32(Int(bitPattern: context))
                let count = unsafe read(fd, out, capacity)
                return count < 0 ? Int(-errno) : count
            }
        // The descriptor itself is the context: a number, never dereferenced.
        let context = unsafe UnsafeMutableRawPointer(bitPattern: Int(fd))
        guard let made = unsafe wing_codec_reader_create(WING_CODEC_AUTO, pull, context) else {
            close(fd)
            throw Failure(description: text(of: WING_E_NOMEM))
        }
        unsafe codec = unsafe made
        try openReader(unsupported)
    }

    deinit {
        unsafe wing_rdb_reader_free(reader)
        unsafe wing_codec_reader_free(codec)
        close(fd)
    }

    private func openReader(_ unsupported: Unsupported) throws {
        let source:
            @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int) -> Int = {
                context, out, capacity in
                guard let context = unsafe context, let out = unsafe out else {
                    return Int(-EINVAL)
                }
                // The reader calls only while its Input, which owns it, is in a call of ours.
                return unsafe Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
                    .next(out, capacity)
            }
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        var options = wing_rdb_reader_options()
        options.refuse = unsupported == .refuse ? UInt32(WING_RDB_REFUSE_ALL.rawValue) : 0
        unsafe reader = unsafe wing_rdb_reader_open_source(source, context, &options)
        if unsafe reader == nil { throw Failure(description: text(of: WING_E_NOMEM)) }
    }

    private func next(_ out: UnsafeMutableRawPointer, _ capacity: Int) -> Int {
        let count = unsafe wing_codec_reader_read(UnsafeMutableRawPointer(codec), out, capacity)
        guard count > 0, let copy else { return count }
        let code = unsafe copy.write(UnsafeRawBufferPointer(start: out, count: count))
        return code < 0 ? Int(code) : count
    }

    /// Bytes of the RDB read so far, without the container.
    var offset: UInt64 { unsafe wing_rdb_reader_offset(reader) }

    var container: Container {
        switch unsafe wing_codec_reader_codec(codec) {
        case WING_CODEC_LZ4: .lz4
        case WING_CODEC_GZIP: .gzip
        default: .none
        }
    }

    private func check(_ code: Int32) throws {
        guard code < 0 else { return }
        guard let fault = unsafe wing_rdb_reader_fault(reader) else { return }
        let reason = unsafe withUnsafeBytes(of: fault.pointee.text) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        throw Failure(description: "\(path): \(reason) (at byte \(unsafe fault.pointee.offset))")
    }

    /// Nothing may follow the RDB; its container must end rightly, too.
    func expectEnd() throws {
        var left = 0
        _ = unsafe wing_rdb_reader_left(reader, &left)
        var byte: UInt8 = 0
        let more = left > 0 ? left : unsafe next(&byte, 1)
        if more < 0 { throw Failure(description: "\(path): \(text(of: Int32(more)))") }
        if more > 0 {
            throw Failure(description: "\(path): bytes follow the RDB (at byte \(offset))")
        }
    }

    func forEachItem(_ body: (Item) -> Void) throws {
        var item = unsafe wing_rdb_item()
        var database: UInt64 = 0
        while true {
            try check(unsafe wing_rdb_reader_next(reader, &item))
            switch unsafe item.kind {
            case WING_RDB_ITEM_HEADER: body(.header(version: Int(unsafe item.version)))
            case WING_RDB_ITEM_AUX:
                body(.aux(name: unsafe copied(item.name), value: unsafe copied(item.text)))
            case WING_RDB_ITEM_SELECTDB: database = unsafe item.database
            case WING_RDB_ITEM_NOTE:
                body(.note(String(decoding: unsafe copied(item.text), as: UTF8.self)))
            case WING_RDB_ITEM_KEY:
                let key = unsafe copied(item.name)
                let expiry = unsafe item.expiry_ms
                let value = try readValue(unsafe item.value)
                body(
                    .key(
                        Entry(
                            database: database, key: key, expiryMs: expiry == -1 ? nil : expiry,
                            value: value)))
            case WING_RDB_ITEM_END:
                body(.end(checksum: unsafe item.checksum))
                return
            default: break
            }
        }
    }

    private func readValue(_ kind: wing_rdb_value) throws -> Value {
        switch kind {
        case WING_RDB_VALUE_LIST: return .list(try readTexts())
        case WING_RDB_VALUE_SET: return .set(try readTexts())
        case WING_RDB_VALUE_HASH: return .hash(try readPairs().map { ($0.0, $0.1) })
        case WING_RDB_VALUE_ZSET: return .zset(try readMembers())
        case WING_RDB_VALUE_STREAM: return .stream(try readStream())
        default: return .string(try readTexts().first ?? [])
        }
    }

    private func forEachPart(_ body: (borrowing wing_rdb_part) -> Void) throws {
        var part = unsafe wing_rdb_part()
        while true {
            try check(unsafe wing_rdb_reader_part(reader, &part))
            if unsafe part.kind == WING_RDB_PART_END { return }
            unsafe body(part)
        }
    }

    private func readTexts() throws -> [Text] {
        var texts: [Text] = []
        try unsafe forEachPart { part in
            switch unsafe part.kind {
            case WING_RDB_PART_LISTPACK: unsafe texts += entries(of: part.text).map(\.text)
            case WING_RDB_PART_INTSET:
                for index in 0..<UInt32(unsafe part.entries) {
                    texts.append(Text(String(unsafe wing_intset_get(part.text.bytes, index)).utf8))
                }
            default: texts.append(unsafe copied(part.text))
            }
        }
        return texts
    }

    private func readPairs() throws -> [(Text, Text)] {
        var pairs: [(Text, Text)] = []
        try unsafe forEachPart { part in
            if unsafe part.kind == WING_RDB_PART_LISTPACK {
                let packed = unsafe entries(of: part.text)
                for at in stride(from: 0, to: packed.count - 1, by: 2) {
                    pairs.append((packed[at].text, packed[at + 1].text))
                }
            } else {
                unsafe pairs.append((copied(part.text), copied(part.other)))
            }
        }
        return pairs
    }

    private func readMembers() throws -> [(member: Text, score: Double)] {
        var members: [(member: Text, score: Double)] = []
        try unsafe forEachPart { part in
            if unsafe part.kind == WING_RDB_PART_LISTPACK {
                let packed = unsafe entries(of: part.text)
                for at in stride(from: 0, to: packed.count - 1, by: 2) {
                    let score = String(decoding: packed[at + 1].text, as: UTF8.self)
                    members.append((packed[at].text, Double(score) ?? .nan))
                }
            } else {
                unsafe members.append((copied(part.text), part.score))
            }
        }
        return members
    }

    private func readStream() throws -> Stream {
        var stream = Stream()
        var owners: [String: Int] = [:]  // the last group's pending entries, by id
        try unsafe forEachPart { part in
            let id = StreamID(ms: unsafe part.id.ms, seq: unsafe part.id.seq)
            let last = stream.groups.count - 1
            switch unsafe part.kind {
            case WING_RDB_PART_STREAM_NODE:
                stream.append(node: unsafe entries(of: part.text), first: id)
            case WING_RDB_PART_STREAM_META: stream.lastID = id
            case WING_RDB_PART_STREAM_GROUP:
                owners = [:]
                stream.groups.append(Stream.Group(name: unsafe copied(part.text), lastID: id))
            case WING_RDB_PART_STREAM_PENDING:
                owners[id.description] = stream.groups[last].pending.count
                stream.groups[last].pending.append(
                    Stream.Pending(id: id, consumer: [], deliveries: unsafe part.deliveries))
            case WING_RDB_PART_STREAM_CONSUMER:
                stream.groups[last].consumers.append(unsafe copied(part.text))
            case WING_RDB_PART_STREAM_CONSUMER_PENDING:
                if let at = owners[id.description], let name = stream.groups[last].consumers.last {
                    stream.groups[last].pending[at].consumer = name
                }
            default: break
            }
        }
        return stream
    }

    private func copied(_ text: wing_rdb_text) -> Text {
        unsafe Text(UnsafeBufferPointer(start: text.bytes, count: text.size))
    }

    /// The entries of a listpack that the reader has validated.
    private func entries(of text: wing_rdb_text) -> [Packed] {
        var packed: [Packed] = []
        var at = unsafe wing_listpack_first(text.bytes)
        while at != 0 {
            var entry = unsafe wing_packed_entry()
            unsafe wing_listpack_get(text.bytes, at, &entry)
            if let bytes = unsafe entry.bytes {
                let count = unsafe entry.size
                packed.append(.text(unsafe Text(UnsafeBufferPointer(start: bytes, count: count))))
            } else {
                packed.append(.integer(unsafe entry.integer))
            }
            at = unsafe wing_listpack_next(text.bytes, at)
        }
        return packed
    }
}

func text(of code: Int32) -> String {
    guard let text = unsafe wing_strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}

/// For the WING_E_* constants, which arrive in Swift as Int.
func text(of code: Int) -> String { text(of: Int32(code)) }
