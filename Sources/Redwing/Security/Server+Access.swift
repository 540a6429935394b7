// SPDX-License-Identifier: BSD-3-Clause
//
// Who may run what, as dispatch asks it.

import Configuration
import Memory

/// Why a command is refused.
enum AccessDenial: Equatable {
    case command
    /// The word of the request that names what the user may not touch.
    case key(Int)
    case channel(Int)

    var text: StaticString {
        switch self {
        case .command: ""
        case .key: "NOPERM this user has no permissions to access one of the keys used as arguments"
        case .channel:
            "NOPERM this user has no permissions to access one of the channels used as arguments"
        }
    }
}

extension Server {
    /// New connections must authenticate.
    var requiresPassword: Bool {
        let rights = rooms.access.defaultUser.rights
        return !rights.needsNoPassword || !rights.isOn
    }

    /// Logs `client` in; false when the pair is wrong.
    func authenticate(_ client: Client, user name: Bytes, password: Bytes) -> Bool {
        guard let user = rooms.access.users[name.array], user.rights.isOn,
            user.rights.accepts(password.array)
        else {
            addAccessLog(
                client, .auth, context(of: client), object: client[0].array, user: name.array)
            return false
        }
        client.attachments.user = user === rooms.access.defaultUser ? nil : user
        client.isAdmitted = true
        client.authenticated = true
        return true
    }

    /// What a connection is before it said who it is.
    func forgetUser(_ client: Client) {
        client.attachments.user = nil
        client.isAdmitted = !requiresPassword
        client.authenticated = client.isAdmitted
    }

    /// Somebody has less than all rights.
    var hasAccessRules: Bool { rooms.access.isLimited }

    /// The NOPERM text, or nil when `client` may run `command` with its arguments.
    func accessRefusal(_ client: Client, _ command: Command) -> String? {
        guard hasAccessRules, let denial = denial(client, command) else { return nil }
        logDenial(denial, client, command, context(of: client))
        if denial == .command {
            return
                "NOPERM this user has no permissions to run the '\(command.name)' command or its subcommand"
        }
        return "\(denial.text)"
    }

    /// The same for a command that was queued when it was still allowed.
    func accessRefusalInExec(_ client: Client, _ command: Command) -> String? {
        guard hasAccessRules, let denial = denial(client, command) else { return nil }
        logDenial(denial, client, command, .multi)
        let reason: StaticString
        switch denial {
        case .command: reason = "no permission to execute the command or subcommand"
        case .key: reason = "no permission to touch the specified keys"
        case .channel:
            reason = "no permission to access one of the channels used as arguments to the command"
        }
        return
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: \(reason)"
    }

    // MARK: The rules

    /// A script's commands are its caller's.
    func responsible(_ client: Client) -> Client {
        guard client.flags.contains(.script), let room = rooms.scripting, room.client === client,
            let run = room.run
        else { return client }
        return run.caller
    }

    private func denial(_ client: Client, _ command: Command) -> AccessDenial? {
        guard let rights = responsible(client).accessUser?.rights, !rights.isUnlimited else {
            return nil
        }
        if !rights.allCommands, !mayRun(client, command, rights) { return .command }
        if !rights.allKeys {
            for i in command.keyIndices(client.arguments) where i < client.count {
                if !Self.matches(client[i], rights.keys) { return .key(i) }
            }
        }
        return rights.allChannels ? nil : channelDenial(client, command, rights)
    }

    private func mayRun(_ client: Client, _ command: Command, _ rights: Rights) -> Bool {
        let id = command.accessNumber
        if rights.commands.contains(id) || command.flags.contains(.everybody) { return true }
        guard client.count > 1, let words = rights.subcommands[id] else { return false }
        return words.contains(Rights.lowercased(client[1].array))
    }

    private func channelDenial(
        _ client: Client, _ command: Command, _ rights: Rights
    ) -> AccessDenial? {
        let flags = command.flags
        if flags.contains(.patterns) {
            // A pattern must be one that the user has, word for word: it could match anything else.
            for i in 1..<client.count where !rights.channels.contains(client[i].array) {
                return .channel(i)
            }
        } else if flags.contains(.channels) {
            let end = flags.contains(.oneChannel) ? 2 : client.count
            for i in 1..<end where !Self.matches(client[i], rights.channels) { return .channel(i) }
        }
        return nil
    }

    private static func matches(_ word: Bytes, _ patterns: [[UInt8]]) -> Bool {
        patterns.contains { Bytes.with($0) { Glob.matches($0, word) } }
    }

    // MARK: The log

    private func context(of client: Client) -> AccessLog.Context {
        if client.flags.contains(.script) { return .lua }
        return client.flags.contains(.multi) ? .multi : .toplevel
    }

    private func logDenial(
        _ denial: AccessDenial, _ client: Client, _ command: Command, _ context: AccessLog.Context
    ) {
        let user = responsible(client).accessUser?.name ?? []
        switch denial {
        case .command:
            addAccessLog(client, .command, context, object: Array(command.name.utf8), user: user)
        case .key(let i):
            addAccessLog(client, .key, context, object: client[i].array, user: user)
        case .channel(let i):
            addAccessLog(client, .channel, context, object: client[i].array, user: user)
        }
    }

    private func addAccessLog(
        _ client: Client, _ reason: AccessLog.Reason, _ context: AccessLog.Context,
        object: [UInt8], user: [UInt8]
    ) {
        // Who isn't logged in yet chooses both words, and they are kept.
        let longest = AccessLog.longestWord
        let entry = AccessLog.Entry(
            reason: reason, context: context, object: Array(object.prefix(longest)),
            user: Array(user.prefix(longest)), time: now,
            client: responsible(client).describe())
        rooms.access.log.add(entry, limit: config.acllogMaxLen)
    }
}
