# SPDX-License-Identifier: BSD-3-Clause
"""ACL users: their rules, what they may run, the log, files. Beside a stock Redis where 7.0 still
answers as 6.0.7; what it words or counts otherwise is tested against 6.0.7's own text."""

import hashlib
import os

import pytest

from lab.resp import Client, Closed
from lab.servers import NotReady


@pytest.fixture(autouse=True)
def no_users(request):
    """Users outlast a FLUSHALL."""
    yield
    if "pair" not in request.fixturenames:
        return
    pair = request.getfixturevalue("pair")
    for server in (pair.ours, pair.theirs):
        with Client(server.port) as client:
            names = [name for name in client.call("ACL", "USERS") if name != b"default"]
            if names:
                client.call("ACL", "DELUSER", *names)
            client.call("ACL", "LOG", "RESET")


def rules_of(client, name):
    lines = client.call("ACL", "LIST")
    return [line.decode() for line in lines if line.split()[1] == name.encode()][0]


BOB = "ACL SETUSER bob on >secret allchannels"

# A row's first command makes bob, the rest is what bob does.
ROWS = {
    "all keys, all commands": (f"{BOB} ~* +@all", ["SET a 1", "GET a", "ACL WHOAMI", "CONFIG GET databases"]),
    "no command at all": (BOB, ["GET a", "SET a 1", "PING", "AUTH bob secret", "MULTI"]),
    "one command": (f"{BOB} ~* +get", ["GET a", "SET a 1", "MGET a b", "get a"]),
    "keys of a pattern": (f"{BOB} ~a* ~b? +@all", [
        "SET abc 1", "SET bc 1", "SET bcd 1", "SET x 1", "MGET a b", "MGET a1 bc", "DEL a x", "PING",
        "RENAME a1 x", "SORT a1 BY a* STORE x", "ZUNIONSTORE a 2 a1 x", "EVAL 'return 1' 1 x",
        "EVAL 'return 1' 1 a", "XREAD STREAMS a x 0 0", "KEYS *"]),
    "categories": (f"{BOB} ~* +@read -@hash +hget", [
        "GET a", "HGETALL a", "HGET a b", "SET a 1", "DBSIZE", "TYPE a"]),
    "all but the dangerous": (f"{BOB} ~* +@all -@dangerous", [
        "SET a 1", "KEYS *", "CONFIG GET databases", "FLUSHALL", "SORT a", "LPUSH l 1"]),
    "a subcommand": (f"{BOB} ~* +config|get +client|id", [
        {"command": "CONFIG GET maxmemory"}, "CONFIG SET maxmemory 0", "CONFIG RESETSTAT",
        "CLIENT LIST", "config GET maxmemory"]),
    "inside a transaction": (f"{BOB} ~a* +@all -incr", [
        "MULTI", "SET a 1", "INCR a", "EXEC", "MULTI", "SET x 1", "EXEC", "MULTI", "GET a", "EXEC"]),
    "channels": ("ACL SETUSER bob on >secret +@all ~* resetchannels &news.*", [
        "PUBLISH news.a x", "PUBLISH other x", "SUBSCRIBE other", "PSUBSCRIBE news.?",
        "PSUBSCRIBE news.*", "PUNSUBSCRIBE news.*", "SUBSCRIBE news.b"]),
    "channels, taken back": ("ACL SETUSER bob on >secret +@all ~* resetchannels &a allchannels", [
        "PUBLISH other x"]),
    "off and on again": (f"{BOB} +@all ~* off on", ["GET a"]),
    "a reset takes all": (f"{BOB} ~* +@all reset on >secret", ["GET a", "PING"]),
    "the last rule wins": (f"{BOB} ~* -@all +@all -get +get -set", ["GET a", "SET a 1"]),
    "keys reset": (f"{BOB} ~* +@all resetkeys ~x", ["GET a", "GET x"]),
}


