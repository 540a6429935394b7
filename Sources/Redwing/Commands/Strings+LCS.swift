// SPDX-License-Identifier: BSD-3-Clause
//
// STRALGO LCS: the longest common subsequence of two strings.

import Configuration
import Keyspace
import Memory
import RESP

extension Strings {
    private struct Options {
        var indexes = false
        var length = false
        var matchLengths = false
        var shortest: Int64 = 0
    }

    static func stralgoKeys(_ words: Arguments) -> [Int] {
        for index in stride(from: 2, to: max(2, words.count - 2), by: 1)
        where words[index].equalsIgnoringCase("keys") {
            return [index + 1, index + 2]
        }
        return []
    }

    static func stralgo(_ c: Client) {
        guard c.word(1, is: "lcs") else { return c.syntaxError() }
        var options = Options()
        var texts: ([UInt8], [UInt8])?
        var index = 2
        while index < c.count {
            let more = c.count - 1 - index
            if c.word(index, is: "idx") {
                options.indexes = true
            } else if c.word(index, is: "len") {
                options.length = true
            } else if c.word(index, is: "withmatchlen") {
                options.matchLengths = true
            } else if c.word(index, is: "minmatchlen"), more > 0 {
                guard let shortest = c.integer(index + 1) else { return }
                options.shortest = max(0, shortest)
                index += 1
            } else if c.word(index, is: "strings") || c.word(index, is: "keys"), more > 1 {
                if texts != nil { return c.reply.error("ERR Either use STRINGS or KEYS") }
                guard let both = read(c, index) else { return }
                texts = both
                index += 2
            } else {
                return c.syntaxError()
            }
            index += 1
        }
        guard let texts else {
            return c.reply.error(
                "ERR Please specify two strings: STRINGS or KEYS options are mandatory")
        }
        if options.indexes && options.length {
            return c.reply.error(
                "ERR If you want both the length and indexes, please just use IDX.")
        }
        answer(c, texts.0, texts.1, options)
    }

    /// The two texts that the words behind `index` give or name.
    private static func read(_ c: Client, _ index: Int) -> ([UInt8], [UInt8])? {
        if c.word(index, is: "strings") { return (c[index + 1].array, c[index + 2].array) }
        var texts: [[UInt8]] = []
        for at in [index + 1, index + 2] {
            let entry = c.lookupRead(c[at])
            if let entry, entry.type != .string {
                c.reply.error("ERR The specified keys must contain string values")
                return nil
            }
            texts.append(entry?.withString { $0.array } ?? [])
        }
        return (texts[0], texts[1])
    }

    private static func answer(_ c: Client, _ a: [UInt8], _ b: [UInt8], _ options: Options) {
        let width = b.count + 1
        let (cells, overflow) = (a.count + 1).multipliedReportingOverflow(by: width)
        if overflow || cells > Int(c.server.config.protoMaxBulkLen) / 4 {
            return c.reply.error(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
        }
        var lengths = [UInt32](repeating: 0, count: cells)
        for i in 0..<a.count {
            for j in 0..<b.count {
                lengths[(i + 1) * width + j + 1] =
                    a[i] == b[j]
                    ? lengths[i * width + j] + 1
                    : max(lengths[i * width + j + 1], lengths[(i + 1) * width + j])
            }
        }
        let total = Int(lengths[cells - 1])
        if options.length { return c.reply.integer(total) }
        walk(c, a, b, lengths, total, options)
    }

    /// Goes back from the end of both texts along a longest common subsequence: its text, or the ranges
    /// that match, last first.
    private static func walk(
        _ c: Client, _ a: [UInt8], _ b: [UInt8], _ lengths: [UInt32], _ total: Int,
        _ options: Options
    ) {
        let width = b.count + 1
        var result = [UInt8](repeating: 0, count: total)
        var left = total
        var (i, j) = (a.count, b.count)
        // The run of matches at hand: first and behind the last, in both texts.
        var run: (a: Int, aEnd: Int, b: Int, bEnd: Int)?
        var matches = 0
        if options.indexes {
            c.reply.map(2)
            c.reply.bulk("matches")
        }
        let mark = c.reply.openArray()
        func close() {
            guard let range = run else { return }
            run = nil
            let length = range.aEnd - range.a
            if !options.indexes || Int64(length) < options.shortest { return }
            c.reply.array(options.matchLengths ? 3 : 2)
            for (first, end) in [(range.a, range.aEnd), (range.b, range.bEnd)] {
                c.reply.array(2)
                c.reply.integer(first)
                c.reply.integer(end - 1)
            }
            if options.matchLengths { c.reply.integer(length) }
            matches += 1
        }
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                left -= 1
                result[left] = a[i - 1]
                if let range = run, range.a == i, range.b == j {
                    run = (i - 1, range.aEnd, j - 1, range.bEnd)
                } else {
                    close()
                    run = (i - 1, i, j - 1, j)
                }
                i -= 1
                j -= 1
            } else if lengths[(i - 1) * width + j] > lengths[i * width + j - 1] {
                i -= 1
            } else {
                j -= 1
            }
        }
        close()
        guard options.indexes else { return c.reply.bulk(result) }
        c.reply.closeArray(mark, count: matches)
        c.reply.bulk("len")
        c.reply.integer(total)
    }
}
