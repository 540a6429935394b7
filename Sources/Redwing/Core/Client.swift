// SPDX-License-Identifier: BSD-3-Clause
//
// One client: a connection, or one of the server's own (a script's, the AOF loader's, the master's).
// A command's body is given its client and nothing else: arguments, database, reply and server hang
// from it, so that a command costs no reference counting.

import Keyspace
import Memory
import RESP

/// What a command's body is: reads `client.arguments`, writes `client.reply`.
public typealias CommandBody = (Client) -> Void

public final class Client {
    public let server: Server
    public let id: UInt64
    public var database: Database
    public var arguments = Arguments()
    public var reply: Reply

    init(server: Server, id: UInt64, database: Database) {
        self.server = server
        self.id = id
        self.database = database
        reply = Reply(ByteBuffer())
    }

    /// The number of words of the command, its name included.
    @inlinable @inline(__always)
    public var count: Int { arguments.count }

    /// The word at `index`; 0 is the command's name.
    @inlinable @inline(__always)
    public subscript(index: Int) -> Bytes { arguments[index] }
}
