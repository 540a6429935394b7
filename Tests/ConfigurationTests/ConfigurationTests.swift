// SPDX-License-Identifier: BSD-3-Clause
//
// Loading, CONFIG GET, CONFIG SET, and the tables behind them.

import Memory
import Testing

@testable import Configuration

struct ConfigurationTests {
    private func loaded(_ text: String) throws -> Configuration {
        let configuration = Configuration()
        try configuration.load(text: Array(text.utf8), source: "test")
        return configuration
    }

    private func text(_ configuration: Configuration, _ name: String) -> String? {
        configuration.value(of: name).map { String(decoding: $0, as: UTF8.self) }
    }

    private func set(_ configuration: Configuration, _ name: String, _ value: String) -> String? {
        let change = Bytes.with(name) { n in Bytes.with(value) { configuration.set(n, $0) } }
        if case .refused(let reason) = change { return reason }
        return nil
    }

    @Test func defaultsAreInRangeAndComeBack() {
        for directive in Directive.all where directive.name != "dir" {
            let configuration = Configuration()
            guard let value = directive.value(in: configuration), directive.isMutable else {
                continue
            }
            #expect(directive.assign(value, to: configuration) == nil, "\(directive.name)")
            #expect(directive.value(in: configuration) == value, "\(directive.name)")
        }
    }

    @Test func noNameTwice() {
        let names = Directive.all.flatMap { [$0.name] + $0.aliases }
        #expect(Set(names).count == names.count)
    }

