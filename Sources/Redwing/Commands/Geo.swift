// SPDX-License-Identifier: BSD-3-Clause
//
// Geo sets: sorted sets whose scores are places. Adding and asking; searches are in Geo+Search.swift.

import Glibc
import Keyspace
import Memory
import RESP

extension CommandTable {
    static func geo() -> [Command] {
        let one = (1, 1, 1)
        let own = [
            Command(
                "geoadd", -5, "write denyoom", keys: one, "geo", since: "3.2.0",
                "Adds places to a geospatial index.", Geo.add),
            Command(
                "geohash", -2, "readonly", keys: one, "geo", since: "3.2.0",
                "Returns the geohashes of places.", Geo.hash),
            Command(
                "geopos", -2, "readonly", keys: one, "geo", since: "3.2.0",
                "Returns longitude and latitude of places.", Geo.position),
            Command(
                "geodist", -4, "readonly", keys: one, "geo", since: "3.2.0",
                "Returns the distance between two places.", Geo.distance),
        ]
        return own + geoSearches()
    }
}

enum Geo {
    /// Becomes a ZADD of the scores, for the replicas too.
    static func add(_ client: Client) {
        var options = SortedSets.AddOptions()
        var first = 2
        while first < client.count {
            let word = client[first]
            if !(word.equalsIgnoringCase("nx") || word.equalsIgnoringCase("xx")
                || word.equalsIgnoringCase("ch"))
            {
                break
            }
            _ = options.take(word)
            first += 1
        }
        let words = client.count - first
        if words == 0 || words % 3 != 0 || (options.onlyNew && options.onlyPresent) {
            return client.syntaxError()
        }
        var scores: [Double] = []
        for index in stride(from: first, to: client.count, by: 3) {
            guard let point = point(client, index) else { return }
            scores.append(Double(Geohash(point).bits))
        }
        let changes = SortedSets.store(
            client, options, pairs: scores.count, from: first + 2, step: 3
        ) { scores[$0] }
        if changes == 0 { return }
        // The replicas get the sorted set's own command.
        let texts = scores.map { Array(FloatText.string($0).utf8) }
        Server.withViews(texts) { texts in
            var replacement = [Bytes("zadd")] + (1..<first).map { client[$0] }
            for index in texts.indices {
                replacement += [texts[index], client[first + index * 3 + 2]]
            }
            client.propagateInstead(replacement)
        }
    }

    /// The place at the arguments from `index` on, longitude first, or its error.
    static func point(_ client: Client, _ index: Int) -> GeoPoint? {
        guard let longitude = number(client, index), let latitude = number(client, index + 1)
        else { return nil }
        if abs(longitude) > Geohash.maximumLongitude || abs(latitude) > Geohash.maximumLatitude {
            let pair = "\(fixed(longitude, 6)),\(fixed(latitude, 6))"
            client.reply.error("ERR invalid longitude,latitude pair \(pair)")
            return nil
        }
        return GeoPoint(longitude: longitude, latitude: latitude)
    }

    static func number(
        _ client: Client, _ index: Int,
        orError text: StaticString = "ERR value is not a valid float"
    ) -> Double? {
        if let value = FloatText.parseDouble(client[index]) { return value }
        client.reply.error(text)
        return nil
    }

    /// `value` with so many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        FloatText.fixed(value, digits)
    }

    /// Metres of the unit at `index`, or its error.
    static func unit(_ client: Client, _ index: Int) -> Double? {
        if client.word(index, is: "m") { return 1 }
        if client.word(index, is: "km") { return 1000 }
        if client.word(index, is: "ft") { return 0.3048 }
        if client.word(index, is: "mi") { return 1609.34 }
        client.reply.error("ERR unsupported unit provided. please use m, km, ft, mi")
        return nil
    }

    /// The geo set at `index`, nil when it is missing. WRONGTYPE is replied and `failed` set when it
    /// is something else.
    private static func find(_ client: Client, _ failed: inout Bool) -> SortedSet? {
        guard let entry = client.lookupRead(client[1]) else { return nil }
        failed = !client.check(entry, is: .sortedSet)
        return failed ? nil : SortedSet(entry, in: client.database)
    }

    static func hash(_ client: Client) {
        var failed = false
        let set = find(client, &failed)
        if failed { return }
        client.reply.array(client.count - 2)
        for index in 2..<client.count {
            if let score = set?.score(of: client[index]) {
                client.reply.bulk(Geohash.text(of: Geohash(score: score).area.center))
            } else {
                client.reply.null()
            }
        }
    }

    static func position(_ client: Client) {
        var failed = false
        let set = find(client, &failed)
        if failed { return }
        client.reply.array(client.count - 2)
        for index in 2..<client.count {
            if let score = set?.score(of: client[index]) {
                reply(client, Geohash(score: score).area.center)
            } else {
                client.reply.nullArray()
            }
        }
    }

    static func reply(_ client: Client, _ point: GeoPoint) {
        client.reply.array(2)
        client.reply.human(point.longitude)
        client.reply.human(point.latitude)
    }

    static func distance(_ client: Client) {
        var metres = 1.0
        if client.count == 5 {
            guard let unit = unit(client, 4) else { return }
            metres = unit
        } else if client.count > 5 {
            return client.syntaxError()
        }
        var failed = false
        let set = find(client, &failed)
        if failed { return }
        guard let from = set?.score(of: client[2]), let to = set?.score(of: client[3]) else {
            return client.reply.null()
        }
        let distance = Geohash(score: from).area.center.distance(
            to: Geohash(score: to).area.center)
        client.reply.bulk(fixed(distance / metres, 4))
    }
}

extension Reply {
    /// A coordinate, with all its digits and no exponent.
    func human(_ value: Double) {
        let text = ByteBuffer()
        text.append(human: Float80(value))
        if version == 3 {
            out.append(",")
            out.append(text.bytes)
            out.append("\r\n")
        } else {
            bulk(text.bytes)
        }
    }
}
