"""charmrun starts PEs, forwards what they print, and leaves nothing behind."""
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time

import pytest

BUILD = os.environ.get("C4_BUILDDIR", os.getcwd())
CHARMRUN = os.path.join(BUILD, "bin", "charmrun")
PROBE = os.path.join(BUILD, "tests", "system", "probe")
GUARD_S = 60  # against hangs


def run(*args, **more):
    return subprocess.run([CHARMRUN, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=more.pop("stdin", subprocess.DEVNULL), universal_newlines=True,
                          timeout=GUARD_S, **more)


def start(*args):
    return subprocess.Popen([CHARMRUN, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, universal_newlines=True)


def pids_of(job, npes):
    """The PEs of a job of `probe hang`, by their number."""
    pids = {}
    while len(pids) < npes:
        line = job.stdout.readline()
        assert line, job.stderr.read()
        found = re.match(r"pid (\d+) of PE (\d+)$", line)
        if found:
            pids[int(found.group(2))] = int(found.group(1))
    return pids


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def assert_gone(pids):
    end = time.monotonic() + GUARD_S
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "still there"
        time.sleep(0.01)


@pytest.fixture
def wrapper(tmp_path):
    path = tmp_path / "wrapper.sh"
    path.write_text('#!/bin/sh\n"$@"\nexit $?\n')
    path.chmod(0o755)
    return str(path)


# ---- What a program gets -----------------------------------------------------------


@pytest.mark.parametrize("npes", [1, 2, 4, 8, 33])
def test_all_pes_run(npes):
    # contract: 2.1.10 2.4.1
    done = run(f"+p{npes}", PROBE, "hello", "a", "b")
    hellos = sorted(line for line in done.stdout.splitlines() if line.startswith("hello"))
    assert hellos == sorted(f"hello from PE {i} of {npes}" for i in range(npes))
    assert [line for line in done.stdout.splitlines() if line.startswith("arg")] == ["arg a", "arg b"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line", [
    "+p2 {} hello x +mine", "{} hello x +mine +p2", "{} hello +p 2 x +mine ++local",
    "{} ++np 2 hello x +mine", "{} hello x +n2 +mine", "++timeout 30 {} hello x +mine +p1 +p2",
])
def test_flags_stand_anywhere(line):
    # contract: 2.1.9 2.1.10 2.1.11
    done = run(*line.format(PROBE).split())
    assert "hello from PE 1 of 2" in done.stdout
    assert [w for w in done.stdout.splitlines() if w.startswith("arg")] == ["arg x", "arg +mine"]


def test_quiet_becomes_the_last_argument():
    # contract: 2.1.15
    done = run("++quiet", "+p2", PROBE, "hello", "x")
    assert "arg x\narg ++quiet\n" in done.stdout


def test_what_all_print_while_starting_appears_once():
    # contract: 2.4.4
    done = run("+p4", PROBE, "hello")
    assert done.stdout.count("printed while starting") == 1


def test_standard_input_is_for_pe_0():
    # contract: 2.4.5
    done = subprocess.run([CHARMRUN, "+p3", "sh", "-c", "cat"], input="line\n", timeout=GUARD_S,
                          stdout=subprocess.PIPE, universal_newlines=True)
    assert (done.stdout, done.returncode) == ("line\n", 0)


def test_programs_of_programs_are_no_pes():
    done = run("+p3", PROBE, "child")
    lines = done.stdout.splitlines()
    assert lines.count("shm none") == 3
    # 0 to 2, and the folder that ls reads
    assert sorted(line for line in lines if line.startswith("fd ")) == \
        sorted(3 * [f"fd {n}" for n in range(4)])


def test_python_program(tmp_path):
    # contract: 2.1.6
    prog = tmp_path / "prog.py"
    prog.write_text("import os, sys\nprint(sys.argv[1:], os.environ['PYTHONHASHSEED'], sys.executable)\n")
    done = run("+p2", str(prog), "a", "+mine", "++quiet", "+balancer", "GreedyLB")
    assert done.stdout.startswith("['a', '+mine', '+balancer', 'GreedyLB', '++quiet'] 0 ")
    done = run(sys.executable, str(prog), "a", "++local", "+p2")
    assert done.stdout.startswith("['a'] 0 ") and done.stdout.count("\n") == 1
    done = run("+p1", str(prog), env={**os.environ, "PYTHON": "/bin/echo"})
    assert done.stdout == f"{prog}\n"
    done = run("+p2", "-c", "print('from a word')", env={**os.environ, "PYTHON": sys.executable})
    assert done.stdout == "from a word\n"


def test_program_in_this_folder(tmp_path):
    os.symlink(PROBE, tmp_path / "mine")
    assert "hello from PE 1 of 2" in run("+p2", "mine", cwd=tmp_path).stdout


# ---- Output ---------------------------------------------------------------------------


def test_lines_are_not_mixed():
    # contract: 2.4.2
    n = 200
    done = run("+p4", PROBE, "lines", str(n))
    lines = done.stdout.splitlines()
    for pe in range(4):
        text = "abcd"[pe] * 60
        own = [f"<PE {pe} line {i} {text}>" for i in range(n)] + [f"<PE {pe} last line has no end"]
        assert [line for line in lines if line.startswith(f"<PE {pe} ")] == own
    assert len(lines) == 4 * (n + 1) + 1


def test_much_output():
    # contract: 2.4.3
    done = run("+p3", PROBE, "flood-lines", "100000")
    lines = done.stdout.splitlines()
    assert len(lines) == 300001
    assert lines.count("PE 2 says the line number 99999") == 1


def test_reader_of_the_output_goes_away():
    job = start("+p2", PROBE, "flood-lines", "10000000")
    job.stdout.readline()
    job.stdout.close()
    assert job.wait(GUARD_S) == 128 + signal.SIGPIPE
    job.stderr.close()


def test_stalled_reader_does_not_stop_the_launcher():
    job = start("+p2", "++timelimit", "0.5", PROBE, "flood-lines", "10000000")
    assert job.wait(GUARD_S) == 124  # nobody read a byte so far
    job.communicate()


def test_prompt_is_shown():
    with subprocess.Popen([CHARMRUN, "+p2", "sh", "-c", "printf 'name? '; read x; echo got $x"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as job:
        assert job.stdout.read(6) == b"name? "
        job.stdin.write(b"me\n")
        job.stdin.close()
        assert job.stdout.read() == b"got me\n"


# ---- How a job ends --------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_status_is_the_programs(status):
    # contract: 2.1.1
    done = run("+p3", PROBE, "status", str(status))
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize("pe", [0, 1, 3])
def test_pe_killed(pe):
    # contract: 2.5.7
    job = start("+p4", PROBE, "hang")
    pids = pids_of(job, 4)
    os.kill(pids[pe], signal.SIGKILL)
    _, err = job.communicate(timeout=GUARD_S)
    assert job.returncode == 128 + 9
    assert err == f"charmrun: PE {pe} was killed by signal 9 (Killed); job ended\n"
    assert_gone(pids.values())


def test_last_words_are_printed():
    done = run("+p3", PROBE, "raise", "1", "15")
    assert "last words of PE 1\n" in done.stdout
    assert "PE 1 was killed by signal 15" in done.stderr and done.returncode == 128 + 15


@pytest.mark.parametrize("pe, code, status", [(0, 3, 3), (2, 5, 5), (1, 0, 1)])
def test_pe_leaves_before_the_job_ends(pe, code, status):
    done = run("+p3", PROBE, "exit", str(pe), str(code))
    assert done.stderr == f"charmrun: PE {pe} ended with status {code}; job ended\n"
    assert done.returncode == status


def test_fault_tells_where():
    done = run("+p2", PROBE, "fault", "1")
    assert ("c4: PE 1: segmentation fault at address 0x40, running cell.step of element 5 "
            "of collection 3\n") in done.stderr
    assert re.search(r"#\d+ 0x[0-9a-f]+ (write_where_nobody_lives|do_fault)", done.stderr)
    assert "charmrun: PE 1 was killed by signal 11" in done.stderr
    assert done.returncode == 128 + 11


def test_failure_before_joining_is_told_once():
    # contract: 2.5.9 2.4.4
    done = run("+p4", PROBE, "early", "3")
    assert done.stdout == "printed before joining\n"
    assert done.stderr == "charmrun: PE 0 ended with status 3 before it joined the job; job ended\n"
    assert done.returncode == 3


def test_failure_of_one_pe_before_joining_shows_what_it_printed():
    # contract: 2.5.9
    script = f'case "$C4_SHM" in "1 2 "*) echo only here; exit 9;; esac; exec {PROBE} hang'
    done = run("+p3", "sh", "-c", script)
    assert "only here\n" in done.stderr
    assert "charmrun: PE 2 ended with status 9 before it joined the job; job ended\n" in done.stderr
    assert done.returncode == 9


def test_program_that_never_joins_may_end_well():
    done = run("+p3", "sh", "-c", "echo once")
    assert (done.stdout, done.stderr, done.returncode) == ("once\n", "", 0)


def test_time_limit():
    # contract: 3.5.12
    done = run("+p2", "++timelimit", "0.3", PROBE, "hang")
    assert done.stderr == "charmrun: the time limit of 0.3 s is over; job ended\n"
    assert done.returncode == 124


def test_start_limit():
    # contract: 3.5.12
    done = run("+p2", "++timeout", "0.3", PROBE, "never")
    assert done.stderr == ("charmrun: PE 0 did not join the job within 0.3 s (++timeout); "
                           "job ended\n")
    assert done.returncode == 1


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_job(sig):
    job = start("+p3", PROBE, "hang")
    pids = pids_of(job, 3)
    job.send_signal(sig)
    job.communicate(timeout=GUARD_S)
    assert job.returncode == 128 + sig
    assert_gone(pids.values())


def test_quit_signal_asks_where_the_pes_are():
    job = start("+p3", PROBE, "fault")
    pids_of(job, 3)
    job.send_signal(signal.SIGQUIT)
    lines = sorted(job.stderr.readline() for _ in range(3))
    assert lines == [f"c4: PE {i}, running cell.step of element 5 of collection 3\n" for i in range(3)]
    job.terminate()
    job.communicate(timeout=GUARD_S)


def test_interrupt_from_the_keyboard():
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(CHARMRUN, [CHARMRUN, "+p3", PROBE, "hang"])
    text, end = b"", time.monotonic() + GUARD_S
    while text.count(b"pid ") < 3 or not text.endswith(b"\n"):
        assert time.monotonic() < end, text
        if select.select([terminal], [], [], 1)[0]:
            text += os.read(terminal, 4096)
    pids = [int(n) for n in re.findall(rb"pid (\d+) of", text)]
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 130
    assert_gone(pids)


@pytest.mark.parametrize("wrapped", [False, True])
def test_pes_die_with_the_launcher(wrapped, wrapper):
    job = start("+p3", *([wrapper] if wrapped else []), PROBE, "hang")
    pids = pids_of(job, 3)
    job.kill()
    job.communicate(timeout=GUARD_S)
    assert_gone(pids.values())


def test_wrapped_pes_end_with_the_job(wrapper):
    job = start("+p3", wrapper, PROBE, "hang")
    pids = pids_of(job, 3)
    os.kill(pids[1], signal.SIGKILL)
    _, err = job.communicate(timeout=GUARD_S)
    assert "PE 1 ended with status 137" in err and job.returncode == 137
    assert_gone(pids.values())


# ---- Bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize("args, message", [
    (["+p0", "{}"], "charmrun: +p 0: the number of PEs must be from 1 to 256"),
    (["+p9999", "{}"], "charmrun: +p 9999: the number of PEs must be from 1 to 256"),
    (["+p", "x", "{}"], "charmrun: +p x: the number of PEs must be from 1 to 256"),
    (["+p-2", "{}"], "charmrun: +p -2: the number of PEs must be from 1 to 256"),
    (["+p2"], "ERROR> You must specify a node-program."),
    ([], "ERROR> You must specify a node-program."),
    (["{}", "+p"], "charmrun: +p needs a value: +p N"),
    (["+p2", "./nothing-here"], "charmrun: program ./nothing-here was not found"),
    (["+p2", "nothing.py"], "charmrun: program nothing.py was not found"),
    (["+p2", "python3", "nothing.py"], "charmrun: program nothing.py was not found"),
    (["+p2", "/tmp"], "charmrun: program /tmp is a folder"),
    (["+p2", "/etc/passwd"], "charmrun: program /etc/passwd is not executable"),
    (["+p2", "{}", "+balancr", "X"], "charmrun: unknown flag +balancr; did you mean +balancer?"),
    (["+p2", "{}", "++timelimi", "1"], "charmrun: unknown flag ++timelimi; did you mean ++timelimit?"),
    (["+p2", "{}", "++whatever"], "Option ++whatever not recognized."),
    (["+p2", "++timelimit", "soon", "{}"], "charmrun: ++timelimit soon: must be a number of seconds above 0"),
    (["+p2", "++nodelist", "/no/list", "{}"], "charmrun: node list /no/list: No such file or directory"),
])
def test_refused(args, message):
    # contract: 2.1.12 2.1.14 2.1.21
    done = run(*[a.format(PROBE) for a in args])
    assert done.stderr.splitlines()[0] == message
    assert done.returncode == 1 and done.stdout == ""


def test_help_lists_all_flags():
    # contract: 2.1.17
    done = run("+help")
    assert done.returncode == 0
    for flag in ("+p N", "+balancer NAME", "+trace FILE", "++timelimit S", "+pemap"):
        assert flag in done.stdout


def test_list_of_balancers_needs_no_program():
    done = run("+balancer", "help")
    assert done.returncode == 0 and "GreedyLB" in done.stdout


def test_flag_without_meaning_is_noticed_once():
    done = run("+p3", PROBE, "hello", "+pemap", "0-2")
    assert done.stderr == "+pemap: accepted, but has no meaning here\n"
    assert done.returncode == 0


# ---- The transport in real processes ---------------------------------------------------------


@pytest.mark.parametrize("npes, count, size", [
    (2, 100000, 0), (4, 20000, 0), (2, 20000, 1000), (4, 5000, 1500), (2, 200, 300000),
    (3, 20, 5000000), (8, 2000, 40), (32, 50, 3000),
])
def test_floods_finish(npes, count, size):
    done = run(f"+p{npes}", PROBE, "storm", str(count), str(size))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f" got {count * (npes - 1)},") == npes


