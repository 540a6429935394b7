# SPDX-License-Identifier: BSD-3-Clause
"""SORT: every reply equal to a stock Redis's, by rows and by random requests."""

import random

import pytest

FILL = [
    "RPUSH l 3 1 2 10 -5", "SADD s 3 1 2 10", "ZADD z 5 a 1 b 3 c 2 d", "RPUSH w b a c ab",
    "MSET w1 30 w2 20 w3 10 w10 5", "HSET h1 f x g 9", "HSET h2 f y g 1", "HSET h3 g 5",
    "MSET o1 one o2 two o3 three wa x wb y wab z", "SET str x",
]

ROWS = {
    "by number": ["SORT l", "SORT l DESC", "SORT s", "SORT s ASC DESC ASC", "SORT none", "SORT z"],
    "by bytes": ["SORT w ALPHA", "SORT w ALPHA DESC", "SORT l ALPHA", "SORT z ALPHA DESC", "SORT s alpha"],
    "what is no number": ["SORT w", "SORT z BY none*", "RPUSH x 1 '' 2", "SORT x", "RPUSH y 1 nan", "SORT y",
                          "RPUSH q ' 5' 4", "SORT q", "RPUSH q '5 '", "SORT q", "RPUSH i inf -inf 0", "SORT i"],
    "LIMIT": ["SORT l LIMIT 0 2", "SORT l LIMIT 2 2", "SORT l LIMIT 10 2", "SORT l LIMIT -1 2",
              "SORT l LIMIT 0 -1", "SORT l LIMIT 3 100", "SORT l LIMIT 0 0", "SORT l LIMIT x 1",
              "SORT l LIMIT 0 y", "SORT l LIMIT 1", "SORT none LIMIT 0 2", "SORT l DESC LIMIT 1 2",
              "SORT l LIMIT 1 9223372036854775807"],
    "BY": ["SORT l BY w*", "SORT l BY w* DESC", "SORT l BY nosort", "SORT l BY nosort LIMIT 1 2",
           "SORT s BY w*", "SORT l BY h*->g", "SORT l BY h*->none", "SORT l BY h*->", "SORT l BY o*",
           "SORT l BY o* ALPHA", "SORT l BY o* ALPHA DESC", "SORT w BY w* ALPHA", "SORT l BY l*",
           "SORT z BY nosort", "SORT z BY nosort DESC", "SORT z BY nosort DESC LIMIT 1 2",
           "SORT z BY nosort LIMIT 0 1", "SORT l BY"],
    "GET": ["SORT l GET w*", "SORT l GET # GET o* GET h*->f", "SORT l BY w* GET o*", "SORT l GET nostar",
            "SORT l GET str", "SORT l GET h*", "SORT l GET o*->f", "SORT l GET #x", "SORT l GET",
            "SORT none GET # GET w*", "SORT w ALPHA GET #"],
    "STORE": ["SORT l STORE d", "LRANGE d 0 -1", "SORT l GET o* STORE d", "LRANGE d 0 -1", "SORT none STORE d",
              "EXISTS d", "SORT none STORE d", "SORT s BY nosort STORE d", "LRANGE d 0 -1", "SORT l STORE l",
              "LRANGE l 0 -1", "SORT l STORE str", "TYPE str", "SORT w STORE d2", "EXISTS d2", "SORT l STORE",
              "SET t v EX 100", "SORT l STORE t", "TTL t", "SORT l LIMIT 9 9 STORE t", "EXISTS t"],
    "errors": ["SORT str", "HSET h a 1", "SORT h", "SORT", "SORT l FOO", "SORT str FOO", "SORT l ASC FOO",
               "SORT str LIMIT x y"],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_row(pair, row):
    pair.run(FILL)
    pair.run(row)


def test_random_requests(pair):
    rng = random.Random(11)
    pair.random([("RPUSH", "l", rng.randrange(200)) for _ in range(150)])
    # No two equal, for what is equal in all that counts may come in any order.
    pair.random([("SADD", "s", rng.randrange(1000)) for _ in range(150)])
    values = list(range(1000))
    rng.shuffle(values)
    pair.random([("SET", f"w{i}", values[i]) for i in range(1000) if i % 3])
    pair.random([("HSET", f"h{i}", "f", f"text{values[i]:04}") for i in range(1000)])
    requests = []
    for _ in range(500):
        request = ["SORT", rng.choice("ls")]
        by = rng.choice(["", "w*", "h*->f"])
        if by:
            request += ["BY", by]
        if by == "h*->f" or rng.random() < 0.2:
            request += ["ALPHA"]
        if by == "w*":
            request = ["SORT", request[1], "BY", "w*"]
        request += rng.choice([[], ["DESC"], ["ASC"]])
        request += rng.choice([[], ["LIMIT", str(rng.randrange(50)), str(rng.randrange(-1, 60))]])
        request += rng.choice([[], ["GET", "#", "GET", "w*"], ["GET", "h*->f"]])
        if rng.random() < 0.3:
            requests += [(*request, "STORE", "d"), ("LRANGE", "d", "0", "-1")]
        else:
            requests.append(tuple(request))
    pair.random(requests)
    pair.digest()
