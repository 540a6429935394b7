# SPDX-License-Identifier: BSD-3-Clause
"""Geo sets: every reply equal to a stock Redis's, by rows and by random places."""

import random

import pytest

SICILY = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 " \
    "17.241510 38.788135 edge2"

ROWS = {
    "GEOADD": [
        SICILY, "GEOADD g 13.4 38.1 Palermo", "GEOADD g CH 13.5 38.2 Palermo", "GEOADD g NX 1 1 Palermo 1 1 new",
        "GEOADD g XX CH 2 2 Palermo 2 2 other", "ZRANGE g 0 -1 WITHSCORES", "GEOADD g NX XX 1 1 a", "GEOADD g 1 1 a 2",
        "GEOADD g 200 10 a", "GEOADD g 10 -86 a", "GEOADD g x 1 a", "GEOADD g 1e308 1 a", "GEOADD g 180 85.05112878 max",
        "GEOADD g -180 -85.05112878 min", "ZRANGE g 0 -1 WITHSCORES", "SET str 1", "GEOADD str 1 1 a", "GEOADD g 1 1",
    ],
    "GEOPOS, GEOHASH, GEODIST": [
        SICILY, "GEOPOS g Palermo none Catania", "GEOPOS none a b", "GEOPOS g", "GEOHASH g Palermo none Catania",
        "GEOHASH none a", "GEOHASH g", "GEODIST g Palermo Catania", "GEODIST g Palermo Catania km",
        "GEODIST g Palermo Catania MI", "GEODIST g Palermo Catania ft", "GEODIST g Palermo Catania yd",
        "GEODIST g Palermo Catania km x", "GEODIST g Palermo none", "GEODIST none a b", "GEODIST g Palermo Palermo",
        "SET str 1", "GEOPOS str a", "GEOHASH str a", "GEODIST str a b", "ZADD z 1e300 big -5 negative 7.5 half",
        "GEOPOS z negative half", "GEOHASH z half",
    ],
    "GEORADIUS": [
        SICILY, "GEORADIUS g 15 37 200 km ASC", "GEORADIUS g 15 37 200 km DESC WITHDIST",
        "GEORADIUS g 15 37 200 km WITHCOORD WITHDIST WITHHASH ASC", "GEORADIUS g 15 37 200 km COUNT 1",
        "GEORADIUS g 15 37 200 km COUNT 1 DESC", "GEORADIUS g 15 37 200 km COUNT 9 WITHDIST",
        "GEORADIUS g 15 37 1 m", "GEORADIUS g 15 37 5000 km ASC", "GEORADIUS g 15 37 100000 km ASC",
        "GEORADIUS none 15 37 200 km", "GEORADIUS g 15 37 x km", "GEORADIUS g 15 37 -1 km", "GEORADIUS g 15 37 1 yd",
        "GEORADIUS g 200 37 1 km", "GEORADIUS g 15 37 1 km FOO", "GEORADIUS g 15 37 1 km COUNT 0",
        "GEORADIUS g 15 37 1 km COUNT x", "GEORADIUS g 15 37 1 km COUNT", "GEORADIUS g 15 37 1 km ANY",
        "GEORADIUS g 15 37 1 km STORE", "GEORADIUS_RO g 15 37 200 km ASC", "GEORADIUS_RO g 15 37 200 km STORE d",
        "GEORADIUS g 15 37 200 km STORE d WITHDIST", "SET str 1", "GEORADIUS str 15 37 200 km",
    ],
    "GEORADIUSBYMEMBER": [
        SICILY, "GEORADIUSBYMEMBER g Palermo 200 km ASC", "GEORADIUSBYMEMBER g Palermo 0 km", "GEORADIUSBYMEMBER g x 1 km",
        "GEORADIUSBYMEMBER none x 1 km", "GEORADIUSBYMEMBER g Palermo x km", "GEORADIUSBYMEMBER none x y km",
        "GEORADIUSBYMEMBER_RO g Palermo 200 km DESC WITHDIST", "GEORADIUSBYMEMBER none x 1 km STORE d",
        "GEORADIUSBYMEMBER_RO g Palermo 1 km STORE d",
    ],
    "STORE": [
        SICILY, "GEORADIUS g 15 37 200 km STORE d", "ZRANGE d 0 -1 WITHSCORES", "OBJECT ENCODING d",
        "GEORADIUS g 15 37 200 km STOREDIST d", "ZCARD d", "GEORADIUS g 15 37 200 km COUNT 1 STORE d",
        "ZRANGE d 0 -1 WITHSCORES", "GEORADIUS g 15 37 1 m STORE d", "EXISTS d", "SET d 1",
        "GEORADIUS none 15 37 1 km STORE d", "EXISTS d", "GEORADIUSBYMEMBER g Palermo 500 km STORE g",
        "ZRANGE g 0 -1 WITHSCORES", "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km", "ZRANGE d 0 -1 WITHSCORES",
        "GEOSEARCHSTORE d none FROMLONLAT 15 37 BYRADIUS 200 km", "EXISTS d",
    ],
    "GEOSEARCH": [
        SICILY, "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC", "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC",
        "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km DESC WITHCOORD WITHDIST WITHHASH",
        "GEOSEARCH g FROMMEMBER Palermo BYBOX 100 50 km ASC", "GEOSEARCH g FROMMEMBER x BYBOX 100 50 km",
        "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 2", "GEOSEARCH g BYRADIUS 200 km COUNT 2 ANY",
        "GEOSEARCH g FROMLONLAT 15 37 FROMMEMBER Palermo BYRADIUS 1 km", "GEOSEARCH g FROMLONLAT 15 37 ASC DESC ASC",
        "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 km BYBOX 1 1 km", "GEOSEARCH g FROMLONLAT 15 37 BYBOX x 1 km",
        "GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 x km", "GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 -1 km",
        "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 km ANY", "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 km STORE d",
        "GEOSEARCH none FROMMEMBER x BYRADIUS 1 km", "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 1 km WITHDIST",
        "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST COUNT 3", "ZCARD d",
        "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 km STOREDIST",
    ],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_rows(pair, row):
    pair.run(row)


def test_replies_of_resp3(pair):
    pair.call("HELLO 3", compare="none")
    pair.run([SICILY, "GEOPOS g Palermo x", "GEODIST g Palermo Catania", "GEODIST g Palermo x", "GEOHASH g x",
              "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH"])


def random_geo(seed, count):
    rng = random.Random(seed)

    def place():
        if rng.random() < 0.15:
            # Two places at one distance would come in any order: no two are the same.
            return (rng.choice([-180, 180, -179.999, 179.999, 0]),
                    rng.choice([-85, 84, 0]) + round(rng.random(), 5))
        if rng.random() < 0.5:
            return round(10 + rng.gauss(0, 1), 4), round(45 + rng.gauss(0, 1), 4)
        return round(rng.uniform(-180, 180), 4), round(rng.uniform(-85, 85), 4)

    def member():
        return "p%d" % rng.randrange(400)

    def shape():
        size = rng.choice([0, 1, 10, 150, 1000, 5000, 12000, 30000])
        if rng.random() < 0.5:
            return "BYRADIUS", size, rng.choice(["km", "mi"])
        return "BYBOX", size, rng.choice([1, 100, 2000, 20000]), "km"

    def center():
        return ("FROMLONLAT", *place()) if rng.random() < 0.7 else ("FROMMEMBER", member())

    def order():
        return rng.choice([("ASC",), ("DESC",), ("ASC", "COUNT", rng.randrange(1, 9))])
    # Places at one distance of the center may come in any order, so that distances are not shown where
    # a count cuts, and what is found is asked for in the order of the sorted set.
    makers = [
        lambda: ("GEOADD", "g", *[word for _ in range(5) for word in (*place(), member())]),
        lambda: ("GEOADD", "g", rng.choice(["NX", "XX", "CH"]), *place(), member()),
        lambda: ("GEOPOS", "g", member(), member()), lambda: ("GEOHASH", "g", member()),
        lambda: ("GEODIST", "g", member(), member(), rng.choice(["m", "km", "mi", "ft"])),
        lambda: ("GEOSEARCH", "g", *center(), *shape(), *order()),
        lambda: ("GEORADIUS", "g", *place(), rng.choice([10, 500, 6000]), "km", *order()),
        lambda: ("GEOSEARCHSTORE", "d", "g", *center(), *shape()), lambda: ("ZRANGE", "d", 0, -1, "WITHSCORES"),
        lambda: ("ZREM", "g", member()),
    ]
    return [rng.choice(makers)() for _ in range(count)]


@pytest.mark.parametrize("seed", range(4))
def test_random_places(pair, seed):
    pair.sequence(*(random_geo(seed * 100 + part, 300) for part in range(4)))
