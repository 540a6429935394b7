// SPDX-License-Identifier: BSD-3-Clause
//
// Geo searches: GEORADIUS and GEORADIUSBYMEMBER of old, GEOSEARCH of 6.2, answered or stored.

import Keyspace
import Memory
import RESP

extension CommandTable {
    static func geoSearches() -> [Command] {
        let one = (1, 1, 1)
        return [
            Command(
                "georadius", -6, "write denyoom movablekeys", keys: one, "geo",
                keyFinder: { Geo.radiusKeys($0, from: 6) }, since: "3.2.0",
                "Finds the places within a distance of a point; shows or stores them."
            ) { Geo.radius($0, around: .place, stores: true) },
            Command(
                "georadius_ro", -6, "readonly movablekeys", keys: one, "geo", since: "3.2.10",
                "Finds the places within a distance of a point."
            ) {
                Geo.radius($0, around: .place, stores: false)
            },
            Command(
                "georadiusbymember", -5, "write denyoom movablekeys", keys: one, "geo",
                keyFinder: { Geo.radiusKeys($0, from: 5) }, since: "3.2.0",
                "Finds the places within a distance of another; shows or stores them."
            ) { Geo.radius($0, around: .member, stores: true) },
            Command(
                "georadiusbymember_ro", -5, "readonly movablekeys", keys: one, "geo",
                since: "3.2.10",
                "Finds the places within a distance of another."
            ) {
                Geo.radius($0, around: .member, stores: false)
            },
            Command(
                "geosearch", -7, "readonly", keys: one, "geo", since: "6.2.0",
                "Finds the places within a circle or a box."
            ) { Geo.search($0, stores: false) },
            Command(
                "geosearchstore", -8, "write denyoom", keys: (1, 2, 1), "geo", since: "6.2.0",
                "Finds the places within a circle or a box and stores them."
            ) {
                Geo.search($0, stores: true)
            },
        ]
    }
}

/// What a search asks for.
private struct GeoQuery {
    var shape = GeoShape()
    /// Metres of the unit of the reply.
    var unit = 1.0
    var withDistance = false
    var withHash = false
    var withPlace = false
    var order = Order.none
    /// 0: all.
    var count = 0
    var any = false
    var store: Bytes?
    var storesDistance = false
    enum Order { case none, ascending, descending }

    /// Takes the options that every search has; nil when `index` holds none of them, else the words
    /// taken. `failed` when its error was replied.
    mutating func takeCommon(_ client: Client, _ index: Int, _ failed: inout Bool) -> Int? {
        let word = client[index]
        if word.equalsIgnoringCase("withdist") {
            withDistance = true
        } else if word.equalsIgnoringCase("withhash") {
            withHash = true
        } else if word.equalsIgnoringCase("withcoord") {
            withPlace = true
        } else if word.equalsIgnoringCase("any") {
            any = true
        } else if word.equalsIgnoringCase("asc") {
            order = .ascending
        } else if word.equalsIgnoringCase("desc") {
            order = .descending
        } else if word.equalsIgnoringCase("count") && index + 1 < client.count {
            guard let wanted = client.integer(index + 1) else {
                failed = true
                return nil
            }
            if wanted <= 0 {
                client.reply.error("ERR COUNT must be > 0")
                failed = true
                return nil
            }
            count = Int(wanted)
            return 2
        } else {
            return nil
        }
        return 1
    }
}

/// A place that a search found.
private struct GeoFind {
    var member: [UInt8]
    var score: Double
    var point: GeoPoint
    /// Metres.
    var distance: Double
}

extension Geo {
    enum Around { case place, member }

    /// The source, and the target of STORE or STOREDIST (the last one counts).
    static func radiusKeys(_ arguments: Arguments, from first: Int) -> [Int] {
        var target: Int?
        var index = first
        while index + 1 < arguments.count {
            if arguments[index].equalsIgnoringCase("store")
                || arguments[index].equalsIgnoringCase("storedist")
            {
                target = index + 1
                index += 1
            }
            index += 1
        }
        return [1] + (target.map { [$0] } ?? [])
    }

