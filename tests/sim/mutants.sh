#!/bin/sh
# Naive versions of the protocols (mutants/*.patch) must be caught.
#
# Each patch is applied to a copy of the sources; its head names the storms, or
# `directed`, that must fail with it, and with how many seeds.  A patch that
# does not apply or compile is a failure: adapt it to the sources.
#
#     mutants.sh [-v] [NAME...]
set -u
top=${C4_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=${C4_BUILDDIR:-.}/mutants.tmp
cc=${CC:-gcc}
cflags="-std=gnu11 -O1 -I. -Iruntime"
libs="$(pkg-config --libs libunwind 2>/dev/null || echo -lunwind) -lpthread -lm"
patches=$top/tests/sim/mutants

# compile DIR FILE...: objects beside the sources
compile() {
    dir=$1
    shift
    (cd "$dir" && for f; do
        $cc $cflags -c "$f" -o "${f%.c}.o" || exit 1
    done)
}

link() {
    (cd "$1" && $cc runtime/*.o tests/sim/storm*.o $libs -o storm &&
        $cc runtime/*.o tests/sim/directed.o $libs -o directed)
}

# one PATCH: prints a line, and returns 1 if the mutant lives
one() {
    name=$(basename "$1" .patch)
    dir=$work/$name
    cp -r "$work/base" "$dir"
    if ! patch -p1 -s --no-backup-if-mismatch -d "$dir" < "$1" > "$dir/log" 2>&1; then
        echo "FAILED $name: the patch does not apply"
        cat "$dir/log"
        return 1
    fi
    files=$(sed -n 's|^+++ b/||p' "$1")
    case "$files" in
    *.h*) files=$(cd "$dir" && ls runtime/*.c tests/sim/*.c) ;;
    esac
    if ! compile "$dir" $files > "$dir/log" 2>&1 || ! link "$dir" >> "$dir/log" 2>&1; then
        echo "FAILED $name: does not compile"
        cat "$dir/log"
        return 1
    fi
    seeds=$(sed -n 's/^seeds: //p' "$1")
    for kind in $(sed -n 's/^storm: //p' "$1"); do
        if [ "$kind" = directed ]; then
            (cd "$dir" && ./directed > log 2>&1)
        else
            (cd "$dir" && ./storm --kind "$kind" --seeds "1..$seeds" -q --jobs 1 --hang 20 \
                > log 2>&1)
        fi
        if [ $? -ne 0 ]; then
            echo "caught $name: $kind $(sed -n 's/^repeat:.*--seeds \([0-9]*\).*/seed \1/p' \
                "$dir/log" | tail -1): $(sed -n 's/^FAILED: //p;s/^Reason: //p' "$dir/log" |
                head -1)"
            rm -rf "$dir"
            return 0
        fi
    done
    echo "FAILED $name: the mutant lives"
    rm -rf "$dir"
    return 1
}

if [ "${1:-}" = --one ]; then
    one "$2"
    exit
fi

rm -rf "$work"
mkdir -p "$work/base/tests"
work=$(cd "$work" && pwd)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cp -r "$top/runtime" "$work/base/runtime"
mkdir "$work/base/tests/sim" "$work/base/tests/unit"
cp "$top/tests/unit/check.h" "$work/base/tests/unit"
cp "$top"/tests/sim/*.[ch] "$work/base/tests/sim"
rm -f "$work"/base/runtime/*.o
chmod -R u+w "$work"
(cd "$work/base" && ls runtime/*.c tests/sim/*.c) |
    (cd "$work/base" && xargs -P 2 -I F sh -c "$cc $cflags -c F -o \$(dirname F)/\$(basename F .c).o") &&
    link "$work/base" || { echo "FAILED: the unchanged sources do not compile"; exit 1; }
if ! (cd "$work/base" && ./directed > /dev/null && ./storm --seeds 1..20 -q); then
    echo "FAILED: the unchanged sources fail"
    exit 1
fi
if [ $# -gt 0 ]; then
    list=$(for n; do echo "$patches/$n.patch"; done)
else
    list=$(ls "$patches"/*.patch)
fi
C4_SRCDIR=$top C4_BUILDDIR=$(dirname "$work")
export C4_SRCDIR C4_BUILDDIR
echo "$list" | xargs -P 2 -n 1 sh "$0" --one || { echo "some mutants live"; exit 1; }
