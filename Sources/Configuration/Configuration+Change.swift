// SPDX-License-Identifier: BSD-3-Clause
//
// CONFIG GET and CONFIG SET.

import Memory

extension Configuration {
    public enum Change {
        /// The directive took the value.
        case changed(Directive)
        /// Nothing changed; the text for the error reply, with its "ERR".
        case refused(String)
    }

    /// The pairs of CONFIG GET for a glob pattern.
    public func get(_ pattern: Bytes) -> [(name: String, value: [UInt8])] {
        var found: [(name: String, value: [UInt8])] = []
        for directive in Directive.all {
            for name in [directive.name] + directive.aliases {
                let matches = Bytes.with(name) { Glob.matches(pattern, $0, ignoringCase: true) }
                guard matches, let value = directive.value(in: self) else { continue }
                found.append((name, value))
            }
        }
        return found
    }

    /// The value of one directive as CONFIG GET writes it.
    public func value(of name: String) -> [UInt8]? {
        Directive.byName[name.lowercased()]?.value(in: self)
    }

    /// CONFIG SET. `apply` does what the change asks of the server (a new backlog size, a started
    /// AOF); when it returns a reason, the old value comes back and the reason goes to the client.
    public func set(_ name: Bytes, _ value: Bytes, apply: (Directive) -> String? = { _ in nil })
        -> Change
    {
        guard let directive = Directive.byName[name.string.lowercased()], directive.isMutable else {
            return .refused("ERR Unsupported CONFIG parameter: \(name.string)")
        }
        let old = directive.value(in: self)
        var reason = directive.assign(value.array, to: self)
        if reason == nil {
            reason = apply(directive)
            if reason != nil, let old { _ = directive.assign(old, to: self) }
        }
        guard let reason else { return .changed(directive) }
        // A special's own whole text.
        if reason.first == "\u{0}" { return .refused("ERR " + reason.dropFirst()) }
        let head = "ERR Invalid argument '\(value.string)' for CONFIG SET '\(name.string)'"
        return .refused(reason.isEmpty ? head : "\(head) - \(reason)")
    }
}
