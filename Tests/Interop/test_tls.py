# SPDX-License-Identifier: BSD-3-Clause
"""TLS, for clients and for replication: certificates of the tests' own, stock Redis at the other end.

The servers have a plain port as well, through which the tests look at them; what is tested goes
through `tls-port`.
"""

import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest
import redis

from lab.data import fill_all_types, write_some
from lab.proxy import Proxy
from lab.resp import Client, ReplyError, encode
from lab.servers import NotReady, eventually, free_port
from lab.sync import assert_same, sync_counts, wait_link_up, wait_offsets_equal, wait_online
from links import threads

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


class Certificates:
    """Two authorities; each signs for a server. Paths by name: `ca`, `server`, `other`, ..."""

    def __init__(self, directory):
        self.directory = directory
        for authority in ("ca", "foreign"):
            self.openssl("req", "-x509", *CURVE, "-nodes", "-days", "2", "-subj", f"/CN={authority}",
                         "-keyout", self.key(authority), "-out", self.cert(authority))
        for name, authority in [("server", "ca"), ("client", "ca"), ("second", "ca"),
                                ("stranger", "foreign")]:
            self.sign(name, authority)
        self.openssl("ec", "-aes128", "-passout", "pass:geheim", "-in", self.key("server"),
                     "-out", self.key("locked"))
        with open(self.cert("broken"), "w") as file:
            file.write("this is no certificate\n")

    def sign(self, name, authority):
        request = os.path.join(self.directory, f"{name}.csr")
        self.openssl("req", *CURVE, "-nodes", "-subj", f"/CN={name}", "-keyout", self.key(name),
                     "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.cert(authority),
                     "-CAkey", self.key(authority), "-set_serial", str(abs(hash(name)) % 10**9),
                     "-days", "2", "-out", self.cert(name))

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def cert(self, name):
        return os.path.join(self.directory, f"{name}.crt")

    def key(self, name):
        return os.path.join(self.directory, f"{name}.key")

    def options(self, **more):
        options = {"tls-port": free_port(), "tls-cert-file": self.cert("server"),
                   "tls-key-file": self.key("server"), "tls-ca-cert-file": self.cert("ca")}
        options.update({name.replace("_", "-"): value for name, value in more.items()})
        return options

    def context(self, name="client", authority="ca", **bounds):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.cert(authority))
        if name:
            context.load_cert_chain(self.cert(name), self.key(name))
        for bound, version in bounds.items():
            setattr(context, bound, version)
        return context


@pytest.fixture(scope="module")
def certificates():
    with tempfile.TemporaryDirectory(prefix="redwing-tls-") as directory:
        yield Certificates(directory)


class Secure(Client):
    """A client through `tls-port`."""

    def __init__(self, server, context, **more):
        super().__init__(server.options["tls-port"], **more)
        self.socket = context.wrap_socket(self.socket)


def answers(server, context):
    """Whether a client with `context` gets its PING answered."""
    try:
        with Secure(server, context) as client:
            return client.call("PING") == b"PONG"
    except (ssl.SSLError, ConnectionError):
        return False


# Clients.

def test_redis_cli_and_redis_py(farm, certificates):
    server = farm.redwing(certificates.options())
    words = ["redis-cli", "-p", str(server.options["tls-port"]), "--tls",
             "--cacert", certificates.cert("ca"), "--cert", certificates.cert("client"),
             "--key", certificates.key("client")]
    assert subprocess.run([*words, "SET", "k", "v"], capture_output=True).stdout == b"OK\n"
    mass = b"".join(encode("SET", f"mass:{i}", "x" * 100) for i in range(5000))
    piped = subprocess.run([*words, "--pipe"], input=mass, capture_output=True).stdout
    assert b"errors: 0, replies: 5000" in piped
    client = redis.Redis(port=server.options["tls-port"], ssl=True,
                         ssl_ca_certs=certificates.cert("ca"), ssl_check_hostname=False,
                         ssl_certfile=certificates.cert("client"),
                         ssl_keyfile=certificates.key("client"))
    with client:
        assert client.get("k") == b"v"
        assert client.dbsize() == 5001
        assert client.info("server")["tcp_port"] == server.port
        assert len(client.client_list()) == 1


def test_only_tls(farm, certificates):
    options = certificates.options(port=0)
    server = farm.make("redwing", options)
    server.start(wait=False)
    eventually(lambda: answers(server, certificates.context()))
    with Secure(server, certificates.context()) as client:
        assert client.info("server")["tcp_port"] == str(options["tls-port"])


