// SPDX-License-Identifier: BSD-3-Clause
//
// Bytes in and out of clients. Input is read into one buffer shared by all clients: only a request
// that did not arrive whole costs its client memory. Output gathers in the client's reply and is
// written once a turn.

import Configuration
import Glibc
import Keyspace
import Memory
import RESP

extension Server {
    /// Bytes asked for in one read.
    static let readSize = 64 << 10

    // MARK: In

    /// `more`: see `Readiness`.
    func readable(_ client: Client, more: Bool = false) {
        if !readOnce(client, more: more) { loop.rearm(client.fd) }
    }

    /// Reads, and runs what that brought; false when there may be bytes left that nobody will announce.
    @inline(__always)
    private func readOnce(_ client: Client, more: Bool) -> Bool {
        let stop: ClientFlags = [.closeAfterReply, .closeSoon, .closed, .protected]
        if !client.flags.isDisjoint(with: stop) { return false }
        // A busy script refuses others' commands. Those of our master wait in its socket instead: the
        // stream has no command to spare.
        if client.flags.contains(.master), isBusy { return false }
        // Inside a nested turn (a script's or a load's) the shared buffer holds the outer request.
        let shared = client.query.isEmpty && !sharedInputBusy
        return shared
            ? read(client, into: sharedInput, shared: true, more: more)
            : read(client, into: client.query, shared: false, more: more)
    }

    @inline(__always)
    private func read(
        _ client: Client, into buffer: ByteBuffer, shared: Bool, more: Bool
    ) -> Bool {
        let missing = client.parser.missing(have: buffer.count)
        // A big word is read in growing pieces: what has arrived justifies as much again.
        let size = max(Self.readSize, min(missing, buffer.count, 16 << 20))
        statistics.reads &+= 1
        let place = buffer.reserve(size)
        let room = shared ? Self.readSize : buffer.room
        let result =
            client.transport?.read(into: place, room)
            ?? SystemCalls.receive(client.fd, into: place, room)
        switch result {
        case .bytes(let n):
            buffer.commit(n)
            statistics.inputBytes += UInt64(n)
            client.lastInteraction = now / 1000
            if client.flags.contains(.master) {
                statistics.replicationInputBytes += UInt64(n)
                rooms.replicationRoom?.heard = true
            }
            process(buffer, of: client, shared: shared)
            if let transport = client.transport, transport.hasPending, !client.isClosed {
                loop.busy = true
                client.flags.insert(.unprocessed)
                unprocessed.append(client)
            }
            // What comes after a read that fell short is announced as an arrival.
            return n < room && !more
        case .wouldBlock: return true
        case .end:
            Log.verbose("Client closed connection")
            free(client)
        case .failed(let code):
            let reason = SystemError(call: "read", code: code).reason
            Log.verbose("Reading from client: \(reason)")
            free(client)
        }
        return true
    }

    /// Runs all whole requests in `buffer`; what is left of the shared one becomes the client's.
    func process(_ buffer: ByteBuffer, of client: Client, shared: Bool) {
        if shared { sharedInputBusy = true }
        readClock()
        runRequests(in: buffer, of: client)
        if shared {
            sharedInputBusy = false
            if !buffer.isEmpty {
                if !client.isClosed { client.query.append(buffer.bytes) }
                buffer.removeAll()
            }
        }
        if !client.isClosed, client.query.count > config.clientQueryBufferLimit,
            !client.flags.contains(.master)
        {
            let text = client.describe()
            Log.warning("Closing client that reached max query buffer length: \(text)")
            free(client)
        }
    }

    @inline(__always)
    private func runRequests(in buffer: ByteBuffer, of client: Client) {
        let limits =
            client.authenticated || client.flags.contains(.master)
            ? requestLimits : .unauthenticated
        while !buffer.isEmpty {
            if !client.flags.isDisjoint(with: Self.stopFlags) { return }
            if !windowBusy, !client.parser.isMidRequest {
                window.fill(from: buffer.bytes, limits: limits)
                if window.count > 0 {
                    windowBusy = true
                    let goesOn = runWindow(of: buffer, client)
                    windowBusy = false
                    if goesOn { continue }
                    return
                }
            }
            switch client.parser.parse(buffer.bytes, limits: limits) {
            case .request(let size):
                client.arguments = client.parser.arguments
                if client.flags.contains(.master), !client.parser.isMultibulk {
                    violated(client, Bytes("inline request"), buffer)
                    return
                }
                client.request =
                    client.parser.isMultibulk
                    ? Bytes(start: buffer.bytes.start, count: size) : .empty
                guard execute(client) else {
                    client.request = .empty
                    return
                }
                finished(client, size: size, in: buffer)
            case .empty(let size):
                // An empty line from a replica is its sign of life while it loads.
                if client.flags.contains(.replica) { replicaGaveSign(client) }
                // It belongs to no stream and isn't counted.
                buffer.consume(size)
            case .incomplete: return
            case .violation(let text):
                Bytes.with(text) { violated(client, $0, buffer) }
                return
            case .noBulk(let byte):
                Bytes.with(Array("expected '$', got '".utf8) + [byte, UInt8(ascii: "'")]) {
                    violated(client, $0, buffer)
                }
                return
            }
        }
    }

