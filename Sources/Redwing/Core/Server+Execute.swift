// SPDX-License-Identifier: BSD-3-Clause
//
// From a request to its reply: find the command, see whether it may run now, run or queue it, and
// send into the stream what it changed.

import Configuration
import Keyspace
import Memory
import Platform
import RESP

extension Server {
    /// Handles the request in `client.arguments`; false when a pause puts it off: it is to be kept.
    @inline(__always)
    func execute(_ client: Client) -> Bool {
        let name = client.arguments[0]
        let command: CommandReference
        if let last = client.lastCommand, last.with({ $0.isNamed(name) }) {
            command = last
        } else if let found = commands.find(name) {
            command = CommandReference(found)
            client.lastCommand = command
        } else {
            unknownCommand(client)
            return true
        }
        return command.with { execute(client, $0) }
    }

    @inline(__always)
    private func execute(_ client: Client, _ command: Command) -> Bool {
        if !command.accepts(client.arguments.count) {
            refuse(client, command, "ERR wrong number of arguments for '\(command.name)' command")
            return true
        }
        if gateClosed || !client.authenticated || client.flags.rawValue & Self.specialFlags != 0 {
            if let text = refusal(client, command) {
                refuse(client, command, text)
                return true
            }
            if isPaused, isPutOff(client, command) { return false }
            beginReply(client)
        }
        if client.flags.contains(.multi), !command.flags.contains(.inMulti) {
            queue(client, command)
            return true
        }
        call(client, command)
        if blocking.hasReadyKeys { serveReadyKeys() }
        if !client.reply.out.isEmpty { replied(client) }
        return true
    }

    private static let specialFlags =
        (ClientFlags.multi.rawValue | ClientFlags.pubsub.rawValue | ClientFlags.replica.rawValue
            | ClientFlags.master.rawValue | ClientFlags.replyOff.rawValue
            | ClientFlags.replySkip.rawValue
            | ClientFlags.replySkipNext.rawValue)

    /// What must be looked at once there is something to write.
    @inline(__always)
    func replied(_ client: Client) {
        if client.flags.rawValue & Self.silentFlags != 0 { return silence(client) }
        wantsWrite(client)
        checkOutputLimit(client)
    }

    private static let silentFlags =
        (ClientFlags.master.rawValue | ClientFlags.replyOff.rawValue
            | ClientFlags.replySkip.rawValue)

    /// Replies that the client asked not to get (CLIENT REPLY), or that a master must not get.
    private func silence(_ client: Client) {
        let out = client.reply.out
        if client.flags.contains(.master) {
            masterWasReplied(client)
            out.removeAll(keeping: 4096)
            return
        }
        if out.count > client.owed { out.truncate(to: client.owed) }
        if !out.isEmpty || client.flags.contains(.closeAfterReply) { wantsWrite(client) }
    }

    /// What is in the client's reply is owed. A CLIENT REPLY SKIP is used up by one request, whatever
    /// becomes of it.
    private func beginReply(_ client: Client) {
        client.owed = client.reply.out.count
        client.flags.remove(.replySkip)
        if client.flags.contains(.replySkipNext) {
            client.flags.remove(.replySkipNext)
            client.flags.insert(.replySkip)
        }
    }

    /// Runs `command` now: EXEC and scripts come here too, once for each command.
    @inline(__always)
    func call(_ client: Client, _ command: Command) {
        if current != nil { return callNested(client, command) }
        run(client, command)
    }

    /// Runs the command of a client that waits once more: this is still the call that began to wait, so
    /// it isn't counted, shown or timed anew.
    func callAgain(_ client: Client, _ command: Command) { run(client, command, isRetry: true) }

    /// A command inside another (EXEC, a script): what the outer one said of its propagation is kept.
    private func callNested(_ client: Client, _ command: Command) {
        let outer = propagation
        propagation = Propagation()
        run(client, command)
        propagation = outer
    }

