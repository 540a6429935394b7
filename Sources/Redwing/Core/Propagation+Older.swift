// SPDX-License-Identifier: BSD-3-Clause
//
// What commands that came behind Redis 6.0 have done, in words that 6.0 knows. A replica of 6.0
// would refuse such a command as it came, and differ from us from then on.

import Configuration
import Keyspace
import Memory

extension Client {
    /// Somebody takes what this command says of its propagation.
    var isPropagated: Bool { !server.activeSinks(replicas: true, aof: true).isEmpty }

    /// Propagates in place of the command what is now under `key`: RESTORE, or DEL when nothing is.
    /// It costs a copy of the value. One that is too big for a word of theirs goes as it came.
    func propagateStored(_ key: Bytes, in other: Database? = nil) {
        guard isPropagated else { return }
        let database = other ?? self.database
        guard let entry = database.find(key) else {
            server.propagation.nothing()
            return server.propagation.also([Bytes("DEL"), key], database)
        }
        let writer = RDBWriter.memory(compression: server.config.rdbcompression)
        writer.beginDump(ValueRDB.type(of: entry))
        ValueRDB.write(entry, to: writer)
        writer.endDump()
        guard writer.finish() == 0, writer.memory.count < Self.largestWord else { return }
        server.propagation.nothing()
        Bytes.with(String(entry.expiry ?? 0)) { expiry in
            server.propagation.also(
                [
                    Bytes("RESTORE"), key, expiry, writer.memory, Bytes("REPLACE"), Bytes("ABSTTL"),
                ], database)
        }
    }

    /// proto-max-bulk-len as it is by default.
    private static let largestWord = 512 << 20
}
