// SPDX-License-Identifier: BSD-3-Clause
//
// Commands are found by their names, in any case, and by nothing that only looks alike.

import Memory
import Testing

@testable import Redwing

@Suite struct CommandTests {
    private let table = CommandTable()

    private func find(_ word: [UInt8]) -> String? {
        Bytes.with(word) { table.find($0)?.name }
    }

    @Test func eachCommandIsFoundInAnyCase() {
        for command in table.all {
            let name = Array(command.name.utf8)
            #expect(find(name) == command.name)
            #expect(find(Array(command.name.uppercased().utf8)) == command.name)
            let mixed = name.enumerated().map { at, c in
                at % 2 == 0 && c >= 0x61 && c <= 0x7A ? c - 0x20 : c
            }
            #expect(find(mixed) == command.name)
        }
    }

    /// One byte is another, missing, or one too many.
    @Test func whatOnlyLooksAlikeIsNotFound() {
        let names = Set(table.all.map { $0.name })
        for command in table.all {
            let name = Array(command.name.utf8)
            for at in name.indices {
                for flip: UInt8 in [0x01, 0x20, 0x40, 0x80] {
                    var other = name
                    other[at] ^= flip
                    let spelled = String(decoding: other, as: UTF8.self).lowercased()
                    #expect((find(other) != nil) == names.contains(spelled), "\(spelled)")
                }
            }
            for other in [Array(name.dropLast()), name + [name[0]], name + [0], []] {
                let spelled = String(decoding: other, as: UTF8.self)
                #expect((find(other) != nil) == names.contains(spelled), "\(spelled)")
            }
        }
    }
}
