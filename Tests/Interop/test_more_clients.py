# SPDX-License-Identifier: BSD-3-Clause
"""More programs that people use with Redis: hiredis from C, Redis.pm from Perl, redis-cli's tools and all of
redis-benchmark, and redis-py's pipelines, locks, streams and RESP3 messages."""

import os
import subprocess
import threading
import time

import pytest
import redis

from lab.data import fill_all_types
from lab.servers import eventually

HERE = os.path.dirname(__file__)


@pytest.fixture(scope="module")
def server(shared_farm):
    return shared_farm.redwing()


@pytest.fixture(autouse=True)
def _empty(server):
    server.call("FLUSHALL")


def run(*command, timeout=60, **more):
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=timeout, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_hiredis(server, tmp_path):
    binary = tmp_path / "client"
    run("gcc", "-O1", "-Wall", "-Werror", "-o", binary, os.path.join(HERE, "client.c"), "-lhiredis")
    assert run(binary, server.port) == "all is well\n"


def test_redis_pm(server):
    assert run("perl", os.path.join(HERE, "client.pl"), server.port) == "all is well\n"


@pytest.mark.parametrize("more", [["-n", "1000"], ["-n", "4000", "-P", "16"],
                                  ["-n", "2000", "-r", "1000", "-d", "100", "-3"],
                                  ["-n", "500", "-k", "0", "-c", "5"]], ids=" ".join)
def test_redis_benchmark_all_tests(server, more):
    shown = run("redis-benchmark", "-p", server.port, "-q", *more, timeout=110)
    assert "rror" not in shown
    assert shown.count("requests per second") == 20, shown


def test_redis_benchmark_of_a_command(server):
    shown = run("redis-benchmark", "-p", server.port, "-q", "-n", 500, "-P", 5, "-r", 100, "EVAL",
                "return redis.call('INCR', KEYS[1])", 1, "k:__rand_int__")
    assert "requests per second" in shown
    assert 0 < server.call("DBSIZE") <= 100


def cli(server, *arguments):
    return run("redis-cli", "-p", server.port, *arguments)


