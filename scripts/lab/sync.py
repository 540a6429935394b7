# SPDX-License-Identifier: BSD-3-Clause
"""What the two ends of a replication link say about it, and waiting for what they should say."""

from .servers import eventually


def digest(server, client=None):
    """DEBUG DIGEST: equal on two servers when their data sets are."""
    if client is not None:
        return client.call("DEBUG", "DIGEST")
    return server.call("DEBUG", "DIGEST")


def replicate(replica, master):
    replica.call("REPLICAOF", "127.0.0.1", getattr(master, "port", master))


def link_is_up(replica):
    return replica.info("replication").get("master_link_status") == "up"


def wait_link_up(*replicas, timeout=30.0):
    for replica in replicas:
        eventually(lambda: link_is_up(replica), timeout,
                   message=lambda: f"{replica}: link not up; log:\n{replica.log_tail(15)}")


def wait_online(master, count, timeout=30.0):
    """`count` replicas of `master` are online."""
    def online():
        info = master.info("replication")
        lines = [value for name, value in info.items()
                 if name.startswith("slave") and name[5:].isdigit()]
        return sum("state=online" in line for line in lines) >= count
    eventually(online, timeout, message=f"{count} replicas of {master} online")


def offset(server):
    return int(server.info("replication")["master_repl_offset"])


def wait_offsets_equal(master, *replicas, timeout=30.0):
    """Each replica has applied all that the master has sent. An offset counts within its history alone: before a
    replica knows of a new one it may stand at an equal number of the old."""
    def position(server, of_replica=False):
        info = server.info("replication")
        number = info.get("slave_repl_offset") if of_replica else None
        return info["master_replid"], int(number or info["master_repl_offset"])

    for replica in replicas:
        eventually(lambda: position(replica, True) == position(master), timeout,
                   message=lambda: f"histories and offsets: {master} {position(master)}, "
                                   f"{replica} {position(replica, True)}")


def assert_same(master, *replicas, timeout=30.0):
    """Links up, offsets equal, digests equal."""
    wait_link_up(*replicas, timeout=timeout)
    wait_offsets_equal(master, *replicas, timeout=timeout)
    expected = digest(master)
    for replica in replicas:
        got = digest(replica)
        assert got == expected, f"{replica} differs from {master}: {got} != {expected}"
    return expected


def sync_counts(master):
    stats = master.info("stats")
    return {name: int(stats[name]) for name in ("sync_full", "sync_partial_ok", "sync_partial_err")}
