// SPDX-License-Identifier: BSD-3-Clause
//
// What the tool says: a summary, lines, JSON.

import Foundation

struct Summary: CustomStringConvertible {
    var version = 0
    var container = Container.none
    var size: UInt64 = 0
    var hasChecksum = false
    var aux: [(name: Text, value: Text)] = []
    var notes: [String] = []
    var databases: [UInt64: [String: Int]] = [:]
    var expiring = 0

    mutating func count(_ entry: Entry) {
        databases[entry.database, default: [:]][entry.value.type, default: 0] += 1
        if entry.expiryMs != nil { expiring += 1 }
    }

    var description: String {
        var lines = ["RDB version \(version), \(size) bytes, container \(container.rawValue)"]
        lines += aux.map { "aux \(quoted($0.name)) \(quoted($0.value))" }
        for (database, types) in databases.sorted(by: { $0.key < $1.key }) {
            let kinds = types.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            lines.append("db \(database): " + kinds.joined(separator: ", "))
        }
        lines.append("\(expiring) keys with an expiry")
        lines += notes.map { "note: \($0)" }
        lines.append(hasChecksum ? "checksum right" : "no checksum")
        return lines.joined(separator: "\n")
    }
}

/// In double quotes, what isn't printable escaped as redis-cli does.
func quoted(_ text: Text) -> String {
    var out = "\""
    for byte in text {
        switch byte {
        case UInt8(ascii: "\""): out += "\\\""
        case UInt8(ascii: "\\"): out += "\\\\"
        case UInt8(ascii: "\n"): out += "\\n"
        case UInt8(ascii: "\r"): out += "\\r"
        case UInt8(ascii: "\t"): out += "\\t"
        case 0x20..<0x7F: out.unicodeScalars.append(Unicode.Scalar(byte))
        default: out += "\\x" + hex([byte])
        }
    }
    return out + "\""
}

func hex(_ text: Text) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var out = Text()
    out.reserveCapacity(2 * text.count)
    for byte in text { out += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: out, as: UTF8.self)
}

/// 17 digits, as Redis prints scores.
func score(_ value: Double) -> String { String(format: "%.17g", value) }

protocol Printer {
    mutating func received(_ item: Item)
}

struct LinePrinter: Printer {
    func received(_ item: Item) {
        switch item {
        case .header(let version): print("version \(version)")
        case .aux(let name, let value): print("aux \(quoted(name)) \(quoted(value))")
        case .note(let text): print("note \(text)")
        case .key(let entry):
            let expiry = entry.expiryMs.map { " at=\($0)" } ?? ""
            print(
                "db=\(entry.database) \(quoted(entry.key)) \(entry.value.type)\(expiry) \(line(entry.value))"
            )
        case .end: break
        }
    }

    private func line(_ value: Value) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .list(let texts), .set(let texts): texts.map(quoted).joined(separator: " ")
        case .hash(let pairs):
            pairs.map { quoted($0.field) + "=" + quoted($0.value) }.joined(separator: " ")
        case .zset(let members):
            members.map { quoted($0.member) + "=" + score($0.score) }.joined(separator: " ")
        case .stream(let stream): line(stream)
        }
    }

    private func line(_ stream: Stream) -> String {
        var words = stream.entries.map { entry in
            "\(entry.id)(" + entry.fields.map(quoted).joined(separator: " ") + ")"
        }
        words.append("last=\(stream.lastID)")
        for group in stream.groups {
            words.append("group=\(quoted(group.name)) last=\(group.lastID)")
            words += group.consumers.map { "consumer=\(quoted($0))" }
            words += group.pending.map {
                "pending=\($0.id):\(quoted($0.consumer)):\($0.deliveries)"
            }
        }
        return words.joined(separator: " ")
    }
}

struct JSONPrinter: Printer {
    private var version = 0
    private var database: UInt64?

    mutating func received(_ item: Item) {
        switch item {
        case .header(let version):
            self.version = version
            print("{\"dbs\": {", terminator: "")
        case .key(let entry): key(entry)
        case .end:
            print(
                database == nil
                    ? "}, \"rdb_version\": \(version)}" : "\n}}, \"rdb_version\": \(version)}")
        case .aux, .note: break
        }
    }

    private mutating func key(_ entry: Entry) {
        if database == entry.database {
            print(",", terminator: "\n")
        } else {
            print(database == nil ? "" : "\n},", terminator: "\n")
            print("\"\(entry.database)\": {")
            database = entry.database
        }
        let expiry = entry.expiryMs.map(String.init) ?? "null"
        print(
            "\(string(entry.key)): {\"ttl_abs_ms\": \(expiry), \"type\": \"\(entry.value.type)\", "
                + "\"value\": \(json(entry.value))}",
            terminator: "")
    }

    private func string(_ text: Text) -> String { "\"\(hex(text))\"" }
    /// Names of groups and consumers, which people choose, as they are: a character a byte.
    private func name(_ text: Text) -> String {
        let digits = text.map { byte -> String in
            let isPlain = byte >= 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x5C
            return isPlain ? String(Unicode.Scalar(byte)) : "\\u00" + hex([byte])
        }
        return "\"" + digits.joined() + "\""
    }

    private func array(_ parts: [String]) -> String { "[" + parts.joined(separator: ", ") + "]" }

    private func json(_ value: Value) -> String {
        switch value {
        case .string(let text): string(text)
        case .list(let texts): array(texts.map(string))
        case .set(let texts): array(texts.map(string).sorted())
        case .hash(let pairs):
            "{" + pairs.map { "\(string($0.field)): \(string($0.value))" }.joined(separator: ", ")
                + "}"
        case .zset(let members):
            array(
                members.sorted { ($0.score, hex($0.member)) < ($1.score, hex($1.member)) }
                    .map { "[\(string($0.member)), \"\(score($0.score))\"]" })
        case .stream(let stream): json(stream)
        }
    }

    private func json(_ stream: Stream) -> String {
        let entries = stream.entries.map { "[\"\($0.id)\", \(array($0.fields.map(string)))]" }
        let groups = stream.groups.map { group in
            let pending = group.pending.map {
                "[\"\($0.id)\", \(name($0.consumer)), \($0.deliveries)]"
            }
            return "{\"name\": \(name(group.name)), \"last_id\": \"\(group.lastID)\", "
                + "\"consumers\": \(array(group.consumers.map(name))), \"pel\": \(array(pending))}"
        }
        return
            "{\"entries\": \(array(entries)), \"groups\": \(array(groups)), \"last_id\": \"\(stream.lastID)\"}"
    }
}