def test_big_values_and_pipelines(farm, certificates):
    server = farm.redwing(certificates.options())
    big = os.urandom(6 << 20)
    with Secure(server, certificates.context()) as client:
        assert client.call("SET", "big", big) == b"OK"
        assert client.call("GET", "big") == big
        sizes = [1, 5, 16383, 16384, 16385, 70000, 300000] * 12
        values = [os.urandom(size) for size in sizes]
        requests = [("SET", f"k{i}", value) for i, value in enumerate(values)]
        assert client.pipeline(requests) == [b"OK"] * len(values)
        got = client.pipeline([("GET", f"k{i}") for i in range(len(values))])
        assert got == values
        # Small requests, many to a record.
        assert client.pipeline([("INCR", "n")] * 20000)[-1] == 20000


def test_replies_that_nobody_reads_yet(farm, certificates):
    """The socket is full in the middle of a record; the bytes come in order all the same."""
    server = farm.redwing(certificates.options())
    value = os.urandom(400_000)
    with Secure(server, certificates.context()) as client, server.client() as beside:
        client.call("SET", "v", value)
        client.send(encode("GET", "v") * 100)
        # All are answered, and most of the answers wait for the socket.
        eventually(lambda: waiting_bytes(beside) > 30_000_000)
        assert beside.call("PING") == b"PONG"
        spent = cpu(server)
        time.sleep(0.5)
        # It waits for room without turning.
        assert cpu(server) - spent < 0.3
        client.send(encode("PING"))
        for _ in range(100):
            assert client.read() == value
        assert client.read() == b"PONG"


def waiting_bytes(client):
    """What the fullest of the server's clients has still to be sent."""
    lines = client.call("CLIENT", "LIST").decode().splitlines()
    return max(int(field[5:]) for line in lines for field in line.split() if field.startswith("omem="))


