// SPDX-License-Identifier: BSD-3-Clause
//
// What `ps` shows: "redwing-server 127.0.0.1:6379", and "redis-rdb-bgsave *:6379" for a child.

import Configuration
import Memory

public enum ProcessTitle {
    /// Makes room; once, before anything else keeps a pointer to the arguments or environment.
    /// Returns the room's size, which a snapshot child's title may use as well.
    @discardableResult
    public static func prepare() -> Int { ProcessCalls.prepareTitle() }

    /// Where the title lies; null when there is no room.
    public static var place: Address { ProcessCalls.titlePlace }

    public static func set(_ name: String, _ configuration: Configuration) {
        guard configuration.setProcTitle else { return }
        ProcessCalls.setTitle(text(name, configuration))
    }

    /// For a snapshot child, which writes it itself where `place` says; nil when titles are off.
    static func ofChild(_ name: String, _ configuration: Configuration) -> String? {
        configuration.setProcTitle ? text(name, configuration) : nil
    }

    /// `proc-title-template` filled in.
    public static func text(_ name: String, _ configuration: Configuration) -> String {
        let port = configuration.port != 0 ? configuration.port : configuration.tlsPort
        let address = configuration.bind.first.map { BindAddress($0).text } ?? "*"
        let listen =
            port != 0 || configuration.unixsocket.isEmpty
            ? "\(address):\(port)" : configuration.unixsocket
        let values = [
            "title": name, "listen-addr": listen, "server-mode": "",
            "port": "\(configuration.port)", "tls-port": "\(configuration.tlsPort)",
            "unixsocket": configuration.unixsocket, "config-file": configuration.configFile,
        ]
        var out = ""
        var rest = configuration.procTitleTemplate[...]
        while let open = rest.firstIndex(of: "{") {
            out += rest[..<open]
            rest = rest[open...]
            guard let close = rest.firstIndex(of: "}") else { break }
            let key = String(rest[rest.index(after: open)..<close])
            out += values[key] ?? "{\(key)}"
            rest = rest[rest.index(after: close)...]
        }
        out += rest
        while out.last == " " { out.removeLast() }
        return out
    }
}
