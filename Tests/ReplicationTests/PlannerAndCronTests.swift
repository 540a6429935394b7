// SPDX-License-Identifier: BSD-3-Clause
import Testing

@testable import Replication

@Suite struct SnapshotPlannerTests {
    typealias Planner = SnapshotPlanner
    static let both: Capabilities = [.eof, .psync2]

    static func settings(_ change: (inout Planner.Settings) -> Void) -> Planner.Settings {
        var settings = Planner.Settings()
        change(&settings)
        return settings
    }
    static let diskless = settings { $0.diskless = true }
    static let spool = settings {
        $0.diskless = true
        $0.spool = .memory
        $0.delay = 0
    }

    struct Arrival: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var settings = Planner.Settings()
        var capabilities = both
        var child = Planner.Child.none
        var syncing = 0
        var outcome: Planner.Arrival
    }

    static func notice(_ text: String) -> LogLine { LogLine(.notice, text) }
    static let leader = Planner.Leader(capabilities: .psync2, offset: 9)

    static let arrivals: [Arrival] = [
        Arrival(testDescription: "nothing runs: now", outcome: .start),
        Arrival(
            testDescription: "a disk child that another waits for is joined",
            child: .disk(leader: leader),
            outcome: .join(.disk, offset: 9, notice("Waiting for end of BGSAVE for SYNC"))),
        Arrival(
            testDescription: "but not by one that can do less", capabilities: .eof,
            child: .disk(leader: leader),
            outcome: .wait(
                notice(
                    "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC"
                ))
        ),
        Arrival(
            testDescription: "a save point's child has no stream position",
            child: .disk(leader: nil),
            outcome: .wait(
                notice(
                    "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC"
                ))
        ),
        Arrival(
            testDescription: "a socket child can't be joined", child: .socket,
            outcome: .wait(
                notice("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC"))),
        Arrival(
            testDescription: "a spool can", child: .spool(offset: 4, joinable: true),
            outcome: .join(
                .spool, offset: 4, notice("Joining the running snapshot from its beginning"))),
        Arrival(
            testDescription: "until its beginning is gone",
            child: .spool(offset: 4, joinable: false),
            outcome: .wait(
                notice("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC"))),
        Arrival(
            testDescription: "diskless waits for more", settings: diskless,
            outcome: .wait(notice("Delay next BGSAVE for diskless SYNC"))),
        Arrival(
            testDescription: "one that needs a length gets a file", settings: diskless,
            capabilities: .psync2, outcome: .start),
        Arrival(
            testDescription: "without a delay at once",
            settings: settings {
                $0.diskless = true
                $0.delay = 0
            }, outcome: .start),
        Arrival(
            testDescription: "beside an AOF rewrite nothing starts", child: .other,
            outcome: .wait(
                notice(
                    "No BGSAVE in progress, but another BG operation is active. BGSAVE for "
                        + "replication delayed"))),
        Arrival(
            testDescription: "no more at once than wished",
            settings: settings { $0.maxConcurrent = 2 }, syncing: 2,
            outcome: .wait(
                notice(
                    "2 full syncs run, repl-max-concurrent-syncs is 2. Waiting for the end of one"))
        ),
    ]

    @Test(arguments: arrivals) func arrival(row: Arrival) {
        let planner = Planner(settings: row.settings)
        #expect(
            planner.arrived(row.capabilities, child: row.child, syncing: row.syncing) == row.outcome
        )
    }

    struct Due: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var settings = Planner.Settings()
        var waiting: [Planner.Waiting]
        var child = Planner.Child.none
        var syncing = 0
        var now: Double
        var target: ReplicaSession.Target?
        var replicas: [Int] = []
    }

    static func waits(_ id: Int, _ since: Double, _ capabilities: Capabilities = both)
        -> Planner.Waiting
    {
        Planner.Waiting(id: id, since: at(since), capabilities: capabilities)
    }

    static let dues: [Due] = [
        Due(testDescription: "nobody waits", waiting: [], now: 9),
        Due(
            testDescription: "to disk at once, longest wait first",
            waiting: [waits(1, 2), waits(2, 1)],
            now: 2, target: .disk, replicas: [2, 1]),
        Due(
            testDescription: "to sockets only after more than the delay", settings: diskless,
            waiting: [waits(1, 0), waits(2, 4)], now: 5),
        Due(
            testDescription: "counted from the longest wait", settings: diskless,
            waiting: [waits(1, 0), waits(2, 4)], now: 5.1, target: .socket, replicas: [1, 2]),
        Due(
            testDescription: "or when enough are there",
            settings: settings {
                $0.diskless = true
                $0.maxReplicas = 2
            },
            waiting: [waits(1, 0), waits(2, 0)], now: 0, target: .socket, replicas: [1, 2]),
        Due(
            testDescription: "a spool without a delay", settings: spool, waiting: [waits(1, 0)],
            now: 0, target: .spool, replicas: [1]),
        Due(
            testDescription: "the least capable one decides", settings: diskless,
            waiting: [waits(1, 0), waits(2, 0, .psync2)], now: 0, target: .disk, replicas: [1, 2]),
        Due(
            testDescription: "not beside another child", waiting: [waits(1, 0)], child: .socket,
            now: 9),
        Due(
            testDescription: "so many at once and no more",
            settings: settings { $0.maxConcurrent = 3 },
            waiting: [waits(1, 3), waits(2, 2), waits(3, 1)], syncing: 1, now: 9, target: .disk,
            replicas: [3, 2]),
        Due(
            testDescription: "none while the allowed ones run",
            settings: settings { $0.maxConcurrent = 1 }, waiting: [waits(1, 0)], syncing: 1, now: 9),
    ]

    @Test(arguments: dues) func due(row: Due) {
        let start = Planner(settings: row.settings).due(
            row.waiting, child: row.child, syncing: row.syncing, at: at(row.now))
        #expect(start?.target == row.target && start?.replicas ?? [] == row.replicas)
    }

    @Test func aChildThatNobodyWaitsForIsEnded() {
        let planner = Planner()
        for savePoints in [true, false] {
            #expect(planner.isIdle(child: .socket, served: 0, savePoints: savePoints))
            #expect(!planner.isIdle(child: .socket, served: 1, savePoints: savePoints))
            #expect(!planner.isIdle(child: .disk(leader: nil), served: 1, savePoints: savePoints))
            #expect(!planner.isIdle(child: .other, served: 0, savePoints: savePoints))
        }
        #expect(planner.isIdle(child: .disk(leader: nil), served: 0, savePoints: false))
        #expect(!planner.isIdle(child: .disk(leader: nil), served: 0, savePoints: true))
    }

    @Test func theQueueHasPlaces() {
        let places = Planner().places([Self.waits(7, 2), Self.waits(8, 1)])
        #expect(places.map(\.id) == [8, 7] && places.map(\.place) == [1, 2])
    }
}

