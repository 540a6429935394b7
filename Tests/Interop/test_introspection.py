# SPDX-License-Identifier: BSD-3-Clause
"""CONFIG, INFO, CLIENT, COMMAND, SLOWLOG, LATENCY, MONITOR, MEMORY and DEBUG beside a stock Redis,
and as redis-py reads them."""

import time

import pytest
import redis

from lab.resp import ReplyError
from lab.servers import eventually

# Fields of 7.0.15 that 6.0.7 doesn't have and that Redwing doesn't add.
NOT_OURS = {
    "server": {"process_supervised", "monotonic_clock", "server_time_usec"},
    "clients": {"cluster_connections"},
    "memory": {
        "used_memory_functions", "used_memory_scripts_eval", "used_memory_vm_eval",
        "used_memory_vm_functions", "used_memory_vm_total", "used_memory_vm_total_human",
        "number_of_functions", "number_of_libraries", "mem_cluster_links", "lazyfreed_objects"},
    "stats": {
        "current_active_defrag_time", "current_eviction_exceeded_time", "dump_payload_sanitizations",
        "evicted_clients", "io_threaded_reads_processed", "io_threaded_writes_processed",
        "pubsubshard_channels", "reply_buffer_expands", "reply_buffer_shrinks",
        "total_active_defrag_time", "total_error_replies", "total_eviction_exceeded_time",
        "total_reads_processed",
        "total_writes_processed"},
    "cpu": {"used_cpu_sys_main_thread", "used_cpu_user_main_thread"},
}
# What 7.0 renamed or dropped, and our own.
ONLY_OURS = {
    "server": {"redwing_version"},
    "memory": {"used_memory_scripts"},
    "persistence": {"aof_rewrite_buffer_length"},
}
# In the order of 6.0.7's genRedisInfoString, those that are always printed.
ORDER = {
    "server": """redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits
        multiplexing_api atomicvar_api gcc_version process_id run_id tcp_port uptime_in_seconds
        uptime_in_days hz configured_hz lru_clock executable config_file io_threads_active""",
    "clients": """connected_clients client_recent_max_input_buffer client_recent_max_output_buffer
        blocked_clients tracking_clients clients_in_timeout_table""",
    "memory": """used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak
        used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup
        used_memory_dataset used_memory_dataset_perc allocator_allocated allocator_active
        allocator_resident total_system_memory total_system_memory_human used_memory_lua
        used_memory_lua_human used_memory_scripts used_memory_scripts_human number_of_cached_scripts
        maxmemory maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes
        allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes
        mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict
        mem_replication_backlog mem_clients_slaves mem_clients_normal mem_aof_buffer mem_allocator
        active_defrag_running lazyfree_pending_objects""",
    "persistence": """loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time
        rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec rdb_last_cow_size
        aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec
        aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_last_write_status
        aof_last_cow_size module_fork_in_progress module_fork_last_cow_size""",
    "stats": """total_connections_received total_commands_processed instantaneous_ops_per_sec
        total_net_input_bytes total_net_output_bytes instantaneous_input_kbps
        instantaneous_output_kbps rejected_connections sync_full sync_partial_ok sync_partial_err
        expired_keys expired_stale_perc expired_time_cap_reached_count expire_cycle_cpu_milliseconds
        evicted_keys keyspace_hits keyspace_misses pubsub_channels pubsub_patterns latest_fork_usec
        migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits active_defrag_misses
        active_defrag_key_hits active_defrag_key_misses tracking_total_keys tracking_total_items
        tracking_total_prefixes unexpected_error_replies total_reads_processed
        total_writes_processed io_threaded_reads_processed io_threaded_writes_processed""",
    "replication": """role connected_slaves master_replid master_replid2 master_repl_offset
        second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset
        repl_backlog_histlen""",
    "cpu": "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children",
    "cluster": "cluster_enabled",
}


def fields(server, section):
    text = server.call("INFO", section).decode()
    lines = text.split("\r\n")
    return [line.split(":")[0] for line in lines if ":" in line]


@pytest.mark.parametrize("section", ORDER)
def test_info_has_every_field_in_order(pair, section):
    ours, theirs = (fields(server, section) for server in (pair.ours, pair.theirs))
    wanted = ORDER[section].split()
    assert [field for field in ours if field in wanted] == wanted
    assert len(ours) == len(set(ours))
    missing = set(theirs) - set(ours) - NOT_OURS.get(section, set())
    assert not missing, f"7.0.15 has them, and the list of what Redwing leaves out doesn't: {missing}"


