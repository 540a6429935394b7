# SPDX-License-Identifier: BSD-3-Clause
"""What a script can't do: hold the server for good, fill its memory, change what others run."""

import pytest

from lab.resp import Client, encode
from lab.servers import eventually

BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
KILLED = "Script killed by user with SCRIPT KILL..."


def e(script, *words):
    return ("EVAL", script, *(words or ("0",)))


def caught(body):
    """Runs `body`, gives what it returns or the text of its error."""
    return e("local r = {pcall(function() %s end)} r[1] = tostring(r[1]) return r" % body)


# Scripts that never end, or not within anybody's patience, each in something else than Lua's own loop.
ENDLESS = {
    "a reply of tables in tables": "local t = {} for i = 1, 60 do t = {t, t} end return t",
    "a reply of a table in itself": "local t = {} for i = 1, 8 do t[i] = t end return t",
    "cjson of tables in tables": "local t = {} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
    "cmsgpack of a table in itself": "local t = {} for i = 1, 12 do t[i] = t end return cmsgpack.pack(t)",
    "find": "return string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40))",
    "match": "return string.rep('a', 300):match(string.rep('a*', 30) .. 'b')",
    "gmatch": "for x in string.gmatch(string.rep('a', 300), string.rep('a-', 30) .. 'b') do end",
    "gsub": "return string.gsub(string.rep('a', 300), string.rep('a+', 30) .. 'b', '')",
    "plain find": "local a = string.rep('a', 2^24) local b = string.rep('a', 2^23) .. 'b' "
                  "while true do a:find(b, 1, true) end",
    "rep": "while true do string.rep('', 2^31 - 1) end",
    "insert": "local t = {} for i = 1, 2^20 do t[i] = i end while true do table.insert(t, 1, 1) end",
    "remove": "local t = {} for i = 1, 2^21 do t[i] = i end while true do table.remove(t, 1) t[2^21] = 1 end",
    "sort": "local t = {} for i = 1, 2^18 do t[i] = i end while true do table.sort(t, rawequal) end",
    "collectgarbage": "local t = {} for i = 1, 2^20 do t[i] = {} end while true do collectgarbage() end",
    "filling memory": "while true do local t = {} for i = 1, 1500 do t[i] = string.rep('x', 1e5) .. i end end",
    "decoding": "local s = string.rep('[', 1000) .. '1' .. string.rep(']', 1000) "
                "while true do cjson.decode(s) end",
    "an error handler": "while true do xpcall(function() while true do end end, "
                        "function() while true do end end) end",
    "a comparison": "table.sort({3, 2, 1}, function() while true do end end)",
    "a replacement": "string.gsub('aaa', 'a', function() while true do end end)",
    "__tostring": "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "__index": "return setmetatable({}, {__index = function() while true do end end}).x",
    "coroutines": "while true do coroutine.wrap(function() while true do end end)() end",
    "a coroutine that catches": "local c = coroutine.create(function() while true do pcall(function() "
                                "while true do end end) end end) while true do coroutine.resume(c) end",
    "catching": "local function f() while true do pcall(f) end end f()",
}


def start(server, script):
    client = Client(server.port)
    client.send(encode("EVAL", script, 0))
    return client


@pytest.fixture(scope="module")
def impatient(shared_farm):
    return shared_farm.redwing({"lua-time-limit": 20})


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS.keys())
def test_others_are_served_and_can_end_it(impatient, script):
    client = impatient.client()
    runner = start(impatient, script)
    eventually(lambda: str(client.call_or_error("PING")) == BUSY)
    assert client.call("SCRIPT", "KILL") == b"OK"
    assert KILLED in str(runner.read())
    assert client.call("PING") == b"PONG"


TOO_MUCH = [
    "local t = {} while true do t[#t + 1] = string.rep('x', 2^24) .. #t end",
    "local s = 'x' while true do s = s .. s end",
    "local s = string.rep('x', 2^27) return cmsgpack.pack(s, s, s, s, s, s, s, s)",
]


