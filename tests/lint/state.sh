#!/bin/sh
# libc4 has no file-scope mutable state: everything hangs from struct c4_pe.
#
# Reads the symbols of all objects of libc4.  Data that is constant after
# relocation is fine.  The one exception is the pointer that the handler of
# fatal signals reads, since a handler has no other way to its PE.
set -eu
allowed='fault.o:'
nallowed=1

[ -z "${C4_SANITIZERS:-}" ] || { echo "sanitizers add data of their own"; exit 77; }

archive=${C4_BUILDDIR:-.}/.libs/libc4core.a
[ -e "$archive" ] || { echo "$archive is missing: run make first"; exit 1; }

list=${TMPDIR:-/tmp}/c4-state.$$
trap 'rm -f "$list"' EXIT

# Name, object, class and section of each symbol in writable data.
"${NM:-nm}" -f sysv "$archive" | awk -F '|' '
    /^Symbols from / {
        object = $0
        sub(/.*\[/, "", object)
        sub(/\].*/, "", object)
        nobjects++
    }
    NF >= 7 {
        for (i = 1; i <= NF; i++)
            gsub(/[ \t]/, "", $i)
        if ($3 ~ /^[bBdDCsSgG]$/ && $7 !~ /^\.data\.rel\.ro/)
            print object ":" $1, $7
    }
    END { if (!nobjects) { print "nothing:read -"; } }' > "$list"

found=$(grep -c "^$allowed" "$list" || :)
[ "$found" -le $nallowed ] || {
    echo "more than $nallowed mutable variable in ${allowed%:}:"
    grep "^$allowed" "$list"
    exit 1
}
if grep -v "^$allowed" "$list"; then
    echo "mutable file-scope state: make it const, or hang it from struct c4_pe"
    exit 1
fi
exit 0