def test_info_of_several_forms(pair):
    server = pair.ours
    default = server.call("INFO").decode()
    assert default == default.replace("# Commandstats", "")
    heads = [line for line in server.call("INFO", "all").decode().split("\r\n") if line[:1] == "#"]
    assert heads == ["# Server", "# Clients", "# Memory", "# Persistence", "# Stats", "# Replication",
                     "# CPU", "# Modules", "# Commandstats", "# Cluster", "# Keyspace"]
    assert server.call("INFO", "nosuch") == b""


def test_info_counts(pair):
    client = redis.Redis(port=pair.ours.port)
    client.config_resetstat()
    for i in range(10):
        client.set(f"k{i}", "v", ex=100 if i < 3 else None)
        client.get("k0")
    client.get("missing")
    info = client.info("everything")
    assert info["cmdstat_set"]["calls"] == 10 and info["cmdstat_get"]["calls"] == 11
    assert (info["keyspace_hits"], info["keyspace_misses"]) == (10, 1)
    assert info["db0"]["keys"] == 10 and info["db0"]["expires"] == 3
    assert info["used_memory_peak"] >= info["used_memory"] > 0
    assert info["used_memory_rss"] > 1 << 20
    assert info["total_commands_processed"] >= 21


def test_operations_a_second_are_sampled(pair):
    client = redis.Redis(port=pair.ours.port)

    def busy():
        with client.pipeline(transaction=False) as batch:
            for _ in range(100):
                batch.ping()
            batch.execute()
        return client.info("stats")["instantaneous_ops_per_sec"] > 100
    eventually(busy, interval=0)
    eventually(lambda: client.info("stats")["instantaneous_ops_per_sec"] < 100)


CONFIG_ROWS = {
    "a missing parameter": ["CONFIG GET nosuch*", "CONFIG RESETSTAT", "CONFIG nosuch"],
    "sizes": ["CONFIG SET maxmemory 100mb", "CONFIG GET maxmemory", "CONFIG SET maxmemory 0"],
    "choices": ["CONFIG SET maxmemory-policy allkeys-lru", "CONFIG GET maxmemory-policy",
                "CONFIG SET maxmemory-policy noeviction"],
    "save points": ["CONFIG SET save '10 5 20 1'", "CONFIG GET save", "CONFIG SET save ''",
                    "CONFIG GET save"],
    "events": ["CONFIG SET notify-keyspace-events KEA", "CONFIG GET notify-keyspace-events",
               "CONFIG SET notify-keyspace-events ''"],
}


@pytest.mark.parametrize("row", CONFIG_ROWS.values(), ids=CONFIG_ROWS.keys())
def test_config(pair, row):
    pair.run(row)


def test_packed_limits_take_effect_at_once(pair):
    pair.config("hash-max-ziplist-entries", 2)
    pair.config("zset-max-ziplist-value", 3)
    pair.run(["HSET h a 1 b 2", "OBJECT ENCODING h", "HSET h c 3", "OBJECT ENCODING h",
              "ZADD z 1 abc", "OBJECT ENCODING z", "ZADD z 1 abcd", "OBJECT ENCODING z"])


# Directive, its value, the request that makes a value of it, how it grows beyond; what 6.0 calls both
# (7.0 says listpack for ziplist).
ENCODINGS = [
    ("hash-max-ziplist-entries", 3, "HSET k a 1 b 2 c 3", "HSET k d 4", "ziplist", "hashtable"),
    ("hash-max-ziplist-value", 5, "HSET k a 12345", "HSET k b 123456", "ziplist", "hashtable"),
    ("hash-max-ziplist-value", 5, "HSET k 12345 a", "HSET k 123456 a", "ziplist", "hashtable"),
    ("set-max-intset-entries", 3, "SADD k 1 2 3", "SADD k 4", "intset", "hashtable"),
    ("set-max-intset-entries", 3, "SADD k 1 2", "SADD k x", "intset", "hashtable"),
    ("zset-max-ziplist-entries", 3, "ZADD k 1 a 2 b 3 c", "ZADD k 4 d", "ziplist", "skiplist"),
    ("zset-max-ziplist-value", 5, "ZADD k 1 12345", "ZADD k 1 123456", "ziplist", "skiplist"),
    ("zset-max-ziplist-entries", 0, "ZADD k 1 a", "ZADD k 2 b", "skiplist", "skiplist"),
    ("list-max-ziplist-size", 2, "RPUSH k a b", "RPUSH k c", "quicklist", "quicklist"),
    ("hz", 10, "SET k 12345678901234567890", "SET k 123", "embstr", "int"),
    ("hz", 10, "SET k " + "x" * 44, "APPEND k x", "embstr", "raw"),
    ("hz", 10, "SET k " + "x" * 44, "SET k " + "x" * 45, "embstr", "raw"),
    ("hz", 10, "SET k 9223372036854775807", "SET k 9223372036854775808", "int", "embstr"),
]