def cpu(server):
    with open(f"/proc/{server.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_bytes_that_drip(farm, certificates):
    """Handshake and requests arrive a few bytes at a time."""
    server = farm.redwing(certificates.options())
    proxy = farm.own(Proxy(server.options["tls-port"]))
    proxy.throttle(20_000)
    with Client(proxy.port) as plain:
        client = certificates.context().wrap_socket(plain.socket)
        for byte in encode("SET", "k", "v"):
            client.send(bytes([byte]))
        assert client.recv(100) == b"+OK\r\n"
        client.close()


def test_blocked_and_published(farm, certificates):
    server = farm.redwing(certificates.options())
    context = certificates.context()
    with Secure(server, context) as waiter, Secure(server, context) as other:
        waiter.send(encode("BLPOP", "list", 0) + encode("PING"))
        other.call("SUBSCRIBE", "news")
        with server.client() as plain:
            plain.call("RPUSH", "list", "x")
            plain.call("PUBLISH", "news", "y" * 50000)
        assert waiter.read() == [b"list", b"x"]
        assert waiter.read() == b"PONG"
        assert other.read() == [b"message", b"news", b"y" * 50000]


@pytest.mark.parametrize("rule, none, known, stranger", [
    ("yes", False, True, False), ("optional", True, True, False), ("no", True, True, True)])
def test_who_must_show_a_certificate(farm, certificates, rule, none, known, stranger):
    server = farm.redwing(certificates.options(tls_auth_clients=rule))
    assert answers(server, certificates.context(None)) is none
    assert answers(server, certificates.context("client")) is known
    assert answers(server, certificates.context("stranger")) is stranger
    if rule == "yes":
        assert "Error accepting a client connection: error:" in server.log()
        # The rule may change while it runs.
        server.call("CONFIG", "SET", "tls-auth-clients", "no")
        assert answers(server, certificates.context(None))
    assert server.call("PING") == b"PONG"


def test_a_client_that_trusts_another_authority(farm, certificates):
    server = farm.redwing(certificates.options())
    assert not answers(server, certificates.context(authority="foreign"))


def test_protocols_and_ciphers(farm, certificates):
    v1_2, v1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    server = farm.redwing(certificates.options(tls_protocols="TLSv1.2"))
    old = certificates.context(maximum_version=v1_2)
    new = certificates.context(minimum_version=v1_3)
    assert answers(server, old) and not answers(server, new)
    server.call("CONFIG", "SET", "tls-protocols", "TLSv1.3")
    assert answers(server, new) and not answers(server, old)
    server.call("CONFIG", "SET", "tls-protocols", "")
    assert answers(server, new) and answers(server, old)
    server.call("CONFIG", "SET", "tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384")
    server.call("CONFIG", "SET", "tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")
    server.call("CONFIG", "SET", "tls-prefer-server-ciphers", "yes")
    with Secure(server, old) as client:
        assert client.socket.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    with Secure(server, new) as client:
        assert client.socket.cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256"


def test_sessions_are_resumed(farm, certificates):
    server = farm.redwing(certificates.options())
    context = certificates.context(maximum_version=ssl.TLSVersion.TLSv1_2)

    def second_is_resumed():
        with Secure(server, context) as client:
            client.call("PING")
            session = client.socket.session
        plain = socket.create_connection(("127.0.0.1", server.options["tls-port"]))
        with context.wrap_socket(plain, session=session) as again:
            return again.session_reused

    assert second_is_resumed()
    server.call("CONFIG", "SET", "tls-session-cache-timeout", "100")
    assert second_is_resumed()


@pytest.mark.parametrize("noise", [b"PING\r\n" * 10, b"\x16\x03\x01\x02\x00\x01" + b"\xff" * 2000,
                                   b"\x00" * 70000, b"\x16\x03\x01"],
                         ids=["plain", "hello", "zeros", "short"])
def test_noise_instead_of_a_handshake(farm, certificates, noise):
    server = farm.redwing(certificates.options())
    with Client(server.options["tls-port"]) as plain, Secure(
            server, certificates.context()) as other:
        try:
            plain.send(noise)
            if len(noise) > 3:
                assert not plain.socket.recv(1000).startswith((b"+", b"-", b"$"))
        except ConnectionError:
            pass
        assert other.call("PING") == b"PONG"


# Configuration.

def refusal(server, name, value):
    with server.client() as client:
        reply = client.call_or_error("CONFIG", "SET", name, value)
    assert isinstance(reply, ReplyError), reply
    return str(reply)


def test_a_bad_certificate_is_refused_and_the_old_one_serves_on(farm, certificates):
    server = farm.redwing(certificates.options())
    old = server.call("CONFIG", "GET", "tls-cert-file")
    for name, value, reason in [
            ("tls-cert-file", certificates.cert("broken"), "Failed to load certificate: "),
            ("tls-key-file", certificates.key("client"), "Failed to load private key: "),
            ("tls-cert-file", "", "No tls-cert-file configured!"),
            ("tls-ca-cert-file", "/nowhere", "Failed to configure CA certificate(s) file/directory: "),
            ("tls-protocols", "TLSv9", "Invalid tls-protocols specified."),
            ("tls-ciphers", "nonsense", "Failed to configure ciphers"),
            ("tls-ciphersuites", "nonsense", "Failed to configure ciphersuites"),
            ("tls-dh-params-file", certificates.cert("broken"), "failed to read DH params.")]:
        text = refusal(server, name, value)
        assert text == (f"ERR Invalid argument '{value}' for CONFIG SET '{name}' - Unable to "
                        "configure tls-cert-file. Check server logs.")
        assert reason in server.log(), name
        assert answers(server, certificates.context())
    assert server.call("CONFIG", "GET", "tls-cert-file") == old


def test_authorities_in_a_directory(farm, certificates):
    directory = farm.directory()
    with open(certificates.cert("ca")) as old:
        with open(os.path.join(directory, "ca.crt"), "w") as new:
            new.write(old.read())
    certificates.openssl("rehash", directory)
    server = farm.redwing(certificates.options(tls_ca_cert_file="", tls_ca_cert_dir=directory))
    assert answers(server, certificates.context())
    assert not answers(server, certificates.context("stranger"))


def test_dh_parameters(farm, certificates):
    path = os.path.join(farm.directory(), "dh.pem")
    certificates.openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048",
                         "-out", path)
    server = farm.redwing(certificates.options(tls_dh_params_file=path))
    assert answers(server, certificates.context())


def test_a_renewed_certificate_is_taken_for_new_connections(farm, certificates):
    directory = farm.directory()
    cert, key = os.path.join(directory, "cert"), os.path.join(directory, "key")

    def install(name):
        for source, target in ((certificates.cert(name), cert), (certificates.key(name), key)):
            with open(source) as old, open(target, "w") as new:
                new.write(old.read())

    def names(client):
        return dict(pair[0] for pair in client.socket.getpeercert()["subject"])

    install("server")
    server = farm.redwing(certificates.options(tls_cert_file=cert, tls_key_file=key))
    context = certificates.context()
    with Secure(server, context) as before:
        install("second")
        assert server.call("CONFIG", "SET", "tls-cert-file", cert) == b"OK"
        with Secure(server, context) as after:
            assert after.call("PING") == before.call("PING") == b"PONG"
            assert names(before)["commonName"] == "server"
            assert names(after)["commonName"] == "second"


