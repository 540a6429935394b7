# SPDX-License-Identifier: BSD-3-Clause
"""Programs that people use with Redis, unchanged: redis-cli, redis-benchmark, redis-check-rdb, redis-py."""

import os
import socket
import subprocess

import pytest
import redis

from lab.data import fill_all_types
from lab.resp import Client, encode
from lab.servers import eventually
from lab.sync import digest


@pytest.fixture(scope="module")
def server(shared_farm):
    return shared_farm.redwing()


@pytest.fixture(autouse=True)
def _empty(server):
    server.call("FLUSHALL")


def cli(server, *arguments, stdin=None):
    done = subprocess.run(["redis-cli", "-p", str(server.port), *arguments], input=stdin,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_redis_cli_commands(server):
    assert cli(server, "SET", "k", "v") == b"OK\n"
    assert cli(server, "--no-raw", "GET", "k") == b'"v"\n'
    assert b"redis_version:" in cli(server, "INFO", "server")
    assert cli(server, "-n", "3", "SET", "in3", "1") == b"OK\n"
    assert b"db3:keys=1" in cli(server, "INFO", "keyspace")
    assert cli(server, "--no-raw", "CONFIG", "GET", "maxmemory").startswith(b"1) \"maxmemory\"")


def test_redis_cli_from_standard_input_and_scan(server):
    lines = b"".join(b"SET key:%d %d\n" % (i, i) for i in range(500))
    assert cli(server, stdin=lines).count(b"OK") == 500
    assert sorted(cli(server, "--scan", "--pattern", "key:1?").split()) == sorted(
        b"key:%d" % i for i in range(10, 20))


def test_redis_cli_pipe(server):
    requests = b"".join(encode("SET", f"p{i}", "x" * (i % 100)) for i in range(20000))
    assert b"errors: 0, replies: 20000" in cli(server, "--pipe", stdin=requests)
    assert server.call("DBSIZE") == 20000


@pytest.mark.parametrize("diskless", ["no", "yes"])
def test_redis_cli_rdb_fetches_a_snapshot(server, farm, tmp_path, diskless):
    server.call("CONFIG", "SET", "repl-diskless-sync", diskless)
    server.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    with server.client() as client:
        fill_all_types(client, n=300)
    path = str(tmp_path / "dump.rdb")
    cli(server, "--rdb", path)
    done = subprocess.run(["redis-check-rdb", path], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout
    stock = farm.make("redis")
    os.replace(path, stock.dump_path())
    assert digest(stock.start()) == digest(server)


@pytest.mark.parametrize("option", ["--bigkeys", "--memkeys"])
def test_redis_cli_walks_the_key_space(server, option):
    with server.client() as client:
        fill_all_types(client, n=100)
    assert b"Biggest" in cli(server, option)


def test_redis_cli_replica_mode_shows_the_stream(server):
    process = subprocess.Popen(["redis-cli", "-p", str(server.port), "--replica"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: server.info("replication")["connected_slaves"] == "1")
        eventually(lambda: "online" in server.info("replication").get("slave0", ""))
        server.call("SET", "streamed", "now")
        seen = b""
        while b"streamed" not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("pipeline", [1, 16])
def test_redis_benchmark(server, pipeline):
    tests = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,lrange_100,mset"
    done = subprocess.run(
        ["redis-benchmark", "-p", str(server.port), "-n", "2000", "-c", "20", "-P", str(pipeline),
         "-q", "-t", tests], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and "rror" not in done.stdout + done.stderr, done.stdout + done.stderr
    # A line a test; PING is two, LRANGE has an LPUSH before it.
    assert done.stdout.count("requests per second") == len(tests.split(",")) + 2


def test_redis_py(server):
    """RESP2 and RESP3, pipelines, transactions, each type, expiries, errors as exceptions."""
    for protocol in (2, 3):
        with redis.Redis(port=server.port, protocol=protocol, decode_responses=True) as client:
            client.flushall()
            assert client.set("k", "v", px=100000) and client.get("k") == "v"
            assert 0 < client.pttl("k") <= 100000
            with client.pipeline() as pipeline:
                pipeline.incr("n").rpush("l", 1, 2, 3).sadd("s", "a").zadd("z", {"m": 1.5})
                assert pipeline.execute() == [1, 3, 1, 1]
            assert client.hset("h", mapping={"a": 1, "b": 2}) == 2
            assert client.hgetall("h") == {"a": "1", "b": "2"}
            assert client.zscore("z", "m") == 1.5
            assert client.xadd("x", {"f": "v"}, id="1-1") == "1-1"
            assert set(client.scan_iter(count=2)) == {"k", "n", "l", "s", "z", "h", "x"}
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                client.incr("l")
            assert client.info()["tcp_port"] == server.port
            assert client.config_get("repl-*")["repl-timeout"] == "60"


def test_redis_py_pubsub_lock_and_script(server):
    with redis.Redis(port=server.port) as client:
        with client.pubsub() as listener:
            listener.subscribe("news")
            listener.psubscribe("n*")
            for _ in range(2):
                assert listener.get_message(timeout=30)
            assert client.publish("news", "hello") == 2
            kinds = {listener.get_message(timeout=30)["type"] for _ in range(2)}
            assert kinds == {"message", "pmessage"}
        with client.lock("lock", timeout=10):
            assert client.exists("lock")
        assert not client.exists("lock")
        double = client.register_script("return tonumber(redis.call('GET', KEYS[1])) * 2")
        client.set("n", 21)
        assert double(keys=["n"]) == 42


def test_a_unix_socket(farm):
    path = os.path.join(farm.root, "sock")
    server = farm.redwing({"unixsocket": path, "unixsocketperm": "700"})
    assert os.stat(path).st_mode & 0o777 == 0o700
    with Client(path=path) as client:
        assert client.call("PING") == b"PONG"


def test_requests_in_any_fragmentation(server):
    whole = encode("SET", "k", b"\r\n" * 10) + encode("GET", "k") + b"PING\r\n"
    want = b"+OK\r\n$20\r\n" + b"\r\n" * 10 + b"\r\n+PONG\r\n"
    for size in (1, 2, 3, 7, len(whole)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(whole), size):
                peer.sendall(whole[at:at + size])
            got = b""
            while len(got) < len(want):
                got += peer.recv(4096)
            assert got == want


BLOCK = 64 << 10  # what is read at once
# Pieces with the flags of their send, and what they are answered.
AT_ONCE = {
    "a request": ([(b"PING\r\n", 0)], b"+PONG\r\n"),
    "three blocks": ([(b"PING\r\n" * (BLOCK // 2), 0)], b"+PONG\r\n" * (BLOCK // 2)),
    "a byte more than a block": ([(b"ECHO " + b"x" * (BLOCK - 6) + b"\r\n", 0)],
                                 b"$65530\r\n" + b"x" * (BLOCK - 6) + b"\r\n"),
    "urgent data": ([(b"PING\r\n", 0), (b"!", socket.MSG_OOB), (b"PING\r\n", 0)], b"+PONG\r\n" * 2),
}


@pytest.mark.parametrize("pieces, want", AT_ONCE.values(), ids=AT_ONCE)
@pytest.mark.parametrize("ends", [True, False], ids=["and the end", "and no end"])
def test_what_arrives_at_once(server, pieces, want, ends):
    """Arrivals are announced once: what came while the server slept is read to the end, its own too."""
    with Client(server.port) as sleeper, \
            socket.create_connection(("127.0.0.1", server.port), timeout=20) as peer:
        sleeper.send(encode("DEBUG", "SLEEP", "0.05"))
        for piece, flags in pieces:
            peer.sendall(piece, flags)
        if ends:
            peer.shutdown(socket.SHUT_WR)
        got = b""
        while len(got) < len(want) and (more := peer.recv(1 << 20)):
            got += more
        assert got == want
        assert sleeper.read() == b"OK"
        if ends:
            assert peer.recv(10) == b""


def test_a_clean_end_saves_when_configured(farm):
    server = farm.redwing({"save": "900 1"})
    server.call("SET", "k", "v")
    assert server.stop() == 0
    assert os.path.exists(server.dump_path())
    server.start()
    assert server.call("GET", "k") == b"v"