    /// Clients in these states run no further request for now.
    private static let stopFlags: ClientFlags = [
        .blocked, .postponed, .closeAfterReply, .closeSoon, .closed,
    ]

    /// Runs the requests that the window holds, which `buffer` begins with; false when the rest has to
    /// wait.
    @inline(__always)
    private func runWindow(of buffer: ByteBuffer, _ client: Client) -> Bool {
        let foresees = window.count > 1 && foresee(client)
        defer { client.withDatabase { $0.forget() } }
        for index in 0..<window.count {
            if index > 0, !client.flags.isDisjoint(with: Self.stopFlags) { return false }
            let size = window.size(of: index)
            client.arguments = window.arguments(of: index)
            client.request = Bytes(start: buffer.bytes.start, count: size)
            if foresees { client.withDatabase { foresight.recall(index, in: $0) } }
            guard execute(client) else {
                client.request = .empty
                return false
            }
            finished(client, size: size, in: buffer)
        }
        return true
    }

    /// Asks for the memory that the requests in the window, two or more, will need. A key that the first
    /// two share is taken to be all the others' as well. True when `foresight` knows entries.
    private func foresee(_ client: Client) -> Bool {
        // Who loads may be another thread.
        if loading { return false }
        let inside = client.lastCommand?.with { $0.looksInside } == true
        let (first, second) = (window.arguments(of: 0), window.arguments(of: 1))
        if first.count > 1, second.count > 1, first[1] == second[1] {
            client.withDatabase { $0.remember(first[1]) }
            if !inside { return false }
        }
        foresight.begin()
        for index in 0..<window.count {
            let words = window.arguments(of: index)
            // One without a key has its step as well: `recall` goes by the request's number.
            foresight.append(
                key: words.count > 1 ? words[1] : .empty,
                second: words.count > 2 ? words[2] : .empty,
                third: words.count > 3 ? words[3] : .empty)
        }
        client.withDatabase { foresight.fetch(from: $0, inside: inside) }
        return foresight.knowsEntries
    }

    @inline(__always)
    private func finished(_ client: Client, size: Int, in buffer: ByteBuffer) {
        if client.flags.contains(.master) {
            masterApplied(client, Bytes(start: buffer.bytes.start, count: size))
        }
        client.request = .empty
        buffer.consume(size)
    }

    private func violated(_ client: Client, _ reason: Bytes, _ buffer: ByteBuffer) {
        let text = reason.string
        let sample = Bytes(start: buffer.bytes.start, count: min(buffer.count, 128)).string
        if client.flags.contains(.master) || client.flags.contains(.replica) {
            let who = client.flags.contains(.master) ? "master" : "replica"
            Log.warning(
                "Protocol error (\(text)) from \(who): \(client.describe()). Query buffer: '\(sample)'"
            )
        } else {
            Log.verbose(
                "Protocol error (\(text)) from client: \(client.describe()). Query buffer: '\(sample)'"
            )
        }
        if client.flags.contains(.master) {
            client.flags.insert(.closeSoon)
            masterProtocolError(client)
            freeSoon(client)
        } else {
            Bytes.with(Array("ERR Protocol error: ".utf8) + reason.array) { client.reply.error($0) }
            client.flags.insert(.closeAfterReply)
            wantsWrite(client)
        }
        buffer.consume(buffer.count)
    }

    /// Goes on with requests that had to wait (the client was blocked or paused).
    func resume(_ client: Client) {
        if client.isClosed || client.flags.contains(.blocked) { return }
        client.flags.insert(.unprocessed)
        unprocessed.append(client)
        loop.busy = true
    }

