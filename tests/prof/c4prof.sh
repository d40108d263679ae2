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
expect 2 'verb is missing' "$c4prof"
expect 2 "no verb 'reprot'" "$c4prof" reprot run.db
expect 2 'table or json' "$c4prof" report -F xml run.db
expect 2 'database is missing' "$c4prof" report

# ---- check ----
expect 0 'wall-is-its-parts  *busy_ns' "$c4prof" check --list
expect 0 '--list' "$c4prof" check --help
expect 2 'database is missing' "$c4prof" check
expect 2 'there is no file' "$c4prof" check no.db

# ---- what is not a trace ----
expect 2 'there is no file' "$c4prof" report no.db
echo 'hello' > text.db
expect 2 'is not a database' "$c4prof" report text.db
: > empty.db
expect 2 'is not a database' "$c4prof" report empty.db
mkdir folder
expect 2 'is a folder' "$c4prof" report folder
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
shutil.copy("run.db", "older.db")
older = sqlite3.connect("older.db")
older.execute("pragma user_version = 0")
older.commit()
older.close()
with open("run.db", "rb") as f:
    whole = f.read()
with open("cut.db", "wb") as f:
    f.write(whole[:20000])
END
expect 2 'of another program' "$c4prof" report other.db
expect 2 'newer c4' "$c4prof" report newer.db
expect 2 'older c4.*record again' "$c4prof" report older.db
expect 2 'cut.db is not as c4 wrote it' "$c4prof" report cut.db
mkfifo pipe.db
expect 2 'is a pipe' timeout 10 "$c4prof" report pipe.db
expect 2 'is a pipe' timeout 10 "$c4prof" report --as-is pipe.db
expect 2 'is a device' "$c4prof" report /dev/null
mkdir busy.db.spool.d
expect 2 'c4prof recover busy.db.spool.d' "$c4prof" report busy.db
touch busy.db.tmp
expect 2 'still being written' "$c4prof" report busy.db

# ---- what was changed since ----

# changed WHAT SQL: run.db with the change, which is refused; then as it is.
changed() {
    rm -f changed.db
    cp run.db changed.db
    "${PYTHON:-python3}" - "$1" <<'END'
import sqlite3, sys
db = sqlite3.connect("changed.db")
db.executescript(sys.argv[1])
db.close()
END
    expect 2 'changed.db is not as c4 wrote it' "$c4prof" report changed.db
    [ "$(wc -l < err)" -eq 1 ] && [ ! -s out ] || fail "more than one line: $1"
}

# Exit status 0, and the very figures of run.db; $1 is a change that does no harm.
harmless() {
    changed "$1"
    expect 0 'cell.step' timeout 20 "$c4prof" report --as-is changed.db
    tail -n +2 out > same
    "$c4prof" report run.db | tail -n +2 | cmp -s - same || fail "other figures: $1"
}

# Exit status 2 and $1 in one line; $2 is the change.
harmful() {
    changed "$2"
    for format in table json; do
        expect 2 "changed.db .*$1" timeout 20 "$c4prof" report -F $format --as-is changed.db
        [ "$(wc -l < err)" -eq 1 ] || fail "more than one line: $2"
    done
}

harmless 'create table notes (text); insert into notes values (1)'
harmless 'create index pid on pe (pid)'
harmless 'drop view entry_time; create view entry_time as with recursive r (n) as
    (select 1 union all select n + 1 from r) select n as entry, count(*) as calls from r'
harmless 'drop view pe_time; drop view lb_history'
harmful 'integer overflow' 'update summary set ns = 9223372036854775807'
harmful 'is not complete' 'delete from run; delete from pe'
harmful 'is not complete' 'insert into run (id, npes, level, complete, dropped, end_ns)
    select 2, npes, level, complete, dropped, end_ns from run'
harmful 'table pe has a value of another type' "update pe set busy_ns = 'much'"
harmful 'table log has a value of another type' "update log set text = x'00ff'"
harmful 'table lb_step has a value of another type' 'update lb_step set imbalance_before = 9e999'
harmful 'does not have the table log' 'drop table log'
harmful 'does not have the table log' 'alter table log rename to said; create view log as select * from said'
harmful 'does not have the table pe' 'alter table pe add column watts integer'
harmful 'does not have the table log' 'create trigger t after insert on log begin select 1; end'
harmful 'malformed JSON' "update run set argv = '[oh'"

# Text that a terminal would obey, and text that is none.
changed "update entry_method set name = 'st' || char(27) || '[31mep' || char(155) || char(0x202e);
    update chare_type set name = cast(x'63ff656c6c' as text); update counter set name = char(7);
    update run set argv = json_array('a' || char(10), char(27)), transport = char(13), program = char(27),
        note = char(10), git_revision = char(7), python = char(27);
    update log set text = 'bell' || char(7); update lb_step set strategy = char(27)"
for format in table json; do
    expect 0 '[xu]\(00\)*1b\[31mep' "$c4prof" report -F $format --as-is changed.db
    tr -d '\n' < out | LC_ALL=C grep -q '[[:cntrl:]]' && fail "control characters in $format"
    LC_ALL=C grep -q "$(printf '\302\233')\|$(printf '\377')" out && fail "C1 or no UTF-8 in $format"
done
"${PYTHON:-python3}" -c 'import json; json.load(open("out", encoding="utf-8"))' || fail "json"

# ---- recover ----
expect 2 'there are no spools' "$c4prof" recover busy.db.spool.d
expect 2 'No such file' "$c4prof" recover none.spool.d
expect 2 'say with -o' "$c4prof" recover folder
expect 2 'exists' "$c4prof" recover folder -o run.db
expect 2 'folder of the spools is missing' "$c4prof" recover
echo junk > busy.db.spool.d/pe-00000.spool
expect 2 'too short' "$c4prof" recover busy.db.spool.d
rm busy.db.spool.d/pe-00000.spool
mkfifo busy.db.spool.d/pe-00000.spool
expect 2 'no regular file' timeout 10 "$c4prof" recover busy.db.spool.d
"$build/tests/unit/prof_cases" --spools killed.db.spool.d "$src/tests/prof/killed-pe-keeps-what-it-recorded.case"
expect 0 '2 PEs, 3 executions' "$c4prof" recover --keep killed.db.spool.d
[ -d killed.db.spool.d ] || fail "--keep"
expect 0 'PE 1 was killed' "$c4prof" report killed.db
expect 2 'exists' "$c4prof" recover killed.db.spool.d
expect 0 '2 PEs' "$c4prof" recover --force killed.db.spool.d
[ ! -e killed.db.spool.d ] || fail "the spools are still there"
