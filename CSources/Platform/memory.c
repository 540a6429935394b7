/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* jemalloc reads this before main: everything it maps may become huge pages (see ARCHITECTURE). */
const char *malloc_conf = "thp:always";

#define HUGE_PAGE ((size_t)2 << 20)

uintptr_t redwing_map_reserve(size_t size) {
    size_t padded = size + HUGE_PAGE;
    void *memory =
        mmap(NULL, padded, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return 0;
    uintptr_t start = (uintptr_t)memory;
    uintptr_t aligned = (start + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    if (aligned > start) munmap(memory, aligned - start);
    uintptr_t end = aligned + size, mapped = start + padded;
    if (mapped > end) munmap((void *)end, mapped - end);
    madvise((void *)aligned, size, MADV_HUGEPAGE);
    return aligned;
}

int redwing_map_commit(uintptr_t start, size_t size) {
    return mprotect((void *)start, size, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
}

void redwing_map_release(uintptr_t start, size_t size) {
    madvise((void *)start, size, MADV_DONTNEED);
}

void redwing_map_drop(uintptr_t start, size_t size) { munmap((void *)start, size); }

_Thread_local int64_t redwing_heap_bytes;

int redwing_arena_create(uint32_t *arena, uint32_t *cache) {
    unsigned index = 0, tcache = 0;
    size_t size = sizeof index;
    if (mallctl("arenas.create", &index, &size, NULL, 0) != 0) return 0;
    size = sizeof tcache;
    if (mallctl("tcache.create", &tcache, &size, NULL, 0) != 0) return 0;
    *arena = index;
    *cache = tcache;
    return MALLOCX_ARENA(index) | MALLOCX_TCACHE(tcache);
}

void redwing_arena_destroy(uint32_t arena, uint32_t cache) {
    unsigned tcache = cache;
    mallctl("tcache.destroy", NULL, NULL, &tcache, sizeof tcache);
    size_t name[3], depth = 3;
    if (mallctlnametomib("arena.0.destroy", name, &depth) != 0) return;
    name[1] = arena;
    mallctlbymib(name, depth, NULL, NULL, NULL, 0);
}

int64_t redwing_outside_bytes(void) {
    static _Thread_local uint64_t *taken, *returned;
    if (taken == NULL) {
        size_t size = sizeof taken;
        if (mallctl("thread.allocatedp", &taken, &size, NULL, 0) != 0) return 0;
        if (mallctl("thread.deallocatedp", &returned, &size, NULL, 0) != 0) return 0;
    }
    return (int64_t)(*taken - *returned) - redwing_heap_bytes;
}

void redwing_allocator_stats(uint64_t stats[5]) {
    static const char *const names[5] = {"stats.allocated", "stats.active", "stats.resident",
                                         "stats.mapped", "stats.retained"};
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    mallctl("epoch", &epoch, &size, &epoch, size);
    for (int i = 0; i < 5; i++) {
        size_t value = 0;
        size = sizeof value;
        mallctl(names[i], &value, &size, NULL, 0);
        stats[i] = value;
    }
}

void redwing_allocator_purge(void) {
    size_t name[3], depth = 3;
    if (mallctlnametomib("arena.0.purge", name, &depth) != 0) return;
    name[1] = MALLCTL_ARENAS_ALL;
    mallctlbymib(name, depth, NULL, NULL, NULL, 0);
}

uint64_t redwing_hash_key[4];
_Thread_local uint64_t redwing_random_state;

static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void redwing_hash_seed(uint64_t seed) {
    /* Odd words: a factor of zero or a power of two would lose what it is multiplied with. */
    for (int i = 0; i < 4; i++) redwing_hash_key[i] = next(&seed) | 1;
}

__attribute__((constructor)) static void begin(void) {
    uint64_t words[5];
    if (getrandom(words, sizeof words, 0) != (ssize_t)sizeof words) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t seed = (uint64_t)now.tv_nsec * 1000003u ^ (uint64_t)getpid();
        for (int i = 0; i < 5; i++) words[i] = next(&seed);
    }
    for (int i = 0; i < 4; i++) redwing_hash_key[i] = words[i] | 1;
    redwing_random_state = words[4];
}

uint64_t redwing_hash_long(const unsigned char *text, size_t size) {
    const uint64_t *key = redwing_hash_key;
    const unsigned char *place = text, *end = text + size;
    uint64_t a = key[2], b = key[3];
    while (end - place > 32) {
        a = redwing_mix(redwing_read64(place) ^ key[0], redwing_read64(place + 8) ^ a);
        b = redwing_mix(redwing_read64(place + 16) ^ key[1], redwing_read64(place + 24) ^ b);
        place += 32;
    }
    if (end - place > 16) {
        a = redwing_mix(redwing_read64(place) ^ key[0], redwing_read64(place + 8) ^ a);
    }
    return redwing_hash_end(text, size, a ^ b);
}