@pytest.mark.parametrize("row", ENCODINGS, ids=range(len(ENCODINGS)))
def test_encodings_change_at_their_thresholds(pair, row):
    directive, value, small, large, before, after = row
    pair.config(directive, value)
    for request, expected in ((small, before), (large, after)):
        for server in (pair.ours, pair.theirs):
            server.call(*request.split())
            found = server.call("OBJECT", "ENCODING", "k").decode()
            assert found.replace("listpack", "ziplist") == expected, server


def test_a_refused_setting_leaves_the_old_one(pair):
    server = pair.ours
    old = server.call("CONFIG", "GET", "maxclients")
    with pytest.raises(ReplyError, match="maxclients"):
        server.call("CONFIG", "SET", "maxclients", "900000000")
    assert server.call("CONFIG", "GET", "maxclients") == old
    with pytest.raises(ReplyError, match="Unsupported CONFIG parameter: port"):
        server.call("CONFIG", "SET", "port", "1")


CLIENT_ROWS = {
    "names": ["CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT SETNAME ''",
              "CLIENT GETNAME", ("CLIENT", "SETNAME", "a b"), ("CLIENT", "SETNAME", "a\n")],
    "kill": ["CLIENT KILL 1.2.3.4:5", "CLIENT KILL ID 999999", "CLIENT KILL ID 1 TYPE",
             "CLIENT KILL TYPE nosuch", "CLIENT KILL SKIPME maybe", "CLIENT KILL USER nobody",
             "CLIENT KILL ADDR 1.2.3.4:5 SKIPME no"],
    "list": ["CLIENT LIST TYPE nosuch", "CLIENT LIST TYPE master", "CLIENT LIST ID 999999",
             "CLIENT LIST nosuch"],
    "reply": ["CLIENT REPLY nosuch", "CLIENT REPLY ON"],
    "pause": ["CLIENT PAUSE abc", "CLIENT PAUSE -1", "CLIENT PAUSE 0", "CLIENT PAUSE 1 nosuch",
              "CLIENT UNPAUSE"],
    "unblock": ["CLIENT UNBLOCK 999999", "CLIENT UNBLOCK abc", "CLIENT UNBLOCK 1 nosuch"],
    "evict": ["CLIENT NO-EVICT on", "CLIENT NO-EVICT off", "CLIENT NO-EVICT maybe"],
}


@pytest.mark.parametrize("row", CLIENT_ROWS.values(), ids=CLIENT_ROWS.keys())
def test_client(pair, row):
    for command in row:
        pair.call(command)


def test_client_list_has_the_fields_of_6_2_in_order(pair):
    line = pair.ours.call("CLIENT", "LIST").decode().split("\n")[0]
    assert [word.split("=")[0] for word in line.split(" ")] == (
        "id addr laddr fd name age idle flags db sub psub multi qbuf qbuf-free argv-mem obl oll omem "
        "tot-mem events cmd user redir").split()
    # The caller's own request is what its buffer holds, as in Redis.
    line = next(one for one in pair.ours.call("CLIENT", "LIST").decode().split("\n")
                if " cmd=client " in one)
    assert " qbuf=26 " in line and " qbuf-free=0 " not in line and " argv-mem=10 " in line
    client = redis.Redis(port=pair.ours.port, client_name="me", db=3)
    client.ping()
    mine = [one for one in client.client_list() if one["name"] == "me"]
    assert len(mine) == 1 and mine[0]["db"] == "3" and mine[0]["cmd"] == "client"
    assert mine[0]["flags"] == "N" and mine[0]["user"] == "default"
    assert int(mine[0]["id"]) == client.client_id()
    assert int(client.client_info()["id"]) == int(mine[0]["id"])


def test_a_killed_client_is_gone_at_once(pair):
    victim, killer = redis.Redis(port=pair.ours.port), redis.Redis(port=pair.ours.port)
    number = victim.client_id()
    assert killer.client_kill_filter(_id=number) == 1
    assert str(number) not in [one["id"] for one in killer.client_list()]


