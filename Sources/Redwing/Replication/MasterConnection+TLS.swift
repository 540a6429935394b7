// SPDX-License-Identifier: BSD-3-Clause
//
// The connection to our master through TLS. A session can't be peeked into as a socket can, so lines
// are taken byte by byte (out of what is decrypted already), and the body is copied into its file.

import Glibc
import Memory
import Replication
import Wing

extension MasterConnection {
    func secure() {
        transport = server.makeOutgoingTLS(fd)
        guard transport != nil else { return lost("TLS is not configured") }
        phase = .securing
        shakeHands()
    }

    func shakeHands() {
        guard let transport else { return }
        switch transport.handshake() {
        case .done: connected()
        case .wantsRead: server.loop.setInterest(fd, .read)
        case .wantsWrite: server.loop.setInterest(fd, .write)
        case .failed(let reason): lost(reason)
        }
    }

    func readLines(over transport: TLSConnection) {
        while fd >= 0, case .lines = phase {
            switch transport.read(into: line.reserve(1), 1) {
            case .bytes:
                line.commit(1)
                let bytes = line.bytes
                if bytes[bytes.count - 1] == 0x0A {
                    took(line: bytes[0..<(bytes.count - 1)])
                    line.removeAll()
                } else if bytes.count >= Self.longestLine {
                    return lost("a line of more than \(bytes.count) bytes")
                }
            case .wouldBlock:
                if transport.wantsRoom { server.loop.setInterest(fd, [.read, .write]) }
                return
            case .end: return lost("connection closed by the master")
            case .failed(let code): return lost(SystemError(call: "read", code: code).reason)
            }
        }
        if fd >= 0, case .body(let body) = phase, transport.hasPending { receive(body) }
    }

    func receive(_ body: Body, over transport: TLSConnection) {
        let size = 128 << 10
        let buffer = ByteBuffer(capacity: size)
        var budget = Self.turnLimit
        while budget > 0 {
            let left = body.size.total.map { Int($0 - Int64(body.offset)) } ?? Int.max
            let place = buffer.reserve(size)
            switch transport.read(into: place, min(left, size)) {
            case .bytes(let n):
                let bytes = Bytes(start: place, count: n)
                let code = TransferCalls.write(body.file, bytes, at: &body.offset)
                if code != 0 { return bodyFailed(body, code) }
                budget -= n
                if took(n, of: body) { return complete(body) }
            case .wouldBlock: return
            case .end: return bodyFailed(body, Int32(WING_E_END))
            case .failed(let code): return bodyFailed(body, -code)
            }
        }
        guard transport.hasPending else { return }
        // No event of the socket will tell of what is decrypted already.
        server.loop.schedule(after: 0) { [weak self] in
            if let self, case .body(let body) = self.phase { receive(body) }
        }
    }
}
