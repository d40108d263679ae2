"""doc/schema.md has every table, view and column of schema.sql, and no other; its queries run."""
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

src = os.environ.get("C4_SRCDIR", ".")
build = os.environ.get("C4_BUILDDIR", ".")


def read(*path):
    with open(os.path.join(src, *path)) as f:
        return f.read()


def schema():
    db = sqlite3.connect(":memory:")
    db.executescript(read("prof", "schema.sql"))
    names = db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall()
    return {n: {c[1] for c in db.execute(f"PRAGMA table_xinfo({n})")} for (n,) in names}


def documented(text):
    """Columns are the first cell of a table's rows, or listed after 'Columns:'."""
    out, name = {}, None
    for line in text.splitlines():
        if line.startswith("### "):
            name = line[4:].strip()
            out[name] = set()
        elif name and (line.startswith("| `") or line.startswith("Columns:")):
            cell = line.split("|")[1] if line.startswith("|") else line
            out[name] |= set(re.findall(r"`(\w+)`", cell))
    return out


def main():
    text = read("doc", "schema.md")
    want, have = schema(), documented(text)
    bad = [f"{n} is not documented" for n in want.keys() - have.keys()]
    bad += [f"{n} is documented, but not in schema.sql" for n in have.keys() - want.keys()]
    for n in want.keys() & have.keys():
        bad += [f"{n}.{c} is not documented" for c in want[n] - have[n]]
        bad += [f"{n}.{c} is documented, but not in schema.sql" for c in have[n] - want[n]]

    queries = re.findall(r"```sql\n(.*?)```", text, re.S)
    if len(queries) < 3:
        bad.append("there are fewer than three example queries")
    with tempfile.TemporaryDirectory() as work:
        db_file = os.path.join(work, "run.db")
        subprocess.run([os.path.join(build, "tests/unit/prof_cases"), "--write", db_file,
                        os.path.join(src, "tests/prof/report-one-screen.case")], check=True)
        db = sqlite3.connect(db_file)
        for q in queries:
            if not db.execute(q).fetchall():
                bad.append("no rows from:\n" + q)
        for view in want:
            db.execute(f"SELECT * FROM {view}").fetchall()
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main())
