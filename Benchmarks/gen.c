// SPDX-License-Identifier: BSD-3-Clause
//
// The load of the benchmarks, fast enough never to be what is measured. It speaks RESP to a server on
// the loopback and keeps reading while it writes.
//
//   gen small PORT KEYS             SET key:0000000000 …, values of 8 to 256 bytes, half of them compressible
//   gen mixed PORT KEYS             all types, a quarter with an expiry, four databases
//   gen large PORT KEYS [SIZE]      values of 16 KiB, or SIZE bytes up to that, that don't compress
//   gen hammer PORT SECONDS SIZE    SETs in a pipeline as fast as they are taken; prints their number
//   gen touch MIB                   uses so much memory once, so that the machine has it at hand
//   gen latency PORT                a GET after the other until standard input ends; prints count, p50, p99,
//                                   worst, in microseconds
//
// The first error reply ends it with status 1.

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, FLUSH_AT = BUFFER - (1 << 17), LARGE = 16384 };

static int server;
static char out[BUFFER];
static size_t filled;
static uint64_t sent_requests, replies;
static uint64_t state = 88172645463325252u;

static void stop(const char *what) {
    fprintf(stderr, "gen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint32_t below(uint32_t bound) { return (uint32_t)((next_random() >> 32) * bound >> 32); }

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&address, sizeof address) != 0) stop("connect");
    int one = 1;
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// Replies here are one line each (+OK, :1, an id as a bulk of two): lines that begin a reply are counted.
static void take_replies(void) {
    static char in[1 << 16];
    static bool at_line_start = true, in_bulk = false;
    ssize_t n = recv(server, in, sizeof in, MSG_DONTWAIT);
    if (n == 0) {
        errno = ECONNRESET;
        stop("server");
    }
    if (n < 0) {
        if (errno == EAGAIN) return;
        stop("recv");
    }
    for (ssize_t i = 0; i < n; i++) {
        if (at_line_start) {
            if (in_bulk) {
                in_bulk = false;
            } else {
                if (in[i] == '-') {
                    fprintf(stderr, "gen: %.*s\n", (int)(n - i < 200 ? n - i : 200), in + i);
                    exit(1);
                }
                in_bulk = in[i] == '$';
                replies++;
            }
            at_line_start = false;
        }
        if (in[i] == '\n') at_line_start = true;
    }
}

static void flush(void) {
    size_t at = 0;
    while (at < filled) {
        struct pollfd wait = {.fd = server, .events = POLLIN | POLLOUT};
        if (poll(&wait, 1, -1) < 0) stop("poll");
        if (wait.revents & (POLLIN | POLLERR | POLLHUP)) take_replies();
        if (wait.revents & POLLOUT) {
            ssize_t n = send(server, out + at, filled - at, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN) stop("send");
            if (n > 0) at += (size_t)n;
        }
    }
    filled = 0;
}

static void await_replies(void) {
    flush();
    while (replies < sent_requests) {
        struct pollfd wait = {.fd = server, .events = POLLIN};
        if (poll(&wait, 1, -1) < 0) stop("poll");
        take_replies();
    }
}

static void begin(int arguments) {
    if (filled > FLUSH_AT) flush();
    sent_requests++;
    filled += (size_t)sprintf(out + filled, "*%d\r\n", arguments);
}

static void add_bytes(const char *bytes, size_t length) {
    filled += (size_t)sprintf(out + filled, "$%zu\r\n", length);
    memcpy(out + filled, bytes, length);
    filled += length;
    memcpy(out + filled, "\r\n", 2);
    filled += 2;
}

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add_bytes(text, (size_t)length);
}

// Random letters: LZF finds nothing in them.
static void add_random(size_t length) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[512];
    for (size_t i = 0; i < length; i++) text[i] = letters[next_random() >> 40 & 63];
    add_bytes(text, length);
}

// What applications store: repeated field names and words.
static void add_text(size_t length) {
    static const char *const words[] = {"\"name\":\"", "\"email\":\"", "\",\"id\":", "session", "user",
                                        "true,", "\"created\":", "2026-", "@example.org", "null"};
    char text[512];
    size_t at = 0;
    while (at < length) {
        char piece[32];
        int n = snprintf(piece, sizeof piece, "%s%u", words[below(10)], below(1000));
        size_t take = (size_t)n < length - at ? (size_t)n : length - at;
        memcpy(text + at, piece, take);
        at += take;
    }
    add_bytes(text, length);
}

static void add_value(uint32_t low, uint32_t high) {
    uint32_t length = low + below(high - low + 1);
    if (next_random() & 1 << 20)
        add_random(length);
    else
        add_text(length);
}

static void small(long keys) {
    for (long i = 0; i < keys; i++) {
        begin(3);
        add("SET");
        add("key:%010ld", i);
        add_value(8, 256);
    }
}

static void large(long keys, size_t size) {
    static char value[LARGE];
    if (size > LARGE) size = LARGE;
    for (long i = 0; i < keys; i++) {
        for (size_t at = 0; at < size; at += 8) {
            uint64_t word = next_random();
            memcpy(value + at, &word, 8);
        }
        begin(3);
        add("SET");
        add("large:%08ld", i);
        add_bytes(value, size);
    }
}

