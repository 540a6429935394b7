# SPDX-License-Identifier: BSD-3-Clause
"""What may go to a replica on its connection: the answer to its PSYNC, the snapshot, the stream, and not
a byte more. A reply or a message in between would be taken for a part of these, so who makes one is let
go, in the words of Redis 7.0."""

import re
import socket

import pytest

from lab.resp import Client, encode
from lab.servers import eventually
from links import DISK, Tap, ask

FULL = rb"(\n)*\+FULLRESYNC [0-9a-f]{40} \d+\r\n"
DISCONNECTED = "Replica generated a reply to command '{}', disconnecting it: id="


@pytest.fixture(scope="module")
def server(shared_farm):
    """Its stream has begun, so that a replica can be continued; nothing but writes is in it."""
    one = shared_farm.redwing(DISK | {"repl-ping-replica-period": "3600"})
    ask(one, "?", -1)
    return one


def everything(client):
    """All bytes until the server closes the connection."""
    data = bytes(client.pending[client.at:])
    try:
        while more := client.socket.recv(1 << 16):
            data += more
    except ConnectionResetError:
        pass
    return data


def replicas(server):
    return int(server.info("replication")["connected_slaves"])


def let_go(server, client, command, allowed):
    """The server closed the connection, named why, and sent nothing but what is `allowed`."""
    data = everything(client)
    assert re.fullmatch(allowed, data, re.S), data
    assert DISCONNECTED.format(command) in server.log()
    eventually(lambda: replicas(server) == 0)
    client.close()


REPLIES = {
    "a read": (("GET", "k"), "get"),
    "a write": (("SET", "k", "v"), "set"),
    "an error": (("LPUSH", "k"), "lpush"),
    "an unknown command": (("NOSUCH",), "psync"),
    "a subscription": (("SUBSCRIBE", "channel"), "subscribe"),
    "REPLCONF of another kind": (("REPLCONF", "capa", "eof"), "replconf"),
    "a wait that ends at once": (("BLPOP", "none", "0.001"), "blpop"),
}


@pytest.mark.parametrize("request_, command", REPLIES.values(), ids=REPLIES.keys())
def test_a_reply_in_one_piece_with_psync_is_no_part_of_the_sync(server, request_, command):
    client = Client(server.port)
    client.send(encode("PSYNC", "?", "-1") + encode(*request_))
    # The snapshot may have begun when the reply is made; then it is cut off, never mixed.
    let_go(server, client, command, rb"(%s)?(\$\d+\r\nREDIS.*)?" % FULL)


@pytest.mark.parametrize("request_, command", REPLIES.values(), ids=REPLIES.keys())
def test_a_reply_to_an_online_replica_is_no_part_of_the_stream(server, request_, command):
    tap = Tap(server)
    server.call("SET", "before", "1")
    end = int(server.info("replication")["master_repl_offset"])
    stream = tap.until(end)
    assert b"before" in stream
    tap.client.send(encode(*request_))
    # Its own write is in the stream; it may have been sent before the reply was noticed.
    own = re.escape(encode(*request_)) if command == "set" else rb""
    let_go(server, tap.client, command, rb"(%s)?" % own)


def test_a_message_is_no_part_of_the_stream(server):
    """RESP3 may subscribe and then ask for the stream; 6.0 refuses that to RESP2."""
    client = Client(server.port)
    client.call("HELLO", "3")
    client.call("SUBSCRIBE", "channel")
    client.send(encode("PSYNC", server.info("replication")["master_replid"],
                       int(server.info("replication")["master_repl_offset"]) + 1))
    assert client._line() == b"+CONTINUE"
    assert server.call("PUBLISH", "channel", "hello") == 1
    # PUBLISH itself goes to replicas.
    let_go(server, client, "psync",
           rb"(\*2\r\n\$6\r\nSELECT.*)?(%s)?" % re.escape(encode("PUBLISH", "channel", "hello")))


def test_an_invalidation_is_no_part_of_the_stream(server):
    client = Client(server.port)
    client.call("HELLO", "3")
    client.call("CLIENT", "TRACKING", "ON")
    server.call("SET", "tracked", "1")
    client.call("GET", "tracked")
    client.send(encode("PSYNC", server.info("replication")["master_replid"],
                       int(server.info("replication")["master_repl_offset"]) + 1))
    assert client._line() == b"+CONTINUE"
    server.call("SET", "tracked", "2")
    let_go(server, client, "psync",
           rb"(\*2\r\n\$6\r\nSELECT.*)?(%s)?" % re.escape(encode("SET", "tracked", "2")))


