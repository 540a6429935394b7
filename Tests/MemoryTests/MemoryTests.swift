// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Memory
