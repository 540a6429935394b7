// SPDX-License-Identifier: BSD-3-Clause
//
// The tls-* directives as OpenSSL is told them.

import Configuration
import Memory
import Platform

/// Lives while a context is made of it; it holds pass phrases.
final class TLSSettings {
    struct Fault: Error {
        let text: String
    }

    let handle: UInt

    init(_ config: Configuration) throws(Fault) {
        handle = redwing_tls_settings_new()
        guard handle != 0 else { throw Fault(text: "no memory for TLS settings") }
        try Self.check(config)
        let protocols = try Self.protocols(config.tlsProtocols)
        let texts: [(redwing_tls_text, String)] = [
            (REDWING_TLS_CERT_FILE, config.tlsCertFile), (REDWING_TLS_KEY_FILE, config.tlsKeyFile),
            (REDWING_TLS_KEY_PASS, config.tlsKeyFilePass),
            (REDWING_TLS_CLIENT_CERT_FILE, config.tlsClientCertFile),
            (REDWING_TLS_CLIENT_KEY_FILE, config.tlsClientKeyFile),
            (REDWING_TLS_CLIENT_KEY_PASS, config.tlsClientKeyFilePass),
            (REDWING_TLS_CA_FILE, config.tlsCaCertFile), (REDWING_TLS_CA_DIR, config.tlsCaCertDir),
            (REDWING_TLS_DH_FILE, config.tlsDhParamsFile), (REDWING_TLS_CIPHERS, config.tlsCiphers),
            (REDWING_TLS_CIPHERSUITES, config.tlsCiphersuites),
        ]
        for (which, value) in texts {
            unsafe redwing_tls_settings_text(handle, Int32(which.rawValue), value)
        }
        redwing_tls_settings_numbers(
            handle, protocols, config.tlsPreferServerCiphers ? 1 : 0,
            config.tlsSessionCaching ? 1 : 0,
            Int64(config.tlsSessionCacheSize), Int64(config.tlsSessionCacheTimeout))
    }

    deinit { redwing_tls_settings_free(handle) }

    private static func check(_ config: Configuration) throws(Fault) {
        if config.tlsCertFile.isEmpty { throw Fault(text: "No tls-cert-file configured!") }
        if config.tlsKeyFile.isEmpty { throw Fault(text: "No tls-key-file configured!") }
        let judges = config.tlsAuthClients != .no || config.tlsCluster || config.tlsReplication
        if judges, config.tlsCaCertFile.isEmpty, config.tlsCaCertDir.isEmpty {
            throw Fault(
                text:
                    "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!"
            )
        }
    }

    private static func protocols(_ text: String) throws(Fault) -> Int32 {
        if text.isEmpty { return Int32(REDWING_TLS_1_2 | REDWING_TLS_1_3) }
        var set: Int32 = 0
        for word in text.split(separator: " ") {
            switch word.lowercased() {
            case "tlsv1": set |= Int32(REDWING_TLS_1_0)
            case "tlsv1.1": set |= Int32(REDWING_TLS_1_1)
            case "tlsv1.2": set |= Int32(REDWING_TLS_1_2)
            case "tlsv1.3": set |= Int32(REDWING_TLS_1_3)
            default:
                throw Fault(
                    text:
                        "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."
                )
            }
        }
        return set
    }
}
