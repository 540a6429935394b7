// SPDX-License-Identifier: BSD-3-Clause
//
// What a load left out of a data set. A file may have millions of such things, and a line is made for
// a few of each kind only.

/// The first of each kind in full, of the others the number.
public struct LoadNotes: Sendable {
    /// libwing's WING_RDB_REFUSE_*, and what only the loader sees.
    public enum Kind: UInt32, CaseIterable, Sendable {
        case slotSizes = 0
        case functions = 1
        case moduleData = 2
        case moduleKeys = 4
        case fieldExpiries = 8
        case emptyKeys = 16

        var plural: String {
            switch self {
            case .slotSizes: "sizes of slots"
            case .functions: "function libraries"
            case .moduleData: "data of modules"
            case .moduleKeys: "values of modules"
            case .fieldExpiries: "hashes with fields that expire"
            case .emptyKeys: "empty keys"
            }
        }
    }

    static let shown = 10
    private var texts: [String] = []
    private var counts: [Kind: Int] = [:]

    public init() {}

    public mutating func add(_ kind: Kind, _ text: @autoclosure () -> String) {
        let count = counts[kind, default: 0] + 1
        counts[kind] = count
        if count <= Self.shown { texts.append(text()) }
    }

    /// For the log.
    public var lines: [String] {
        texts
            + Kind.allCases.compactMap { kind in
                let more = counts[kind, default: 0] - Self.shown
                return more > 0 ? "… and \(more) more \(kind.plural)" : nil
            }
    }
}
