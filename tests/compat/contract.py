"""The contract of the Python API, and which test proves which statement of it.

The statements stand in contract/*.txt, by section:

    # 6 Futures
    6.1 | `get()` suspends until all values arrived.
    6.9 ! a statement that does not hold | the reason

A test claims a statement with a comment that names it, `# contract: 6.1 6.2`, next to what
checks it, in any file below tests/ and examples/. `contract.py` writes doc/compatibility.md
from both; `contract.py --check` fails if the page is out of date, a statement has no test,
or a test claims a statement that there is not.
"""
import argparse
import ast
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
PAGE = TOP / 'doc' / 'compatibility.md'
STATEMENT = re.compile(r'(\d+(?:\.\d+)+[a-z]?)\s+([|!])\s+(.*)')
CLAIM = re.compile(r'(?:#|//|/\*)\s*contract:\s*((?:\d+(?:\.\d+)+[a-z]?[ ,]*)+)')

INTRODUCTION = """\
# Compatibility with Charm4py

What a program written for Charm4py 1.0 can rely on, statement by statement, and the test that
proves it. Written by `tests/compat/contract.py` from `tests/compat/contract/` and from the
claims in the tests; do not edit it by hand.

`tests/compat/tour.py MANUAL` runs the manual of Charm4py itself: of its 63 blocks of code and
commands 53 run, as programs, sessions of the shell or in a scaffold, on 1, 2 and 4 PEs, and none
fails. The other 10 install the other system (4), need MPI (2) or SLURM (1), or are data, prose or
output (3).
"""


def statements():
    """[(title, [(id, holds, text)])] in the order of the files."""
    sections, problems, seen = [], [], set()
    for path in sorted((HERE / 'contract').glob('*.txt')):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip():
                continue
            if line.startswith('# '):
                sections.append((line[2:], []))
                continue
            match = STATEMENT.fullmatch(line.strip())
            if not match or not sections or match[1] in seen:
                problems.append(f'{path.name}:{number}: not a statement, or one that there was: {line}')
                continue
            seen.add(match[1])
            sections[-1][1].append((match[1], match[2] == '|', match[3]))
    return sections, problems


def enclosing(path, text):
    """Line number -> name of the test function around it; none outside of pytest's files."""
    names = {}
    if path.name.startswith('test_') and path.suffix == '.py':
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno] + [d.lineno for d in node.decorator_list])
                names.update(dict.fromkeys(range(first, node.end_lineno + 1), node.name))
    return names


def claims():
    """id -> sorted list of tests, 'tests/.../file' or 'tests/.../file::function'."""
    found = {}
    for folder in ('tests', 'examples'):
        for path in sorted((TOP / folder).rglob('*')):
            if path.suffix not in ('.py', '.c', '.sh') or path == HERE / 'contract.py':
                continue
            text = path.read_text()
            if 'contract:' not in text:
                continue
            names = enclosing(path, text)
            for number, line in enumerate(text.splitlines(), 1):
                match = CLAIM.search(line)
                if not match:
                    continue
                test = str(path.relative_to(TOP))
                if number in names:
                    test += '::' + names[number]
                for statement in re.split(r'[ ,]+', match[1].strip(' ,')):
                    found.setdefault(statement, set()).add(test)
    return {statement: sorted(tests) for statement, tests in found.items()}


def link(test):
    path, _, function = test.partition('::')
    return f'[{pathlib.Path(path).name}{" " + function if function else ""}](../{path})'


def page(sections, proofs):
    lines = [INTRODUCTION]
    deviations = [s for _, rows in sections for s in rows if not s[1]]
    held = sum(len(rows) for _, rows in sections) - len(deviations)
    lines.append(f'{held} statements hold, {len(deviations)} do not.\n')
    if deviations:
        lines += ['## Deviations\n', '| | statement and reason |', '| --- | --- |']
        lines += [f'| {number} | {text.replace(" | ", "<br>")} |' for number, _, text in deviations]
        lines.append('')
    for title, rows in sections:
        lines += [f'## {title}\n', '| | statement | proved by |', '| --- | --- | --- |']
        for number, holds, text in rows:
            proof = ', '.join(map(link, proofs.get(number, ['']))) if number in proofs else '(see above)'
            lines.append(f'| {number} | {text.split(" | ")[0]} | {proof} |')
        lines.append('')
    return '\n'.join(lines)


def main():
    parser = argparse.ArgumentParser(description='Writes doc/compatibility.md from the tests.')
    parser.add_argument('--check', action='store_true', help='write nothing, fail if the page is out of date')
    options = parser.parse_args()
    sections, problems = statements()
    proofs = claims()
    known = {number for _, rows in sections for number, _, _ in rows}
    problems += [f'{number}: no test claims it' for _, rows in sections
                 for number, holds, _ in rows if holds and number not in proofs]
    problems += [f'{number}: claimed by {", ".join(tests)}, but there is no such statement'
                 for number, tests in sorted(proofs.items()) if number not in known]
    text = page(sections, proofs)
    if not options.check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        problems.append('doc/compatibility.md is out of date: run tests/compat/contract.py')
    for problem in problems:
        print(problem, file=sys.stderr)
    return bool(problems)


if __name__ == '__main__':
    sys.exit(main())