    // MARK: The arguments

    static func radius(_ client: Client, around: Around, stores: Bool) {
        let entry = client.lookupRead(client[1])
        if let entry, !client.check(entry, is: .sortedSet) { return }
        let set = entry.map { SortedSet($0, in: client.database) }
        var query = GeoQuery()
        var index = 0
        switch around {
        case .place:
            guard let center = point(client, 2) else { return }
            query.shape.center = center
            guard circle(client, 4, &query) else { return }
            index = 6
        case .member:
            index = 5
            // Without a key the options are still read: they decide what the reply is.
            if let set {
                guard let center = center(client, set, 2), circle(client, 3, &query) else { return }
                query.shape.center = center
            }
        }
        var failed = false
        while index < client.count {
            if let taken = query.takeCommon(client, index, &failed) {
                index += taken
                continue
            }
            if failed { return }
            let isStore = client.word(index, is: "store")
            guard stores, isStore || client.word(index, is: "storedist"), index + 1 < client.count
            else { return client.syntaxError() }
            query.store = client[index + 1]
            query.storesDistance = !isStore
            index += 2
        }
        run(client, set, query, isSearch: false)
    }

    static func search(_ client: Client, stores: Bool) {
        let source = stores ? 2 : 1
        let entry = client.lookupRead(client[source])
        if let entry, !client.check(entry, is: .sortedSet) { return }
        let set = entry.map { SortedSet($0, in: client.database) }
        var query = GeoQuery()
        if stores { query.store = client[1] }
        var hasCenter = (member: false, place: false)
        var hasForm = (circle: false, box: false)
        var index = source + 1
        var failed = false
        while index < client.count {
            if let taken = query.takeCommon(client, index, &failed) {
                index += taken
                continue
            }
            if failed { return }
            let left = client.count - index - 1
            if client.word(index, is: "frommember") && left >= 1 && !hasCenter.place {
                if let set {
                    guard let center = center(client, set, index + 1) else { return }
                    query.shape.center = center
                }
                hasCenter.member = true
                index += 2
            } else if client.word(index, is: "fromlonlat") && left >= 2 && !hasCenter.member {
                guard let center = point(client, index + 1) else { return }
                query.shape.center = center
                hasCenter.place = true
                index += 3
            } else if client.word(index, is: "byradius") && left >= 2 && !hasForm.box {
                guard circle(client, index + 1, &query) else { return }
                hasForm.circle = true
                index += 3
            } else if client.word(index, is: "bybox") && left >= 3 && !hasForm.circle {
                guard box(client, index + 1, &query) else { return }
                hasForm.box = true
                index += 4
            } else if stores && client.word(index, is: "storedist") {
                query.storesDistance = true
                index += 1
            } else {
                return client.syntaxError()
            }
        }
        run(
            client, set, query, isSearch: true, hasCenter: hasCenter.member || hasCenter.place,
            hasForm: hasForm.circle || hasForm.box)
    }

    private static func center(_ client: Client, _ set: SortedSet, _ index: Int) -> GeoPoint? {
        if let score = set.score(of: client[index]) { return Geohash(score: score).area.center }
        client.reply.error("ERR could not decode requested zset member")
        return nil
    }

    private static func circle(_ client: Client, _ index: Int, _ query: inout GeoQuery) -> Bool {
        guard let radius = number(client, index, orError: "ERR need numeric radius") else {
            return false
        }
        if radius < 0 {
            client.reply.error("ERR radius cannot be negative")
            return false
        }
        guard let unit = unit(client, index + 1) else { return false }
        query.unit = unit
        query.shape.form = .circle(radius: radius * unit)
        return true
    }