def test_a_key_with_a_pass_phrase(farm, certificates):
    server = farm.redwing(certificates.options(
        tls_key_file=certificates.key("locked"), tls_key_file_pass="geheim"))
    assert answers(server, certificates.context())


@pytest.mark.parametrize("change, reason", [
    ({"tls-cert-file": ""}, "No tls-cert-file configured!"),
    ({"tls-key-file": "/nowhere"}, "Failed to load private key: /nowhere: error:"),
    ({"tls-ca-cert-file": ""}, "Either tls-ca-cert-file or tls-ca-cert-dir must be specified"),
    ({"tls-key-file": "locked"}, "Failed to load private key")], ids=str)
def test_a_server_that_cannot_start(farm, certificates, change, reason):
    options = certificates.options()
    options.update({name: certificates.key(value) if value == "locked" else value
                    for name, value in change.items()})
    with pytest.raises(NotReady):
        farm.redwing(options)
    server = farm.servers[-1]
    assert server.process.wait(30) == 1
    assert reason in server.log() and "Failed to configure TLS. Check logs for more info." in server.log()


# Replication.

def tls_nodes(farm, certificates, roles, master=None, replica=None):
    return tuple(farm.start(role, {**certificates.options(tls_replication="yes"), **(more or {})})
                 for role, more in zip(roles, (master, replica)))


def follow(replica, port):
    replica.call("REPLICAOF", "127.0.0.1", port)


ROLES = [("redwing", "redis"), ("redis", "redwing"), ("redwing", "redwing")]
WAYS = [("disk", "disabled"), ("disk", "swapdb"), ("diskless", "disabled"), ("diskless", "swapdb")]


@pytest.mark.parametrize("send, receive", WAYS)
@pytest.mark.parametrize("roles", ROLES, ids="->".join)
def test_full_and_partial_sync(farm, certificates, roles, send, receive):
    master, replica = tls_nodes(
        farm, certificates, roles,
        {"repl-diskless-sync": "yes" if send == "diskless" else "no",
         "repl-diskless-sync-delay": "0"}, {"repl-diskless-load": receive})
    proxy = farm.own(Proxy(master.options["tls-port"]))
    with master.client() as client:
        fill_all_types(client, n=1000, seed=5)
        client.call("SET", "big", os.urandom(3 << 20))
        going = True

        def write():
            with master.client() as other:
                turn = 0
                while going:
                    write_some(other, "live", n=20, seed=turn)
                    turn += 1
                    time.sleep(0.002)

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        follow(replica, proxy.port)
        wait_link_up(replica)
        wait_online(master, 1)
        going = False
        writer.join()
        assert_same(master, replica)
        announced = master.info("replication")["slave0"]
        assert f"port={replica.options['tls-port']}," in announced
        # The stream, also in pieces larger than a record.
        client.call("APPEND", "big", os.urandom(1 << 20))
        write_some(client, "more", n=300)
        assert client.call("WAIT", 1, 5000) == 1
        assert_same(master, replica)
        # A cut link is continued.
        counts = sync_counts(master)
        proxy.cut()
        write_some(client, "later", n=300)
        wait_link_up(replica)
        assert_same(master, replica)
        after = sync_counts(master)
        assert after["sync_full"] == counts["sync_full"]
        assert after["sync_partial_ok"] == counts["sync_partial_ok"] + 1


@pytest.mark.parametrize("receive", ["disabled", "on-empty-db", "swapdb"])
def test_a_change_of_mind_in_a_transfer_that_stands_still(farm, certificates, receive):
    """No thread of the loader's is left behind, and the next link works."""
    master, replica = tls_nodes(farm, certificates, ("redwing", "redwing"), {"repl-diskless-sync": "no"},
                                {"repl-diskless-load": receive})
    master.call("SET", "big", os.urandom(3 << 20))
    proxy = farm.own(Proxy(master.options["tls-port"]))
    for _ in range(3):
        before = threads(replica)
        connections = proxy.connections
        proxy.throttle(1_000_000)
        follow(replica, proxy.port)
        eventually(lambda: int(replica.info("replication").get("master_sync_read_bytes", 0)) > 200_000)
        proxy.silence()
        assert replica.call("REPLICAOF", "NO", "ONE") == b"OK"
        eventually(lambda: threads(replica) <= before)
        assert proxy.connections == connections + 1
        proxy.cut()
        proxy.resume()
    proxy.throttle(None)
    follow(replica, proxy.port)
    assert_same(master, replica)


