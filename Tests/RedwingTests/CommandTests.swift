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

    /// However long the name is, and whatever letters it has: only those of ASCII have another case.
    @Test func aRenamedCommandIsFoundByItsNewNameAlone() {
        for name in ["a", String(repeating: "b840fc02", count: 16), "ÉchO", "two words"] {
            var table = CommandTable()
            let isNew = table.rename("config", to: name)
            #expect(isNew)
            func find(_ word: String) -> String? { Bytes.with(word) { table.find($0)?.name } }
            #expect(find(name) == "config")
            #expect(find("config") == nil)
            #expect(find("éCHo") == nil)
            let swapped = name.utf8.map {
                $0.lowerCased == $0 && $0 >= 0x61 && $0 < 0x7B ? $0 - 0x20 : $0
            }
            #expect(Bytes.with(swapped) { table.find($0)?.name } == "config")
            let isFree = table.rename("echo", to: name)
            #expect(!isFree)
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