def test_a_blocked_client_is_freed_by_another(pair):
    for reason in ("", " TIMEOUT", " ERROR"):
        numbers = [client.call("CLIENT", "ID") for client in pair.clients()]
        pair.send("BLPOP nokey 0")
        for client, number in zip(pair.clients(1), numbers):
            eventually(lambda: client.call("CLIENT", "UNBLOCK", str(number), *reason.split()) == 1)
        pair.receive()


def test_a_pause_for_writes_lets_reads_through(pair):
    client = redis.Redis(port=pair.ours.port)
    client.ping()
    start = time.monotonic()
    client.execute_command("CLIENT", "PAUSE", 1500, "WRITE")
    client.get("k")
    assert time.monotonic() - start < 1.4
    client.set("k", "v")
    assert 1.4 < time.monotonic() - start < 5
    start = time.monotonic()
    client.execute_command("CLIENT", "PAUSE", 300)
    client.get("k")
    assert 0.25 < time.monotonic() - start < 5


def test_replies_can_be_switched_off(pair):
    for number in (0, 1):
        client = pair.clients()[number]
        client.send(b"CLIENT REPLY OFF\r\nPING\r\nGET k\r\nCLIENT REPLY ON\r\n")
        assert client.read_raw() == b"+OK\r\n"
        client.send(b"CLIENT REPLY SKIP\r\nPING\r\nECHO x\r\n")
        assert client.read_raw() == b"$1\r\nx\r\n"


# COMMAND of 6.0.7 differs from that of 7.0.15 where 7.0 has more: the flags and the categories of
# these are compared by the tables of their families.
COMMAND_KEYS = ["get", "mset", "del", "brpoplpush", "zunionstore", "sort", "migrate", "eval",
                "georadius", "bitop", "xgroup", "object", "memory", "rename", "blpop", "sinterstore"]


@pytest.mark.parametrize("name", COMMAND_KEYS)
def test_command_info_says_where_keys_are(pair, name):
    ours, theirs = (server.call("COMMAND", "INFO", name)[0] for server in (pair.ours, pair.theirs))
    if ours is None:
        pytest.skip(f"{name} is not there yet")
    assert ours[:2] == theirs[:2]
    if name not in ("xgroup", "object", "memory"):  # containers: 7.0 gives the keys by subcommand
        assert ours[3:6] == theirs[3:6]


GETKEYS = ["COMMAND GETKEYS MSET a b c d", "COMMAND GETKEYS GET k", "COMMAND GETKEYS ECHO x",
           "COMMAND GETKEYS ZUNIONSTORE d 2 a b", "COMMAND GETKEYS SET k",
           "COMMAND GETKEYS SORT a STORE b", "COMMAND GETKEYS XREAD COUNT 1 STREAMS a b 0 0",
           "COMMAND GETKEYS MEMORY USAGE k"]


@pytest.mark.parametrize("command", GETKEYS)
def test_getkeys(pair, command):
    pair.call(command)


def test_redis_py_reads_the_table(pair):
    client = redis.Redis(port=pair.ours.port)
    table = client.command()
    assert len(table) == client.command_count()
    assert table["get"]["flags"] == ["readonly", "fast"] and table["get"]["first_key_pos"] == 1


def test_the_slow_log(pair):
    pair.config("slowlog-log-slower-than", 0)
    pair.call("SLOWLOG RESET")
    pair.call(["SADD", "s"] + [str(i) for i in range(100)])
    pair.call(["ECHO", "x" * 300])
    logs = [client.call("SLOWLOG", "GET", "10") for client in pair.clients()]
    assert [entry[3] for entry in logs[0]] == [entry[3] for entry in logs[1]]
    assert [len(entry) for entry in logs[0]] == [6] * len(logs[0])
    pair.config("slowlog-max-len", 2)
    pair.call("ECHO y")
    pair.call("SLOWLOG LEN")
    for command in ("SLOWLOG nosuch", "SLOWLOG GET -2"):
        pair.call(command)
    entry = redis.Redis(port=pair.ours.port).slowlog_get(1)[0]
    assert entry["command"] and entry["duration"] >= 0


