#!/bin/sh
# Every flag of the table stands in charmrun's manual page, and the reverse; so do recorded
# variables in doc/recording.md.
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

# Variables that are recorded stand in doc/recording.md.
words=$(sed -n '/^static const char \*const wanted/,/^};/p; /^static const char \*const secret/,/^};/p' \
        prof/provenance.c | grep -o '"[^"]*"' | tr -d '"')
[ -n "$words" ] || { echo "no variable found in prof/provenance.c: the check is blind"; exit 1; }
for word in $(printf '%s' "$words" | tr '*' '?'); do
    if ! tr '*' '?' < doc/recording.md | grep -qF "\`$word\`"; then
        echo "variables $word are recorded, but doc/recording.md does not tell of it"
        bad=1
    fi
done
exit $bad
