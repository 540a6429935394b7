// SPDX-License-Identifier: BSD-3-Clause
//
// Where the memory is: what INFO memory, MEMORY STATS and MEMORY DOCTOR tell of.

import Configuration
import Keyspace
import Memory
import RESP

/// All amounts in bytes.
struct MemoryPicture {
    var used = 0
    var peak = 0
    var startup = 0
    var resident = 0
    var allocator = AllocatorFacts()
    var backlog = 0
    var replicaClients = 0
    var normalClients = 0
    var replicaCount = 0
    var normalCount = 0
    var aofBuffer = 0
    var scripts = 0
    var interpreter = 0
    var databases: [(index: Int, main: Int, expires: Int)] = []
    var keys = 0

    /// Everything that isn't data.
    var overhead: Int {
        startup + backlog + replicaClients + normalClients + aofBuffer + scripts
            + databases.reduce(0) { $0 + $1.main + $1.expires }
    }
    var dataset: Int { max(0, used - overhead) }
    /// The part of what was taken since the start.
    var datasetPercent: Double {
        let net = max(1, used - startup)
        return min(100, Double(dataset) * 100 / Double(net))
    }
    var peakPercent: Double { peak > 0 ? Double(used) * 100 / Double(peak) : 0 }
    var bytesPerKey: Int { keys > 0 ? max(0, used - startup) / keys : 0 }

    // The heap of stored data is outside of jemalloc for small values, so its pages count as active
    // and allocated alike.
    var fragmentation: Double { ratio(resident, used) }
    var fragmentationBytes: Int { resident - used }
    var allocatorRatio: Double { ratio(allocator.active, allocator.allocated) }
    var residentRatio: Double { ratio(allocator.resident, allocator.active) }
    var overheadRatio: Double { ratio(resident, allocator.resident) }

    private func ratio(_ a: Int, _ b: Int) -> Double { b > 0 ? Double(a) / Double(b) : 0 }
}

extension Client {
    /// Bytes that this client costs.
    var memoryUsage: Int {
        512 + query.capacity + reply.out.capacity + (transaction?.memoryUsage ?? 0)
    }
}

extension Server {
    func memoryPicture() -> MemoryPicture {
        var picture = MemoryPicture()
        picture.used = usedMemory
        statistics.peakMemory = max(statistics.peakMemory, picture.used)
        picture.peak = statistics.peakMemory
        picture.startup = rooms.observation.startupMemory
        picture.resident = ProcessFacts.residentBytes()
        // Stored data lies in heaps of its own: in use, on pages, resident.
        let heap = keyspace.heap
        let pages = max(heap.used, heap.usedLarge + heap.chunkBytes)
        let small = heap.used - heap.usedLarge
        picture.allocator.allocated += small
        picture.allocator.active += max(small, pages - heap.usedLarge)
        picture.allocator.resident += max(small, pages - heap.usedLarge)
        picture.replicaClients = replicaBufferBytes
        picture.backlog = streamBytes - picture.replicaClients
        picture.aofBuffer = aofBufferBytes
        (picture.scripts, picture.interpreter) = scriptMemory
        for client in clients.values {
            if client.flags.contains(.replica) {
                picture.replicaClients += client.memoryUsage
                picture.replicaCount += 1
            } else {
                picture.normalClients += client.memoryUsage
                picture.normalCount += 1
            }
        }
        for database in keyspace.databases where database.count > 0 {
            picture.databases.append(
                (database.index, database.keys.bytes, database.volatileKeys.bytes))
            picture.keys += database.count
        }
        return picture
    }

    func memoryInfo(_ info: inout InfoText) {
        let memory = memoryPicture()
        info.section("Memory")
        info.size("used_memory", memory.used)
        info.size("used_memory_rss", memory.resident)
        info.size("used_memory_peak", memory.peak)
        info.field("used_memory_peak_perc", decimal(memory.peakPercent, 2) + "%")
        info.field("used_memory_overhead", memory.overhead)
        info.field("used_memory_startup", memory.startup)
        info.field("used_memory_dataset", memory.dataset)
        info.field("used_memory_dataset_perc", decimal(memory.datasetPercent, 2) + "%")
        info.field("allocator_allocated", memory.allocator.allocated)
        info.field("allocator_active", memory.allocator.active)
        info.field("allocator_resident", memory.allocator.resident)
        info.size("total_system_memory", ProcessFacts.physicalMemory())
        info.size("used_memory_lua", memory.interpreter)
        info.size("used_memory_scripts", memory.scripts)
        info.field("number_of_cached_scripts", cachedScriptCount)
        info.size("maxmemory", Int(clamping: config.maxmemory))
        info.field("maxmemory_policy", config.maxmemoryPolicy.rawValue)
        info.field("allocator_frag_ratio", decimal(memory.allocatorRatio, 2))
        info.field("allocator_frag_bytes", memory.allocator.active - memory.allocator.allocated)
        info.field("allocator_rss_ratio", decimal(memory.residentRatio, 2))
        info.field("allocator_rss_bytes", memory.allocator.resident - memory.allocator.active)
        info.field("rss_overhead_ratio", decimal(memory.overheadRatio, 2))
        info.field("rss_overhead_bytes", memory.resident - memory.allocator.resident)
        info.field("mem_fragmentation_ratio", decimal(memory.fragmentation, 2))
        info.field("mem_fragmentation_bytes", memory.fragmentationBytes)
        info.field("mem_not_counted_for_evict", uncountedMemory)
        info.field("mem_replication_backlog", memory.backlog)
        info.field("mem_total_replication_buffers", streamBytes)
        info.field("mem_clients_slaves", memory.replicaClients)
        info.field("mem_clients_normal", memory.normalClients)
        info.field("mem_aof_buffer", memory.aofBuffer)
        info.field("mem_allocator", "jemalloc")
        info.field("active_defrag_running", 0)
        info.field("lazyfree_pending_objects", pendingFreeObjects)
    }
}
