// SPDX-License-Identifier: BSD-3-Clause
//
// What a geo search looks for, a circle or a box around a place, and the squares of the grid that
// cover it.

import Glibc

/// A circle or a box, in metres.
struct GeoShape {
    enum Form {
        case circle(radius: Double)
        case box(width: Double, height: Double)
    }
    var center = GeoPoint(longitude: 0, latitude: 0)
    var form = Form.circle(radius: 0)

    /// Metres from the center to `point` when it lies inside, else nil.
    func distance(to point: GeoPoint) -> Double? {
        switch form {
        case .circle(let radius):
            let distance = center.distance(to: point)
            return distance <= radius ? distance : nil
        case .box(let width, let height):
            let level = GeoPoint(longitude: center.longitude, latitude: point.latitude)
            if center.distance(to: level) > height / 2 { return nil }
            // The width is measured on the point's own parallel.
            if point.distance(to: level) > width / 2 { return nil }
            return center.distance(to: point)
        }
    }

    /// From the center to the farthest place inside.
    private var reach: Double {
        switch form {
        case .circle(let radius): radius
        case .box(let width, let height): (width * width / 4 + height * height / 4).squareRoot()
        }
    }

    private var halfExtent: (width: Double, height: Double) {
        switch form {
        case .circle(let radius): (radius, radius)
        case .box(let width, let height): (width / 2, height / 2)
        }
    }

    /// Edges of the shape in degrees.
    private var bounds: Geohash.Area {
        let (width, height) = halfExtent
        let high = GeoPoint.degrees(height / GeoPoint.earthRadius)
        func wide(at latitude: Double) -> Double {
            GeoPoint.degrees(width / GeoPoint.earthRadius / cos(GeoPoint.radians(latitude)))
        }
        // Parallels are shorter towards the pole, so that edge decides.
        let wide = wide(at: center.latitude + (center.latitude < 0 ? -high : high))
        return Geohash.Area(
            west: center.longitude - wide, east: center.longitude + wide,
            south: center.latitude - high, north: center.latitude + high)
    }

    /// The step whose squares are about as wide as the shape.
    private var estimatedStep: Int {
        let mercator = 20037726.37
        var range = reach
        if range == 0 { return Geohash.fullStep }
        var step = 1
        while range < mercator {
            range *= 2
            step += 1
        }
        // One square less than would do, so that nine of them cover the shape in most cases.
        step -= 2
        let latitude = abs(center.latitude)
        if latitude > 66 { step -= 1 }
        if latitude > 80 { step -= 1 }
        return min(max(step, 1), Geohash.fullStep)
    }

    /// The squares to look into, none twice in a row: the center's first, then its neighbours.
    func squares() -> [Geohash] {
        let bounds = bounds
        var step = estimatedStep
        if step > 1 && !isCovered(at: step, bounds) { step -= 1 }
        let middle = Geohash(center, step: step)
        let area = middle.area
        // Order as in Redis, because an unsorted reply shows it.
        let ways = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]
        var squares: [Geohash] = []
        for (east, north) in ways {
            if step >= 2 {
                if north < 0 && area.south < bounds.south { continue }
                if north > 0 && area.north > bounds.north { continue }
                if east < 0 && area.west < bounds.west { continue }
                if east > 0 && area.east > bounds.east { continue }
            }
            let square = middle.moved(east: east, north: north)
            // On a coarse grid the neighbours to both sides are the same.
            if squares.last != square { squares.append(square) }
        }
        return squares
    }

    /// The center's square and its neighbours reach beyond the shape on all sides.
    private func isCovered(at step: Int, _ bounds: Geohash.Area) -> Bool {
        let middle = Geohash(center, step: step)
        return middle.moved(east: 0, north: 1).area.north >= bounds.north
            && middle.moved(east: 0, north: -1).area.south <= bounds.south
            && middle.moved(east: 1, north: 0).area.east >= bounds.east
            && middle.moved(east: -1, north: 0).area.west <= bounds.west
    }
}
