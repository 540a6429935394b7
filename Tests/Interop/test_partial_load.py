# SPDX-License-Identifier: BSD-3-Clause
"""Partial resync under a steady load of writes: cuts on the wire, in the middle of a transaction too,
restarts and crashes of either end, promotions; and requests that must not be granted."""

import pytest

from lab.data import fill_all_types
from lab.proxy import Proxy
from lab.servers import eventually
from lab.sync import assert_same, offset, replicate, sync_counts, wait_link_up, wait_offsets_equal
from links import DISK, ROLES, Tap, Writer, ask, wait_partial


def start(farm, kinds, options=DISK):
    """A master with data and its replicas, each behind a proxy."""
    master, *replicas = [farm.start(kind, options) for kind in kinds]
    with master.client() as client:
        fill_all_types(client, n=200, seed=5)
    proxies = []
    for replica in replicas:
        proxies.append(farm.own(Proxy(master.port)))
        replicate(replica, proxies[-1])
    assert_same(master, *replicas)
    return master, replicas, proxies


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_cuts_under_load_are_continued(farm, roles):
    master, [replica], [proxy] = start(farm, roles)
    with Writer(master) as writer:
        for turn in range(1, 5):
            proxy.cut()
            writer.advance()
            wait_partial(master, turn)
    assert_same(master, replica)
    counts = sync_counts(master)
    assert counts["sync_full"] == 1 and counts["sync_partial_ok"] == 4


@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_a_cut_in_the_middle_of_a_transaction(farm, roles):
    """Nothing of it is applied before all of it is there, and then once."""
    master, [replica], [proxy] = start(farm, roles)
    before = replica.call("DBSIZE")
    proxy.cut_after = proxy.bytes_down + 60_000
    # Already now: a replica comes again as soon as the link is cut.
    proxy.refuse()
    with master.client() as client:
        client.pipeline([("SELECT", 0), ("MULTI",), ("INCR", "once"),
                         *[("SET", f"of:{i}", "x" * 1000) for i in range(100)],
                         ("RPUSH", "list", "a"), ("EXEC",)])
    eventually(lambda: proxy.cuts == 1)
    eventually(lambda: replica.info("replication")["master_link_status"] == "down")
    assert replica.call("DBSIZE") == before and offset(replica) < offset(master)
    proxy.refuse(False)
    assert_same(master, replica)
    assert replica.call("GET", "once") == b"1" and replica.call("LLEN", "list") == 1
    assert sync_counts(master)["sync_full"] == 1


@pytest.mark.parametrize("crash", [False, True], ids=["sigterm", "sigkill"])
@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_a_restarted_replica_is_continued_under_load(farm, roles, crash):
    """From what its last RDB says: the one of its end, or an older one when it crashed."""
    master, [replica], [proxy] = start(farm, roles)
    replica.call("CONFIG", "SET", "save", "3600 1000000")
    replica.options["replicaof"] = ("127.0.0.1", proxy.port)
    with Writer(master) as writer:
        if crash:
            replica.call("SAVE")
            writer.advance()
        replica.restart(crash=crash)
        wait_partial(master, 1)
        writer.advance()
    assert_same(master, replica)
    assert sync_counts(master)["sync_full"] == 1


@pytest.mark.parametrize("other", ["redis", "redwing"])
def test_a_restarted_master_continues_its_replicas(farm, other):
    """Under load: what it wrote last reaches them before it goes."""
    master, replicas, _ = start(farm, ("redwing", "redwing", other))
    master.call("CONFIG", "SET", "save", "3600 1000000")
    with Writer(master, until_refused=True):
        master.stop()
    master.start()
    wait_partial(master, 2)
    with Writer(master):
        pass
    assert_same(master, *replicas)
    assert sync_counts(master)["sync_full"] == 0, master.log_tail()


@pytest.mark.parametrize("other", ["redis", "redwing"])
def test_a_master_that_crashed_back_in_time_copies_itself(farm, other):
    """Its replicas are ahead of the RDB that it loads: they must not be continued."""
    master, replicas, _ = start(farm, ("redwing", "redwing", other))
    with Writer(master, until_refused=True) as writer:
        master.call("SAVE")
        writer.advance()
        wait_offsets = offset(master)
        eventually(lambda: all(offset(one) >= wait_offsets for one in replicas))
        master.kill()
    master.start()
    with Writer(master):
        pass
    assert_same(master, *replicas)
    assert sync_counts(master)["sync_full"] == 2
    assert "Partial resynchronization not accepted: Requested offset for second ID was" in master.log()


@pytest.mark.parametrize("kinds", [("redwing", "redwing", "redis"), ("redis", "redwing", "redwing"),
                                   ("redwing", "redis", "redwing")], ids="-".join)
def test_a_promotion_under_load(farm, kinds):
    """The sibling, which is behind, is continued by the promoted; the old master, which went on, gets
    a copy and can say why."""
    master, [heir, sibling], [_, proxy] = start(farm, kinds)
    with Writer(master) as writer:
        proxy.refuse()
        proxy.cut()
        behind = offset(sibling)
        writer.advance()
        eventually(lambda: offset(heir) > behind)
        heir.call("REPLICAOF", "NO", "ONE")
        with Writer(heir, "new") as new:
            replicate(sibling, heir)
            wait_partial(heir, 1)
            new.advance()
            writer.advance()
    assert_same(heir, sibling)
    assert sync_counts(heir)["sync_full"] == 0
    replicate(master, heir)
    assert_same(heir, sibling, master)
    assert sync_counts(heir)["sync_full"] == 1
    if kinds[1] == "redwing":
        assert "Requested offset for second ID was" in heir.log()