    @inline(__always)
    private func run(_ client: Client, _ command: Command, isRetry: Bool = false) {
        let before = dirty
        if !isRetry, !monitors.isEmpty { feedMonitors(client, command) }
        let previous = currentReference
        currentReference = ClientReference(client)
        let start = clock
        command.body(client)
        currentReference = previous
        readClock()
        let nanoseconds = UInt64(bitPattern: clock &- start)
        command.nanoseconds &+= nanoseconds
        if !isRetry {
            command.calls &+= 1
            statistics.commands &+= 1
        }
        // SAVE and DEBUG RELOAD set it back: that changes no data.
        if dirty > before || propagation.isSpecial {
            propagate(client, command, changed: dirty > before)
            if propagation.isSpecial { propagation = Propagation() }
        }
        if nanoseconds >= slowNanoseconds, !isRetry {
            wasSlow(client, command, microseconds: nanoseconds / 1000)
        }
        if client.flags.contains(.tracking) { ranTracking(client, command) }
    }

    // MARK: Refusals

    private func unknownCommand(_ client: Client) {
        let text = ByteBuffer()
        text.append("ERR unknown command `")
        text.append(client[0].prefix(128))
        text.append("`, with args beginning with: ")
        let start = text.count
        for i in 1..<max(1, client.count) {
            let shown = text.count - start
            if shown >= 128 { break }
            text.append("`")
            text.append(client[i].prefix(128 - shown))
            text.append("`, ")
        }
        refuse(client, text.bytes)
    }

    /// `command` can't be run: for EXEC that is the end of its transaction.
    private func refuse(_ client: Client, _ command: Command, _ text: String) {
        guard command.flags.contains(.runsQueue) else {
            return Bytes.with(text) { refuse(client, $0) }
        }
        beginReply(client)
        let reason = text.hasPrefix("ERR ") ? text.dropFirst(4) : text[...]
        client.reply.error("EXECABORT Transaction discarded because of: \(reason)")
        endTransaction(client)
        if !monitors.isEmpty { showToMonitors(client) }
        replied(client)
    }

    /// An error in place of running a command; a transaction in the making is spoilt by it.
    private func refuse(_ client: Client, _ text: Bytes) {
        beginReply(client)
        // What a master of a later version sends besides is applied all the same: it has done so.
        if client.flags.contains(.multi), !client.flags.contains(.master) {
            client.flags.insert(.dirtyExec)
        }
        client.reply.error(text)
        replied(client)
    }

    /// The checks of Redis's processCommand, in its order: why `command` may not run, if so.
    private func refusal(_ client: Client, _ command: Command) -> String? {
        let flags = command.flags
        if !client.authenticated, !flags.contains(.noAuth) {
            return "NOAUTH Authentication required."
        }
        if let text = accessRefusal(client, command) { return text }
        let isExec = command.flags.contains(.runsQueue)
        func concerns(_ flag: CommandFlags) -> Bool {
            flags.contains(flag) || (isExec && client.transaction?.flags.contains(flag) == true)
        }
        let isMaster = client.flags.contains(.master)
        if config.maxmemory > 0, !loading, !makeRoom() {
            // What is queued takes memory as well, whatever it does.
            let queues = client.flags.contains(.multi) && !flags.contains(.endsMulti)
            if queues || concerns(.denyoom) {
                return "OOM command not allowed when used memory > 'maxmemory'."
            }
        }
        if !isMaster, concerns(.write) || flags.contains(.needsDisk),
            let text = diskRefusal()
        {
            return text
        }
        if !isMaster, concerns(.write), let text = replicaCountRefusal() { return text }
        if isReadOnlyReplica, !isMaster, concerns(.write) {
            return "READONLY You can't write against a read only replica."
        }
        if client.flags.contains(.pubsub), client.reply.version == 2,
            !flags.contains(.inPubsub)
        {
            return
                "ERR Can't execute '\(command.name)': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT are allowed in this context"
        }
        if isStale, !flags.contains(.stale) {
            return
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
        }
        if loading, !flags.contains(.loading),
            !flags.contains(.endsLoad) || replication?.loader == nil
        {
            return "LOADING Redis is loading the dataset in memory"
        }
        return busyRefusal(client, command)
    }

    /// Recomputes whether `execute` must look closer. To be called when any of these change.
    func refreshGate() {
        keepsOwnExpiries = isReplica && !config.replicaReadOnly
        gateClosed =
            config.maxmemory > 0 || loading || isPaused || isReadOnlyReplica || isStale
            || diskRefusal() != nil
            || config.minReplicasToWrite > 0 || hasAccessRules || isBusy
    }
}
