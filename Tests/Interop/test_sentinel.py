# SPDX-License-Identifier: BSD-3-Clause
"""Three stock sentinels over Redwing, alone and mixed with stock Redis: the master dies under load, a
replica is promoted, the others follow, the old one comes back; what WAIT confirmed is there."""

import threading

import pytest

from lab.resp import Client, ReplyError
from lab.servers import eventually
from lab.sync import assert_same, replicate, wait_link_up, wait_online

DISK = {"repl-diskless-sync": "no"}


class Confirmed:
    """Writes to the master and keeps what WAIT 1 confirmed, until the master is gone."""

    def __init__(self, master):
        self.master, self.keys, self.stop = master, [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        number = 0
        try:
            with Client(self.master.port) as client:
                while not self.stop:
                    number += 1
                    client.call("SET", f"confirmed:{number}", number)
                    if client.call("WAIT", "1", "1000") >= 1:
                        self.keys.append(number)
        except (OSError, ReplyError):
            pass

    def end(self):
        self.stop = True
        self.thread.join(10)
        return self.keys


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
        eventually(lambda: sees_all(sentinel), 30)
    load = Confirmed(master)
    eventually(lambda: len(load.keys) > 50, 20)
    master.kill()
    confirmed = load.end()

    def promoted():
        with sentinels[0].client() as client:
            port = int(client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1])
            return next((r for r in replicas if r.port == port), None)
    heir = eventually(promoted, 40)
    other = next(r for r in replicas if r is not heir)
    eventually(lambda: heir.info("replication")["role"] == "master", 20)
    eventually(lambda: other.info("replication").get("master_port") == str(heir.port), 40)
    wait_link_up(other, timeout=40)
    with heir.client() as client:
        missing = [n for n in confirmed if client.call("GET", f"confirmed:{n}") is None]
    assert not missing, f"{len(missing)} of {len(confirmed)} confirmed writes are gone"
    assert_same(heir, other)
    master.start()
    eventually(lambda: master.info("replication")["role"] == "slave", 40)
    wait_link_up(master, timeout=40)
    assert_same(heir, other, master)