def test_a_monitor_stays_a_monitor(server):
    """As in Redis, where it counts as a replica already: PSYNC and SYNC are not answered."""
    client = Client(server.port)
    assert client.call("MONITOR") == b"OK"
    client.send(encode("PSYNC", "?", "-1") + b"SYNC\r\n")
    # The last line that it gets is the one that ends the wait.
    server.call("ECHO", "mark")
    lines = []
    while not lines or b'"ECHO" "mark"' not in lines[-1]:
        lines.append(client._line())
    assert all(line.startswith(b"+") and not line.startswith(b"+FULLRESYNC") for line in lines), lines
    assert replicas(server) == 0
    client.close()


def test_a_replica_does_not_become_a_monitor(server):
    with Tap(server).client as client:
        client.send(encode("MONITOR"))
        server.call("GET", "x")
        server.call("SET", "x", "1")
        expected = encode("SET", "x", "1")
        data = b""
        while not data.endswith(expected):
            data += client.socket.recv(1 << 16)
        assert re.fullmatch(rb"(\*2\r\n\$6\r\nSELECT\r\n\$1\r\n0\r\n)?" + re.escape(expected), data)


@pytest.mark.parametrize("mode", ["OFF", "SKIP"])
def test_switched_off_replies_do_not_silence_replication(server, mode):
    client = Client(server.port)
    client.send(encode("CLIENT", "REPLY", mode) + encode("PSYNC", "?", "-1"))
    line = client._line().lstrip(b"\n")
    assert re.fullmatch(FULL[5:], line + b"\r\n"), line
    size = client._line().lstrip(b"\n")
    client._need(int(size[1:]))
    assert client.pending[client.at:client.at + 5] == b"REDIS"
    client.at += int(size[1:])
    eventually(lambda: "state=online" in server.info("replication").get("slave0", ""))
    server.call("SET", "silent", "1")
    expected = encode("SELECT", "0") + encode("SET", "silent", "1")
    client._need(len(expected))
    assert client.pending[client.at:] == expected
    client.close()
    eventually(lambda: replicas(server) == 0)


def test_words_behind_the_offset_of_psync_mean_nothing(server):
    replid = server.info("replication")["master_replid"]
    end = int(server.info("replication")["master_repl_offset"])
    assert ask(server, replid, end + 1, "WORD").startswith(b"+CONTINUE")
    assert ask(server, replid, end + 1, "FAILOVER", "WORD") == (
        b"-ERR PSYNC FAILOVER can't be sent to a master.")


ANNOUNCED = {
    "as it should be": ("10.1.2.3", "7001", "ip=10.1.2.3,port=7001,"),
    "a name": ("replica-1.example", "7001", "ip=replica-1.example,port=7001,"),
    "IPv6": ("fe80::1%eth0", "7001", "ip=fe80::1%eth0,port=7001,"),
    "a second field": ("1.2.3.4,port=5", "7001", "ip=1.2.3.4?port=5,port=7001,"),
    "a second line": ("1.2.3.4\r\nrole:slave", "7001", "ip=1.2.3.4??role:slave,port=7001,"),
    "bytes that are no text": (b"\x00\xff\x1b[31m", "7001", "ip=???[31m,port=7001,"),
    "a port as Redis keeps it, in 32 bits": ("h", "4294967297", "ip=h,port=1,"),
    "a port below 0": ("h", "-5", "ip=h,port=-5,"),
}


@pytest.mark.parametrize("ip, port, shown", ANNOUNCED.values(), ids=ANNOUNCED.keys())
def test_announced_addresses_stay_on_their_line(server, ip, port, shown):
    with server.client() as client:
        client.call("REPLCONF", "ip-address", ip, "listening-port", port)
        client.send(encode("PSYNC", server.info("replication")["master_replid"],
                           int(server.info("replication")["master_repl_offset"]) + 1))
        assert client._line().startswith(b"+CONTINUE")
        info = server.info("replication")
        assert info["role"] == "master" and info["slave0"].startswith(shown), info["slave0"]
    eventually(lambda: replicas(server) == 0)


def test_role_and_info_agree_on_a_replica_that_loads(farm):
    """Sent all and not yet heard of: online for both, as in Redis."""
    master = farm.redwing({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0",
                           "repl-ping-replica-period": "3600"})
    with master.client() as client:
        client.call("REPLCONF", "listening-port", "7001", "capa", "eof", "capa", "psync2")
        client.send(encode("PSYNC", "?", "-1"))
        data = b""
        while not (found := re.search(rb"\$EOF:([0-9a-f]{40})\r\n.*\1", data, re.S)):
            data += client.socket.recv(1 << 16)
        eventually(lambda: "state=online" in master.info("replication")["slave0"])
        assert master.call("ROLE")[2] == [[b"127.0.0.1", b"7001", b"0"]]
        client.socket.settimeout(0.2)
        with pytest.raises(socket.timeout):
            client.socket.recv(1)
        assert found.end() == len(data)
