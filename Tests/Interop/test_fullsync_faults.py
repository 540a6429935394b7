# SPDX-License-Identifier: BSD-3-Clause
"""Full sync when something breaks: a process killed, a link cut or silent, a byte wrong, at each phase.

All links go through the tests' own proxy. Whatever happens, both servers live on, the replica tries
again, and in the end the digests are equal. (A stock replica ends itself at a wrong checksum, so
with REDWING_SERVER=/usr/bin/redis-server the tests of a wrong byte fail, and only those.)
"""

import os
import socket
import threading

import pytest

from lab.data import fill_all_types
from lab.proxy import Proxy
from lab.resp import ReplyError
from lab.servers import eventually, free_port
from lab.sync import assert_same, digest, replicate, wait_link_up

# What has come down the link when it happens: in the handshake, in the first bytes of the bulk, in
# its middle, near its end, in the stream.
PHASES = {"handshake": 8, "preamble": 150, "early": 3_000, "middle": 1_000_000, "late": 2_350_000}
ROLES = [("redwing", "redwing"), ("redwing", "redis"), ("redis", "redwing")]
SEND = ["disk", "diskless"]
RECEIVE = ["disabled", "swapdb"]


def start_two(farm, roles=("redwing", "redwing"), send="disk", receive="disabled"):
    master = farm.start(roles[0], {"repl-diskless-sync": "yes" if send == "diskless" else "no",
                                   "repl-diskless-sync-delay": "0", "repl-timeout": "5"})
    replica = farm.start(roles[1], {"repl-diskless-load": receive, "repl-timeout": "5"})
    fill(master)
    return master, replica, farm.own(Proxy(master.port))


def fill(master):
    """All types and 2 MB that don't compress, so that the phases' byte counts hold."""
    with master.client() as client:
        fill_all_types(client, n=300, seed=2)
        for i in range(0, 2000, 500):
            client.pipeline([("SET", f"bulk:{j}", os.urandom(1000)) for j in range(i, i + 500)])


@pytest.mark.parametrize("receive", RECEIVE)
@pytest.mark.parametrize("send", SEND)
@pytest.mark.parametrize("phase", PHASES)
def test_the_link_is_cut(farm, phase, send, receive):
    master, replica, proxy = start_two(farm, send=send, receive=receive)
    proxy.cut_after = PHASES[phase]
    replicate(replica, proxy)
    eventually(lambda: proxy.cuts)
    assert_same(master, replica)
    assert proxy.connections >= 2


@pytest.mark.parametrize("roles", ROLES[1:], ids="->".join)
@pytest.mark.parametrize("phase", ["preamble", "middle"])
def test_the_link_to_or_from_a_stock_redis_is_cut(farm, phase, roles):
    master, replica, proxy = start_two(farm, roles)
    proxy.cut_after = PHASES[phase]
    replicate(replica, proxy)
    eventually(lambda: proxy.cuts)
    assert_same(master, replica)


@pytest.mark.parametrize("receive", RECEIVE)
@pytest.mark.parametrize("send", SEND)
@pytest.mark.parametrize("phase", ["early", "middle", "late"])
def test_a_byte_of_the_transfer_is_wrong(farm, phase, send, receive):
    """The checksum, or the format before it, finds it; a swapdb replica keeps its old data meanwhile."""
    master, replica, proxy = start_two(farm, send=send, receive=receive)
    with replica.client() as client:
        client.call("SET", "mine", "old")
        before = digest(replica)
        proxy.corrupt_at = PHASES[phase]
        replicate(replica, proxy)
        # Before the byte is wrong: the next attempt comes behind it at once.
        eventually(lambda: proxy.connections)
        proxy.refuse()
        eventually(lambda: proxy.corrupted)
        eventually(lambda: replica.info("replication")["master_sync_in_progress"] == "0")
        if receive == "swapdb":
            assert digest(replica) == before
        assert replica.alive(), replica.log_tail()
        proxy.refuse(False)
    assert_same(master, replica)


