// SPDX-License-Identifier: BSD-3-Clause
//
// The server's log, as its rooms use it.

import Glibc
import Memory

/// Levels that are off cost nothing: the text is not made.
public final class ServerLog {
    public var level = 2
    public init() {}
    public func debug(_ text: @autoclosure () -> String) { if level <= 0 { write(text()) } }
    public func verbose(_ text: @autoclosure () -> String) { if level <= 1 { write(text()) } }
    public func notice(_ text: @autoclosure () -> String) { if level <= 2 { write(text()) } }
    public func warning(_ text: @autoclosure () -> String) { write(text()) }
    private func write(_ text: String) { Bytes.with(text + "\n") { _ = SystemCalls.write(1, $0) } }
}
