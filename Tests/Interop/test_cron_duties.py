# SPDX-License-Identifier: BSD-3-Clause
"""What replication owes once a second, seen from outside: timeouts in Redis's words, ACKs, PINGs, the
first attempt at once, files and children that nobody needs any more; and streams that are not right."""

import datetime
import os
import re
import socket
import time

import pytest

from lab.data import fill_all_types
from lab.servers import eventually
from lab.sync import assert_same, offset, replicate, sync_counts, wait_link_up, wait_online
from links import DISK, FakeMaster, RawReplica, Tap, fill_bulk, snapshot, syncs

SHORT = DISK | {"repl-timeout": "1"}


@pytest.fixture
def rdb(farm):
    """The bytes of a small RDB."""
    server = farm.redwing()
    server.call("SET", "from", "rdb")
    return snapshot(server)


def follow(farm, *answers, options=DISK, kind="redwing"):
    fake = farm.own(FakeMaster(*answers))
    replica = farm.start(kind, options)
    replicate(replica, fake)
    return fake, replica


def logged_at(server, text):
    """When the last line with `text` was written, in seconds: by the server's clock nobody else is waited for."""
    line = [line for line in server.log().splitlines() if text in line][-1]
    stamp = re.search(r"\d+ \w+ \d{4} \d\d:\d\d:\d\d\.\d{3}", line)[0]
    return datetime.datetime.strptime(stamp, "%d %b %Y %H:%M:%S.%f").timestamp()


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in words)


# Our side as a replica.

def test_the_first_attempt_comes_at_once_and_acks_each_second(farm, rdb):
    fake, replica = follow(farm, FakeMaster.full(rdb, 1000))
    wait_link_up(replica)
    assert logged_at(replica, "Connecting to MASTER") - logged_at(replica, "REPLICAOF 127.0.0.1") < 0.3
    eventually(lambda: len(fake.acks) >= 3)
    assert set(fake.acks) == {1000}
    fake.say(command(b"PING") + command(b"SET", b"a", b"1"))
    eventually(lambda: offset(replica) == 1000 + 14 + 27)
    eventually(lambda: fake.acks[-1] == 1041)
    # GETACK is answered at once, with the offset before it.
    count = len(fake.acks)
    for _ in range(20):
        fake.say(command(b"REPLCONF", b"GETACK", b"*"))
    eventually(lambda: len(fake.acks) >= count + 20)
    assert 1041 in fake.acks[count:] and 1041 + 19 * 37 in fake.acks[count:]


def test_a_lost_link_is_tried_again_at_once(farm, rdb):
    fake, replica = follow(farm, FakeMaster.full(rdb, 1000), b"+CONTINUE\r\n")
    wait_link_up(replica)
    # The third ACK is the second of the cron: the link has stood for a second.
    eventually(lambda: len(fake.acks) >= 3)
    fake.hang_up()
    eventually(lambda: len(fake.visited_at) == 2)
    assert logged_at(replica, "Connecting to MASTER") - logged_at(replica, "Connection with master lost.") < 0.3
    wait_link_up(replica)
    assert fake.requests[1] == (FakeMaster.IDENTITY, 1001)


def test_a_silent_handshake_times_out(farm):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        replica = farm.redwing(SHORT)
        replicate(replica, listener.getsockname()[1])
        eventually(lambda: "Timeout connecting to the MASTER..." in replica.log())
        assert replica.info("replication")["master_link_status"] == "down"


def test_a_silent_transfer_times_out(farm, rdb):
    fake, replica = follow(farm, FakeMaster.full(rdb[:50], length=len(rdb)), FakeMaster.full(rdb),
                           options=SHORT)
    eventually(lambda: "Timeout receiving bulk data from MASTER... If the problem persists try to set "
                       "the 'repl-timeout' parameter in redis.conf to a larger value." in replica.log())
    eventually(lambda: replica.call("GET", "from") == b"rdb")
    assert len(fake.requests) >= 2


def test_newlines_keep_a_waiting_replica(farm, rdb):
    """A master that prepares its snapshot for longer than repl-timeout says so, second by second."""
    fake, replica = follow(farm, b"+FULLRESYNC %s 7\r\n" % FakeMaster.IDENTITY.encode(),
                           options=DISK | {"repl-timeout": "3"})
    eventually(lambda: fake.requests)
    for _ in range(20):
        time.sleep(0.25)
        fake.say(b"\n")
    assert len(fake.requests) == 1 and "imeout" not in replica.log()
    fake.say(b"$%d\r\n" % len(rdb) + rdb)
    wait_link_up(replica)
    assert replica.call("GET", "from") == b"rdb"


def test_a_silent_stream_times_out_and_is_asked_to_go_on(farm, rdb):
    fake, replica = follow(farm, FakeMaster.full(rdb, 500), b"+CONTINUE\r\n", options=SHORT)
    wait_link_up(replica)
    fake.say(command(b"SET", b"a", b"1"))
    eventually(lambda: "MASTER timeout: no data nor PING received..." in replica.log())
    eventually(lambda: len(fake.requests) >= 2)
    assert fake.requests[1] == (FakeMaster.IDENTITY, 501 + 27)