@pytest.mark.parametrize("kinds", [("redwing", "redwing", "redis"), ("redis", "redwing", "redwing"),
                                   ("redwing", "redis", "redwing")], ids="-".join)
def test_a_failover_under_load_copies_nothing(farm, kinds):
    """Writers wait, then learn that this is a replica now; the sibling, still behind the old master,
    learns the new id from it."""
    master, [heir, sibling], [_, proxy] = start(farm, kinds)
    # FAILOVER goes by the replica's own address, which a proxy between doesn't change.
    with Writer(master, until_refused=True) as writer:
        master.call("FAILOVER", "TO", "127.0.0.1", heir.port)
        eventually(lambda: writer.fault)
    assert "READONLY" in str(writer.fault)
    eventually(lambda: heir.info("replication")["role"] == "master")
    with Writer(heir):
        wait_link_up(master)
        wait_link_up(sibling)
    assert_same(heir, master, sibling)
    identity = heir.info("replication")["master_replid"]
    assert {one.info("replication")["master_replid"] for one in (master, sibling)} == {identity}
    assert sync_counts(heir)["sync_full"] == 0 and sync_counts(master)["sync_full"] == 2


@pytest.mark.parametrize("kind", ["redwing", "redis"])
def test_requests_that_are_not_granted_say_why(farm, kind):
    """The same lines from both kinds of master."""
    master, replica = farm.start(kind, DISK), farm.redwing()
    replicate(replica, master)
    wait_link_up(replica)
    master.call("SET", "k", "v")
    info = master.info("replication")
    mine, second, end = info["master_replid"], info["master_replid2"], offset(master)
    before = sync_counts(master)
    assert ask(master, "d" * 40, 1).startswith(b"+FULLRESYNC " + mine.encode())
    assert (f"Partial resynchronization not accepted: Replication ID mismatch (Replica asked for "
            f"'{'d' * 40}', my replication IDs are '{mine}' and '{second}')") in master.log()
    assert ask(master, mine, end + 1000).startswith(b"+FULLRESYNC")
    assert "for lack of backlog (Replica request was: %d)." % (end + 1000) in master.log()
    assert "tried to PSYNC with an offset that is greater than the master replication offset." \
        in master.log()
    assert ask(master, "?", -1).startswith(b"+FULLRESYNC")
    assert ask(master, mine, end + 1).startswith(b"+CONTINUE")
    after = sync_counts(master)
    assert after["sync_full"] - before["sync_full"] == 3
    assert after["sync_partial_err"] - before["sync_partial_err"] == 2
    assert after["sync_partial_ok"] - before["sync_partial_ok"] == 1
    assert_same(master, replica)


@pytest.mark.parametrize("identity, position", [
    ("", 1), ("short", 1), ("0" * 40, 1), ("x" * 4000, 1), ("\x00" * 40, 1), ("MINE", 0), ("MINE", -5),
    ("MINE", 2 ** 63 - 1), ("MINE", -2 ** 63),
])
def test_strange_requests_get_a_full_sync(farm, identity, position):
    master, replica = farm.redwing(DISK), farm.redwing()
    replicate(replica, master)
    wait_link_up(replica)
    master.call("SET", "k", "v")
    mine = master.info("replication")["master_replid"]
    line = ask(master, mine if identity == "MINE" else identity, position)
    assert line.startswith(b"+FULLRESYNC " + mine.encode())
    assert_same(master, replica)


@pytest.mark.parametrize("kind", ["redwing", "redis"])
def test_the_range_of_the_backlog_is_granted_and_no_byte_more(farm, kind):
    master, replica = farm.start(kind, DISK | {"repl-backlog-size": "16384"}), farm.redwing()
    replicate(replica, master)
    wait_link_up(replica)
    with master.client() as client:
        client.pipeline([("SET", "k", "x" * 400) for _ in range(200)])
    wait_offsets_equal(master, replica)
    info = master.info("replication")
    mine, first = info["master_replid"], int(info["repl_backlog_first_byte_offset"])
    assert int(info["repl_backlog_histlen"]) == int(info["master_repl_offset"]) - first + 1
    assert ask(master, mine, first).startswith(b"+CONTINUE")
    assert ask(master, mine, int(info["master_repl_offset"]) + 1).startswith(b"+CONTINUE")
    assert ask(master, mine, int(info["master_repl_offset"]) + 200).startswith(b"+FULLRESYNC")
    # Stock Redis frees its oldest block a while after it became free to go.
    assert ask(master, mine, max(1, first - 100_000)).startswith(b"+FULLRESYNC")


def test_what_a_continued_replica_gets_is_what_it_missed(farm):
    master, replica = farm.redwing(DISK), farm.redwing()
    replicate(replica, master)
    wait_link_up(replica)
    master.call("SET", "before", "1")
    tap = farm.own(Tap(master))
    with master.client() as client:
        client.call("SELECT", 5)
        client.call("SET", "a", "1")
        client.call("RPUSH", "l", "x")
    assert [words for words in tap.commands(offset(master)) if words != [b"PING"]] == [
        [b"SELECT", b"5"], [b"SET", b"a", b"1"], [b"RPUSH", b"l", b"x"]]
