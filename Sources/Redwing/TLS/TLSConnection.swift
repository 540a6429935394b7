// SPDX-License-Identifier: BSD-3-Clause
//
// One encrypted connection as the server sees it: a transport over a non-blocking socket. The calls are
// in CSources/Platform/tls.c, which also says how it differs from OpenSSL's own.

import Glibc
import Memory
import Platform

/// Certificates and rules of many connections; those that are open keep theirs when it is replaced.
final class TLSContext {
    let handle: UInt
    let isOutgoing: Bool

    /// Fails with what the log is to say.
    init(_ settings: TLSSettings, outgoing: Bool) throws(TLSSettings.Fault) {
        isOutgoing = outgoing
        let room = 512
        let reason = ByteBuffer(capacity: room)
        let place = reason.reserve(room)
        handle = unsafe redwing_tls_context_new(
            settings.handle, outgoing ? 1 : 0, place.pointer.assumingMemoryBound(to: CChar.self),
            room)
        if handle == 0 {
            throw TLSSettings.Fault(
                text: unsafe String(cString: place.pointer.assumingMemoryBound(to: CChar.self)))
        }
    }

    deinit { redwing_tls_context_free(handle) }
}

/// The session's calls take a lock of their own: the thread that loads a snapshot may read while the
/// main one writes.
final class TLSConnection: Transport, @unchecked Sendable {
    enum Handshake {
        case done, wantsRead, wantsWrite
        case failed(String)
    }

    private let handle: UInt
    private(set) var isEstablished = false

    /// Nil: no memory. `auth` is what one that connects to us must show.
    init?(_ context: TLSContext, fd: Int32, auth: Int32 = Int32(REDWING_TLS_AUTH_YES)) {
        handle = redwing_tls_open(context.handle, fd, context.isOutgoing ? 1 : 0, auth)
        if handle == 0 { return nil }
    }

    deinit { redwing_tls_free(handle) }

    func handshake() -> Handshake {
        let room = 256
        let reason = ByteBuffer(capacity: room)
        let place = reason.reserve(room)
        let state = unsafe redwing_tls_handshake(
            handle, place.pointer.assumingMemoryBound(to: CChar.self), room)
        switch Int(state) {
        case Int(REDWING_TLS_DONE):
            isEstablished = true
            return .done
        case Int(REDWING_TLS_WANTS_READ): return .wantsRead
        case Int(REDWING_TLS_WANTS_WRITE): return .wantsWrite
        default:
            return .failed(
                unsafe String(cString: place.pointer.assumingMemoryBound(to: CChar.self)))
        }
    }

    func read(into place: Address, _ count: Int) -> Transfer {
        let n = redwing_tls_read(handle, place.raw, count)
        return n == 0 ? .end : Self.transfer(n)
    }

    func write(_ bytes: Bytes) -> Transfer {
        Self.transfer(redwing_tls_write(handle, bytes.start.raw, bytes.count))
    }

    func flush() -> Transfer { Self.transfer(Int(redwing_tls_flush(handle))) }

    var hasPending: Bool { redwing_tls_has_pending(handle) != 0 }
    var wantsRoom: Bool { redwing_tls_wants_room(handle) != 0 }

    func close() { redwing_tls_close(handle) }

    private static func transfer(_ n: Int) -> Transfer {
        if n >= 0 { return .bytes(n) }
        return n == -Int(EAGAIN) ? .wouldBlock : .failed(Int32(-n))
    }
}
