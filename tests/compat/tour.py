"""A tour of the manual: takes every code block out of it and runs it.

    python3 tour.py MANUAL.txt ... [--pes 1 2 4] [--block N] [--show]

The manual is text with blocks between lines of ``` (programs on a page without such lines are
found by their first and last line). How a block is run follows from how it looks:

    program     begins with an import of charm4py; goes on in the next block if charm.start()
                is not in it (a page ends there)
    session     begins with >>> or class: typed into the interactive shell, after all blocks of
                the session before it; what the block shows must come on 2 PEs, the manual's number
    output      begins with Charm4py>: belongs to the block before
    shell       begins with $: run in a folder with a program of the name that the manual uses
    fragment    tour_blocks.py says what stands around it

`+pN` and PE numbers follow the number of PEs of the run where the manual's do not fit. Prints a
table; the status is 1 if a block fails that could run, 2 if a block is of no known kind.
"""
import argparse
import collections
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import tour_blocks as known

GUARD_S = 120  # against hangs only

PROGRAM = """
from charm4py import charm, Chare, Group

class Hello(Chare):
    def hi(self):
        print('PE', charm.myPe(), 'of', charm.numPes())

def main(args):
    Group(Hello).hi(awaitable=True).get()
    exit()

charm.start(main)
"""


class Block:

    def __init__(self, number, line, text):
        self.number, self.line, self.lines = number, line, text
        self.first = text[0] if text else ''
        self.kind, self.why = None, ''
        self.results = {}

    def known(self, table):
        return table.get((self.number, self.first))


# ---- Finding the blocks ---------------------------------------------------------------

def fenced(lines):
    blocks, begin = [], None
    for i, line in enumerate(lines):
        if line.startswith('```'):
            if begin is None:
                begin = i + 1
            else:
                blocks.append(Block(len(blocks) + 1, begin + 1, lines[begin:i]))
                begin = None
    return blocks


def unfenced(lines):
    """Programs that stand in the text as they are."""
    blocks, begin = [], None
    for i, line in enumerate(lines):
        if begin is None and line.startswith('from charm4py import '):
            begin = i
        elif begin is not None and line.startswith('charm.start('):
            blocks.append(Block(0, begin + 1, lines[begin:i + 1]))
            begin = None
    return blocks


def find_blocks(path):
    lines = path.read_text().splitlines()
    return fenced(lines) or unfenced(lines)


def tidy(block):
    """Puts right what the way from the printed page to text does to any block."""
    lines = []
    for line in block.lines:
        line = line.replace('</pre>', '').replace('\\#', '#')
        if line.startswith('\u2192') and lines:             # a line too long for the page
            lines[-1] += ' ' + line[1:].strip()
            continue
        body = line.lstrip(' ')
        indent = len(line) - len(body)
        lines.append(' ' * (indent + 1 if indent % 4 == 3 else indent) + body)
    for first, last, edit in block.known(known.REPAIRS) or []:
        for i in range(first - 1, last):
            if callable(edit):
                lines[i] = edit(lines[i])
            elif lines[i].strip():
                lines[i] = ' ' * edit + lines[i] if edit > 0 else lines[i][-edit:]
    # A result that the manual leaves out is 1.
    return '\n'.join(re.sub(r'= #', '= 1 #', line) for line in lines) + '\n'


def classify(blocks):
    previous = None
    for block in blocks:
        first = block.first
        why = block.known(known.NOT_RUN)
        if why:
            block.kind, block.why = 'not run', why
        elif previous and previous.kind == 'program' and 'charm.start(' not in previous.text:
            block.kind, block.why = 'joined', f'the end of block {previous.number}'
            previous.text += tidy(block)
            continue
        elif first.startswith('from charm4py import '):
            block.kind, block.text = 'program', tidy(block)
        elif first.startswith('$ '):
            block.kind, block.text = 'shell', '\n'.join(block.lines) + '\n'
        elif first.startswith('Charm4py> ') and previous:
            block.kind, block.why = 'output', f'of block {previous.number}'
            previous.shown += block.lines
        elif first.startswith(('>>> ', 'class ')):
            block.kind, block.text = 'session', tidy(block)
            block.typed, block.shown = transcript(block)
        elif block.known(known.AROUND):
            block.kind = 'fragment'
            block.text = re.sub(r'( *)BLOCK\n', lambda m: indented(tidy(block), m[1]),
                                block.known(known.AROUND))
        else:
            block.kind, block.why = 'unknown', 'of no known kind'
        previous = block


def indented(text, by):
    return ''.join(by + line + '\n' for line in text.splitlines())


# ---- Sessions ---------------------------------------------------------------------------

def transcript(block):
    """What is typed in a block of the session, and what it shows."""
    lost = block.known(known.LOST) or ''
    if not block.first.startswith('>>> '):
        return lost + block.text + '\n', []
    typed, shown = [], []
    for line in block.text.splitlines():
        glued = re.fullmatch(r'>>> (\w+) (< ?.*>)', line)   # a prompt and what it showed
        if glued:
            typed.append(glued[1])
            shown.append(glued[2])
        elif line.startswith('>>> '):
            typed.append(line[4:])
        else:
            shown.append(line)
    return lost + '\n'.join(typed) + '\n', shown


def fit_session(text, npes):
    """Naps become short; on one PE, PE 1 is PE 0."""
    text = text.replace('time.sleep(5)', 'time.sleep(0.05)')
    if npes == 1:
        text = re.sub(r'onPE=1\b', 'onPE=0', text)
        text = re.sub(r'\b(g|thisProxy)\[1\]', r'\1[0]', text)
    return text