def test_replicas_with_and_without_tls_on_one_master_without_a_spool(farm, certificates):
    """`repl-spool no` hands pages of a pipe to sockets, which a session can't take."""
    master, first = tls_nodes(
        farm, certificates, ("redwing", "redwing"),
        {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "1", "repl-spool": "no"})
    second = farm.redis()
    with master.client() as client:
        fill_all_types(client, n=2000, seed=6)
    follow(first, master.options["tls-port"])
    follow(second, master.port)
    wait_link_up(first, second)
    assert_same(master, first, second)


def test_a_replica_that_reads_slowly(farm, certificates):
    """Its session holds records back; what it gets is right, and the master doesn't turn."""
    master, replica = tls_nodes(farm, certificates, ("redwing", "redwing"))
    proxy = farm.own(Proxy(master.options["tls-port"]))
    with master.client() as client:
        client.call("SET", "a", "x")
        follow(replica, proxy.port)
        wait_link_up(replica)
        proxy.silence()
        for i in range(60):
            client.call("SET", f"big:{i}", os.urandom(200_000))
        spent = cpu(master)
        time.sleep(0.5)
        assert cpu(master) - spent < 0.3
        proxy.resume()
        assert_same(master, replica)


def test_a_master_that_the_replica_does_not_trust(farm, certificates):
    master = farm.redis(certificates.options())
    replica = farm.redwing(certificates.options(
        tls_replication="yes", tls_ca_cert_file=certificates.cert("foreign")))
    with replica.client() as client:
        client.call("SET", "mine", "1")
        follow(replica, master.options["tls-port"])
        eventually(lambda: "certificate verify failed" in replica.log())
        assert client.call("GET", "mine") == b"1"
        # With the right authority it goes on by itself.
        client.call("CONFIG", "SET", "tls-ca-cert-file", certificates.cert("ca"))
    wait_link_up(replica)
    assert_same(master, replica)


def test_a_certificate_for_the_link_alone(farm, certificates):
    """tls-client-cert-file: what the replica shows its master; this one trusts another authority."""
    master = farm.redis(certificates.options(tls_ca_cert_file=certificates.cert("foreign")))
    replica = farm.redwing(certificates.options(
        tls_replication="yes", tls_client_cert_file=certificates.cert("stranger"),
        tls_client_key_file=certificates.key("stranger")))
    master.call("SET", "k", "v")
    follow(replica, master.options["tls-port"])
    wait_link_up(replica)
    assert_same(master, replica)
    assert answers(replica, certificates.context())


def test_a_plain_master_and_a_replica_that_speaks_tls(farm, certificates):
    master = farm.redwing()
    replica = farm.redwing(certificates.options(tls_replication="yes"))
    follow(replica, master.port)
    eventually(lambda: "MASTER <-> REPLICA sync started" in replica.log())
    time.sleep(0.3)
    assert replica.info("replication")["master_link_status"] == "down"
    replica.call("CONFIG", "SET", "tls-replication", "no")
    wait_link_up(replica)
    assert_same(master, replica)


def test_a_transfer_that_is_cut(farm, certificates):
    """In the middle of the body, into a file and into the loader; then it starts anew."""
    for receive in ("disabled", "swapdb"):
        master, replica = tls_nodes(farm, certificates, ("redwing", "redwing"), None,
                                    {"repl-diskless-load": receive})
        proxy = farm.own(Proxy(master.options["tls-port"]))
        with master.client() as client:
            for i in range(40):
                client.call("SET", f"k{i}", os.urandom(100_000))
        proxy.cut_after = 2_000_000
        follow(replica, proxy.port)
        eventually(lambda: proxy.cuts == 1)
        wait_link_up(replica)
        assert_same(master, replica)


def test_shutdown_leaves_replicas_with_everything(farm, certificates):
    master, replica = tls_nodes(farm, certificates, ("redwing", "redwing"))
    follow(replica, master.options["tls-port"])
    wait_link_up(replica)
    wait_online(master, 1)
    with master.client() as client:
        client.pipeline([("SET", f"k{i}", "x" * 1000) for i in range(3000)])
        wait_offsets_equal(master, replica)
        client.pipeline([("SET", f"late{i}", "y" * 1000) for i in range(3000)])
    master.stop()
    eventually(lambda: replica.call("DBSIZE") == 6000)
