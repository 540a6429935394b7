// SPDX-License-Identifier: BSD-3-Clause
//
// The commands of a cluster, which this server isn't part of: they answer as a Redis with
// cluster-enabled no. And the words by which an HTTP request gives itself away.

import Memory
import RESP

extension CommandTable {
    static func cluster() -> [Command] {
        [
            Command(
                "cluster", -2, "admin random stale", "", since: "3.0.0", group: "cluster",
                "Commands of a cluster, which this server is not part of.", Cluster.disabled),
            Command(
                "asking", 1, "fast", "keyspace", since: "3.0.0", group: "cluster",
                "Of a cluster: the next request concerns a slot that is moving.", Cluster.disabled),
            Command(
                "readonly", 1, "fast", "keyspace", since: "3.0.0", group: "cluster",
                "Of a cluster: the connection may read from a replica.", Cluster.disabled),
            Command(
                "readwrite", 1, "fast", "keyspace", since: "3.0.0", group: "cluster",
                "Of a cluster: ends READONLY.", Cluster.disabled),
            Command(
                "post", -1, "readonly loading stale", "", since: "3.2.0", group: "server",
                "Ends the connection: an HTTP request is no Redis client's.", Cluster.attacked),
            Command(
                "host:", -1, "readonly loading stale", "", since: "3.2.0", group: "server",
                "Ends the connection: an HTTP request is no Redis client's.", Cluster.attacked),
        ]
    }
}

enum Cluster {
    static func disabled(_ c: Client) {
        c.reply.error("ERR This instance has cluster support disabled")
    }

    /// A browser was made to talk to us: its lines could hold commands.
    static func attacked(_ c: Client) {
        Log.warning(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection aborted."
        )
        c.server.freeSoon(c)
    }
}
