// SPDX-License-Identifier: BSD-3-Clause
//
// All commands, gathered from the families' files.

/// Commands by name. Built once by each server, for the statistics are its own.
public struct CommandTable {
    private var byName: [String: Command] = [:]

    public init() {
        for family in Self.families() {
            for command in family { byName[command.name] = command }
        }
    }

    public subscript(name: String) -> Command? { byName[name] }
    public var all: Dictionary<String, Command>.Values { byName.values }

    /// One line a family: each is a function in that family's file, so that nothing is global.
    static func families() -> [[Command]] {
        [
        ]
    }
}
