// SPDX-License-Identifier: BSD-3-Clause
//
// Where the AOF says how far the replication stream is: a record before each batch of commands.
//
//      *2 $4 ECHO $n repl [<id>] <offset> <db> <size>
//
// "When the next <size> bytes of this file are read, what was loaded is the state of stream <id> at
// <offset>, and the stream has <db> selected." The id stands where it isn't the one before it. The
// record's size is the number of bytes that one flush wrote behind it, 0 when only the offset moved.
//
// Counting the file's bytes would not do: PING, REPLCONF GETACK and PUBLISH are in the stream but not
// here, and a replica's AOF has commands in another form than its master sent. So the position is
// said, and said ahead of its commands: a batch that was cut off by a crash is seen as such, and
// commands that another server appended later (stock Redis writes no records) are seen to be outside
// of any batch. In both cases there is no position, rather than a wrong one.
//
// Why ECHO. Any Redis since 1.0 runs it without effect while it loads, redis-check-aof takes it for a
// command like others, and no client's ECHO is ever in an AOF, since it writes nothing. Lines with
// '#', the annotations of Redis 7, end the start of a Redis 6 ("Bad file format"); REPLCONF needs a
// connection in some versions. Tried with redis-server and redis-check-aof 7.0.15.

import Keyspace
import Memory

/// One record; a value.
struct AOFRecord: Equatable {
    /// Nil: the id of the record before, or of the RDB at the file's head.
    var id: String?
    var offset: Int64
    var db: Int
    /// Bytes behind the record that belong to it.
    var size: Int

    private static let word = "repl"

    /// Appends the record as a command.
    func write(to out: ByteBuffer) {
        let text = "\(Self.word) " + (id.map { "\($0) " } ?? "") + "\(offset) \(db) \(size)"
        out.append(text: "*2\r\n$4\r\nECHO\r\n$\(text.utf8.count)\r\n\(text)\r\n")
    }

    init(id: String?, offset: Int64, db: Int, size: Int) {
        self.id = id
        self.offset = offset
        self.db = db
        self.size = size
    }

    /// The record that ECHO's argument is; nil when it is something else.
    init?(_ argument: Bytes) {
        guard argument.count <= 128 else { return nil }
        var words = argument.string.split(separator: " ", omittingEmptySubsequences: false)[...]
        guard words.popFirst() == Substring(Self.word) else { return nil }
        if words.count == 4, let id = words.popFirst() {
            guard id.utf8.count == 40 else { return nil }
            self.id = String(id)
        }
        guard words.count == 3, let offset = Int64(words[words.startIndex]), offset >= 0,
            let db = Int(words[words.startIndex + 1]), db >= 0,
            let size = Int(words[words.startIndex + 2]), size >= 0
        else { return nil }
        self.offset = offset
        self.db = db
        self.size = size
    }
}

/// What is known of the stream's position while a file is read. A value; `end` is a place in the file.
struct AOFPositions {
    typealias Position = SnapshotInfo.Replication
    /// The position of all that was read so far; nil when the file doesn't say.
    private(set) var current: Position?
    private var id: String?
    private var due: (end: UInt64, position: Position)?

    /// `base` is what the RDB at the file's head says.
    init(base: Position? = nil) {
        guard let base, base.id.utf8.count == 40, base.offset >= 0 else { return }
        current = base
        id = base.id
    }

    /// A record that ends at `end` was read.
    mutating func read(_ record: AOFRecord, end: UInt64) {
        id = record.id ?? id
        due = nil
        guard let id else {
            current = nil
            return
        }
        let position = Position(streamDB: record.db, id: id, offset: record.offset)
        if record.size == 0 {
            current = position
        } else {
            due = (end + UInt64(record.size), position)
        }
    }

    /// A command, or a whole transaction, that ends at `end` was applied.
    mutating func applied(end: UInt64) {
        current = nil
        guard let due, end >= due.end else { return }
        if end == due.end { current = due.position }
        self.due = nil
    }
}
