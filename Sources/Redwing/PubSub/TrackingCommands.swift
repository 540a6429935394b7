// SPDX-License-Identifier: BSD-3-Clause
//
// CLIENT TRACKING, CACHING and TRACKINGINFO.

import Memory
import RESP

extension ClientCommand {
    /// The options of CLIENT TRACKING.
    private struct Options {
        var redirection: UInt64 = 0
        var broadcast = false
        var optIn = false
        var optOut = false
        var noLoop = false
        var prefixes: [[UInt8]] = []

        var mode: TrackingState.Mode {
            broadcast ? .broadcast : optIn ? .optIn : optOut ? .optOut : .all
        }
    }

    /// CLIENT TRACKING (on|off) [REDIRECT id] [BCAST] [PREFIX p …] [OPTIN] [OPTOUT] [NOLOOP]
    static func tracking(_ c: Client) {
        guard let options = trackingOptions(c) else { return }
        if c.word(2, is: "on") {
            if let text = refusal(c, options) { return c.reply.error(text) }
            var state = TrackingState()
            state.mode = options.mode
            state.noLoop = options.noLoop
            state.redirection = options.redirection
            let all = options.broadcast && options.prefixes.isEmpty ? [[]] : options.prefixes
            c.server.startTracking(c, state, prefixes: all)
        } else if c.word(2, is: "off") {
            c.server.stopTracking(c)
        } else {
            return c.syntaxError()
        }
        c.reply.ok()
    }

    private static func trackingOptions(_ c: Client) -> Options? {
        var options = Options()
        var at = 3
        while at < c.count {
            let hasValue = at + 1 < c.count
            if c.word(at, is: "redirect"), hasValue {
                if options.redirection != 0 {
                    c.reply.error("ERR A client can only redirect to a single other client")
                    return nil
                }
                guard let id = c.integer(at + 1) else { return nil }
                guard id > 0, c.server.clients[UInt64(id)] != nil else {
                    c.reply.error("ERR The client ID you want redirect to does not exist")
                    return nil
                }
                options.redirection = UInt64(id)
                at += 1
            } else if c.word(at, is: "bcast") {
                options.broadcast = true
            } else if c.word(at, is: "optin") {
                options.optIn = true
            } else if c.word(at, is: "optout") {
                options.optOut = true
            } else if c.word(at, is: "noloop") {
                options.noLoop = true
            } else if c.word(at, is: "prefix"), hasValue {
                options.prefixes.append(c[at + 1].array)
                at += 1
            } else {
                c.syntaxError()
                return nil
            }
            at += 1
        }
        return options
    }

    /// Why these options don't go with one another or with what the client has.
    private static func refusal(_ c: Client, _ options: Options) -> String? {
        if !options.broadcast, !options.prefixes.isEmpty {
            return "ERR PREFIX option requires BCAST mode to be enabled"
        }
        let old = c.attachments.tracking
        if let old, (old.mode == .broadcast) != options.broadcast {
            return
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
        }
        if options.broadcast, options.optIn || options.optOut {
            return "ERR OPTIN and OPTOUT are not compatible with BCAST"
        }
        if options.optIn, options.optOut {
            return "ERR You can't specify both OPTIN mode and OPTOUT mode"
        }
        if options.optIn && old?.mode == .optOut || options.optOut && old?.mode == .optIn {
            return
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
        }
        return options.broadcast ? collision(options.prefixes, with: old?.prefixes ?? []) : nil
    }

    /// A key must be told once: no prefix may begin another.
    private static func collision(_ new: [[UInt8]], with old: [[UInt8]]) -> String? {
        func overlap(_ a: [UInt8], _ b: [UInt8]) -> Bool { a.starts(with: b) || b.starts(with: a) }
        func text(_ a: [UInt8]) -> String { String(decoding: a, as: UTF8.self) }
        for (i, prefix) in new.enumerated() {
            for other in old where overlap(prefix, other) {
                return
                    "ERR Prefix '\(text(prefix))' overlaps with an existing prefix '\(text(other))'. Prefixes for a single client must not overlap."
            }
            for other in new[(i + 1)...] where overlap(prefix, other) {
                return
                    "ERR Prefix '\(text(prefix))' overlaps with another provided prefix '\(text(other))'. Prefixes for a single client must not overlap."
            }
        }
        return nil
    }

    /// CLIENT CACHING (yes|no)
    static func caching(_ c: Client) {
        guard let state = c.attachments.tracking else {
            return c.reply.error(
                "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
            )
        }
        if c.word(2, is: "yes") {
            guard state.mode == .optIn else {
                return c.reply.error(
                    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
            }
        } else if c.word(2, is: "no") {
            guard state.mode == .optOut else {
                return c.reply.error(
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
            }
        } else {
            return c.syntaxError()
        }
        c.attachments.tracking?.isException = true
        c.reply.ok()
    }

    static func trackingInfo(_ c: Client) {
        let state = c.attachments.tracking
        var flags: [StaticString] = [state == nil ? "off" : "on"]
        if let state {
            switch state.mode {
            case .all: break
            case .broadcast: flags.append("bcast")
            case .optIn:
                flags.append("optin")
                if state.isException { flags.append("caching-yes") }
            case .optOut:
                flags.append("optout")
                if state.isException { flags.append("caching-no") }
            }
            if state.noLoop { flags.append("noloop") }
            if c.flags.contains(.trackingBroken) { flags.append("broken_redirect") }
        }
        c.reply.map(3)
        c.reply.bulk("flags")
        c.reply.set(flags.count)
        for flag in flags { c.reply.bulk(flag) }
        c.reply.bulk("redirect")
        c.reply.integer(state.map { Int64(clamping: $0.redirection) } ?? -1)
        c.reply.bulk("prefixes")
        let prefixes = (state?.prefixes ?? []).sorted { $0.lexicographicallyPrecedes($1) }
        c.reply.array(prefixes.count)
        for prefix in prefixes { c.reply.bulk(prefix) }
    }
}
