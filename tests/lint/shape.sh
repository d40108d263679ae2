#!/bin/sh
# The shape of the C sources: no #if inside a function, no function over 100
# lines, no tab, no space at the end of a line.
#
# A function's body is what stands between a "{" and a "}" in the first column.
set -eu
cd "${C4_SRCDIR:-.}"

files=
for f in runtime/*.[ch] job/*.[ch] launch/*.[ch] lb/*.[ch] prof/*.[ch] \
         plugins/*.[ch] py/src/*.[ch] examples/*.c tests/*/*.[ch]; do
    [ -e "$f" ] && files="$files $f"
done

awk -v most=100 '
    function complain(text) {
        printf "%s:%d: %s\n", FILENAME, FNR, text
        bad = 1
    }
    FNR == 1        { begin = 0 }
    /\t/            { complain("tab") }
    /[ \t]$/        { complain("space at the end of the line") }
    /^{/            { begin = FNR }
    /^}/ {
        if (begin && FNR - begin > most)
            complain("the block from line " begin " has over " most " lines")
        begin = 0
    }
    begin && /^[ ]*#[ ]*(if|ifdef|ifndef|elif|else)/ && FILENAME !~ /^tests/ {
        complain("#if inside a function: put the variant into a file or function")
    }
    END { exit bad }' $files
