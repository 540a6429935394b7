#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stranger's view of libwing: installed to a prefix of its own, used from plain C through
# pkg-config, shared and static, with nothing in sight but what the headers declare.
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

make -s -C ../../CSources/Wing install PREFIX="$prefix" DESTDIR= OUT="$folder/build" \
    LDCONFIG="touch $folder/ldconfig-ran" >"$folder/said"

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
    # shellcheck disable=SC2046
    $compiler $strict -static -o "$folder/static" "$folder/stranger.c" \
        $(pkg-config --static --cflags --libs wing)
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
# What the headers declare is what a library shows, name for name.
grep -hoE '\bwing_[a-z0-9_]+\(' "$prefix"/include/wing/*.h | tr -d '(' | sort -u >"$folder/declared"
shows_what_is_declared() { # nm's arguments
    nm -g --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u >"$folder/shown"
    [ -s "$folder/declared" ] && diff "$folder/declared" "$folder/shown"
}
the_linker_is_told() {
    if [ "$(id -u)" -eq 0 ]; then [ -e "$folder/ldconfig-ran" ]; else grep -q ldconfig "$folder/said"; fi
}
a_staged_install_is_not_for_the_linker() {
    rm -f "$folder/ldconfig-ran"
    make -s -C ../../CSources/Wing install PREFIX=/usr DESTDIR="$folder/stage" OUT="$folder/build" \
        LDCONFIG="touch $folder/ldconfig-ran" && [ ! -e "$folder/ldconfig-ran" ]
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
check "the shared library exports what the headers declare" \
    shows_what_is_declared -D "$prefix/lib/libwing.so"
check "the static library shows what the headers declare" \
    shows_what_is_declared "$prefix/lib/libwing.a"
check "the dynamic linker learns of the library" the_linker_is_told
check "the library needs libc, lz4 and zlib alone" needs_no_more_than
check "pkg-config knows the version" [ "$(pkg-config --modversion wing)" = \
    "$(sed -n 's/^#define WING_VERSION "\(.*\)"/\1/p' "$prefix/include/wing/wing.h")" ]
check "a staged install goes below DESTDIR" a_staged_install_is_not_for_the_linker
check "its pkg-config file names the final place" \
    grep -qx 'prefix=/usr' "$folder/stage/usr/lib/pkgconfig/wing.pc"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