@pytest.mark.parametrize("maker, row", ROWS.values(), ids=ROWS.keys())
def test_what_a_user_may(pair, maker, row):
    pair.call(maker)
    pair.second("AUTH bob secret")
    for command in row:
        if isinstance(command, dict):
            pair.second(**command)
        else:
            pair.second(command)
    # As 6.0.7 doesn't have the reason "channel" and 7.0 more fields, only these.
    for log in pair.each("ACL LOG 100"):
        assert all(entry[9] == b"bob" for entry in log)
    # 7.0 logs container|subcommand, so that it counts two subcommands apart.
    logs = [[(e[3], e[5], e[7].lower().split(b"|")[0]) for e in log] for log in pair.each("ACL LOG 100")]
    if "CONFIG SET maxmemory 0" not in row:
        assert logs[0] == logs[1]


BAD_RULES = [
    "foo", "+nosuch", "-nosuch", "+@nosuch", "+", "-", "+get|", "+nosuch|x", "-@", "#abc",
    "#" + "A" * 64, "!abc", "!" + "a" * 64, "<nosuch", "allkeyss", "@read", "~a b", "&a b",
    "resetpas", "\u00e4",
]


@pytest.mark.parametrize("rule", BAD_RULES)
def test_bad_rules(pair, rule):
    if rule in ("+get|", "+nosuch|x"):
        error, _ = pair.each(("ACL", "SETUSER", "x", rule))
        assert str(error).startswith("ERR Error in ACL SETUSER modifier")
    else:
        pair.call(("ACL", "SETUSER", "x", "on", rule))
    pair.call("ACL GETUSER x")  # Nothing was made of a half.


def test_more_bad_requests(pair):
    pair.run([
        "ACL SETUSER x ~* ~a", ("ACL", "SETUSER", "a b"), ("ACL", "SETUSER", b"a\x00b"),
        "ACL DELUSER default", "ACL DELUSER nobody", "ACL GENPASS 0", "ACL GENPASS 4097",
        "ACL GENPASS abc", "ACL GETUSER nobody", "ACL LOG abc", "ACL CAT nosuch", "ACL LOAD", "ACL SAVE",
        "ACL nosuch", "AUTH a", "AUTH nobody x", "AUTH default x", "AUTH a b c d"])
    error, _ = pair.each("ACL SETUSER x +client +client|id")
    assert str(error) == (
        "ERR Error in ACL SETUSER modifier '+client|id': Adding a subcommand of a command already fully "
        "added is not allowed. Remove the command to start. Example: -DEBUG +DEBUG|DIGEST")


def test_passwords(pair):
    sha = hashlib.sha256(b"two").hexdigest()
    pair.call(f"ACL SETUSER bob on >one #{sha}")
    pair.second("AUTH bob one")
    pair.second("AUTH bob two")
    pair.second("AUTH bob three")
    pair.call("ACL SETUSER bob <one")
    pair.second("AUTH bob one")
    pair.call(f"ACL SETUSER bob !{sha}")
    pair.second("AUTH bob two")
    pair.call("ACL SETUSER bob nopass")
    pair.second("AUTH bob anything")
    pair.call("ACL SETUSER bob resetpass")
    pair.second("AUTH bob anything")
    pair.call("ACL SETUSER bob >four off")
    pair.second("AUTH bob four")
    for log in pair.each("ACL LOG"):
        # The last three: a wrong one, no password, off.
        entry = dict(zip(log[0][::2], log[0][1::2]))
        assert (entry[b"reason"], entry[b"object"], entry[b"username"], entry[b"context"]) == (
            b"auth", b"AUTH", b"bob", b"toplevel")
        assert entry[b"count"] == 5


DESCRIBED = {
    "": "user u off -@all",
    "on nopass ~* +@all": "user u on nopass ~* +@all",
    "on >p": "user u on #" + hashlib.sha256(b"p").hexdigest() + " -@all",
    "~a* ~b +get": "user u off ~a* ~b -@all +get",
    "+@all -@dangerous": "user u off +@all -@admin -@dangerous",
    "+@all -get": "user u off +@all -get",
    "+client|id +client|list": "user u off -@all +client|id +client|list",
    "resetchannels &a +@all": "user u off resetchannels &a +@all",
    "on off allkeys allcommands": "user u off ~* +@all",
    "+@geo": "user u off -@all +@geo",
}


