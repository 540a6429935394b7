#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stranger's view of libwing: installed to a prefix of its own, used from plain C through
# pkg-config, shared and static, with nothing but wing_* in sight.
set -euo pipefail
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/usr
passed=0 failed=0

check() { # sentence, command...
    local sentence=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $sentence"
    fi
}

make -s -C ../../CSources/Wing install PREFIX="$prefix" DESTDIR= OUT="$folder/build" >/dev/null

cat >"$folder/stranger.c" <<'C'
#include <stdio.h>
#include <string.h>
#include <wing/wing.h>

int main(void) {
    char text[400], packed[400], back[400];
    memset(text, 'w', sizeof text);
    if (wing_crc64(0, "123456789", 9) != UINT64_C(0xe9c6d914c4b8d9ca)) return 1;
    size_t size = wing_lzf_compress(text, sizeof text, packed, sizeof text - 4);
    if (wing_lzf_decompress(packed, size, back, sizeof back) != sizeof text) return 2;
    if (memcmp(text, back, sizeof text) != 0) return 3;
    struct wing_codec_decoder *lz4 = wing_codec_decoder_create(WING_CODEC_LZ4);
    struct wing_codec_decoder *gzip = wing_codec_decoder_create(WING_CODEC_GZIP);
    if (lz4 == NULL || gzip == NULL) return 4;
    wing_codec_decoder_free(lz4);
    wing_codec_decoder_free(gzip);
    puts(wing_strerror(WING_E_FORMAT));
    return 0;
}
C

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
compiler=${CC:-cc}
strict="-std=c11 -Wall -Wextra -Wconversion -Werror"

compiles_shared() {
    # shellcheck disable=SC2046
    $compiler $strict -o "$folder/shared" "$folder/stranger.c" $(pkg-config --cflags --libs wing)
}
compiles_static() {
    # The library by name, what it needs from pkg-config.
    # shellcheck disable=SC2046
    $compiler $strict -o "$folder/static" "$folder/stranger.c" $(pkg-config --cflags wing) \
        "$prefix/lib/libwing.a" $(pkg-config --libs liblz4 zlib)
}
runs() { [ "$("$@")" = "bytes that no valid input holds" ]; }
headers_stand_alone() {
    local header
    for header in "$prefix"/include/wing/*.h; do
        echo "#include <wing/$(basename "$header")>" >"$folder/alone.c"
        # shellcheck disable=SC2086
        $compiler $strict -fsyntax-only -I"$prefix/include" "$folder/alone.c" || return 1
    done
}
headers_are_cplusplus() {
    echo '#include <wing/wing.h>' >"$folder/alone.cc"
    c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I"$prefix/include" "$folder/alone.cc"
}
shows_only_wing() { # nm's arguments
    local names
    names=$(nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }')
    [ -n "$names" ] && ! grep -v '^wing_' <<<"$names"
}
needs_no_more_than() {
    ! readelf -d "$prefix/lib/libwing.so" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
        grep -vE '^(libc|liblz4|libz|ld-linux.*)\.so'
}

check "a program compiles by pkg-config --cflags --libs wing" compiles_shared
check "it runs with the shared library" runs env LD_LIBRARY_PATH="$prefix/lib" "$folder/shared"
check "a program links the static library" compiles_static
check "it runs without the shared library" runs "$folder/static"
check "each header compiles alone" headers_stand_alone
check "the headers are C++ too" headers_are_cplusplus
check "the shared library exports only wing_*" shows_only_wing -D "$prefix/lib/libwing.so"
check "the static library shows only wing_*" shows_only_wing "$prefix/lib/libwing.a"
check "the library needs libc, lz4 and zlib alone" needs_no_more_than
check "pkg-config knows the version" [ "$(pkg-config --modversion wing)" = \
    "$(sed -n 's/^#define WING_VERSION "\(.*\)"/\1/p' "$prefix/include/wing/wing.h")" ]
check "a staged install goes below DESTDIR" make -s -C ../../CSources/Wing install \
    PREFIX=/usr DESTDIR="$folder/stage" OUT="$folder/build"
check "its pkg-config file names the final place" \
    grep -qx 'prefix=/usr' "$folder/stage/usr/lib/pkgconfig/wing.pc"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