def test_latency(pair):
    # On a loaded machine anything may take some 10 ms.
    pair.config("latency-monitor-threshold", 200)
    pair.each("LATENCY RESET")
    pair.each("DEBUG SLEEP 0.3")
    ours, theirs = (client.call("LATENCY", "LATEST") for client in pair.clients())
    assert [event[0] for event in ours] == [event[0] for event in theirs] == [b"command"]
    assert 300 <= ours[0][2] < 2000
    graphs = [client.call("LATENCY", "GRAPH", "command") for client in pair.clients()]
    assert [len(graph.split(b"\n")) for graph in graphs][0] > 6
    pair.call("LATENCY HISTORY nosuch")
    pair.call("LATENCY GRAPH nosuch")
    pair.call("LATENCY RESET nosuch command")
    pair.call("LATENCY DOCTOR", compare="type")


def test_monitor_shows_lines_that_redis_py_reads(pair):
    client = redis.Redis(port=pair.ours.port)
    with client.monitor() as monitor:
        other = redis.Redis(port=pair.ours.port)
        other.set(b'k"\\', b"\x00\xff\r\nv")
        other.config_get("nosuch")
        other.ping()
        seen = []
        while len(seen) < 2:
            line = monitor.next_command()
            if not line["command"].startswith(("HELLO", "CLIENT")):
                seen.append(line)
        assert seen[0]["command"].startswith("SET ") and seen[1]["command"] == "PING"
        assert seen[0]["db"] == 0 and seen[0]["client_type"] == "tcp"


def test_monitor_lines_are_those_of_redis(pair):
    pair.call("MONITOR", connection=2)
    pair.call(("SET", b'k"\\', b"\x00\xff\r\n\t\a\bv"))
    lines = [client.read_raw().split(b"] ", 1)[1] for client in pair.clients(2)]
    assert lines[0] == lines[1]
    # 7.0.15 shows MULTI and EXEC around what was queued, as 6.0.7 does.
    for command in ("MULTI", "SET a 1", "EXEC"):
        pair.call(command)
    for expected in (b'"MULTI"', b'"SET" "a" "1"', b'"EXEC"'):
        for client in pair.clients(2):
            assert client.read_raw().split(b"] ", 1)[1].strip() == expected


def test_memory(pair):
    pair.run(["SET k v", "MEMORY USAGE k", "MEMORY USAGE nosuch", "MEMORY USAGE k SAMPLES -1",
              "MEMORY USAGE k SAMPLES abc", "MEMORY nosuch", "MEMORY PURGE"])
    ours, theirs = (client.call("MEMORY", "STATS") for client in pair.clients())
    names = [set(reply[::2]) for reply in (ours, theirs)]
    later = {b"cluster.links", b"functions.caches", b"db.dict.rehashing.count"}
    assert names[1] - names[0] <= later, names[1] - names[0]
    for command in ("MEMORY DOCTOR", "MEMORY MALLOC-STATS"):
        pair.call(command, compare="type")


def test_digests_are_equal_for_every_type(pair):
    pair.run(["SET s v", "SET n 12345678901", "RPUSH l a 1 b 2", "SADD i 1 2 3", "SADD t a b c",
              "HSET h f v g 1", "ZADD z 1.5 a -inf b 3 c 1e300 d", "SET e x EX 1000",
              "XADD x 1-1 f v g w", "XADD x 1-2 other 1", "SELECT 3", "SET other db"])
    for key in ("s", "n", "l", "i", "t", "h", "z", "e", "x", "nosuch"):
        pair.call("SELECT 0")
        pair.call(f"DEBUG DIGEST-VALUE {key}", compare="exact")
    pair.call("DEBUG DIGEST", compare="exact")


def test_debug(pair):
    pair.each("DEBUG POPULATE 100")
    pair.each("DEBUG POPULATE 10 p 20")
    pair.call("DBSIZE")
    pair.call("GET p:3")
    pair.digest()
    pair.each("DEBUG RELOAD")
    pair.digest()
    pair.call("DEBUG ERROR 'ERR mine'", compare="exact")
    with pytest.raises(ReplyError):
        pair.ours.call("DEBUG", "SEGFAULT")
    assert pair.ours.alive()


@pytest.mark.parametrize("name", ["CONFIG", "CLIENT", "COMMAND", "SLOWLOG", "LATENCY", "MEMORY", "DEBUG",
                                  "MODULE"])
def test_help_is_a_list_of_lines(pair, name):
    lines = pair.ours.call(name, "HELP")
    assert lines[0].decode() == f"{name} <subcommand> arg arg ... arg. Subcommands are:"
    assert len(lines) > 2


def test_small_ones(pair):
    pair.call("TIME")
    pair.call("MODULE LIST")
    assert b"Redis ver. 6.0.7" in pair.ours.call("LOLWUT")