@pytest.mark.parametrize("rules, line", DESCRIBED.items())
def test_described(pair, rules, line):
    client = pair.clients()[0]
    client.call("ACL", "SETUSER", "u", *rules.split())
    described = rules_of(client, "u")
    assert described == line
    # The description makes the same user again, whatever it looks like.
    client.call("ACL", "SETUSER", "v", *described.split()[2:])
    assert rules_of(client, "v").split()[2:] == described.split()[2:]


def test_every_category_described_is_itself(pair):
    client = pair.clients()[0]
    for category in client.call("ACL", "CAT"):
        for sign in ("+@all -@", "+@"):
            rules = (sign + category.decode()).split()
            client.call("ACL", "SETUSER", "u", "reset", *rules)
            described = rules_of(client, "u").split()[2:]
            client.call("ACL", "SETUSER", "v", "reset", *described)
            client.call("ACL", "SETUSER", "v", *rules)
            assert rules_of(client, "v").split()[2:] == described


def test_get_user(pair):
    client = pair.clients()[0]
    sha = hashlib.sha256(b"p").hexdigest().encode()
    client.call("ACL", "SETUSER", "u", "on", ">p", "~a", "~b*", "+get")
    assert client.call("ACL", "GETUSER", "u") == [
        b"flags", [b"on"], b"passwords", [sha], b"commands", b"-@all +get", b"keys", [b"a", b"b*"]]
    assert client.call("ACL", "GETUSER", "default") == [
        b"flags", [b"on", b"allkeys", b"allcommands", b"nopass"], b"passwords", [],
        b"commands", b"+@all", b"keys", [b"*"]]
    client.call("HELLO", "3")
    assert client.call_raw("ACL", "GETUSER", "default").startswith(b"%4\r\n$5\r\nflags\r\n~4\r\n")


def test_users_and_categories(pair):
    pair.call("ACL SETUSER zoe")
    pair.call("ACL SETUSER bob")
    pair.call("ACL USERS")
    pair.call("ACL WHOAMI")
    pair.call("ACL CAT", compare="set")
    assert b"geoadd" in pair.each("ACL CAT geo")[0]
    assert len(pair.each("ACL GENPASS")[0]) == 64
    assert len(pair.each("ACL GENPASS 5")[0]) == 2
    assert pair.each("ACL HELP")[0][0].startswith(b"ACL <subcommand>")


def test_the_log_counts(pair):
    pair.call(f"{BOB} ~a +@all -incr")
    pair.second("AUTH bob secret")
    for _ in range(3):
        pair.second("INCR a")
    pair.second("GET x")
    logs = pair.each("ACL LOG")
    for log in logs:
        assert [(e[1], e[3], e[5], e[7], e[9]) for e in log] == [
            (1, b"key", b"toplevel", b"x", b"bob"), (3, b"command", b"toplevel", b"incr", b"bob")]
        assert 0 <= float(log[0][11]) < 30
        assert b"user=bob" in log[0][13]
    pair.call("ACL LOG 0")
    assert [len(log) for log in pair.each("ACL LOG 1")] == [1, 1]
    pair.call("ACL LOG RESET")
    pair.call("ACL LOG")
    pair.config("acllog-max-len", 2)
    for key in "xyz":
        pair.second(f"GET {key}")
    assert [[e[7] for e in log] for log in pair.each("ACL LOG")] == [[b"z", b"y"]] * 2


def test_a_script_has_its_callers_rights(pair):
    pair.call(f"{BOB} ~a +@all -incr")
    pair.second("AUTH bob secret")
    ours, _ = pair.each(("EVAL", "return redis.pcall('incr', 'a')", "0"), connection=1)
    assert "The user executing the script can't run this command or subcommand" in str(ours)
    ours, _ = pair.each(("EVAL", "return redis.call('get', 'x')", "0"), connection=1)
    assert ("The user executing the script can't access at least one of the keys mentioned in the "
            "command arguments") in str(ours)
    pair.second(("EVAL", "return redis.call('get', 'a')", "0"))
    log = pair.each("ACL LOG")[0]
    assert [(e[3], e[5], e[7], e[9]) for e in log] == [
        (b"key", b"lua", b"x", b"bob"), (b"command", b"lua", b"incr", b"bob")]