def test_memory_has_an_end(farm):
    client = farm.redwing().client(timeout=100)
    for script in TOO_MUCH:
        reply = str(client.call_or_error("EVAL", script, 0))
        assert "not enough memory" in reply
        # Nothing of it is left to the next script.
        assert int(client.info("memory")["used_memory_lua"]) < 80 << 20


def test_garbage_is_no_memory_that_is_needed(farm):
    """More than may be held at once, one after the other."""
    client = farm.redwing().client(timeout=100)
    script = "for i = 1, 3 do local s = string.rep('x', 2^28) end return 'done'"
    assert client.call("EVAL", script, 0) == b"done"


def test_a_result_is_no_longer_than_a_value(farm):
    client = farm.redwing().client()
    reply = client.call_or_error("EVAL", "return string.rep('xy', 2^28 + 1)", 0)
    assert "resulting string too large" in str(reply)
    reply = client.call_or_error("EVAL", "return string.rep('a', 5000):find(string.rep('a?', 5000))", 0)
    assert "pattern too complex" in str(reply)


def test_a_script_stays_inside_its_function(farm):
    """What follows an `end` would run when the script is defined, before anybody may end it."""
    client = farm.redwing({"lua-time-limit": 20}).client()
    for command in (("EVAL", "end while true do end function f()", 0),
                    ("SCRIPT", "LOAD", "return 1 end while true do end do")):
        assert "'<eof>' expected near 'end'" in str(client.call_or_error(*command))


LIBRARIES = ("string", "table", "math", "coroutine", "redis", "cjson", "struct", "cmsgpack", "bit")

