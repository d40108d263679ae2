#!/bin/sh
# doc/c4prof.1 names every verb and option of c4prof.
set -eu
src=${C4_SRCDIR:-.}
c4prof=${C4_BUILDDIR:-.}/prof/c4prof
page=$src/doc/c4prof.1

bad=0
verbs=$("$c4prof" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$verbs" ] || { echo "no verbs found: the check is blind"; exit 1; }
for verb in $verbs; do
    grep -q "^\.B c4prof $verb" "$page" || { echo "verb $verb is not in the page"; bad=1; }
    for option in $("$c4prof" "$verb" --help | grep -o -- '--[a-z-]*' | sort -u); do
        case $option in --usage|--version|--help) continue ;; esac
        grep -q -- "$option" "$page" || { echo "$verb $option is not in the page"; bad=1; }
    done
done
exit $bad