def tool(server, *arguments, until):
    """Runs a tool that never ends until it has shown something."""
    process = subprocess.Popen(["redis-cli", "-p", str(server.port), *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    os.set_blocking(process.stdout.fileno(), False)
    seen = b""
    try:
        def shown():
            nonlocal seen
            seen += process.stdout.read() or b""
            return until(seen)
        eventually(shown, message=lambda: f"{arguments}: {seen!r}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return seen


def test_redis_cli_finds_big_and_hot_keys(server):
    with server.client() as client:
        fill_all_types(client, n=100)
        client.call("SELECT", 0)
        client.call("SET", "biggest", "x" * 5000000)
        shown = cli(server, "--bigkeys")
        assert """Biggest string found '"biggest"' has 5000000 bytes""" in shown
        for kind in ("strings", "lists", "sets", "hashs", "zsets", "streams"):
            assert f" {kind} with " in shown
        assert '"biggest"' in cli(server, "--memkeys")
        assert '"biggest"' in cli(server, "--memkeys", "--memkeys-samples", "0")
        client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        try:
            client.call("SET", "hottest", 1)
            for _ in range(3000):
                client.call("GET", "hottest")
            shown = cli(server, "--hotkeys")
            assert '"hottest"' in shown.split("summary")[1]
        finally:
            client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_redis_cli_watches(server):
    server.call("SET", "k", "v")
    assert tool(server, "--stat", "-i", "0.05", until=lambda seen: seen.count(b"\n") >= 5).startswith(b"-------")
    tool(server, "--latency", "-i", "0.1", until=lambda seen: b" " in seen.strip())
    tool(server, "--latency-history", "-i", "0.1", until=lambda seen: b"seconds range" in seen)
    tool(server, "--latency-dist", "-i", "0.1", until=lambda seen: len(seen) > 100)
    assert "Max latency so far" in cli(server, "--intrinsic-latency", "1")


def test_redis_cli_scans_and_edits(server):
    with server.client() as client:
        client.pipeline([("SET", f"a:{i}", i) for i in range(300)] + [("LPUSH", "l", 1), ("SET", "b", 1)])
    assert len(cli(server, "--scan", "--pattern", "a:*").split()) == 300
    assert cli(server, "--eval", "/dev/stdin", "b", ",", "7") == "\n"
    assert cli(server, "-3", "HELLO", "3").startswith("server")
    assert cli(server, "--csv", "MGET", "a:1", "missing", "b") == '"1",NULL,"1"\n'
    assert cli(server, "--json", "MGET", "a:1", "b") == '["1","1"]\n'
    assert cli(server, "-r", "3", "INCR", "n") == "1\n2\n3\n"


# redis-py

@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def py(server, request):
    with redis.Redis(port=server.port, protocol=request.param, decode_responses=True) as client:
        yield client


def test_pipelines(py):
    with py.pipeline(transaction=False) as pipeline:
        for i in range(3000):
            pipeline.set(f"k{i}", i)
            pipeline.get(f"k{i}")
        replies = pipeline.execute()
    assert replies[1::2] == [str(i) for i in range(3000)]
    with py.pipeline() as pipeline:
        pipeline.set("s", "x").lpush("s", 1).get("s")
        replies = pipeline.execute(raise_on_error=False)
        assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] == "x"
    with py.pipeline() as pipeline:
        pipeline.watch("s")
        py.set("s", "changed")
        pipeline.multi()
        pipeline.set("s", "mine")
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    assert py.transaction(lambda p: (p.multi(), p.incr("n")), "n") == [1]


def test_locks(py):
    held = []

    def work():
        for _ in range(5):
            with py.lock("lock", timeout=10, sleep=0.001):
                held.append(1)
                assert len(held) == 1
                held.pop()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lock = py.lock("short", timeout=10)
    assert lock.acquire(blocking=False) and not py.lock("short").acquire(blocking=False)
    assert lock.extend(1, replace_ttl=True) and lock.reacquire()
    py.delete("short")
    with pytest.raises(redis.exceptions.LockError):
        lock.release()


def test_scripts(py):
    script = py.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', 'runs')}")
    assert script(keys=["k"], args=["a"]) == ["k", "a", 1]
    py.script_flush()
    assert script(keys=["k"], args=["a"])[2] == 2
    assert py.script_exists(script.sha, "0" * 40) == [True, False]
    with pytest.raises(redis.ResponseError):
        py.eval("return redis.call('nonsense')", 0)


def test_streams(py):
    ids = [py.xadd("x", {"n": i}) for i in range(10)]
    assert py.xlen("x") == 10 and [one for one, _ in py.xrange("x")] == ids
    assert py.xgroup_create("x", "g", "0")
    read = py.xreadgroup("g", "c", {"x": ">"}, count=4)
    entries = read["x"][0] if isinstance(read, dict) else read[0][1]
    assert [one for one, _ in entries] == ids[:4]
    assert py.xack("x", "g", ids[0]) == 1 and py.xpending("x", "g")["pending"] == 3
    assert len(py.xpending_range("x", "g", "-", "+", 10)) == 3
    assert [one for one, _ in py.xclaim("x", "g", "d", 0, ids[1:2])] == ids[1:2]
    assert py.xautoclaim("x", "g", "e", 0)[0] == "0-0"
    assert py.xinfo_stream("x")["length"] == 10 and py.xinfo_groups("x")[0]["pending"] == 3
    assert py.xinfo_stream("x", full=True)["groups"]
    assert py.xtrim("x", maxlen=2, approximate=False) == 8 and py.xdel("x", ids[-1]) == 1


def test_pubsub(py):
    with py.pubsub() as listener:
        heard = []
        listener.subscribe(**{"a": heard.append})
        listener.psubscribe("b*")
        for _ in range(2):
            assert listener.get_message(timeout=30)["type"] in ("subscribe", "psubscribe")
        py.publish("a", "one")
        py.publish("bee", "two")
        deadline = time.monotonic() + 30
        other = None
        while (not heard or other is None) and time.monotonic() < deadline:
            other = listener.get_message(timeout=0.2) or other
        assert heard[0]["data"] == "one" and other["data"] == "two" and other["pattern"] == "b*"
        assert py.pubsub_numsub("a") == [("a", 1)] and py.pubsub_numpat() == 1
        # With RESP3 and decoded replies, redis-py itself stumbles over what PING answers here.
        if py.connection_pool.connection_kwargs["protocol"] == 2:
            listener.ping("still here")
            eventually(lambda: (listener.get_message(timeout=1) or {}).get("type") == "pong")
        listener.unsubscribe()
        listener.punsubscribe()
        for _ in range(2):
            assert listener.get_message(timeout=30)["type"].endswith("unsubscribe")


def test_replies_of_all_kinds(py):
    py.hset("h", mapping={"a": 1, "b": 2})
    py.zadd("z", {"a": 1.5, "b": float("inf")})
    py.sadd("s", "x", "y")
    assert py.hgetall("h") == {"a": "1", "b": "2"}
    assert [list(pair) for pair in py.zrange("z", 0, -1, withscores=True)] == [["a", 1.5], ["b", float("inf")]]
    assert set(py.smembers("s")) == {"x", "y"} and py.zscore("z", "b") == float("inf")
    assert py.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")) == 2
    assert abs(py.geodist("g", "Palermo", "Catania", "km") - 166.2742) < 0.001
    assert py.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
    assert py.client_info()["db"] in (0, "0") and py.memory_stats()["keys.count"] == 4
    assert py.slowlog_get() is not None and py.command_count() > 200
    assert py.bitfield("bits").set("u8", 0, 200).get("u8", 0).execute() == [0, 200]
    assert py.sort("s", alpha=True, desc=True) == ["y", "x"]
    assert dict(py.hscan_iter("h")) == {"a": "1", "b": "2"} and dict(py.zscan_iter("z"))["a"] == 1.5