    private static func box(_ client: Client, _ index: Int, _ query: inout GeoQuery) -> Bool {
        guard let width = number(client, index, orError: "ERR need numeric width"),
            let height = number(client, index + 1, orError: "ERR need numeric height")
        else { return false }
        if width < 0 || height < 0 {
            client.reply.error("ERR height or width cannot be negative")
            return false
        }
        guard let unit = unit(client, index + 2) else { return false }
        query.unit = unit
        query.shape.form = .box(width: width * unit, height: height * unit)
        return true
    }

    /// Options that don't go together; the error was replied.
    private static func refuses(
        _ client: Client, _ query: GeoQuery, _ isSearch: Bool, _ hasCenter: Bool, _ hasForm: Bool
    ) -> Bool {
        let name = client[0].string
        if query.store != nil && (query.withDistance || query.withHash || query.withPlace) {
            client.reply.error(
                isSearch
                    ? "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                    : "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORDS options"
            )
        } else if !hasCenter {
            client.reply.error(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for \(name)")
        } else if !hasForm {
            client.reply.error(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for \(name)")
        } else if query.any && query.count == 0 {
            client.reply.error("ERR the ANY argument requires COUNT argument")
        } else {
            return false
        }
        return true
    }

    // MARK: The search

    private static func run(
        _ client: Client, _ set: SortedSet?, _ query: GeoQuery, isSearch: Bool,
        hasCenter: Bool = true, hasForm: Bool = true
    ) {
        if refuses(client, query, isSearch, hasCenter, hasForm) { return }
        guard let set else {
            if let target = query.store { return store(client, [], target, query, isSearch) }
            return client.reply.array(0)
        }
        var finds = finds(in: set, query.shape, limit: query.any ? query.count : 0)
        // The nearest ones are meant by a count without an order.
        let order = query.count > 0 && query.order == .none && !query.any ? .ascending : query.order
        switch order {
        case .none: break
        case .ascending: finds.sort { $0.distance < $1.distance }
        case .descending: finds.sort { $0.distance > $1.distance }
        }
        if query.count > 0 && finds.count > query.count {
            finds.removeLast(finds.count - query.count)
        }
        if let target = query.store { return store(client, finds, target, query, isSearch) }
        show(client, finds, query)
    }

    private static func finds(in set: SortedSet, _ shape: GeoShape, limit: Int) -> [GeoFind] {
        var finds: [GeoFind] = []
        for square in shape.squares() {
            if limit > 0 && finds.count >= limit { break }
            let scores = square.scores
            let range = ScoreRange(scores.lowerBound, scores.upperBound, excludesMaximum: true)
            set.forEach(in: set.ranks(in: range)) { member, score in
                if limit > 0 && finds.count >= limit { return }
                let point = Geohash(score: score).area.center
                guard let distance = shape.distance(to: point) else { return }
                finds.append(
                    GeoFind(member: member.array, score: score, point: point, distance: distance))
            }
        }
        return finds
    }

    private static func show(_ client: Client, _ finds: [GeoFind], _ query: GeoQuery) {
        let extras =
            (query.withDistance ? 1 : 0) + (query.withHash ? 1 : 0) + (query.withPlace ? 1 : 0)
        client.reply.array(finds.count)
        for find in finds {
            if extras > 0 { client.reply.array(extras + 1) }
            client.reply.bulk(find.member)
            if query.withDistance { client.reply.bulk(fixed(find.distance / query.unit, 4)) }
            if query.withHash {
                client.reply.integer(Int64(truncatingIfNeeded: Geohash(score: find.score).bits))
            }
            if query.withPlace { reply(client, find.point) }
        }
    }

    private static func store(
        _ client: Client, _ finds: [GeoFind], _ target: Bytes, _ query: GeoQuery, _ isSearch: Bool
    ) {
        var result = SortedSet.detached(
            in: client.database.heap, client.database.limits, packed: false)
        for find in finds {
            Bytes.with(find.member) {
                result.put($0, query.storesDistance ? find.distance / query.unit : find.score)
            }
        }
        SortedSets.storeResult(
            client, result, isSearch ? "geosearchstore" : "georadiusstore", at: target,
            dirty: finds.count, asValue: isSearch)
    }
}
