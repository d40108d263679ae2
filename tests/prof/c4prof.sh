#!/bin/sh
# c4prof on good and bad input: what it prints, and what it says when it cannot.
set -eu
src=${C4_SRCDIR:-.}
build=${C4_BUILDDIR:-.}
c4prof=$build/prof/c4prof
work=$(mktemp -d "${TMPDIR:-/tmp}/c4-c4prof-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$src"
src=$(pwd)
cd "$work"

fail() { echo "c4prof.sh: $*"; cat "$work/out" "$work/err" 2>/dev/null; exit 1; }

# expect STATUS WORDS COMMAND...: the words are on stdout or stderr, in one line.
expect() {
    status=$1 words=$2
    shift 2
    got=0
    "$@" > "$work/out" 2> "$work/err" || got=$?
    [ $got -eq "$status" ] || fail "status $got, not $status: $*"
    grep -q -- "$words" "$work/out" "$work/err" || fail "no '$words': $*"
}

case=$src/tests/prof/report-one-screen.case
"$build/tests/unit/prof_cases" --write run.db "$case"

# ---- report ----
expect 0 'cell.step  ' "$c4prof" report run.db
grep -q 'GreedyRefineLB .* 50.0 %  .* 10.0 %' out || fail "no LB step"
grep -q '! .*found no room\|! balancing did not help' out || fail "no warning"
[ "$(awk 'length > 120' out | wc -l)" -eq 0 ] || fail "lines are too long"
[ "$(wc -l < out)" -le 50 ] || fail "more than a screen"
expect 0 '"entry":"cell.step"' "$c4prof" report --format json run.db
"${PYTHON:-python3}" -c 'import json, sys
r = json.load(open("out"))
assert r["run"]["npes"] == 2 and r["run"]["complete"] is True, r["run"]
assert [p["pe"] for p in r["pes"]] == [0, 1]
assert r["entries"][0]["entry"] == "cell.step", r["entries"][0]
assert r["lb_steps"][0]["imbalance_predicted"] == 0.1
assert r["migrations"]["count"] == 1 and r["warnings"]' || fail "json"
expect 0 'Usage: c4prof' "$c4prof" --help
expect 0 'recover' "$c4prof" --help
expect 0 '^c4prof ' "$c4prof" --version
expect 0 'FORMAT' "$c4prof" report --help
expect 64 'verb is missing' "$c4prof"
expect 2 "no verb 'reprot'" "$c4prof" reprot run.db
expect 64 'table or json' "$c4prof" report -F xml run.db
expect 64 'database is missing' "$c4prof" report

# ---- what is not a trace ----
expect 1 'there is no file' "$c4prof" report no.db
echo 'hello' > text.db
expect 1 'is not a database' "$c4prof" report text.db
: > empty.db
expect 1 'is not a database' "$c4prof" report empty.db
mkdir folder
expect 1 'is a folder' "$c4prof" report folder
"${PYTHON:-python3}" - <<'END'
import shutil, sqlite3
other = sqlite3.connect("other.db")
other.execute("create table t (a)")
other.commit()
shutil.copy("run.db", "newer.db")
newer = sqlite3.connect("newer.db")
newer.execute("pragma user_version = 99")
newer.commit()
newer.close()
with open("run.db", "rb") as f:
    whole = f.read()
with open("cut.db", "wb") as f:
    f.write(whole[:20000])
END
expect 1 'of another program' "$c4prof" report other.db
expect 1 'newer c4' "$c4prof" report newer.db
expect 1 'is damaged\|cannot be read' "$c4prof" report cut.db
mkdir busy.db.spool.d
expect 1 'c4prof recover busy.db.spool.d' "$c4prof" report busy.db
touch busy.db.tmp
expect 1 'still being written' "$c4prof" report busy.db

# ---- recover ----
expect 1 'there are no spools' "$c4prof" recover busy.db.spool.d
expect 1 'No such file' "$c4prof" recover none.spool.d
expect 2 'say with -o' "$c4prof" recover folder
expect 1 'exists' "$c4prof" recover folder -o run.db
expect 64 'folder of the spools is missing' "$c4prof" recover
echo junk > busy.db.spool.d/pe-00000.spool
expect 1 'too short' "$c4prof" recover busy.db.spool.d
"$build/tests/unit/prof_cases" --spools killed.db.spool.d "$src/tests/prof/killed-pe-keeps-what-it-recorded.case"
expect 0 '2 PEs, 3 executions' "$c4prof" recover --keep killed.db.spool.d
[ -d killed.db.spool.d ] || fail "--keep"
expect 0 'PE 1 was killed' "$c4prof" report killed.db
expect 1 'exists' "$c4prof" recover killed.db.spool.d
expect 0 '2 PEs' "$c4prof" recover --force killed.db.spool.d
[ ! -e killed.db.spool.d ] || fail "the spools are still there"
