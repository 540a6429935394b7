/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What Swift's heaps and tables ask of the system and of jemalloc, with addresses as plain numbers:
 * mappings, arenas, the hash of keys. No policy here: Sources/Keyspace decides.
 */
#ifndef REDWING_MEMORY_H
#define REDWING_MEMORY_H

#include <jemalloc/jemalloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/** Reserves `size` bytes of addresses, aligned to 2 MiB, backed by nothing yet; 0 when refused. */
uintptr_t redwing_map_reserve(size_t size);

/** Makes a part of a reserved range usable; huge pages are asked for. Returns 0 or -errno. */
int redwing_map_commit(uintptr_t start, size_t size);

/** Gives the pages of a committed part back; it reads as zeros afterwards. */
void redwing_map_release(uintptr_t start, size_t size);

void redwing_map_drop(uintptr_t start, size_t size);

/** Bytes of physical memory. */
static inline uint64_t redwing_physical_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

/** Bytes of addresses that the process may have (ulimit -v); UINT64_MAX when they aren't limited. */
static inline uint64_t redwing_address_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return limit.rlim_cur;
}

/**
 * A jemalloc arena and a thread cache of its own, as the flags of mallocx; 0 when there is none to
 * be had. The cache is for one thread at a time.
 */
int redwing_arena_create(uint32_t *arena, uint32_t *cache);

/** Drops both with everything allocated from them. */
void redwing_arena_destroy(uint32_t arena, uint32_t cache);

/** Net bytes that this thread took for blocks of heaps (not for anything else). */
extern _Thread_local int64_t redwing_heap_bytes;

static inline size_t redwing_block_size(size_t size) { return nallocx(size, 0); }

static inline uintptr_t redwing_block_allocate(size_t size, int flags) {
    redwing_heap_bytes += (int64_t)nallocx(size, 0);
    return (uintptr_t)mallocx(size, flags);
}

static inline void redwing_block_free(uintptr_t block, size_t size, int flags) {
    redwing_heap_bytes -= (int64_t)nallocx(size, 0);
    sdallocx((void *)block, size, flags);
}

static inline uintptr_t redwing_block_resize(uintptr_t block, size_t from, size_t to, int flags) {
    redwing_heap_bytes += (int64_t)nallocx(to, 0) - (int64_t)nallocx(from, 0);
    return (uintptr_t)rallocx((void *)block, to, flags);
}

/**
 * Bytes that this thread allocated and nobody freed, without the heaps' blocks: buffers, clients,
 * everything of the language's runtime. A few nanoseconds.
 */
int64_t redwing_outside_bytes(void);

/** jemalloc's counters: bytes allocated, active (pages), resident, mapped, retained. */
void redwing_allocator_stats(uint64_t stats[5]);

/** Makes jemalloc give unused pages of all arenas back to the system. */
void redwing_allocator_purge(void);

/** The key of the hash; random from the start, set by tests that want the same order each time. */
extern uint64_t redwing_hash_key[4];
void redwing_hash_seed(uint64_t seed);

static inline uint64_t redwing_mix(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t redwing_read64(const unsigned char *place) {
    uint64_t value;
    memcpy(&value, place, 8);
    return value;
}

static inline uint64_t redwing_read32(const unsigned char *place) {
    uint32_t value;
    memcpy(&value, place, 4);
    return value;
}

/** The last 16 bytes of a text that is longer, which may have been read in part, on top of what was. */
static inline uint64_t redwing_hash_end(const unsigned char *text, size_t size, uint64_t before) {
    const uint64_t *key = redwing_hash_key;
    const unsigned char *end = text + size;
    uint64_t last = redwing_mix(redwing_read64(end - 16) ^ key[1], redwing_read64(end - 8) ^ before);
    return redwing_mix(last ^ key[2], key[3] ^ size);
}

/** The hash of more than 32 bytes. */
uint64_t redwing_hash_long(const unsigned char *text, size_t size);

/**
 * 64-bit hash of `size` bytes under the process's key, by folded 64×64 multiplications. Every word
 * read is masked by a secret before it is multiplied, so that who doesn't know the key can't choose
 * colliding texts.
 */
static inline uint64_t redwing_hash(uintptr_t start, size_t size) {
    const unsigned char *text = (const unsigned char *)start;
    const uint64_t *key = redwing_hash_key;
    uint64_t a, b;
    if (size > 32) return redwing_hash_long(text, size);
    if (size > 16) {
        a = redwing_mix(redwing_read64(text) ^ key[0], redwing_read64(text + 8) ^ key[2]);
        return redwing_hash_end(text, size, a ^ key[3]);
    }
    if (size >= 8) {
        a = redwing_read64(text);
        b = redwing_read64(text + size - 8);
    } else if (size >= 4) {
        a = redwing_read32(text);
        b = redwing_read32(text + size - 4);
    } else if (size > 0) {
        a = (uint64_t)text[0] << 16 | (uint64_t)text[size >> 1] << 8 | text[size - 1];
        b = 0;
    } else {
        a = b = 0;
    }
    uint64_t inner = redwing_mix(a ^ key[0], b ^ key[1]);
    return redwing_mix(inner ^ key[2], key[3] ^ size);
}

/** Next of a generator for choices that need no secrecy (samples, random keys): splitmix64. */
static inline uint64_t redwing_random(void) {
    extern _Thread_local uint64_t redwing_random_state;
    uint64_t z = (redwing_random_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

#endif