def test_rights_that_change_before_exec(pair):
    pair.call(f"{BOB} ~* +@all")
    pair.second("AUTH bob secret")
    for command in ("MULTI", "SET a 1", "GET a", "SET x 1"):
        pair.second(command)
    pair.call("ACL SETUSER bob -get resetkeys ~a")
    pair.second("EXEC")
    assert [(e[3], e[5]) for e in pair.each("ACL LOG")[0]] == [(b"key", b"multi"), (b"command", b"multi")]


def test_a_deleted_users_connections_end(pair):
    pair.call(f"{BOB} ~* +@all")
    pair.second("AUTH bob secret")
    pair.second("ACL WHOAMI")
    pair.call("ACL DELUSER bob nobody")
    for client in pair.clients(1):
        with pytest.raises((Closed, ConnectionError)):
            for _ in range(3):
                client.call("PING")
    pair.call("ACL WHOAMI")


def test_a_user_that_is_switched_off_goes_on(pair):
    pair.call(f"{BOB} ~* +@all")
    pair.second("AUTH bob secret")
    pair.call("ACL SETUSER bob off")
    pair.second("GET a")
    pair.call("AUTH bob secret")


def test_hello_logs_in(pair):
    pair.call(f"{BOB} ~* +@all")
    pair.second("HELLO 3 AUTH bob wrong")
    assert pair.each("HELLO 3 AUTH bob secret SETNAME n", connection=1)[0]
    pair.second("ACL WHOAMI")
    pair.second("CLIENT GETNAME")
    assert b"user=bob" in pair.each("CLIENT LIST")[0]
    pair.call("CLIENT KILL USER nobody")
    pair.call("CLIENT KILL USER bob")


def test_reset(pair):
    pair.call(f"{BOB} ~* +@all")
    for command in ("AUTH bob secret", "SELECT 3", "CLIENT SETNAME x", "MULTI", "SET a 1", "RESET",
                    "ACL WHOAMI", "CLIENT GETNAME", "EXEC", "SET b 1", "SUBSCRIBE c", "RESET", "GET b"):
        pair.second(command)
    pair.call("GET b")
    pair.second("HELLO 3", compare="type")
    pair.second("RESET")
    pair.second("GET nosuch")


def test_requirepass_is_the_default_users_password(farm):
    server = farm.redwing({"requirepass": "one"})
    with Client(server.port) as client:
        assert str(client.call_or_error("GET", "a")) == "NOAUTH Authentication required."
        assert client.call("AUTH", "default", "one") == b"OK"
        assert client.call("CONFIG", "SET", "requirepass", "two") == b"OK"
        assert rules_of(client, "default").split()[3] == "#" + hashlib.sha256(b"two").hexdigest()
        with Client(server.port) as other:
            assert str(other.call_or_error("AUTH", "one")) == "WRONGPASS invalid username-password pair"
            assert other.call("AUTH", "two") == b"OK"
        client.call("ACL", "SETUSER", "default", "nopass")
        with Client(server.port) as other:
            assert other.call("GET", "a") is None
        client.call("ACL", "SETUSER", "default", "off")
        with Client(server.port) as other:
            assert str(other.call_or_error("GET", "a")) == "NOAUTH Authentication required."
        client.call("ACL", "SETUSER", "default", "on")
        client.call("CONFIG", "SET", "requirepass", "")


def test_a_limited_default_user(farm):
    server = farm.redwing()
    with Client(server.port) as client:
        client.call("ACL", "SETUSER", "admin", "on", ">p", "~*", "+@all")
        client.call("ACL", "SETUSER", "default", "-@all", "+ping", "+info")
        assert client.call("PING") == b"PONG"
        assert str(client.call_or_error("GET", "a")).startswith("NOPERM")
        client.call("AUTH", "admin", "p")
        assert client.call("GET", "a") is None
        client.call("ACL", "SETUSER", "default", "+@all")


