#!/bin/sh
# The report advises only what can be done and would help; else it says what is so.
set -eu
build=${C4_BUILDDIR:-.}
build=$(cd "$build" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/c4-advice-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "advice.sh: $name: $*"; cat out; exit 1; }

# record NAME: a recording of 2 PEs, whose events are on stdin.
record() {
    name=$1
    { echo "npes 2"; cat; } > run.case
    rm -f run.db
    "$build/tests/unit/prof_cases" --write run.db run.case
    "$build/prof/c4prof" report run.db > out
}

# Exactly one warning, with these words.
says() {
    [ "$(grep -c '^  ! ' out)" -eq 1 ] || fail "not one warning"
    grep -q "^  ! .*$1" out || fail "no '$1'"
}

silent() { ! grep '^  ! ' out || fail "a warning"; }

# elements SYNC PE...: four elements of an array, each of 50 ms on its PE, twice as much on PE 0.
elements() {
    sync=$1
    shift
    echo "type cell step"
    echo "coll 1 array cell 4 $sync"
    for pe in 0 1; do
        echo "pe $pe"
        i=0 at=1000000
        for where in "$@"; do
            if [ "$where" = $pe ]; then
                echo "object created 1:$i at 1000 index $i"
                echo "exec cell.step 1:$i $at $((at + 50000000))"
                at=$((at + 50000000))
            fi
            i=$((i + 1))
        done
    done
}

elements sync 0 0 1 1 | record "even"
silent
elements sync 0 0 0 1 | record "elements that can move"
says 'PE 0 was busy 1.50 times .*: try +balancer GreedyRefineLB$'
elements '' 0 0 0 1 | record "no AtSync"
says 'PE 0 was busy 1.50 times .*: nothing there can move, no array .*useAtSync=True)$'
{ echo "level summary"; elements sync 0 0 0 1; } | record "elements that can move, by their sums"
says ': try +balancer GreedyRefineLB$'
{ echo "level summary"; elements '' 0 0 0 1; } | record "no AtSync, by the sums"
says ': nothing there can move'

record "one element with most of the work" <<'END'
type cell step
coll 1 array cell 4 sync
pe 0
exec cell.step 1:2 1000 90000000
exec cell.step 1:0 90000000 100000000
pe 1
exec cell.step 1:1 1000 10000000
END
says 'one object (cell 2) alone took 1.64 times the mean, split it$'

record "a single chare that all ask" <<'END'
type desk ask
coll 1 single desk
pe 0
exec desk.ask 1:0 1000 90000000
pe 1
activity idle 1000 90000000
END
says 'one object (desk) alone took 2.00 times the mean, split it$'

record "main does it all" <<'END'
type cell step
coll 1 array cell 4 sync
pe 0
exec main 0:0 1000 90000000
pe 1
exec cell.step 1:1 1000 10000000
END
says 'the main function alone took 1.80 times the mean, give its work to chares$'

# The group's elements stay; the two of the array are no matter.
{
    echo "type cell step"
    echo "type node work"
    echo "coll 1 array cell 4 sync"
    for c in 2 3 4; do echo "coll $c group node 2"; done
    echo "pe 0"
    for c in 2 3 4; do echo "exec node.work $c:0 ${c}0000000 $((c + 1))0000000"; done
    echo "object created 1:0 at 100 index 0"
    echo "object created 1:2 at 100 index 2"
    echo "exec cell.step 1:0 50000000 51000000"
    echo "exec cell.step 1:2 51000000 52000000"
    echo "pe 1"
    echo "exec cell.step 1:1 1000 16000000"
} | record "work that cannot move"
says 'balancing could move only 6 % of it$'

# many N NS GAP: N executions of NS each on either PE, GAP in between.
many() {
    echo "limit 100000000"
    echo "type cell add"
    echo "coll 1 array cell 2"
    for pe in 0 1; do
        echo "pe $pe"
        awk -v n="$1" -v ns="$2" -v gap="$3" -v pe=$pe 'BEGIN {
            for (i = 0; i < n; i++) {
                at = 1000 + i * (ns + gap)
                printf "exec cell.add 1:%d %d %d\n", pe, at, at + ns
            }
        }'
    done
}

many 2000 10000 30000 | record "messages that are too small"
says 'make the work of a message larger$'
many 100 10000 1000000 | record "few messages, and the program does something else"
silent
many 2000 10000 100000 | record "what is between is not the cost of a message"
silent

# A step takes 20 ms of 100; only a second one could be left out.
step() { echo "lb $1 ${2}000000 $((${2} + 20))000000 GreedyLB 0.0 0.0 1:0 0.02 0 0 1:1 0.02 1 1"; }
{
    elements sync 0 1
    echo "stop 0"
} > even.case
sed "s/^pe 1/$(step 0 60)\n&/" even.case | record "one long step"
says 'the strategy and its migrations took [0-9]* % of the run$'
sed "s/^pe 1/$(step 0 60)\n$(step 1 90)\n&/" even.case | record "two long steps"
says 'in 2 steps: balance less often$'