@Suite struct ReplicationCronTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var facts: ReplicationCron.Facts
        var now = 100.0
        var duties: [ReplicationCron.Duty]
    }

    static func facts(_ change: (inout ReplicationCron.Facts) -> Void) -> ReplicationCron.Facts {
        var facts = ReplicationCron.Facts()
        change(&facts)
        return facts
    }

    static let freed = ReplicationCron.Duty.releaseBacklog(
        LogLine(.notice, "Replication backlog freed after 60 seconds without connected replicas."))

    static let table: [Row] = [
        Row(
            testDescription: "alone", facts: facts { _ in },
            duties: [.planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "a master with replicas pings",
            facts: facts { $0.replicas = 1 },
            duties: [.pingReplicas, .tickSessions, .planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "not in a failover",
            facts: facts {
                $0.replicas = 1
                $0.pausedForFailover = true
            }, duties: [.tickSessions, .planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "a replica acknowledges and passes pings on, not makes them",
            facts: facts {
                $0.isReplica = true
                $0.acknowledges = true
                $0.masterLinkUp = true
                $0.replicas = 1
                $0.onlineReplicas = 1
            }, duties: [.tickLink, .sendAck, .tickSessions, .planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "a chained master without its own sends signs of life",
            facts: facts {
                $0.isReplica = true
                $0.replicas = 1
                $0.onlineReplicas = 1
            },
            duties: [
                .tickLink, .tickSessions, .newlineToSubReplicas, .planSnapshot,
                .refreshGoodReplicas,
            ]),
        Row(
            testDescription: "the backlog after its time",
            facts: facts {
                $0.backlogIsActive = true
                $0.backlogTTL = 60
                $0.withoutReplicasSince = at(39)
            }, duties: [freed, .planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "not before",
            facts: facts {
                $0.backlogIsActive = true
                $0.backlogTTL = 60
                $0.withoutReplicasSince = at(40)
            }, duties: [.planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "never on a replica",
            facts: facts {
                $0.isReplica = true
                $0.backlogIsActive = true
                $0.backlogTTL = 60
                $0.withoutReplicasSince = at(0)
            }, duties: [.tickLink, .planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "never with a ttl of 0",
            facts: facts {
                $0.backlogIsActive = true
                $0.backlogTTL = 0
                $0.withoutReplicasSince = at(0)
            }, duties: [.planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "scripts that nobody needs",
            facts: facts { $0.scriptsCached = true },
            duties: [.flushScriptCache, .planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "scripts that the AOF needs",
            facts: facts {
                $0.scriptsCached = true
                $0.appendOnly = true
            }, duties: [.planSnapshot, .refreshGoodReplicas]),
        Row(
            testDescription: "a child and a file without a use",
            facts: facts {
                $0.childIsIdle = true
                $0.deletesSyncFiles = true
                $0.rdbIsFromSync = true
            },
            duties: [.endIdleChild, .planSnapshot, .removeSyncFile, .refreshGoodReplicas]),
        Row(
            testDescription: "the file stays while it is sent",
            facts: facts {
                $0.deletesSyncFiles = true
                $0.rdbIsFromSync = true
                $0.syncing = 1
            }, duties: [.planSnapshot, .refreshGoodReplicas]),
    ]

    @Test(arguments: table) func duties(row: Row) {
        var cron = ReplicationCron()
        #expect(cron.tick(row.facts, at: at(row.now)) == row.duties)
    }

    @Test func pingsComeEachPeriod() {
        var cron = ReplicationCron()
        let facts = Self.facts {
            $0.replicas = 1
            $0.pingPeriod = 3
        }
        let pinged = (0..<9).map { cron.tick(facts, at: at(Double($0))).contains(.pingReplicas) }
        #expect(pinged == [true, false, false, true, false, false, true, false, false])
    }
}