@pytest.mark.parametrize("phase", ["preamble", "middle"])
@pytest.mark.parametrize("send", SEND)
def test_the_link_goes_silent(farm, send, phase):
    """Half-open: repl-timeout ends the attempt on both sides, the next one succeeds."""
    master, replica, proxy = start_two(farm, send=send)
    proxy.throttle(3_000_000)
    replicate(replica, proxy)
    eventually(lambda: proxy.bytes_down > PHASES[phase], interval=0.002)
    proxy.silence()
    proxy.throttle(None)
    first = proxy.connections
    eventually(lambda: "imeout" in replica.log())
    # The old connections stay silent for ever; new ones flow.
    proxy.cut()
    proxy.resume()
    assert_same(master, replica)
    assert proxy.connections > first


@pytest.mark.parametrize("send", SEND)
@pytest.mark.parametrize("phase", ["preamble", "middle", "late"])
def test_the_replica_is_killed(farm, phase, send):
    master, replica, proxy = start_two(farm, send=send)
    proxy.throttle(3_000_000)
    replicate(replica, proxy)
    eventually(lambda: proxy.bytes_down > PHASES[phase], interval=0.002)
    replica.kill()
    proxy.throttle(None)
    eventually(lambda: master.info("replication")["connected_slaves"] == "0")
    eventually(lambda: master.info("persistence")["rdb_bgsave_in_progress"] == "0")
    replica.start()
    replicate(replica, proxy)
    assert_same(master, replica)


@pytest.mark.parametrize("receive", RECEIVE)
@pytest.mark.parametrize("send", SEND)
@pytest.mark.parametrize("phase", ["preamble", "middle", "late"])
def test_the_master_is_killed(farm, phase, send, receive):
    master, replica, proxy = start_two(farm, send=send, receive=receive)
    master.call("SAVE")
    proxy.throttle(3_000_000)
    replicate(replica, proxy)
    eventually(lambda: proxy.bytes_down > PHASES[phase], interval=0.002)
    master.kill()
    proxy.throttle(None)
    eventually(lambda: replica.info("replication")["master_link_status"] == "down")
    assert replica.alive()
    master.start()
    assert_same(master, replica)


def cut(master, proxy):
    proxy.cut()


def silence(master, proxy):
    proxy.silence()


def kill(master, proxy):
    master.kill()
    master.start()


@pytest.mark.parametrize("fault", [cut, silence, kill], ids=lambda one: one.__name__)
@pytest.mark.parametrize("roles, receive", [
    (("redis", "redwing"), "disabled"), (("redis", "redwing"), "swapdb"), (("redis", "redwing"), "on-empty-db"),
    (("redwing", "redwing"), "on-empty-db"), (("redwing", "redis"), "disabled")],
    ids=lambda one: one if isinstance(one, str) else "->".join(one))
def test_something_happens_in_the_middle(farm, roles, receive, fault):
    """Beside stock servers, and where the old data set is none."""
    master, replica, proxy = start_two(farm, roles, receive=receive)
    master.call("SAVE")
    proxy.throttle(3_000_000)
    replicate(replica, proxy)
    eventually(lambda: proxy.bytes_down > PHASES["middle"], interval=0.002)
    first = proxy.connections
    fault(master, proxy)
    proxy.throttle(None)
    if fault is silence:
        eventually(lambda: "imeout" in replica.log())
        proxy.cut()
        proxy.resume()
    assert_same(master, replica)
    assert proxy.connections > first and replica.alive()


@pytest.mark.parametrize("send", SEND)
@pytest.mark.parametrize("receive", ["disabled", "on-empty-db", "swapdb"])
def test_a_byte_from_a_stock_master_is_wrong(farm, receive, send):
    master, replica, proxy = start_two(farm, ("redis", "redwing"), send, receive)
    proxy.corrupt_at = PHASES["middle"]
    replicate(replica, proxy)
    eventually(lambda: proxy.corrupted)
    assert_same(master, replica)
    assert proxy.connections >= 2 and "Failed trying to load the MASTER synchronization DB" in replica.log()


