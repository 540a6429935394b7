// SPDX-License-Identifier: BSD-3-Clause
//
// Time and log lines as the machines of this room see them: handed in and handed out, never taken.

/// A moment on the shell's monotonic clock, in milliseconds. Only differences mean anything.
public struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var ms: Int64

    @inlinable
    public init(ms: Int64) { self.ms = ms }

    @inlinable
    public static func < (a: Instant, b: Instant) -> Bool { a.ms < b.ms }

    /// A span that is too long to be counted, as peers and clients may ask for, never ends.
    @inlinable
    public static func + (start: Instant, span: Duration_ms) -> Instant {
        let (sum, overflow) = start.ms.addingReportingOverflow(span.ms)
        return Instant(ms: overflow ? (span.ms > 0 ? .max : .min) : sum)
    }

    /// Time from `start` to `end`.
    @inlinable
    public static func - (end: Instant, start: Instant) -> Duration_ms {
        Duration_ms(ms: end.ms - start.ms)
    }

    public var description: String { "\(ms)ms" }
}

/// A length of time in milliseconds.
public struct Duration_ms: Hashable, Comparable, Sendable {
    public var ms: Int64

    @inlinable
    public init(ms: Int64) { self.ms = ms }

    @inlinable
    public static func seconds(_ n: Int) -> Duration_ms { Duration_ms(ms: Int64(n) * 1000) }

    @inlinable
    public static func < (a: Duration_ms, b: Duration_ms) -> Bool { a.ms < b.ms }

    /// Whole seconds, cut off: what INFO prints.
    @inlinable
    public var seconds: Int64 { ms / 1000 }
}

/// Redis's four levels.
public enum LogLevel: Int, Sendable, Comparable {
    case debug, verbose, notice, warning

    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// A line for the log, in Redis's words where Redis has one.
public struct LogLine: Hashable, Sendable {
    public var level: LogLevel
    public var text: String

    public init(_ level: LogLevel, _ text: String) {
        self.level = level
        self.text = text
    }
}
