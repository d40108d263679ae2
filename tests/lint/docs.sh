#!/bin/sh
# Every flag of the table stands in charmrun's manual page, and the reverse.
set -eu
cd "${C4_SRCDIR:-.}"
work=${TMPDIR:-/tmp}/c4-docs.$$
trap 'rm -f "$work.table" "$work.page"' EXIT

# Flags without meaning here are listed by +help only.
sed -n '/, NOTICE,/d; s/^[^"]*{ *"\(+[A-Za-z+_-]*\)".*/\1/p' runtime/flags.c | sort -u > "$work.table"
sed 's/\\-/-/g' doc/charmrun.1 | grep '^\.B' | grep -o '+[A-Za-z+_-]*' | sort -u > "$work.page"

[ -s "$work.table" ] || { echo "no flag found in runtime/flags.c: the check is blind"; exit 1; }
bad=0
for flag in $(comm -23 "$work.table" "$work.page"); do
    echo "$flag is a flag, but doc/charmrun.1 does not tell of it"
    bad=1
done
for flag in $(comm -13 "$work.table" "$work.page"); do
    echo "$flag stands in doc/charmrun.1, but is no flag"
    bad=1
done
exit $bad
