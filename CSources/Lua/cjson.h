/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of one instance of `cjson`, shared by its two directions. */
#ifndef REDWING_CJSON_H
#define REDWING_CJSON_H

#include "engine.h"

struct cjson_options {
    /* A table whose highest index is above `safe` and above `ratio` times its items is sparse. */
    int sparse_convert;
    int sparse_ratio;
    int sparse_safe;
    int encode_depth;
    int decode_depth;
    /* 0 refuses NaN and infinities, 1 writes them, 2 writes null. */
    int encode_invalid;
    int decode_invalid;
    int precision;
    int keep_buffer;
};

/** The options of the running function: its first upvalue. */
struct cjson_options *redwing_cjson_options(lua_State *lua);

int redwing_cjson_encode(lua_State *lua);
int redwing_cjson_decode(lua_State *lua);

#endif