@pytest.mark.parametrize("send", SEND)
def test_a_byte_for_a_stock_replica_is_wrong(farm, send):
    """It finds it by our checksum. It ends itself then, or asks again; we go on in any case."""
    master, replica, proxy = start_two(farm, ("redwing", "redis"), send)
    proxy.corrupt_at = PHASES["middle"]
    replicate(replica, proxy)
    eventually(lambda: proxy.corrupted)
    eventually(lambda: not replica.alive() or proxy.connections >= 2)
    if not replica.alive():
        # It has put the damaged file in the place of its own.
        if os.path.exists(replica.dump_path()):
            os.unlink(replica.dump_path())
        replica.start()
        replicate(replica, proxy)
    assert_same(master, replica)
    # The byte may also lie where a length or a compressed string stands.
    found = ("hecksum", "MASTER synchronization DB", "rdb file reading failure")
    assert any(text in replica.log() for text in found)


@pytest.mark.parametrize("receive, keys", [("disabled", 1), ("on-empty-db", 0), ("on-empty-db", 1), ("swapdb", 1)])
def test_what_is_served_while_the_new_set_is_built(farm, receive, keys):
    """Nothing, but with swapdb the old data; on-empty-db goes by way of the disk where there is any."""
    master = farm.redis({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0"})
    with master.client() as client:
        client.pipeline([("SET", f"k:{i}", i) for i in range(300)])
    replica = farm.redwing({"repl-diskless-load": receive, "key-load-delay": "10000"})
    with replica.client() as client:
        if keys:
            client.call("SET", "mine", "1")
        replicate(replica, master)
        parses = receive == "swapdb" or not keys
        wanted = "parsing" if parses else "loading"
        eventually(lambda: client.info("replication").get("master_sync_phase") == wanted)
        info = client.info("persistence")
        assert (info["loading"], info["async_loading"]) == (("0", "1") if receive == "swapdb" else ("1", "0"))
        reply = client.call_or_error("GET", "mine")
        if receive == "swapdb":
            assert reply == b"1"
        else:
            assert str(reply) == "LOADING Redis is loading the dataset in memory"
        assert "to parser" in replica.log() if parses else "to disk" in replica.log()
    assert_same(master, replica)
    assert replica.call("EXISTS", "mine") == 0


def test_the_snapshot_child_is_killed(farm):
    """The waiting replica is told or dropped, and the next snapshot serves it."""
    master, replica, proxy = start_two(farm, send="diskless")
    # Whatever the link does, the child fills the spool; it is to be there for a while.
    master.call("CONFIG", "SET", "rdb-key-save-delay", "2000")
    proxy.throttle(500_000)
    replicate(replica, proxy)
    eventually(lambda: proxy.bytes_down > PHASES["early"], interval=0.002)
    children = eventually(lambda: children_of(master.process.pid))
    for child in children:
        os.kill(child, 9)
    master.call("CONFIG", "SET", "rdb-key-save-delay", "0")
    proxy.throttle(None)
    assert_same(master, replica)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(one) for one in file.read().split()]


@pytest.mark.parametrize("send", SEND)
def test_a_change_of_mind_in_the_middle(farm, send):
    """REPLICAOF NO ONE, and another master, while the transfer runs."""
    master, replica, proxy = start_two(farm, send=send)
    other = farm.redwing()
    other.call("SET", "from", "other")
    proxy.throttle(500_000)
    replicate(replica, proxy)
    eventually(lambda: proxy.bytes_down > PHASES["early"], interval=0.002)
    replica.call("REPLICAOF", "NO", "ONE")
    assert replica.call("ROLE")[0] == b"master"
    replicate(replica, proxy)
    eventually(lambda: replica.info("replication")["master_sync_in_progress"] == "1")
    replicate(replica, other)
    assert_same(other, replica)
    replicate(replica, master)
    assert_same(master, replica)


def test_one_broken_replica_does_not_harm_the_others(farm):
    master = farm.redwing({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "1"})
    fill(master)
    good = [farm.redwing() for _ in range(2)]
    bad = farm.redwing()
    proxy = farm.own(Proxy(master.port))
    proxy.cut_after = PHASES["middle"]
    for replica in good:
        replicate(replica, master)
    replicate(bad, proxy)
    assert_same(master, *good)
    assert_same(master, bad)


class Impostor:
    """Something that listens, is no master, and answers everything with the same bytes."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        self.visits = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.visits += 1
            with peer:
                peer.settimeout(2)
                try:
                    while data := peer.recv(4096):
                        peer.sendall(self.answer(data))
                except OSError:
                    pass

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def bulk_of(preamble):
    def answer(data):
        if b"PSYNC" in data:
            return b"+FULLRESYNC " + b"a" * 40 + b" 1\r\n" + preamble
        return b"+PONG\r\n" if b"PING" in data else b"+OK\r\n" * data.count(b"*")
    return answer


@pytest.mark.parametrize("answer", [
    lambda data: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    lambda data: b"\x16\x03\x01\x02\x00",
    bulk_of(b"$9223372036854775807\r\nREDIS0009"),
    bulk_of(b"$-5\r\n"),
    bulk_of(b"$abc\r\n"),
    bulk_of(b"$EOF:short\r\n"),
    bulk_of(b"$20\r\nthis is not an rdb!!"),
    bulk_of(b"-ERR no data today\r\n"),
    bulk_of(b"hello\r\n"),
], ids=["http", "tls", "huge length", "negative length", "no length", "short mark", "no rdb", "error",
        "text"])
def test_a_peer_that_speaks_something_else(farm, answer):
    """No memory on a length's word, the old data kept, another attempt, and a real master later."""
    replica = farm.redwing({"repl-diskless-load": "swapdb"})
    replica.call("SET", "k", "v")
    impostor = farm.own(Impostor(answer))
    replicate(replica, impostor)
    eventually(lambda: impostor.visits >= 2)
    assert replica.call("GET", "k") == b"v"
    assert int(replica.info("memory")["used_memory"]) < 100 << 20
    master = farm.redwing()
    master.call("SET", "k", "new")
    replicate(replica, master)
    assert_same(master, replica)


@pytest.mark.parametrize("line", [
    b"PSYNC\r\n", b"PSYNC ? notanumber\r\n", b"PSYNC " + b"b" * 40 + b" 99999999999999999999\r\n",
    b"REPLCONF listening-port abc\r\n", b"REPLCONF capa\r\n", b"REPLCONF nonsense 1\r\n",
    b"REPLCONF ack -1\r\n", b"SYNC\r\nSYNC\r\n", b"PSYNC ? -1\r\nGET k\r\n",
])
def test_a_master_survives_a_strange_replica(farm, line):
    master = farm.redwing()
    master.call("SET", "k", "v")
    with master.client(timeout=1.0) as client:
        client.send(line)
        try:
            client.socket.recv(4096)
        except OSError:
            pass
    assert master.call("GET", "k") == b"v"
    replica = farm.redwing()
    replicate(replica, master)
    assert_same(master, replica)


def test_a_master_that_is_not_there_yet(farm):
    replica = farm.redwing()
    master = farm.make("redwing")
    replicate(replica, master)
    eventually(lambda: "rror condition on socket for SYNC" in replica.log()
               or "Connection refused" in replica.log())
    master.start()
    master.call("SET", "k", "v")
    wait_link_up(replica)
    eventually(lambda: replica.call("GET", "k") == b"v")


def test_a_replica_of_itself_answers_an_error_or_stays_alive(farm):
    server = farm.redwing()
    replicate(server, server)
    with pytest.raises(ReplyError):
        server.call("SET", "k", "v")
    server.call("REPLICAOF", "NO", "ONE")
    assert server.call("SET", "k", "v") == b"OK"
