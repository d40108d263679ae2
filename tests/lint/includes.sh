#!/bin/sh
# Who includes whom: an arrow that points the wrong way fails.
#
# The runtime knows nothing of balancing, recording, plugins, Python or SQLite;
# a strategy sees c4_lb.h and the C library; Python is a client of the public
# headers like any other program.
set -eu
cd "${C4_SRCDIR:-.}"

bad=0
headers=${C4_PUBLIC_HEADERS:-runtime/c4.h runtime/c4_bind.h runtime/c4_err.h lb/c4_lb.h prof/c4_prof.h}
public=
for h in $headers; do
    public="$public ${h##*/}"
done

complain()
{
    echo "$1:$2: includes $3, but $4"
    bad=1
}

# The folder that header $2, included from file $1, belongs to; "-" for the system's.
folder_of()
{
    case $2 in
    */*) [ -e "$2" ] && { echo "${2%%/*}"; return; } ;;
    esac
    if [ -e "${1%/*}/$2" ]; then
        echo "${1%%/*}"
        return
    fi
    for d in runtime lb prof plugins job launch py/src; do
        [ -e "$d/$2" ] && { echo "${d%%/*}"; return; }
    done
    echo -
}

# Prints "file line header" for each include of the files given.
includes()
{
    [ $# -gt 0 ] || return 0
    awk '/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
             h = $0
             sub(/^[^<"]*[<"]/, "", h)
             sub(/[>"].*$/, "", h)
             print FILENAME, FNR, h
         }' "$@"
}

files()
{
    for f in "$@"; do
        [ -e "$f" ] && echo "$f"
    done
    return 0
}

list=${TMPDIR:-/tmp}/c4-includes.$$
trap 'rm -f "$list"' EXIT

includes $(files runtime/*.[ch]) > "$list"
[ -s "$list" ] || { echo "no includes found in runtime/: the check is blind"; exit 1; }
while read -r file line header; do
    case $header in
    Python.h|greenlet/*|sqlite3.h|papi.h|mpi.h)
        complain "$file" "$line" "$header" "the runtime is free of it" ;;
    esac
    folder=$(folder_of "$file" "$header")
    case $folder in
    runtime|-) ;;
    *) complain "$file" "$line" "$header" "runtime/ knows nothing of $folder/" ;;
    esac
done < "$list"

# A strategy is a file that ends in a descriptor.
strategies=$(grep -l '^\(static \)\{0,1\}const c4_lb [a-z0-9_]* *=' $(files lb/*.c) /dev/null || :)
includes $strategies $(files lb/c4_lb.h lb/c4_lb_plan.h) > "$list"
while read -r file line header; do
    case ${header##*/} in
    c4_lb.h|c4_lb_plan.h|c4_err.h) continue ;;
    esac
    [ "$(folder_of "$file" "$header")" = - ] ||
        complain "$file" "$line" "$header" "a strategy sees only c4_lb.h"
done < "$list"

includes $(files py/src/*.[ch]) > "$list"
while read -r file line header; do
    case " $public " in
    *" ${header##*/} "*) continue ;;
    esac
    case $(folder_of "$file" "$header") in
    py|-) ;;
    *) complain "$file" "$line" "$header" "py/ is a client of the public headers ($public)" ;;
    esac
done < "$list"

includes $(files lb/*.[ch] plugins/*.[ch] prof/*.[ch]) > "$list"
while read -r file line header; do
    case $header in
    Python.h|greenlet/*) complain "$file" "$line" "$header" "only py/ knows Python" ;;
    esac
    case $(folder_of "$file" "$header") in
    job|launch|py) complain "$file" "$line" "$header" "job/, launch/ and py/ stand above" ;;
    esac
done < "$list"

# The public headers stand alone.
includes $(files $headers) > "$list"
while read -r file line header; do
    case " $public " in
    *" $header "*) continue ;;
    esac
    [ "$(folder_of "$file" "$header")" = - ] ||
        complain "$file" "$line" "$header" "it is not installed"
done < "$list"

exit $bad