def test_idle_pes_sleep():
    idle_s = 3
    done = run("+p8", PROBE, "idle", str(idle_s))
    used = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("cpu_ms")]
    assert len(used) == 8
    if 8 > len(os.sched_getaffinity(0)):  # processor time, not wall-clock time
        assert sum(used) < 0.02 * idle_s * 1000


@pytest.mark.skipif("C4_SANITIZERS" in os.environ, reason="sanitizers reserve address space")
def test_limit_of_address_space():
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    done = run("+p2", PROBE, "storm", "20", "1000000", preexec_fn=limit)
    assert done.returncode == 0, done.stderr


def test_limit_of_file_size_is_told():
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    done = run("+p2", PROBE, "hello", preexec_fn=limit)
    assert done.returncode == 1
    assert "charmrun: cannot make the shared memory of 2 PEs: File too large" in done.stderr


# ---- python3 -m charmrun.start -----------------------------------------------------------------


def run_start(*args, **more):
    return subprocess.run([sys.executable, "-m", "charmrun.start", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=GUARD_S,
                          universal_newlines=True, **more)


def test_start_module(tmp_path):
    # contract: 2.1.1 2.1.6
    prog = tmp_path / "prog.py"
    prog.write_text("import sys\nprint(sys.executable, sys.argv[1:])\nsys.exit(4)\n")
    done = run_start("+p2", str(prog), "a")
    assert (done.stdout, done.returncode) == (f"{sys.executable} ['a']\n", 4)
    done = run_start("+p2", PROBE, "status", "6")
    assert done.returncode == 6
    done = subprocess.run([sys.executable, "-c", "from charmrun import start\n"
                           f"print(start.start(['+p2', {PROBE!r}, 'status', '5']))"],
                          stdout=subprocess.PIPE, universal_newlines=True, timeout=GUARD_S)
    assert done.stdout.splitlines()[-1] == "5"


def test_start_by_a_python_that_cannot_run_the_program(tmp_path):
    """-S leaves out greenlet: the launcher takes the Python that c4 was built for."""
    prog = tmp_path / "prog.py"
    prog.write_text("import greenlet, sys\nprint(sys.executable)\n")
    done = subprocess.run([sys.executable, "-S", "-m", "charmrun.start", "+p1", str(prog)],
                          stdout=subprocess.PIPE, universal_newlines=True, timeout=GUARD_S)
    assert done.returncode == 0 and done.stdout, done
    beside = os.path.join(BUILD, "bin", "python3")
    assert os.path.samefile(done.stdout.strip(), beside)


def test_start_without_launcher(tmp_path):
    # contract: 2.1.7
    import charmrun.start
    source = os.path.dirname(os.path.realpath(charmrun.start.__file__))
    package = tmp_path / "charmrun"
    package.mkdir()
    for name in ("__init__.py", "start.py"):
        (package / name).write_text(open(os.path.join(source, name)).read())
    done = run_start("+p2", PROBE, cwd=tmp_path,
                     env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)})
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and len(lines) == 2
    assert str(package / "charmrun") in lines[0]
