// SPDX-License-Identifier: BSD-3-Clause

import Testing

@testable import Replication

@Suite("Instant")
struct InstantTests {
    @Test("A span that is too long to be counted never ends")
    func longSpans() {
        #expect(Instant(ms: 5) + Duration_ms(ms: .max) == Instant(ms: .max))
        #expect(Instant(ms: -5) + Duration_ms(ms: .min) == Instant(ms: .min))
        #expect(Instant(ms: 5) + Duration_ms(ms: 7) == Instant(ms: 12))
    }
}
