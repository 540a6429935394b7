// SPDX-License-Identifier: BSD-3-Clause
//
// The users. The default user is always there: connections have its rights until they authenticate.
//
//     redis.conf: requirepass, user … ─┐
//     aclfile: user …                 ─┼→ users → accessRefusal, authenticate
//     ACL SETUSER, DELUSER, LOAD      ─┘        → ACL LIST, ACL SAVE, CONFIG REWRITE

import Configuration
import Memory

final class User {
    let name: [UInt8]
    var rights: Rights

    init(_ name: [UInt8], _ rights: Rights) {
        self.name = name
        self.rights = rights
    }
}

final class AccessRoom {
    static let defaultName = Array("default".utf8)

    var register = CommandRegister()
    let defaultUser: User
    private(set) var users: [[UInt8]: User]
    var log = AccessLog()
    /// Some user has less than all rights. Kept by `Server.accessChanged`.
    fileprivate(set) var isLimited = false

    init() {
        defaultUser = User(Self.defaultName, Self.allRights(register))
        users = [Self.defaultName: defaultUser]
    }

    /// "on nopass ~* +@all": what the default user starts with.
    static func allRights(_ register: CommandRegister) -> Rights {
        var rights = Rights(register)
        rights.isOn = true
        rights.needsNoPassword = true
        rights.allKeys = true
        rights.allChannels = true
        rights.allCommands = true
        rights.futureCommands = true
        rights.commands = register.all
        return rights
    }

    var sorted: [User] {
        users.values.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// Gives `name` these rights, making the user if it isn't there.
    func set(_ name: [UInt8], _ rights: Rights) {
        if let user = users[name] { user.rights = rights } else { users[name] = User(name, rights) }
    }

    func remove(_ name: [UInt8]) -> User? { users.removeValue(forKey: name) }

    /// Other users in the place of all. Those that were there, but for the default one, are returned.
    func replace(with fresh: [[UInt8]: Rights]) -> [User] {
        let old = users.values.filter { $0 !== defaultUser }
        users = [Self.defaultName: defaultUser]
        defaultUser.rights = fresh[Self.defaultName] ?? Self.allRights(register)
        for (name, rights) in fresh { set(name, rights) }
        return old
    }

    /// `user` lines, as files have them.
    var lines: [[UInt8]] {
        sorted.map { Array("user ".utf8) + $0.name + [0x20] + $0.rights.described(register) }
    }
}

extension Server {
    /// After each change of users or their rights.
    func accessChanged() {
        rooms.access.isLimited = rooms.access.users.values.contains { !$0.rights.isUnlimited }
        // Without a password everybody is in, who came while there was one for as long as that is so.
        let open = !requiresPassword
        for client in clients.values { client.authenticated = open || client.isAdmitted }
        refreshGate()
    }

    /// `requirepass` is the default user's password under another name.
    func takeDefaultPassword() {
        let user = rooms.access.defaultUser
        user.rights.passwords = []
        user.rights.needsNoPassword = config.requirepass.isEmpty
        if !config.requirepass.isEmpty {
            user.rights.passwords = [Rights.hash(config.requirepass)]
        }
        accessChanged()
    }

    /// At the start: the configuration's users, or those of the `aclfile`.
    func loadUsers() throws {
        for command in commands.all {
            command.accessNumber = rooms.access.register.number(of: command.name) ?? -1
        }
        takeDefaultPassword()
        for user in config.users { try loadUser(user) }
        if !config.aclfile.isEmpty, let errors = loadUserFile() {
            throw StartError(description: "Aborting Redis startup because of ACL errors: \(errors)")
        }
        accessChanged()
    }

    private func loadUser(_ user: UserDeclaration) throws(ConfigurationError) {
        let shown = String(decoding: user.name, as: UTF8.self)
        func wrong(_ reason: String) -> ConfigurationError {
            user.line.wrong(reason, usage: UserDeclaration.usage)
        }
        if Rights.hasSpaces(user.name) { throw wrong("Spaces not allowed in ACL usernames") }
        var rights = Rights(rooms.access.register)
        for rule in user.rules {
            do throws(RuleError) {
                try rights.apply(rule, rooms.access.register)
            } catch {
                throw wrong(
                    "Error in user declaration '\(String(decoding: rule, as: UTF8.self))': \(error)"
                )
            }
        }
        rooms.access.set(user.name, rights)
        if !rights.isOn {
            Log.notice(
                "The user '\(shown)' is disabled (there is no 'on' modifier in the user description). Make sure this is not a configuration error."
            )
        }
    }

    // MARK: The ACL file

    /// Takes the users of the `aclfile`. Any error leaves all users as they were; its text is returned.
    func loadUserFile() -> String? {
        let path = config.aclfile
        let text: [UInt8]
        do throws(TextFile.Failure) {
            text = try TextFile.read(path)
        } catch {
            return "Error loading ACLs, opening file '\(path)': \(error.text)"
        }
        var fresh: [[UInt8]: Rights] = [:]
        var errors = ""
        for (index, line) in text.split(separator: 10, omittingEmptySubsequences: false)
            .enumerated()
        {
            let place = "\(path):\(index + 1)"
            let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }.map { [UInt8]($0) }
            if words.isEmpty { continue }
            guard words[0] == Array("user".utf8), words.count >= 2 else {
                errors += "\(place) should start with user keyword followed by the username. "
                continue
            }
            if words[1].contains(0) {
                errors +=
                    "'\(place): username '\(String(decoding: words[1], as: UTF8.self))' contains invalid characters. "
                continue
            }
            var rights = Rights(rooms.access.register)
            do throws(RuleError) {
                for rule in words.dropFirst(2) { try rights.apply(rule, rooms.access.register) }
                fresh[words[1]] = rights
            } catch {
                errors += "\(place): \(error). "
            }
        }
        if !errors.isEmpty {
            return errors
                + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        }
        for user in rooms.access.replace(with: fresh) { disconnect(user) }
        accessChanged()
        return nil
    }

    func saveUserFile() -> Bool {
        var text: [UInt8] = []
        for line in rooms.access.lines { text += line + [10] }
        if let reason = TextFile.replace(config.aclfile, with: text) {
            Log.warning("Writing ACL file for ACL SAVE: \(reason)")
            return false
        }
        return true
    }

    /// The `user` lines of a rewritten file: with an `aclfile` users live there.
    func userLines() -> [[UInt8]]? { config.aclfile.isEmpty ? rooms.access.lines : [] }

    func hasUser(_ name: String) -> Bool { rooms.access.users[Array(name.utf8)] != nil }

    /// `user` is gone: nobody may go on with its rights.
    func disconnect(_ user: User) {
        for client in clients.values where client.attachments.user === user {
            client.attachments.user = nil
            client.isAdmitted = false
            client.authenticated = false
            if client === current {
                client.flags.insert(.closeAfterReply)
            } else {
                freeSoon(client)
            }
        }
    }
}
