// SPDX-License-Identifier: BSD-3-Clause
//
// One line of the log in Redis's format, made without an allocation, so that a forked child may:
//
//     12345:M 21 Nov 2026 02:25:32.355 * Ready to accept connections
//     pid:role, local time, level (. debug, - verbose, * notice, # warning), message

import Memory

/// Who writes a line.
public enum LogRole: UInt8, Sendable {
    case master = 0x4D
    case replica = 0x53
    /// A forked child, or a server that is still starting.
    case child = 0x43
    case sentinel = 0x58
}

enum LogLine {
    /// Redis's LOG_MAX_LEN: a longer message is cut.
    static let maximumMessage = 1024
    /// Room that `write` needs.
    static let maximumSize = maximumMessage + 64

    /// Writes the line with its newline at `place`; `localMs` is the local time in ms since 1970.
    /// Returns the bytes written.
    static func write(
        pid: Int64, role: LogRole, localMs: Int64, level: UInt8, _ message: Bytes, to place: Address
    ) -> Int {
        var at = Decimal.write(pid, to: place)
        func put(_ byte: UInt8) {
            place.store(byte, at: at)
            at += 1
        }
        put(UInt8(ascii: ":"))
        put(role.rawValue)
        put(UInt8(ascii: " "))
        at += writeTime(localMs, to: place + at)
        put(UInt8(ascii: " "))
        let marks = Bytes(".-*#")
        put(marks[min(Int(level), 3)])
        put(UInt8(ascii: " "))
        let text = message.prefix(maximumMessage)
        (place + at).copy(from: text)
        at += text.count
        put(UInt8(ascii: "\n"))
        return at
    }

    /// "21 Nov 2026 02:25:32.355"; returns the bytes written.
    static func writeTime(_ localMs: Int64, to place: Address) -> Int {
        let (days, ms) = floorDivide(localMs, 86_400_000)
        let date = civil(days)
        writePadded(date.day, 2, to: place)
        place.store(UInt8(ascii: " "), at: 2)
        let months = Bytes("JanFebMarAprMayJunJulAugSepOctNovDec")
        (place + 3).copy(from: months[(Int(date.month) - 1) * 3..<Int(date.month) * 3])
        place.store(UInt8(ascii: " "), at: 6)
        writePadded(date.year, 4, to: place + 7)
        place.store(UInt8(ascii: " "), at: 11)
        writePadded(ms / 3_600_000, 2, to: place + 12)
        place.store(UInt8(ascii: ":"), at: 14)
        writePadded(ms / 60_000 % 60, 2, to: place + 15)
        place.store(UInt8(ascii: ":"), at: 17)
        writePadded(ms / 1000 % 60, 2, to: place + 18)
        place.store(UInt8(ascii: "."), at: 20)
        writePadded(ms % 1000, 3, to: place + 21)
        return 24
    }

    private static func writePadded(_ value: Int64, _ width: Int, to place: Address) {
        var rest = value
        for i in 1...width {
            place.store(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), at: width - i)
            rest /= 10
        }
    }

    /// The Gregorian date of a day since 1970. Years begin in March, so that the leap day is a
    /// year's last; 146097 days are 400 years.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floorDivide(_ a: Int64, _ b: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
        return remainder < 0 ? (quotient - 1, remainder + b) : (quotient, remainder)
    }
}
