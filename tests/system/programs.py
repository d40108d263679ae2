"""Test programs that say how they want to be run, in comments at their top:

    # PEs: 2 4            numbers of PEs; 1 2 4 otherwise
    # arguments: 20 ++foo its command line; none otherwise
    # status: 3           how the job must end; 0 otherwise
    # says: text          what must be in its output; any number of these lines
    # repeat: once        too long to be repeated (tests/stress)
    # stress: no          not to be run with +stress (tests/stress)
"""
import re
import subprocess

GUARD_S = 300  # against hangs only


class Program:

    def __init__(self, path):
        self.path = path
        wishes = {}
        for line in path.read_text().splitlines():
            match = re.fullmatch(r'# (PEs|arguments|status|says|repeat|stress): (.*)', line)
            if match:
                wishes.setdefault(match[1], []).append(match[2])
        self.npes = [int(n) for n in ' '.join(wishes.get('PEs', ['1 2 4'])).split()]
        self.arguments = ' '.join(wishes.get('arguments', [])).split()
        self.status = int(wishes.get('status', ['0'])[-1])
        self.says = wishes.get('says', [])
        self.once = 'repeat' in wishes
        self.stress = 'stress' not in wishes

    def run(self, npes, *more, env=None):
        job = subprocess.run(
            ['charmrun', f'+p{npes}', '++quiet', str(self.path), *self.arguments, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=GUARD_S, env=env)
        assert job.returncode == self.status, f'status {job.returncode}\n{job.stdout}'
        for text in self.says:
            assert text in job.stdout, job.stdout


def programs(folder):
    return [Program(path) for path in sorted(folder.glob('*.py'))]


def jobs(folder, wanted=lambda program: True):
    """(program, npes) for each, as parameters of a test, and names for them."""
    pairs = [(program, npes) for program in programs(folder) if wanted(program)
             for npes in program.npes]
    return {'argvalues': pairs, 'ids': [f'{p.path.stem}-{n}' for p, n in pairs]}
