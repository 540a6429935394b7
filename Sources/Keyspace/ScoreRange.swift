// SPDX-License-Identifier: BSD-3-Clause
//
// Ranges of a sorted set: by score, and by the members' bytes among equal scores.

import Memory

/// Scores between two bounds, each of which belongs to the range or doesn't.
public struct ScoreRange: Equatable, Sendable {
    public var minimum: Double
    public var maximum: Double
    public var excludesMinimum: Bool
    public var excludesMaximum: Bool

    public init(
        _ minimum: Double, _ maximum: Double, excludesMinimum: Bool = false,
        excludesMaximum: Bool = false
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.excludesMinimum = excludesMinimum
        self.excludesMaximum = excludesMaximum
    }

    func isAbove(_ score: Double) -> Bool {
        excludesMinimum ? score <= minimum : score < minimum
    }

    func isBelow(_ score: Double) -> Bool {
        excludesMaximum ? score >= maximum : score > maximum
    }
}

/// One end of a range of members.
public enum LexBound {
    case lowest, highest
    case inclusive(Bytes)
    case exclusive(Bytes)

    /// A member stands before everything that this bound lets in as a minimum.
    func isAbove(_ member: Bytes) -> Bool {
        switch self {
        case .lowest: false
        case .highest: true
        case .inclusive(let bound): member.compare(bound) < 0
        case .exclusive(let bound): member.compare(bound) <= 0
        }
    }

    /// A member stands behind everything that this bound lets in as a maximum.
    func isBelow(_ member: Bytes) -> Bool {
        switch self {
        case .lowest: true
        case .highest: false
        case .inclusive(let bound): member.compare(bound) > 0
        case .exclusive(let bound): member.compare(bound) >= 0
        }
    }
}

/// Members between two bounds.
public struct LexRange {
    public var minimum: LexBound
    public var maximum: LexBound

    public init(_ minimum: LexBound, _ maximum: LexBound) {
        self.minimum = minimum
        self.maximum = maximum
    }
}