def test_the_acl_file(farm, tmp_path):
    path = str(tmp_path / "users.acl")
    with open(path, "w") as file:
        file.write("user alice on nopass ~a* +@all\n\n  user bob off\n")
    server = farm.redwing({"aclfile": path})
    with Client(server.port) as client, Client(server.port) as alice:
        assert client.call("ACL", "USERS") == [b"alice", b"bob", b"default"]
        alice.call("AUTH", "alice", "x")
        client.call("ACL", "SETUSER", "carol", "on", ">p", "+get")
        assert client.call("ACL", "SAVE") == b"OK"
        before = open(path).read()
        assert before.splitlines()[0] == "user alice on nopass ~a* +@all"
        assert [line.split()[1] for line in before.splitlines()] == ["alice", "bob", "carol", "default"]
        with open(path, "a") as file:
            file.write("usr x\nuser y +nosuch\nuser z on\n")
        assert str(client.call_or_error("ACL", "LOAD")) == (
            f"ERR {path}:5 should start with user keyword followed by the username. "
            f"{path}:6: Unknown command or category name in ACL. "
            "WARNING: ACL errors detected, no change to the previously active ACL rules was performed")
        assert len(client.call("ACL", "USERS")) == 4
        assert alice.call("GET", "a") is None
        with open(path, "w") as file:
            file.write("user zoe on\n")
        assert client.call("ACL", "LOAD") == b"OK"
        assert client.call("ACL", "USERS") == [b"default", b"zoe"]
        with pytest.raises((Closed, ConnectionError)):
            for _ in range(3):
                alice.call("PING")
        os.unlink(path)
        assert str(client.call_or_error("ACL", "LOAD")) == (
            f"ERR Error loading ACLs, opening file '{path}': No such file or directory")


def test_users_in_the_configuration(farm):
    server = farm.redwing({"user": [("alice", "on", "nopass", "~a*", "+@read", "+set")]})
    with Client(server.port) as client:
        assert client.call("ACL", "GETUSER", "alice")[7] == [b"a*"]
        client.call("AUTH", "alice", "any")
        assert client.call("SET", "a", "1") == b"OK"
        assert str(client.call_or_error("SET", "b", "1")).startswith("NOPERM")


def test_a_rewritten_configuration_keeps_the_users(farm, tmp_path):
    path = str(tmp_path / "redis.conf")
    with open(path, "w") as file:
        file.write("# mine\nuser bob on >old +get\nrequirepass secret\n")
    server = farm.redwing(arguments=[path])
    with Client(server.port) as client:
        client.call("AUTH", "secret")
        client.call("ACL", "SETUSER", "bob", "resetpass", "~it's", '~"x\\', "+set", "+client|id")
        client.call("ACL", "SETUSER", "zoe", "on", "nopass", "~a*", "+@all", "-@dangerous")
        before = client.call("ACL", "LIST")
        assert client.call("CONFIG", "REWRITE") == b"OK"
    lines = open(path).read().splitlines()
    assert lines[0] == "# mine" and lines[1].startswith("user bob on ")
    assert len([line for line in lines if line.startswith("user ")]) == 3
    server.restart()
    with Client(server.port) as client:
        assert client.call("AUTH", "secret") == b"OK"
        assert client.call("ACL", "LIST") == before


def test_a_renamed_command_keeps_its_rule(farm):
    server = farm.redwing({"rename-command": [("get", "fetch"), ("set", "")]})
    with Client(server.port) as client:
        client.call("ACL", "SETUSER", "bob", "on", "nopass", "~*", "+@all", "-get", "-set")
        assert client.call("FETCH", "a") is None
        client.call("AUTH", "bob", "x")
        assert "'get' command" in str(client.call_or_error("FETCH", "a"))


@pytest.mark.parametrize("option, text", [
    ({"user": [("bob", "on", "+nosuch")]},
     "Error in user declaration '+nosuch': Unknown command or category name in ACL"),
    ({"aclfile": "/nonexistent/users.acl"},
     "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file "
     "'/nonexistent/users.acl': No such file or directory"),
    ({"aclfile": "/dev/null", "user": [("bob", "on")]}, "please define either an ACL file"),
])
def test_a_server_with_wrong_users_does_not_start(farm, option, text):
    with pytest.raises(NotReady) as failure:
        farm.redwing(option)
    assert text in str(failure.value)


def test_strangers_names_in_the_log_are_cut(farm):
    server = farm.redwing({"requirepass": "x"})
    with Client(server.port) as client:
        client.call_or_error("AUTH", "y" * 10000, "z")
        client.call("AUTH", "x")
        assert len(client.call("ACL", "LOG")[0][9]) == 1024
