# SPDX-License-Identifier: BSD-3-Clause
"""Three stock sentinels over Redwing, alone and mixed with stock Redis: the master dies under load, a
replica is promoted, the others follow, the old one comes back; what WAIT confirmed is there."""

import pytest

from lab.load import ConfirmedWrites
from lab.servers import eventually
from lab.sync import assert_same, replicate, wait_link_up, wait_online

DISK = {"repl-diskless-sync": "no"}


@pytest.mark.parametrize("kinds", [("redwing", "redwing", "redwing"), ("redwing", "redis", "redwing"),
                                   ("redis", "redwing", "redwing")], ids="-".join)
def test_sentinels_promote_a_replica(farm, kinds):
    master, *replicas = [farm.start(kind, DISK) for kind in kinds]
    for replica in replicas:
        replicate(replica, master)
    wait_link_up(*replicas)
    wait_online(master, 2)
    sentinels = [farm.sentinel(master) for _ in range(3)]
    def sees_all(sentinel):
        with sentinel.client() as client:
            reply = client.call("SENTINEL", "MASTER", "mymaster")
            state = dict(zip(reply[::2], reply[1::2]))
            return int(state[b"num-slaves"]) == 2 and int(state[b"num-other-sentinels"]) == 2
    for sentinel in sentinels:
        eventually(lambda: sees_all(sentinel))
    load = ConfirmedWrites(master)
    load.reach(50)
    # In the middle of the load.
    master.kill()
    confirmed = load.ended()

    def promoted():
        with sentinels[0].client() as client:
            port = int(client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1])
            return next((r for r in replicas if r.port == port), None)
    heir = eventually(promoted, 40)
    other = next(r for r in replicas if r is not heir)
    eventually(lambda: heir.info("replication")["role"] == "master")
    eventually(lambda: other.info("replication").get("master_port") == str(heir.port), 40)
    wait_link_up(other, timeout=40)
    missing = load.missing(heir)
    assert not missing, f"of {confirmed} confirmed writes are gone or changed: {missing[:20]}"
    assert_same(heir, other)
    master.start()
    eventually(lambda: master.info("replication")["role"] == "slave", 40)
    wait_link_up(master, timeout=40)
    assert_same(heir, other, master)