ROWS = {
    **{f"{name} is read-only": [
        caught(f"{name}.a = 1"), caught(f"local k = next({name}) {name}[k] = 1"), caught(f"rawset({name}, 'a', 1)"),
        caught(f"setmetatable({name}, nil)"), caught(f"setmetatable({name}, {{}})"), caught(f"table.insert({name}, 1)"),
        e(f"return rawget({name}, 'none') == nil"), e(f"return type({name})"), e(f"return #{name}"),
        e(f"local n = 0 for k, v in pairs({name}) do assert(rawget({name}, k) == v and {name}[k] == v) n = n + 1 end "
          "return n > 1"),
    ] for name in LIBRARIES},
    "the globals are read-only": [
        caught("rawset(_G, 'a', 1)"), caught("setmetatable(_G, nil)"), caught("setmetatable(_G, {})"),
        caught("table.insert(_G, 1)"), e("return rawget(_G, 'none') == nil"), e("return _G._G == _G"),
        e("return {KEYS[1], ARGV[1], _G.KEYS[1], rawget(_G, 'ARGV')[1]}", 1, "k", "v"),
        e("KEYS[1] = 'own' return KEYS", 1, "k"), e("local function f() return _G.string.upper('x') end return f()"),
    ],
    "what a script gets hold of": [
        e("return getmetatable(redis) == nil"), caught("getmetatable('').__index = {}"),
        caught("getmetatable('').upper = 1"), e("return getmetatable('').__index == string"), e("return ('x'):upper()"),
        caught("setmetatable(getmetatable(''), {})"), e("local _, t = pairs(redis) return t == redis"),
        e("return {getmetatable(setmetatable({}, {__metatable = 7}))}"),
        caught("return setmetatable(setmetatable({}, {__metatable = 1}), nil)"), caught("return setmetatable({}, 1)"),
        caught("return setmetatable(1, {})"), caught("return getmetatable()"), caught("return rawset({}, nil, 1)"),
        caught("return rawset({}, 1)"), caught("return rawset(1, 1, 1)"), caught("return rawget({})"),
        caught("return next()"), caught("return next({}, 1)"), caught("return pairs()"), caught("return pairs(1)"),
        e("local t = {} for k, v in pairs({10, 20, a = 30}) do t[#t + 1] = v end return t"), e("return {next({5})}"),
        e("return loadstring('return string.upper(...)')('x')"), e("return rawset({}, 'a', 5).a"),
        e("return getmetatable(setmetatable({}, {__index = {a = 1}})).__index.a"),
    ],
    "xpcall": [
        e("return {xpcall(function() return 1, 2 end, tostring)}"), e("return {xpcall(function() error('a', 0) end, string.upper)}"),
        e("return {xpcall(function() error('a') end, function(e) error('b') end)}"), e("return {xpcall(error, 5)}"),
        e("return {xpcall(function() error({'x'}) end, function(e) return e[1] end)}"), caught("return xpcall(error)"),
        e("return {xpcall(5, function(e) return e end)}"), e("return {xpcall(error, function(...) return select('#', ...) end)}"),
        e("return {pcall(xpcall)}"), e("return {xpcall(function() xpcall(error, error) error('x', 0) end, function(e) return e end)}"),
    ],
    "table": [
        e("local t = {1, 2, 3} table.insert(t, 4) table.insert(t, 1, 0) table.insert(t, 3, 9) return t"),
        e("local t = {1, 2, 3} table.insert(t, 9, 4) return {#t, t[9]}"),
        e("local t = {1, 2, 3} table.insert(t, -2, 7) return {t[-2], t[-1], t[0], t[1], #t}"),
        e("local t = {1, 2, 3} return {tostring(table.remove(t, 5)), #t, tostring(table.remove(t, 0)), table.remove(t, 1), #t}"),
        e("local t = {1, 2, 3} return {table.remove(t), table.remove(t), table.remove(t), tostring(table.remove(t)), #t}"),
        e("return select('#', table.remove({}))"), caught("return table.insert({}, 1, 2, 3)"), caught("return table.insert({})"),
        caught("return table.insert(5, 1)"), caught("return table.insert({}, 'x', 1)"), caught("return table.remove(5)"),
        e("local t = {5, 2, 8, 1} table.sort(t) return t"), e("local t = {5, 2, 8, 1} table.sort(t, function(a, b) return a > b end) return t"),
        e("local t = {'b', 'a', 'c'} table.sort(t) return t"), caught("table.sort({1, 'a', 2})"), caught("table.sort({{}, {}})"),
        caught("table.sort({3, 2, 1}, 5)"), caught("table.sort(5)"), e("local t = {3, 1, 2} table.sort(t, rawequal) return #t"),
        e("return {collectgarbage('count') > 0, collectgarbage('step') ~= nil, collectgarbage()}"), caught("collectgarbage('x')"),
    ],
    "string": [
        e("return {string.find('hello', 'l+')}"), e("return {string.find('a.b', '.', 2, true)}"), e("return {('x=1, y=2'):match('(%w+)=(%w+)')}"),
        e("local t = {} for k, v in ('x=1, y=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end return t"),
        e("return {('hello world'):gsub('o', '0', 1)}"), e("return {('abc'):gsub('%w', '%0%0')}"), e("return {('abc'):gsub('', '-')}"),
        e("return {('abc'):gsub('b', '%')}"), e("return {('$name'):gsub('%$(%w+)', {name = 'x'})}"), e("return {('THE (quick) fox'):find('%((%a+)%)')}"),
        caught("return ('a'):find('[')"), caught("return ('a'):find('%')"), caught("return ('a'):gsub('a', true)"), caught("return ('a'):gsub('a')"),
        caught("return ('abc'):gsub('b', {b = {}})"), caught("return ('a'):match('(')"), caught("return ('a'):match(')')"),
        e("return {('f(a(b)c)d'):match('%b()'), ('THE fox'):find('%f[%l]%l+')}"), e("return {string.rep('ab', 3), string.rep('x', 0), string.rep('', 5)}"),
        e("return #string.rep('abc', 100001)"), e("return string.gfind == string.gmatch"), e("return {string.find('abc', 'b', -1), string.find('', '')}"),
    ],
    "cmsgpack": [
        e("return {cmsgpack.unpack_limit('\\1\\2\\3', 0)}"), e("return {cmsgpack.unpack_limit('\\1\\2\\3', 0, 1)}"),
        e("return {cmsgpack.unpack_limit('\\1\\2\\3', 0, 3)}"), e("return {cmsgpack.unpack_limit('\\1\\2\\3', 9)}"),
        e("return tostring(cmsgpack.unpack('\\207' .. string.rep('\\255', 8)))"),
        e("return tostring(cmsgpack.unpack('\\207\\128' .. string.rep('\\0', 7)))"), e("return {cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION}"),
        caught("return cmsgpack.unpack('\\129\\192\\1')"), caught("return cmsgpack.unpack('\\129\\203\\127\\248\\0\\0\\0\\0\\0\\1\\1')"),
        caught("return cmsgpack.unpack(string.rep('\\145', 100000))"), caught("return cmsgpack.unpack(string.rep('\\1', 100000))"),
        caught("return cmsgpack.unpack(string.rep('\\129\\1', 100000))"),
    ],
    "struct": [
        caught("return struct.unpack('c2147483647', 'abc')"), caught("return struct.unpack('c2147483648', 'abc')"),
        caught("return struct.unpack('b', 'a', -1)"), caught("return struct.unpack('b', 'a', 0)"), caught("return struct.unpack('b', 'a', -2^40)"),
        caught("return struct.pack('c2147483647', 'abc')"), caught("return struct.unpack('i2147483647', 'abc')"),
        e("return {struct.unpack('', 'a', 5)}"), e("return tostring(struct.unpack('', 'a', -1))"),
    ],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_rows(pair, row):
    pair.run(row)


def test_names_of_globals_are_read_only(farm):
    """7.0 has one text for old names and new ones; 6.0.7 has one for new ones, which scripts know."""
    client = farm.redwing().client()
    for script in ("KEYS = {}", "redis = nil", "_G.string = {}", "loadstring('pcall = error')()"):
        assert "Attempt to modify a readonly table" in str(client.call_or_error("EVAL", script, 0))
    for script in ("new = 1", "_G.new = 1", "loadstring('new = 1')()"):
        assert "Script attempted to create global variable 'new'" in str(client.call_or_error("EVAL", script, 0))


def test_nothing_of_a_script_is_left_to_the_next(farm):
    client = farm.redwing().client()
    # A function's environment, unlike its locals, outlives the call.
    script = "local seen = redis setfenv(0, {}) setfenv(1, {}) return redis == nil and 1"
    for _ in range(2):
        assert client.call("EVAL", script, 0) == 1
    assert client.call("EVAL", "return loadstring('return redis.sha1hex(\"\")')()", 0) == (
        b"da39a3ee5e6b4b0d3255bfef95601890afd80709")


@pytest.mark.parametrize("command", ["SET", "EVAL"])
def test_a_busy_replica_loses_nothing_of_its_master(farm, command):
    master, replica = farm.redwing(), farm.redwing({"lua-time-limit": 20})
    client, other = master.client(), replica.client()
    other.call("REPLICAOF", "127.0.0.1", master.port)
    eventually(lambda: other.info("replication").get("master_link_status") == "up")
    runner = start(replica, "while true do end")
    eventually(lambda: str(other.call_or_error("PING")) == BUSY)
    for i in range(100):
        if command == "SET":
            client.call("SET", f"k{i}", i)
        else:
            client.call("EVAL", "return redis.call('set', KEYS[1], ARGV[1])", 1, f"k{i}", i)
    client.call("SCRIPT", "FLUSH")
    # The script's replica is told of all of it, and goes on serving others meanwhile.
    for _ in range(20):
        assert str(other.call_or_error("PING")) == BUSY
    assert other.call("SCRIPT", "KILL") == b"OK"
    assert KILLED in str(runner.read())
    assert client.call("WAIT", 1, 10000) == 1
    assert other.call("DEBUG", "DIGEST") == client.call("DEBUG", "DIGEST")
    assert other.call("GET", "k99") == b"99"