def plain(line):
    """A line of a session without what differs each time."""
    line = re.sub(r'at 0x[0-9a-f]+', 'at 0x', line).replace('< ', '<')
    line = re.sub(r'<Future fid=\d+ .*>', '<charm4py.threads.Future object at 0x>', line)  # says more
    return line.replace('<charm4py.charm.Charm ', '<charm.Charm ').strip()


def session_output(blocks, npes):
    """The lines that a session of these blocks shows, and what went wrong."""
    typed = ''.join(fit_session(b.typed, npes) + 'charm.waitQD()\n' for b in blocks)
    job = run(['charmrun', f'+p{npes}', '++interactive', '++quiet'], typed)
    lines = job.stdout.replace('>>> ', '').replace('... ', '').splitlines()
    trouble = job.stderr or (f'status {job.returncode}' if job.returncode else '')
    return collections.Counter(map(plain, lines)), trouble


def run_session(blocks, npes, wanted):
    """Each block's output is what a session up to it shows more than one that ends before it."""
    before = collections.Counter()
    for i, block in enumerate(blocks):
        if wanted(block):
            now, trouble = session_output(blocks[:i + 1], npes)
            if not trouble and npes == 2:
                missing = collections.Counter(map(plain, block.shown)) - (now - before)
                trouble = f'does not show {list(missing)}' if missing else ''
            block.results[npes] = trouble or 'ok'
            before = now


# ---- Programs and commands ------------------------------------------------------------

def run(command, text='', folder=None):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, cwd=folder, timeout=GUARD_S)


def judged(job, block, npes):
    says = [text.replace('NPES', str(npes)).replace('LAST', str(min(npes - 1, 2)))
            for text in known.SAYS.get(block.number, [])]
    missing = [text for text in says if text not in job.stdout]
    if job.returncode or missing:
        return f'status {job.returncode}, missing {missing}\n{job.stdout}{job.stderr}'[:2000]
    return 'ok'


def run_program(block, npes, folder):
    text = block.text
    if npes < 3:
        text = text.replace('thisProxy[2]', f'thisProxy[{npes - 1}]')
    path = folder / f'block{block.number}.py'
    path.write_text(text)
    return judged(run(['charmrun', f'+p{npes}', '++quiet', str(path)]), block, npes)


def run_shell(block, npes, folder):
    (folder / 'myprogram.py').write_text(PROGRAM)
    (folder / 'mynodelist.txt').write_text('group mynodes\nhost localhost\n')
    for line in block.text.splitlines():
        words = shlex.split(line[2:].replace('+pN', f'+p{npes}'))
        words = [sys.executable if word == 'python3' else word for word in words]
        result = judged(run(words, folder=folder), block, npes)
        if result != 'ok':
            return result
    return 'ok'


def run_block(block, npes, folder):
    try:
        if block.kind == 'shell':
            return run_shell(block, npes, folder)
        return run_program(block, npes, folder)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f'{problem}'


# ---- The tour ---------------------------------------------------------------------------

def tour(blocks, pes, only=None):
    """Runs the blocks; leaves in each what came of it."""
    def wanted(block):
        return only is None or block.number == only

    classify(blocks)
    with tempfile.TemporaryDirectory() as name:
        for block in blocks:
            if block.kind not in ('program', 'fragment', 'shell') or not wanted(block):
                continue
            # A command line that names the number of PEs itself is run once.
            fixed = block.kind == 'shell' and '+pN' not in block.text
            for npes in pes[:1] if fixed else pes:
                block.results['as given' if fixed else npes] = run_block(block, npes, pathlib.Path(name))
    session = [block for block in blocks if block.kind == 'session']
    for npes in pes:
        run_session(session, npes, wanted)


def row(block):
    results = ['%s: %s' % (npes, 'ok' if result == 'ok' else 'FAILED')
               for npes, result in block.results.items()]
    return f'{block.number:5} {block.line:5}  {block.kind:9} {", ".join(results) or block.why:34}  {block.first[:60]}'


def main():
    parser = argparse.ArgumentParser(description='Runs every code block of the manual.')
    parser.add_argument('manual', nargs='+', type=pathlib.Path)
    parser.add_argument('--pes', nargs='+', type=int, default=[1, 2, 4])
    parser.add_argument('--block', type=int, help='only this one (with those of the session before it)')
    parser.add_argument('--show', action='store_true', help='print what is run instead of running it')
    options = parser.parse_args()
    status = 0
    for path in options.manual:
        blocks = find_blocks(path)
        print(f'{path.name}: {len(blocks)} blocks\nblock  line  kind      result by number of PEs             first line')
        if options.show:
            classify(blocks)
            for block in blocks:
                print(row(block), getattr(block, 'typed', getattr(block, 'text', '')), sep='\n')
            continue
        tour(blocks, options.pes, options.block)
        for block in blocks:
            print(row(block))
            bad = [f'{npes} PEs: {r}' for npes, r in block.results.items() if r != 'ok']
            print(*[indented(text, '        ') for text in bad], sep='', end='')
            status = max(status, 1 if bad else 0, 2 if block.kind == 'unknown' else 0)
    return status


if __name__ == '__main__':
    os.environ.setdefault('PYTHONDONTWRITEBYTECODE', '1')
    sys.exit(main())
