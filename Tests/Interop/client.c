// SPDX-License-Identifier: BSD-3-Clause
//
// What a C program does with hiredis: commands, binary values, a pipeline, a transaction, every reply type,
// pub/sub on a second connection, a script. Exits 0 when all is as it should be; else says what isn't.

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(int holds, const char *what, const redisContext *c) {
    if (holds) return;
    fprintf(stderr, "%s: %s\n", what, c && c->err ? c->errstr : "not as expected");
    exit(1);
}

static redisContext *open_to(int port) {
    struct timeval limit = {10, 0};
    redisContext *c = redisConnectWithTimeout("127.0.0.1", port, limit);
    need(c && !c->err, "connect", c);
    need(redisSetTimeout(c, limit) == REDIS_OK, "timeout", c);
    return c;
}

static redisReply *take(redisContext *c, int type) {
    void *reply = NULL;
    need(redisGetReply(c, &reply) == REDIS_OK && reply, "reply", c);
    need(((redisReply *)reply)->type == type, "type of a reply", c);
    return reply;
}

static void pipeline(redisContext *c) {
    enum { COUNT = 10000 };
    for (int i = 0; i < COUNT; i++) {
        redisAppendCommand(c, "SET key:%d %d", i, i * i);
        redisAppendCommand(c, "GET key:%d", i);
    }
    for (int i = 0; i < COUNT; i++) {
        freeReplyObject(take(c, REDIS_REPLY_STATUS));
        redisReply *value = take(c, REDIS_REPLY_STRING);
        need(atoi(value->str) == i * i, "a pipelined value", c);
        freeReplyObject(value);
    }
}

static void types(redisContext *c) {
    const char binary[] = "\0\r\n\xff$-1\r\n";
    freeReplyObject(redisCommand(c, "SET bin %b", binary, sizeof binary));
    redisReply *r = redisCommand(c, "GET bin");
    need(r->len == sizeof binary && !memcmp(r->str, binary, sizeof binary), "binary", c);
    freeReplyObject(r);
    r = redisCommand(c, "GET missing");
    need(r->type == REDIS_REPLY_NIL, "nil", c);
    freeReplyObject(r);
    r = redisCommand(c, "LPUSH bin x");
    need(r->type == REDIS_REPLY_ERROR && !strncmp(r->str, "WRONGTYPE", 9), "error", c);
    freeReplyObject(r);
    r = redisCommand(c, "INCRBY n %lld", 9223372036854775807LL);
    need(r->type == REDIS_REPLY_INTEGER && r->integer == 9223372036854775807LL, "integer", c);
    freeReplyObject(r);
    r = redisCommand(c, "EVAL %s 0", "return {1, 'two', {3, false}}");
    need(r->type == REDIS_REPLY_ARRAY && r->elements == 3 && r->element[2]->elements == 2, "nested", c);
    need(r->element[2]->element[1]->type == REDIS_REPLY_NIL, "nil inside", c);
    freeReplyObject(r);
}

static void transaction(redisContext *c) {
    redisAppendCommand(c, "MULTI");
    redisAppendCommand(c, "RPUSH list a b c");
    redisAppendCommand(c, "LRANGE list 0 -1");
    redisAppendCommand(c, "EXEC");
    freeReplyObject(take(c, REDIS_REPLY_STATUS));
    freeReplyObject(take(c, REDIS_REPLY_STATUS));
    freeReplyObject(take(c, REDIS_REPLY_STATUS));
    redisReply *r = take(c, REDIS_REPLY_ARRAY);
    need(r->elements == 2 && r->element[1]->elements == 3, "EXEC", c);
    freeReplyObject(r);
}

static void pubsub(redisContext *c, int port) {
    redisContext *listener = open_to(port);
    redisAppendCommand(listener, "SUBSCRIBE one two");
    redisAppendCommand(listener, "PSUBSCRIBE o*");
    for (int i = 1; i <= 3; i++) {
        redisReply *said = take(listener, REDIS_REPLY_ARRAY);
        need(said->element[2]->integer == i, "count of subscriptions", listener);
        freeReplyObject(said);
    }
    for (int i = 0; i < 1000; i++) {
        redisReply *r = redisCommand(c, "PUBLISH one message:%d", i);
        need(r->integer == 2, "receivers", c);
        freeReplyObject(r);
    }
    for (int i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "message:%d", i);
        redisReply *message = take(listener, REDIS_REPLY_ARRAY);
        need(message->elements == 3 && !strcmp(message->element[2]->str, text), "message", listener);
        freeReplyObject(message);
        message = take(listener, REDIS_REPLY_ARRAY);
        need(message->elements == 4 && !strcmp(message->element[3]->str, text), "pmessage", listener);
        freeReplyObject(message);
    }
    redisFree(listener);
}

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 6379;
    redisContext *c = open_to(port);
    pipeline(c);
    types(c);
    transaction(c);
    pubsub(c, port);
    redisFree(c);
    puts("all is well");
    return 0;
}
