// SPDX-License-Identifier: BSD-3-Clause
//
// Channels, patterns and who listens to them.

import Memory
import RESP

/// The subscriptions of all clients.
public struct PubSub {
    /// By channel, in the order of subscription.
    private(set) var channels: [[UInt8]: [Client]] = [:]
    /// One entry a client and pattern, in the order of subscription.
    private(set) var patterns: [(pattern: [UInt8], client: Client)] = []

    public init() {}

    mutating func subscribe(_ client: Client, _ channel: [UInt8]) {
        if client.attachments.channels.insert(channel).inserted {
            channels[channel, default: []].append(client)
        }
    }

    mutating func unsubscribe(_ client: Client, _ channel: [UInt8]) {
        guard client.attachments.channels.remove(channel) != nil else { return }
        channels[channel]?.removeAll { $0 === client }
        if channels[channel]?.isEmpty == true { channels[channel] = nil }
    }

    mutating func subscribe(_ client: Client, pattern: [UInt8]) {
        if client.attachments.patterns.contains(pattern) { return }
        client.attachments.patterns.append(pattern)
        patterns.append((pattern, client))
    }

    mutating func unsubscribe(_ client: Client, pattern: [UInt8]) {
        guard let at = client.attachments.patterns.firstIndex(of: pattern) else { return }
        client.attachments.patterns.remove(at: at)
        patterns.removeAll { $0.client === client && $0.pattern == pattern }
    }

    mutating func removeAll(of client: Client) {
        for channel in client.attachments.channels { unsubscribe(client, channel) }
        for pattern in client.attachments.patterns { unsubscribe(client, pattern: pattern) }
    }

    /// Patterns, each counted once however many clients have it.
    var distinctPatterns: Int { Set(patterns.map(\.pattern)).count }
}

extension Server {
    /// Gives `message` to all who listen; how many got it.
    @discardableResult
    public func publish(_ channel: Bytes, _ message: Bytes) -> Int {
        var receivers = 0
        for client in rooms.pubsub.channels[channel.array] ?? [] {
            client.reply.push(3)
            client.reply.bulk("message")
            client.reply.bulk(channel)
            client.reply.bulk(message)
            pushed(to: client)
            receivers += 1
        }
        for (pattern, client) in rooms.pubsub.patterns {
            let matches = Bytes.with(pattern) { Glob.matches($0, channel) }
            guard matches else { continue }
            client.reply.push(4)
            client.reply.bulk("pmessage")
            client.reply.bulk(pattern)
            client.reply.bulk(channel)
            client.reply.bulk(message)
            pushed(to: client)
            receivers += 1
        }
        return receivers
    }

    /// Output that is no reply was added to `client`.
    func pushed(to client: Client) {
        if client.isClosed { return }
        wantsWrite(client)
        checkOutputLimit(client)
    }
}

extension CommandTable {
    static func pubsub() -> [Command] {
        [
            Command(
                "subscribe", -2, "pubsub noscript loading stale in_pubsub channels", "pubsub",
                since: "2.0.0",
                "Listens to channels.", PubSubCommands.subscribe),
            Command(
                "unsubscribe", -1, "pubsub noscript loading stale in_pubsub", "pubsub",
                since: "2.0.0",
                "Stops listening to channels, or to all of them.", PubSubCommands.unsubscribe),
            Command(
                "psubscribe", -2, "pubsub noscript loading stale in_pubsub patterns", "pubsub",
                since: "2.0.0",
                "Listens to all channels that match a pattern.", PubSubCommands.psubscribe),
            Command(
                "punsubscribe", -1, "pubsub noscript loading stale in_pubsub", "pubsub",
                since: "2.0.0",
                "Stops listening to patterns, or to all of them.", PubSubCommands.punsubscribe),
            Command(
                "publish", 3, "pubsub loading stale fast channels one_channel may_replicate",
                "pubsub", since: "2.0.0",
                "Sends a message to all who listen to a channel.", PubSubCommands.publish),
            Command(
                "pubsub", -2, "pubsub random loading stale", "pubsub",
                subcommands: PubSubCommands.subcommands, since: "2.8.0",
                "Tells which channels and patterns have listeners."),
        ]
    }
}

enum PubSubCommands {
    static func subscribe(_ c: Client) {
        for i in 1..<c.count {
            c.server.rooms.pubsub.subscribe(c, c[i].array)
            confirm(c, "subscribe", c[i])
        }
    }

    static func psubscribe(_ c: Client) {
        for i in 1..<c.count {
            c.server.rooms.pubsub.subscribe(c, pattern: c[i].array)
            confirm(c, "psubscribe", c[i])
        }
    }

    static func unsubscribe(_ c: Client) {
        let given = c.count > 1 ? (1..<c.count).map { c[$0].array } : Array(c.attachments.channels)
        leave(c, "unsubscribe", given) { c.server.rooms.pubsub.unsubscribe(c, $0) }
    }

    static func punsubscribe(_ c: Client) {
        let given = c.count > 1 ? (1..<c.count).map { c[$0].array } : c.attachments.patterns
        leave(c, "punsubscribe", given) { c.server.rooms.pubsub.unsubscribe(c, pattern: $0) }
    }

    private static func leave(
        _ c: Client, _ verb: StaticString, _ names: [[UInt8]], _ body: ([UInt8]) -> Void
    ) {
        if names.isEmpty {
            c.reply.push(3)
            c.reply.bulk(verb)
            c.reply.null()
            c.reply.integer(c.attachments.subscriptions)
        }
        for name in names {
            body(name)
            Bytes.with(name) { confirm(c, verb, $0) }
        }
        if c.attachments.subscriptions == 0 { c.flags.remove(.pubsub) }
    }

    private static func confirm(_ c: Client, _ verb: StaticString, _ name: Bytes) {
        if c.attachments.subscriptions > 0 { c.flags.insert(.pubsub) }
        c.reply.push(3)
        c.reply.bulk(verb)
        c.reply.bulk(name)
        c.reply.integer(c.attachments.subscriptions)
    }

    static func publish(_ c: Client) {
        let receivers = c.server.publish(c[1], c[2])
        c.server.propagation.force()
        c.server.propagation.toAOF = false
        c.reply.integer(receivers)
    }

    static let subcommands = [
        Subcommand(
            "channels", 2...3,
            "CHANNELS [<pattern>] -- Return the currently active channels matching a pattern (default: all).",
            body: channels),
        Subcommand(
            "numpat", 2...2, "NUMPAT -- Return number of subscriptions to patterns."
        ) { $0.reply.integer($0.server.rooms.pubsub.distinctPatterns) },
        Subcommand(
            "numsub", 2...,
            "NUMSUB [channel-1 .. channel-N] -- Returns the number of subscribers for the specified channels (excluding patterns, default: none).",
            body: subscribers),
    ]

    private static func channels(_ c: Client) {
        let names = c.server.rooms.pubsub.channels.keys.filter { name in
            c.count == 2 || Bytes.with(name) { Glob.matches(c[2], $0) }
        }
        c.reply.array(names.count)
        for name in names { c.reply.bulk(name) }
    }

    private static func subscribers(_ c: Client) {
        c.reply.array((c.count - 2) * 2)
        for i in 2..<c.count {
            c.reply.bulk(c[i])
            c.reply.integer(c.server.rooms.pubsub.channels[c[i].array]?.count ?? 0)
        }
    }
}