static void mixed_key(long i) {
    char key[32];
    uint32_t kind = below(100), count = 1 + below(20);
    snprintf(key, sizeof key, "m%u:%ld", kind % 10, i);
    if (kind < 10) {
        begin(3);
        add("SET");
        add("%s", key);
        add("%u", below(1000000));
    } else if (kind < 45) {
        begin(3);
        add("SET");
        add("%s", key);
        add_value(8, 256);
    } else if (kind < 60) {
        begin(2 + (int)count);
        add("RPUSH");
        add("%s", key);
        for (uint32_t n = 0; n < count; n++) add_value(4, 40);
    } else if (kind < 75) {
        begin(2 + 2 * (int)count);
        add("HSET");
        add("%s", key);
        for (uint32_t n = 0; n < count; n++) {
            add("field:%u", n);
            add_value(4, 40);
        }
    } else if (kind < 87) {
        begin(2 + (int)count);
        add("SADD");
        add("%s", key);
        for (uint32_t n = 0; n < count; n++) {
            if (kind < 81)
                add("%u", below(100000));
            else
                add_random(8 + below(10));
        }
    } else if (kind < 97) {
        begin(2 + 2 * (int)count);
        add("ZADD");
        add("%s", key);
        for (uint32_t n = 0; n < count; n++) {
            add("%.3f", below(1000000) / 7.0);
            add_random(10);
        }
    } else {
        for (uint32_t n = 1; n <= count; n++) {
            begin(7);
            add("XADD");
            add("%s", key);
            add("%u-%u", n, n);
            add("sensor");
            add("%u", below(100));
            add("value");
            add_value(4, 40);
        }
    }
    if (below(4) == 0) {
        begin(3);
        add("PEXPIREAT");
        add("%s", key);
        add("%" PRIu64, (uint64_t)4102444800000 + below(1000000000));
    }
}

static void mixed(long keys) {
    for (long i = 0; i < keys; i++) {
        if (keys >= 4 && i % (keys / 4) == 0 && i / (keys / 4) < 4) {
            begin(2);
            add("SELECT");
            add("%ld", i / (keys / 4));
        }
        mixed_key(i);
    }
    begin(2);
    add("SELECT");
    add("0");
    // A few of each collection past its packing thresholds.
    for (int big = 0; big < 10; big++) {
        for (int n = 0; n < 5000; n++) {
            begin(4);
            add("ZADD");
            add("bigz:%d", big);
            add("%d.5", n);
            add("member:%d", n);
            begin(4);
            add("HSET");
            add("bigh:%d", big);
            add("field:%d", n);
            add("value:%d", n);
        }
    }
}

static void hammer(double seconds, uint32_t size) {
    double end = now_s() + seconds;
    uint64_t count = 0;
    static char value[1 << 16];
    memset(value, 'x', sizeof value);
    while (now_s() < end) {
        for (int i = 0; i < 200; i++, count++) {
            begin(3);
            add("SET");
            add("hammer:%u", below(1000000));
            add_bytes(value, size < sizeof value ? size : sizeof value);
        }
        // A pipeline of a bounded depth, as clients have.
        flush();
        while (sent_requests - replies > 2000) {
            struct pollfd wait = {.fd = server, .events = POLLIN};
            poll(&wait, 1, -1);
            take_replies();
        }
    }
    await_replies();
    printf("%" PRIu64 "\n", count);
}

static int ascending(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

static void latency(void) {
    static uint32_t took_us[1 << 22];
    static const char request[] = "*2\r\n$3\r\nGET\r\n$14\r\nkey:0000000000\r\n";
    size_t count = 0;
    char in[4096];
    for (;;) {
        struct pollfd stdin_ends = {.fd = 0, .events = POLLIN};
        if (poll(&stdin_ends, 1, 0) > 0 || count == sizeof took_us / sizeof *took_us) break;
        double began = now_s();
        if (send(server, request, sizeof request - 1, MSG_NOSIGNAL) < 0) stop("send");
        if (recv(server, in, sizeof in, 0) <= 0) stop("recv");
        took_us[count++] = (uint32_t)((now_s() - began) * 1e6);
        // Leaves the cores to what is measured.
        usleep(200);
    }
    qsort(took_us, count, sizeof *took_us, ascending);
    if (count == 0) exit(1);
    printf("%zu %u %u %u\n", count, took_us[count / 2], took_us[count * 99 / 100], took_us[count - 1]);
}

/** Uses `mib` MiB of memory once and gives it back. A hypervisor takes free memory away within seconds,
 *  and to have it again costs a first touch up to 25 times its price: that is not to be measured. */
static void touch(size_t mib) {
    size_t size = mib << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    madvise(memory, size, MADV_HUGEPAGE);
    for (size_t at = 0; at < size; at += 4096) memory[at] = 1;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: gen small|mixed|large PORT KEYS | touch MIB | hammer PORT SECONDS SIZE | latency PORT\n");
        return 2;
    }
    const char *what = argv[1];
    if (strcmp(what, "touch") == 0) {
        touch((size_t)atol(argv[2]));
        return 0;
    }
    double amount = argc > 3 ? atof(argv[3]) : 0;
    connect_to(atoi(argv[2]));
    if (strcmp(what, "small") == 0)
        small((long)amount);
    else if (strcmp(what, "mixed") == 0)
        mixed((long)amount);
    else if (strcmp(what, "large") == 0)
        large((long)amount, argc > 4 ? (size_t)atol(argv[4]) : LARGE);
    else if (strcmp(what, "hammer") == 0)
        hammer(amount, argc > 4 ? (uint32_t)atoi(argv[4]) : 500);
    else if (strcmp(what, "latency") == 0)
        latency();
    else
        return 2;
    if (strcmp(what, "latency") != 0) await_replies();
    return 0;
}
