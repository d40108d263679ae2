#!/bin/sh
# libc4.so exports what the public headers declare with C4_API: all, and nothing else.
set -eu
headers=${C4_PUBLIC_HEADERS:-runtime/c4.h runtime/c4_bind.h runtime/c4_err.h lb/c4_lb.h}
builddir=${C4_BUILDDIR:-$PWD}
cd "${C4_SRCDIR:-.}"

[ -e "$builddir/.libs/libc4.so" ] || { echo "$builddir/.libs/libc4.so is missing: run make first"; exit 1; }
work=${TMPDIR:-/tmp}/c4-exports.$$
trap 'rm -f "$work.declared" "$work.exported"' EXIT

cat $headers |
    sed -n '/^C4_API/s/^C4_API[^(]*[ *]\(c4_[a-z0-9_]*\)(.*/\1/p' |
    sort -u > "$work.declared"
"${NM:-nm}" -D --defined-only "$builddir/.libs/libc4.so" |
    awk '$2 ~ /^[TDBRVWi]$/ { sub(/@.*/, "", $3); print $3 }' |
    grep -v '^C4_[0-9]*$' | sort -u > "$work.exported"

[ -s "$work.declared" ] || { echo "no C4_API found: the check is blind"; exit 1; }
bad=0
for name in $(comm -23 "$work.declared" "$work.exported"); do
    echo "$name is declared in a public header, but libc4.so does not have it"
    bad=1
done
for name in $(comm -13 "$work.declared" "$work.exported"); do
    echo "$name is exported by libc4.so, but no public header declares it"
    bad=1
done
exit $bad