    func runUnprocessed() {
        if unprocessed.isEmpty { return }
        let batch = unprocessed
        unprocessed = []
        for client in batch where !client.isClosed {
            client.flags.remove(.unprocessed)
            if !client.query.isEmpty { process(client.query, of: client, shared: false) }
            if !client.isClosed, client.transport?.hasPending == true { readable(client) }
        }
    }

    // MARK: Out

    /// Says that `client` has output that this turn's end must write.
    @inline(__always)
    public func wantsWrite(_ client: Client) {
        if client.flags.contains(.pendingWrite) || client.fd < 0 { return }
        client.flags.insert(.pendingWrite)
        pendingWrites.append(ClientReference(client))
    }

    /// Writes what this turn's output is, replies before what replicas get: that is more.
    func flushReplies() {
        if pendingWrites.isEmpty { return }
        // Two arrays take turns, so that a turn allocates nothing.
        swap(&pendingWrites, &flushing)
        var toReplicas = false
        for index in flushing.indices {
            flushing[index].with { client in
                if client.flags.contains(.replica) { toReplicas = true } else { flush(client) }
            }
        }
        if toReplicas {
            for index in flushing.indices {
                flushing[index].with { if $0.flags.contains(.pendingWrite) { flush($0) } }
            }
        }
        flushing.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    private func flush(_ client: Client) {
        client.flags.remove(.pendingWrite)
        if client.fd >= 0 { writable(client) }
    }

    /// `client` is being freed.
    func forgetWrites(of client: Client) {
        func forget(in list: inout [ClientReference]) {
            for index in list.indices where list[index].client === client {
                list[index] = ClientReference()
            }
        }
        forget(in: &pendingWrites)
        forget(in: &flushing)
    }

    /// Writes what there is. Watches for room when the socket takes no more.
    func writable(_ client: Client) {
        statistics.writes &+= 1
        if client.flags.contains(.replica) { return replicaIsWritable(client) }
        guard write(client.reply.out, to: client) else { return }
        client.softLimitSince = 0
        guard watchInput(client) else { return }
        if client.flags.contains(.closeAfterReply) { free(client) }
    }

    /// Writes all of `out`; false when that has to wait for room, or the client was freed.
    func write(_ out: ByteBuffer, to client: Client) -> Bool {
        while !out.isEmpty {
            let result =
                client.transport?.write(out.bytes) ?? SystemCalls.send(client.fd, out.bytes)
            switch result {
            case .bytes(let n):
                out.consume(n)
                statistics.outputBytes += UInt64(n)
                // Replies prove nothing about a silent peer except for ordinary clients.
                if !client.flags.contains(.master) { client.lastInteraction = now / 1000 }
            case .wouldBlock, .end:
                loop.setInterest(client.fd, [.read, .write])
                return false
            case .failed(let code):
                let reason = SystemError(call: "write", code: code).reason
                Log.verbose("Error writing to client: \(reason)")
                free(client)
                return false
            }
        }
        out.removeAll(keeping: 64 << 10)
        if let transport = client.transport, case .failed(let code) = transport.flush() {
            Log.verbose("Error writing to client: \(SystemError(call: "write", code: code).reason)")
            free(client)
            return false
        }
        return true
    }

    /// Applies `client-output-buffer-limit` to what waits in the client's reply; a client over it is
    /// freed before the loop sleeps. To be called where output of unknown size was added.
    @inline(__always)
    func checkOutputLimit(_ client: Client) {
        let used = client.reply.out.count
        if used < 16 << 10 { return }
        enforceOutputLimit(client, used)
    }

    func enforceOutputLimit(_ client: Client, _ used: Int) {
        if client.fd < 0 || client.flags.contains(.closeSoon) { return }
        let limit =
            client.flags.contains(.pubsub)
            ? config.pubsubOutputBufferLimit : config.normalOutputBufferLimit
        var over = limit.hard > 0 && used >= limit.hard
        if !over, limit.soft > 0, used >= limit.soft {
            if client.softLimitSince == 0 {
                client.softLimitSince = now
            } else {
                over = (now - client.softLimitSince) / 1000 > Int64(limit.softSeconds)
            }
        } else if !over {
            client.softLimitSince = 0
        }
        if over {
            Log.warning(
                "Client \(client.describe()) scheduled to be closed ASAP for overcoming of output buffer limits."
            )
            freeSoon(client)
        }
    }
}