@pytest.mark.parametrize("said", [b"hello\r\n", b"*1\r\n$-5\r\n", b"*x\r\n", b"*1\r\n+no\r\n",
                                  b"*2147483647\r\n$1\r\n"], ids=repr)
def test_a_broken_stream_is_never_continued(farm, rdb, said):
    """What is no RESP drops the link without caching: the next sync is a full one."""
    fake, replica = follow(farm, FakeMaster.full(rdb, 500))
    wait_link_up(replica)
    fake.say(command(b"SET", b"a", b"1") + said)
    eventually(lambda: len(fake.requests) >= 2)
    assert fake.requests[1] == ("?", -1)
    wait_link_up(replica)
    assert replica.call("GET", "from") == b"rdb" and replica.call("GET", "a") is None


def test_a_command_that_fails_in_the_stream_is_logged_and_counted(farm, rdb):
    fake, replica = follow(farm, FakeMaster.full(rdb, 500))
    wait_link_up(replica)
    fake.say(command(b"LPUSH", b"from", b"x") + command(b"NOSUCH", b"x") + command(b"SET", b"ok", b"1"))
    eventually(lambda: replica.call("GET", "ok") == b"1")
    assert "== CRITICAL == This replica is sending an error to its master: '" in replica.log()
    assert "after processing the command 'lpush'" in replica.log()
    assert int(replica.info("stats")["unexpected_error_replies"]) >= 1
    assert len(fake.requests) == 1 and b"-" not in fake.heard.split(b"PSYNC")[1][60:]


@pytest.mark.parametrize("answer, logged", [
    (b"-LOADING Redis is loading the dataset in memory\r\n",
     "Master is currently unable to PSYNC but should be in the future: -LOADING"),
    (b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
     "Master is currently unable to PSYNC but should be in the future: -NOMASTERLINK"),
    (b"+CONTINUE short\r\n", "Unexpected reply to PSYNC from master"),
    (b"-ERR BGSAVE failed, replication can't continue\r\n",
     "Master does not support PSYNC or is in error state (reply: -ERR BGSAVE failed, replication can't "
     "continue)"),
], ids=["loading", "no master", "continue", "error"])
def test_an_answer_to_psync_that_is_no_data(farm, rdb, answer, logged):
    fake, replica = follow(farm, answer, FakeMaster.full(rdb))
    eventually(lambda: logged in replica.log())
    if not answer.startswith(b"-ERR"):
        eventually(lambda: replica.call("GET", "from") == b"rdb")
    assert replica.alive()


@pytest.mark.parametrize("extra", [-20, 20])
def test_a_transfer_of_another_length_than_announced(farm, rdb, extra):
    """Shorter: what follows is missing; longer: the checksum isn't where it belongs, or the stream is
    none. Never a silent difference."""
    body = rdb[:extra] if extra < 0 else rdb + b"x" * extra + b"\r\n"
    fake, replica = follow(farm, FakeMaster.full(body, length=len(rdb) + min(0, extra)),
                           FakeMaster.full(rdb))
    eventually(lambda: len(fake.requests) >= 2)
    wait_link_up(replica)
    assert replica.call("GET", "from") == b"rdb" and replica.call("DBSIZE") == 1


# Our side as a master.

def test_pings_come_each_period_and_stop_without_replicas(farm):
    master = farm.redwing(DISK | {"repl-ping-replica-period": "1"})
    replica = farm.redwing(DISK)
    replicate(replica, master)
    wait_link_up(replica)
    tap = farm.own(Tap(master))
    commands = eventually(lambda: len(found := tap.commands(tap.start + 3 * 14)) >= 3 and found)
    assert set(map(tuple, commands)) == {(b"PING",)}
    # While a failover holds the stream, there is none: test_failover.py.
    tap.close()
    replica.kill()
    eventually(lambda: master.info("replication")["connected_slaves"] == "0")
    before = offset(master)
    began = int(master.info("server")["uptime_in_seconds"])
    eventually(lambda: int(master.info("server")["uptime_in_seconds"]) >= began + 2)
    assert offset(master) == before


