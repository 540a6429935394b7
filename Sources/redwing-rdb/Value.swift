// SPDX-License-Identifier: BSD-3-Clause
//
// A key and its value as plain Swift data, whatever form the file had them in.

typealias Text = [UInt8]

enum Item {
    case header(version: Int)
    case aux(name: Text, value: Text)
    case note(String)
    case key(Entry)
    case end(checksum: UInt64)
}

struct Entry {
    var database: UInt64
    var key: Text
    /// UNIX time.
    var expiryMs: Int64?
    var value: Value
}

enum Value {
    case string(Text)
    case list([Text])
    case set([Text])
    case hash([(field: Text, value: Text)])
    case zset([(member: Text, score: Double)])
    case stream(Stream)

    var type: String {
        switch self {
        case .string: "string"
        case .list: "list"
        case .set: "set"
        case .hash: "hash"
        case .zset: "zset"
        case .stream: "stream"
        }
    }
}

struct StreamID: CustomStringConvertible {
    var ms: UInt64 = 0
    var seq: UInt64 = 0
    var description: String { "\(ms)-\(seq)" }
}

struct Stream {
    struct Pending {
        var id: StreamID
        var consumer: Text
        var deliveries: UInt64
    }
    struct Group {
        var name: Text
        var lastID: StreamID
        var consumers: [Text] = []
        var pending: [Pending] = []
    }
    var entries: [(id: StreamID, fields: [Text])] = []
    var lastID = StreamID()
    var groups: [Group] = []
}

/// One entry of a listpack.
enum Packed {
    case text(Text)
    case integer(Int64)

    var text: Text {
        switch self {
        case .text(let text): text
        case .integer(let integer): Text(String(integer).utf8)
        }
    }

    var integer: Int64 {
        switch self {
        case .text(let text): Int64(String(decoding: text, as: UTF8.self)) ?? 0
        case .integer(let integer): integer
        }
    }
}

extension Stream {
    /// The entries of a node that libwing has validated: see stream_node.c for its grammar.
    mutating func append(node: [Packed], first: StreamID) {
        let shared = Int(node[2].integer)
        let names = node[3..<3 + shared].map(\.text)
        var at = 4 + shared
        while at < node.count {
            let flags = node[at].integer
            let id = StreamID(
                ms: first.ms &+ UInt64(bitPattern: node[at + 1].integer),
                seq: first.seq &+ UInt64(bitPattern: node[at + 2].integer))
            at += 3
            var fields: [Text] = []
            if flags & 2 != 0 {
                for (index, name) in names.enumerated() { fields += [name, node[at + index].text] }
                at += shared
            } else {
                let count = 2 * Int(node[at].integer)
                fields = node[at + 1..<at + 1 + count].map(\.text)
                at += 1 + count
            }
            at += 1  // the number of items, for walking back
            if flags & 1 == 0 { entries.append((id, fields)) }
        }
    }
}
