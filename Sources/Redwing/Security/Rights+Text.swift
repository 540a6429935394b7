// SPDX-License-Identifier: BSD-3-Clause
//
// A user's rights as rules again, for ACL LIST, ACL GETUSER and files.

import Memory

extension Rights {
    /// The words of ACL GETUSER's `flags`, in Redis's order.
    var flagWords: [StaticString] {
        var words: [StaticString] = [isOn ? "on" : "off"]
        if allKeys { words.append("allkeys") }
        if allCommands { words.append("allcommands") }
        if needsNoPassword { words.append("nopass") }
        return words
    }

    /// All rules of the user, behind its name in a `user` line.
    func described(_ register: CommandRegister) -> [UInt8] {
        var out = Array((isOn ? "on " : "off ").utf8)
        if needsNoPassword { out += Array("nopass ".utf8) }
        for hash in passwords { out += [UInt8(ascii: "#")] + hash + [0x20] }
        if allKeys {
            out += Array("~* ".utf8)
        } else {
            for pattern in keys { out += [UInt8(ascii: "~")] + pattern + [0x20] }
        }
        // Only where there are rules for channels, for 6.0 doesn't know them.
        if !allChannels {
            out += Array("resetchannels ".utf8)
            for pattern in channels { out += [UInt8(ascii: "&")] + pattern + [0x20] }
        } else if !register.channelsByDefault {
            out += Array("&* ".utf8)
        }
        return out + commandRules(register)
    }

    /// The rules that give exactly these commands: +@all or -@all, then each category of which the
    /// user has (or lacks) more than half, then the single commands in which that is still wrong.
    func commandRules(_ register: CommandRegister) -> [UInt8] {
        var out = futureCommands ? "+@all " : "-@all "
        var given = futureCommands ? register.all : register.none
        for category in Command.categoryOrder {
            guard let set = register.commands(in: category) else { continue }
            let on = set.shared(with: commands)
            let off = set.count - on
            if futureCommands, off > on {
                given.subtract(set)
                out += "-@\(category) "
            } else if !futureCommands, on > off {
                given.formUnion(set)
                out += "+@\(category) "
            }
        }
        for (id, name) in register.names.enumerated() {
            let mine = commands.contains(id)
            if mine != given.contains(id) { out += (mine ? "+" : "-") + name + " " }
            for word in mine ? [] : subcommands[id] ?? [] {
                out += "+\(name)|\(String(decoding: word, as: UTF8.self)) "
            }
        }
        return Array(out.utf8.dropLast())
    }
}
