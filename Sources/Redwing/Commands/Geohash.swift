// SPDX-License-Identifier: BSD-3-Clause
//
// Places on the globe as 52-bit integers, the scores of geo sets: latitude and longitude, 26 bits
// each, interleaved, so that a square of the grid is a range of scores. The constants are Redis's, for
// a place must get the same score and two places the same distance on every server.
//
//     bit      51  50  49  48  …  1   0
//     of       lon lat lon lat    lon lat

import Glibc

/// A place in degrees.
struct GeoPoint: Equatable {
    var longitude: Double
    var latitude: Double

    /// Mean radius of the earth in metres.
    static let earthRadius = 6372797.560856

    static func radians(_ degrees: Double) -> Double { degrees * (Double.pi / 180) }
    static func degrees(_ radians: Double) -> Double { radians / (Double.pi / 180) }

    /// Metres between two places on a sphere (haversine).
    func distance(to other: GeoPoint) -> Double {
        let from = Self.radians(latitude)
        let to = Self.radians(other.latitude)
        let u = sin((to - from) / 2)
        let v = sin((Self.radians(other.longitude) - Self.radians(longitude)) / 2)
        return 2 * Self.earthRadius * asin((u * u + cos(from) * cos(to) * v * v).squareRoot())
    }
}

/// A square of the grid: `step` bits of latitude and as many of longitude.
struct Geohash: Equatable {
    var bits: UInt64
    var step: Int

    /// Bits of each coordinate in a score.
    static let fullStep = 26
    static let maximumLatitude = 85.05112878
    static let maximumLongitude = 180.0

    private static let latitudeBits: UInt64 = 0x5555_5555_5555_5555
    private static let longitudeBits: UInt64 = 0xAAAA_AAAA_AAAA_AAAA

    init(bits: UInt64, step: Int) {
        self.bits = bits
        self.step = step
    }

    /// The square around `point`. `latitudes`: the grid goes from minus to plus this.
    init(_ point: GeoPoint, step: Int = fullStep, latitudes: Double = maximumLatitude) {
        let scale = Double(1 << step)
        let latitude = (point.latitude + latitudes) / (2 * latitudes) * scale
        let longitude =
            (point.longitude + Self.maximumLongitude) / (2 * Self.maximumLongitude) * scale
        bits = Self.spread(Self.cell(latitude)) | Self.spread(Self.cell(longitude)) << 1
        self.step = step
    }

    /// The square of a score. What is none of ours lands somewhere, a negative score at the grid's far
    /// corner, as where C turns it into an unsigned number.
    init(score: Double) {
        if score >= 0 {
            bits = UInt64(exactly: score.rounded(.down)) ?? 0
        } else {
            bits = UInt64(bitPattern: Int64(exactly: score.rounded(.up)) ?? 0)
        }
        step = Self.fullStep
    }

    /// The grid's far edge belongs to a cell of its own number, as in Redis.
    private static func cell(_ offset: Double) -> UInt32 {
        offset >= 0 && offset < 4294967296 ? UInt32(offset) : 0
    }

    /// The 32 bits of `value` at the even places.
    private static func spread(_ value: UInt32) -> UInt64 {
        var x = UInt64(value)
        x = (x | x << 16) & 0x0000_FFFF_0000_FFFF
        x = (x | x << 8) & 0x00FF_00FF_00FF_00FF
        x = (x | x << 4) & 0x0F0F_0F0F_0F0F_0F0F
        x = (x | x << 2) & 0x3333_3333_3333_3333
        return (x | x << 1) & 0x5555_5555_5555_5555
    }

    private static func gather(_ value: UInt64) -> UInt32 {
        var x = value & 0x5555_5555_5555_5555
        x = (x | x >> 1) & 0x3333_3333_3333_3333
        x = (x | x >> 2) & 0x0F0F_0F0F_0F0F_0F0F
        x = (x | x >> 4) & 0x00FF_00FF_00FF_00FF
        x = (x | x >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: x | x >> 16)
    }

    /// The square's edges in degrees.
    struct Area {
        var west: Double, east: Double, south: Double, north: Double

        /// The middle, on the grid.
        var center: GeoPoint {
            let longitude = (west + east) / 2
            let latitude = (south + north) / 2
            return GeoPoint(
                longitude: min(max(longitude, -maximumLongitude), maximumLongitude),
                latitude: min(max(latitude, -maximumLatitude), maximumLatitude))
        }
    }

    var area: Area {
        let scale = Double(1 << step)
        let latitude = Double(Self.gather(bits))
        let longitude = Double(Self.gather(bits >> 1))
        let high = 2 * Self.maximumLatitude
        let wide = 2 * Self.maximumLongitude
        return Area(
            west: -Self.maximumLongitude + longitude / scale * wide,
            east: -Self.maximumLongitude + (longitude + 1) / scale * wide,
            south: -Self.maximumLatitude + latitude / scale * high,
            north: -Self.maximumLatitude + (latitude + 1) / scale * high)
    }

    /// The square so many to the east and north, around the globe. A place on the grid's far edge lies
    /// one cell beyond it; that excess goes where its coordinate is moved and stays elsewhere.
    func moved(east: Int, north: Int) -> Geohash {
        let shift = UInt64(64 - step * 2)
        let longitudes = Self.longitudeBits >> shift
        let latitudes = Self.latitudeBits >> shift
        var longitude = bits & Self.longitudeBits
        var latitude = bits & Self.latitudeBits
        // The other coordinate's bits, set, carry an addition across; unset, they stop a borrow.
        if east > 0 { longitude = (longitude &+ (latitudes &+ 1)) & longitudes }
        if east < 0 { longitude = ((longitude | latitudes) &- (latitudes &+ 1)) & longitudes }
        if north > 0 { latitude = (latitude &+ (longitudes &+ 1)) & latitudes }
        if north < 0 { latitude = ((latitude | longitudes) &- (longitudes &+ 1)) & latitudes }
        return Geohash(bits: longitude | latitude, step: step)
    }

    /// The scores of the places in the square.
    var scores: Range<Double> {
        let shift = UInt64(52 - step * 2)
        return Double(bits << shift)..<Double((bits + 1) << shift)
    }

    /// The usual text of 11 characters, on a grid up to the poles. The last has no bits of its own.
    static func text(of point: GeoPoint) -> [UInt8] {
        let alphabet = Array("0123456789bcdefghjkmnpqrstuvwxyz".utf8)
        let bits = Geohash(point, latitudes: 90).bits
        var text: [UInt8] = []
        for index in 1...10 {
            let digit = Int(truncatingIfNeeded: bits >> UInt64(52 - index * 5)) & 31
            text.append(alphabet[digit])
        }
        return text + [alphabet[0]]
    }
}