@pytest.mark.parametrize("options, phase, takes", [
    (DISK, "sending", 100_000),
    ({"repl-spool": "memory"}, "streaming", 100_000),
    ({"repl-spool": "disk"}, "streaming", 100_000),
    ({"repl-spool": "no"}, "streaming", 100_000),
    ({"repl-spool": "memory"}, "loading", None),
    ({"repl-spool": "no"}, "loading", None),
], ids=["disk", "spool", "spool on disk", "pipe", "spool without an ACK", "pipe without an ACK"])
def test_a_replica_stuck_in_each_phase_of_its_sync_is_dropped(farm, options, phase, takes):
    """6.0.7 waits for ever for one that takes nothing of a socket sync."""
    master = farm.redwing({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0", "repl-timeout": "2",
                           "rdbcompression": "no"} | options)
    fill_bulk(master, 14)
    replica = farm.own(RawReplica(master, "eof", "psync2", port=1111, buffer=1 << 16))
    replica.granted()
    if takes:
        replica.take(takes)
    else:
        replica.body()
    line = "Disconnecting timedout replica (full sync): 127.0.0.1:1111"
    # On a slow machine it may be over before it is seen.
    eventually(lambda: line in master.log() or syncs(master)["slave0_sync"]["phase"] == phase)
    eventually(lambda: line in master.log())
    eventually(lambda: master.info("replication")["connected_slaves"] == "0")
    # The child goes with its last replica.
    eventually(lambda: master.info("persistence")["rdb_bgsave_in_progress"] == "0")
    assert master.call("BGSAVE") is not None


def test_a_child_that_nobody_waits_for_any_more_is_ended(farm):
    master = farm.redwing({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0",
                           "rdb-key-save-delay": "20000"})
    with master.client() as client:
        fill_all_types(client, n=2000, seed=1)
    replica = farm.redwing()
    replicate(replica, master)
    eventually(lambda: master.info("persistence")["rdb_bgsave_in_progress"] == "1")
    replica.kill()
    eventually(lambda: master.info("persistence")["rdb_bgsave_in_progress"] == "0")
    assert "Diskless rdb transfer, last replica dropped, killing fork child." in master.log()


def test_the_diskless_delay_counts_from_the_longest_wait(farm):
    master = farm.redwing({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "5"})
    first, second = farm.redwing(), farm.redwing()
    start = time.monotonic()
    replicate(first, master)
    eventually(lambda: time.monotonic() - start > 3)
    replicate(second, master)
    eventually(lambda: "Background RDB transfer started" in master.log())
    assert 4 < time.monotonic() - start < 7.5
    wait_link_up(first, second)
    assert master.log().count("Background RDB transfer started") == 1


def test_enough_waiting_replicas_end_the_diskless_delay(farm):
    master = farm.redwing({"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "60",
                           "repl-diskless-sync-max-replicas": "2"})
    first, second = farm.redwing(), farm.redwing()
    replicate(first, master)
    eventually(lambda: "asks for synchronization" in master.log())
    assert first.info("replication")["master_link_status"] == "down"
    replicate(second, master)
    wait_link_up(first, second)


@pytest.mark.parametrize("delete", ["yes", "no"])
def test_files_made_only_for_a_sync_are_removed(farm, delete):
    """On both sides, when nothing of theirs is to be on disk."""
    options = DISK | {"rdb-del-sync-files": delete}
    master, replica = farm.redwing(options), farm.redwing(options)
    master.call("SET", "k", "v")
    replicate(replica, master)
    wait_link_up(replica)
    if delete == "yes":
        eventually(lambda: not os.path.exists(master.dump_path()))
        eventually(lambda: not os.path.exists(replica.dump_path()))
        assert "Removing the RDB file used to feed replicas in a persistence-less instance" in master.log()
        assert "Removing the RDB file obtained from the master. This replica has persistence disabled" \
            in replica.log()
        master.call("SAVE")
    wait_online(master, 1)
    assert os.path.exists(master.dump_path())
    saved = farm.redwing(options | {"save": "3600 1000000"})
    replicate(saved, master)
    wait_link_up(saved)
    eventually(lambda: os.path.exists(saved.dump_path()))


def test_a_script_cache_is_flushed_when_the_last_replica_goes(farm):
    """The next one doesn't know the script: its first EVALSHA goes as EVAL, without any full sync."""
    master = farm.redwing(DISK | {"lua-replicate-commands": "no"})
    script = "return redis.call('incr', KEYS[1])"
    replica = farm.redwing(DISK)
    replicate(replica, master)
    wait_link_up(replica)
    with master.client() as client:
        client.call("EVAL", script, 1, "n")
        sha = client.call("SCRIPT", "LOAD", script)
        client.call("EVALSHA", sha, 1, "n")
        replica.stop()
        began = int(master.info("server")["uptime_in_seconds"])
        eventually(lambda: int(master.info("server")["uptime_in_seconds"]) >= began + 2)
        tap = farm.own(Tap(master))
        client.call("EVALSHA", sha, 1, "n")
        client.call("EVALSHA", sha, 1, "n")
    said = [words[0] for words in tap.commands(offset(master)) if words[0].startswith(b"EVAL")]
    assert said == [b"EVAL", b"EVALSHA"]


def test_an_acknowledgement_from_the_future_is_a_lie(farm):
    master, replica = farm.redwing(DISK), farm.redwing(DISK)
    replicate(replica, master)
    wait_link_up(replica)
    tap = farm.own(Tap(master))
    tap.acknowledge(10 ** 12)
    eventually(lambda: "acknowledged offset 1000000000000, our stream ends at" in master.log())
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 1