    @Test(arguments: [
        ("save", "3600 1 300 100 60 10000"),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
        ),
        ("maxmemory", "0"), ("repl-diskless-sync", "no"), ("slave-priority", "100"),
        ("oom-score-adj-values", "0 200 800"), ("bind", ""), ("replicaof", ""),
        ("proto-max-bulk-len", "536870912"),
        ("notify-keyspace-events", ""), ("unixsocketperm", "0"), ("appendfsync", "everysec"),
        ("replica-empty-master-guard", "no"), ("repl-spool", "memory"),
        ("repl-spool-size", "1073741824"),
    ])
    func defaultTexts(name: String, value: String) {
        #expect(text(Configuration(), name) == value)
    }

    @Test(arguments: [
        ("maxmemory 100mb", "maxmemory", "104857600"), ("maxmemory 1k", "maxmemory", "1000"),
        ("MAXMEMORY 2Gb", "maxmemory", "2147483648"),
        ("slaveof 10.0.0.1 6380", "replicaof", "10.0.0.1 6380"),
        ("requirepass \"a b\\x41\"", "requirepass", "a bA"),
        ("requirepass 'it\\'s'", "requirepass", "it's"),
        ("bind 127.0.0.1 ::1", "bind", "127.0.0.1 ::1"),
        ("unixsocketperm 700", "unixsocketperm", "700"),
        ("  # comment\n\n hz 600", "hz", "500"),
        ("save \"\"\nsave 9 1\nsave 3 2", "save", "9 1 3 2"),
        (
            "client-output-buffer-limit slave 1mb 2kb 3", "client-output-buffer-limit",
            "normal 0 0 0 slave 1048576 2048 3 pubsub 33554432 8388608 60"
        ),
        ("notify-keyspace-events gxKE", "notify-keyspace-events", "gxKE"),
        ("notify-keyspace-events g$lshzxetKm", "notify-keyspace-events", "AKm"),
        ("replica-empty-master-guard 500", "replica-empty-master-guard", "500"),
        ("hash-max-listpack-entries 7", "hash-max-ziplist-entries", "7"),
        ("loglevel WARNING", "loglevel", "warning"),
        ("slave-read-only no", "replica-read-only", "no"),
    ])
    func loads(lines: String, name: String, value: String) throws {
        #expect(text(try loaded(lines), name) == value)
    }

    @Test(arguments: [
        ("bogus x", "Bad directive or wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port 99999", "argument must be between 0 and 65535 inclusive"),
        ("port x", "argument couldn't be parsed into an integer"),
        ("maxmemory foo", "argument must be a memory value"),
        ("maxmemory -1", "argument must be a memory value"),
        ("daemonize maybe", "argument must be 'yes' or 'no'"),
        ("appendfsync x", "argument must be one of the following: everysec, always, no"),
        ("hz \"1", "Unbalanced quotes in configuration line"),
        ("hz \"1\"2", "Unbalanced quotes in configuration line"),
        ("save 1", "Invalid save parameters"), ("save 0 1", "Invalid save parameters"),
        ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
        ("slaveof h 70000", "Invalid master port"),
        ("loadmodule x.so", "Can't load module x.so: this server has no modules"),
        ("notify-keyspace-events q", "Invalid event class character. Use 'g$lshzxeA'."),
        ("unixsocketperm 9", "Invalid socket file permissions"),
        (
            "client-output-buffer-limit master 0 0 0",
            "Unrecognized client limit class: the user specified an "
                + "invalid one, or 'master' which has no buffer limits."
        ),
    ])
    func refuses(line: String, reason: String) {
        do throws(ConfigurationError) {
            try Configuration().load(text: Array("# first\n\(line)\n".utf8), source: "redis.conf")
            Issue.record("taken: \(line)")
        } catch {
            #expect(error.reason == reason)
            #expect(error.line == 2)
            let head =
                "\n*** FATAL CONFIG FILE ERROR (Redis 6.0.7) ***\nReading the configuration file, at line 2\n"
            #expect(error.description.hasPrefix(head + ">>> '\(line)'\n\(reason)\nIn redis.conf."))
        }
    }

    @Test func includesNameTheirPlace() throws {
        let folder = "/tmp/redwing-include-\(UInt32.random(in: 0...UInt32.max))"
        let outer = "\(folder)-outer.conf"
        let inner = "\(folder)-inner.conf"
        defer {
            File.remove(outer)
            File.remove(inner)
        }
        #expect(File.replace(outer, with: Array("port 7\ninclude \(inner)\n".utf8)) == nil)
        #expect(throws: ConfigurationError.self) { try Configuration().load(arguments: [outer]) }
        #expect(File.replace(inner, with: Array("hz 20\n".utf8)) == nil)
        let configuration = Configuration()
        try configuration.load(arguments: [outer])
        #expect(configuration.port == 7 && configuration.hz == 20)
        #expect(configuration.configFile == outer)
        #expect(File.replace(inner, with: Array("\n hz x".utf8)) == nil)
        do throws(ConfigurationError) {
            try Configuration().load(arguments: [outer])
        } catch {
            #expect(error.source == inner && error.line == 2)
        }
        #expect(File.replace(inner, with: Array("include \(inner)".utf8)) == nil)
        do throws(ConfigurationError) {
            try Configuration().load(arguments: [outer])
        } catch {
            #expect(error.reason == "include nested too deeply: a cycle?")
        }
        configuration.port = 8
        #expect(configuration.rewrite() == nil)
        guard case .success(let text) = File.read(outer) else { return #expect(Bool(false)) }
        let lines = String(decoding: text, as: UTF8.self)
        #expect(lines.hasPrefix("port 8\ninclude \(inner)\n# Generated by CONFIG REWRITE\n"))
    }

    @Test func aFileThatIsNotThere() {
        do throws(ConfigurationError) {
            try Configuration().load(arguments: ["/no/such.conf"])
        } catch {
            #expect(
                error.description
                    == "Fatal error, can't open config file '/no/such.conf': No such file or directory\n"
            )
        }
    }

    @Test func argumentsAreLines() throws {
        let configuration = Configuration()
        try configuration.load(arguments: [
            "--port", "7000", "--replicaof", "h", "1", "--requirepass", "a b", "--save", "",
        ])
        #expect(configuration.port == 7000)
        #expect(configuration.replicaof == MasterAddress(host: "h", port: 1))
        #expect(configuration.requirepass == Array("a b".utf8))
        #expect(configuration.savePoints.isEmpty)
    }

    @Test(arguments: [
        ("maxmemory", "1gb", nil), ("save", "", nil), ("save", "10 1 20 2", nil),
        ("slave-priority", "7", nil),
        ("client-output-buffer-limit", "normal 1 2 3 replica 4 5 6", nil),
        ("port", "1", "ERR Unsupported CONFIG parameter: port"),
        ("no-such", "1", "ERR Unsupported CONFIG parameter: no-such"),
        ("maxmemory", "", nil), ("maxmemory", "kb", nil),
        (
            "maxmemory", "-0",
            "ERR Invalid argument '-0' for CONFIG SET 'maxmemory' - argument must be a memory value"
        ),
        (
            "maxmemory", "x",
            "ERR Invalid argument 'x' for CONFIG SET 'maxmemory' - argument must be a memory value"
        ),
        ("save", "10", "ERR Invalid argument '10' for CONFIG SET 'save'"),
        (
            "maxclients", "0",
            "ERR Invalid argument '0' for CONFIG SET 'maxclients' - argument must be between 1 and "
                + "4294967295 inclusive"
        ),
        ("dir", "/no/such/dir", "ERR Changing directory: No such file or directory"),
    ])
    func sets(name: String, value: String, error: String?) {
        #expect(set(Configuration(), name, value) == error)
    }

    @Test func refusedByTheServerIsTakenBack() {
        let configuration = Configuration()
        let change = Bytes.with("maxclients") { name in
            Bytes.with("50000") { configuration.set(name, $0) { _ in "no descriptors" } }
        }
        guard case .refused(let text) = change else { return #expect(Bool(false)) }
        #expect(text == "ERR Invalid argument '50000' for CONFIG SET 'maxclients' - no descriptors")
        #expect(configuration.maxclients == 10000)
    }

    @Test func getByGlob() {
        let names = Bytes.with("repl*-SPOOL*") { Configuration().get($0) }.map(\.name)
        #expect(names == ["repl-spool", "repl-spool-size"])
    }

    @Test func rewriteKeepsWhatPeopleWrote() throws {
        let old = """
            # my server
            port 7000

            include common.conf
            save 900 1
            save 300 10
            # limits
            slave-priority 5
            maxmemory 1mb
            rename-command FLUSHALL ""

            """
        let configuration = try loaded(
            old.replacing("include common.conf\n", with: ""))
        configuration.savePoints = [SavePoint(seconds: 5, changes: 6)]
        configuration.replicaPriority = 9
        configuration.requirepass = Array("it's \"x\"".utf8)
        configuration.replicaof = MasterAddress(host: "h", port: 1)
        let new = String(
            decoding: configuration.rewritten(Array(old.utf8), users: nil), as: UTF8.self)
        #expect(
            new.hasPrefix(
                """
                # my server
                port 7000

                include common.conf
                save 5 6
                # limits
                replica-priority 9
                maxmemory 1mb
                rename-command FLUSHALL ""
                # Generated by CONFIG REWRITE

                """))
        #expect(new.contains("\nrequirepass \"it's \\\"x\\\"\"\n"))
        #expect(new.contains("\nreplicaof h 1\n"))
        // What was written reads back, and writing again changes nothing.
        let again = try loaded(new.replacing("include common.conf\n", with: ""))
        #expect(again.requirepass == configuration.requirepass)
        #expect(configuration.rewritten(Array(new.utf8), users: nil) == Array(new.utf8))
    }

    @Test(arguments: [
        // Nothing changed: each line stays as its author wrote it, and no class gets one.
        (
            "client-output-buffer-limit slave 1gb 0 0\n", "",
            "client-output-buffer-limit slave 1gb 0 0\n"
        ),
        (
            "client-output-buffer-limit pubsub 1mb 2kb 3\nhz 10\n", "",
            "client-output-buffer-limit pubsub 1mb 2kb 3\nhz 10\n"
        ),
        (
            "client-output-buffer-limit slave 1gb 0 0\n", "slave 5 6 7",
            "client-output-buffer-limit replica 5 6 7\n"
        ),
        (
            "client-output-buffer-limit pubsub 1 2 3\nclient-output-buffer-limit normal 4 5 6\n",
            "normal 7 8 9",
            "client-output-buffer-limit pubsub 1 2 3\nclient-output-buffer-limit normal 7 8 9\n"
        ),
        (
            "hz 10\n", "pubsub 1 2 3",
            "hz 10\n# Generated by CONFIG REWRITE\nclient-output-buffer-limit pubsub 1 2 3\n"
        ),
    ])
    func rewritesLimitsByClass(old: String, change: String, new: String) throws {
        let configuration = try loaded(old + "dir .\n")
        if !change.isEmpty {
            #expect(set(configuration, "client-output-buffer-limit", change) == nil)
        }
        let lines = String(
            decoding: configuration.rewritten(Array(old.utf8), users: nil), as: UTF8.self
        )
        .split(separator: "\n").filter { !$0.hasPrefix("dir ") }
        let expected = new.split(separator: "\n")
        let kept = lines.filter { change == "pubsub 1 2 3" || !$0.hasPrefix("# Generated") }
        #expect(kept == expected)
    }

    @Test func quotedWordsComeBack() {
        let word = (0...255).map { UInt8($0) }
        #expect(Syntax.split(Syntax.quoted(word)) == [word])
    }
}
