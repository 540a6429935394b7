// SPDX-License-Identifier: BSD-3-Clause
//
// ACL rules as values: what each makes of a user's rights, and the rules that describe them again.

import Testing

@testable import Redwing

@Suite struct RightsTests {
    private let register = CommandRegister()

    private func rights(_ rules: String) throws(RuleError) -> Rights {
        var rights = Rights(register)
        for rule in rules.split(separator: " ") { try rights.apply(Array(rule.utf8), register) }
        return rights
    }

    private func text(_ rights: Rights) -> String {
        String(decoding: rights.described(register), as: UTF8.self)
    }

    @Test(arguments: [
        ("", "off -@all"),
        ("on nopass allkeys allcommands", "on nopass ~* +@all"),
        ("~a ~b ~a +get -get +set", "off ~a ~b -@all +set"),
        ("+@all -get", "off +@all -get"),
        ("+CLIENT|ID +client|id", "off -@all +client|id"),
        ("+client|id +client", "off -@all +client"),
        ("+client|id -client", "off -@all"),
        ("&a &b", "off resetchannels &a &b -@all"),
        ("&a allchannels", "off -@all"),
        ("on nopass ~* +@all reset", "off -@all"),
        ("+@all -@all +ping", "off -@all +ping"),
    ])
    func rulesAreDescribedAgain(rules: String, description: String) throws {
        let made = try rights(rules)
        #expect(text(made) == description)
        #expect(text(try rights(description)) == description)
    }

    @Test(arguments: [
        ("+nosuch", RuleError.unknownCommand), ("-client|id", .unknownCommand),
        ("+@nosuch", .unknownCommand),
        ("+get|", .syntax), ("whatever", .syntax), ("~* ~a", .patternAfterAll),
        ("+client +client|id", .commandAlreadyAdded), ("#12", .badHash), ("<x", .noSuchPassword),
    ])
    func wrongRules(rules: String, error: RuleError) {
        #expect(throws: error) { try rights(rules) }
    }

    @Test func passwordsAreCompared() throws {
        let made = try rights(">one >two <one")
        #expect(!made.accepts(Array("one".utf8)))
        #expect(made.accepts(Array("two".utf8)))
        #expect(!made.accepts([]))
        #expect(try rights(">one nopass").accepts([]))
        #expect(try !rights("nopass resetpass").accepts([]))
    }

    @Test func everyCategoryIsDescribedAsWhatItIs() throws {
        for category in Command.categoryOrder {
            for rules in ["+@\(category)", "+@all -@\(category)"] {
                let made = try rights(rules)
                #expect(try rights(text(made)).commands == made.commands, "\(rules)")
            }
        }
    }
}

@Suite struct TrackingTableTests {
    @Test func aKeyIsToldOnceToEachWhoReadIt() {
        var table = TrackingTable()
        table.remember([1], for: 7)
        table.remember([1], for: 7)
        table.remember([1], for: 8)
        table.remember([2], for: 7)
        #expect(table.items == 3)
        let first = table.take([1])
        let second = table.take([1])
        #expect(first == [7, 8])
        #expect(second == nil)
        #expect(table.items == 1)
    }

    @Test func changesGoToThePrefixesThatTheyBeginWith() {
        var table = TrackingTable()
        let added = [
            table.add(7, prefix: [1]), table.add(7, prefix: [1]), table.add(8, prefix: []),
        ]
        #expect(added == [true, false, true])
        table.noteChange([1, 2], by: 9)
        table.noteChange([3], by: 9)
        let changes = table.takeChanges().sorted { $0.changed.count < $1.changed.count }
        #expect(changes.map(\.clients) == [[7], [8]])
        #expect(changes.map { $0.changed.keys.count } == [1, 2])
        let none = table.takeChanges()
        #expect(none.isEmpty)
        table.remove(7, prefix: [1])
        #expect(table.prefixes.count == 1)
    }
}
