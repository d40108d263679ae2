"""Node lists: which one is read, what stands in it, and who may be meant."""
import os
import socket
import subprocess
import sys

import pytest

GUARD_S = 120  # against hangs
PROGRAM = "from charm4py import charm\ndef main(args):\n    print('ran')\n    exit()\ncharm.start(main)\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "prog.py").write_text(PROGRAM)
    home = tmp_path / "home"
    home.mkdir()

    def run(*flags, start=False, **env):
        first = [sys.executable, "-m", "charmrun.start"] if start else ["charmrun"]
        environment = {k: v for k, v in os.environ.items() if k != "NODELIST"}
        return subprocess.run([*first, "+p2", "prog.py", "++quiet", *flags], cwd=tmp_path, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=GUARD_S,
                              env={**environment, "HOME": str(home), **env})
    return run


def ran(done):
    assert (done.stdout, done.returncode) == ("ran\n", 0), done.stderr
    return True


def refused(done, text):
    assert (done.stdout, done.returncode) == ("", 1)
    assert text in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    return True


ELSEWHERE = "group main\nhost elsewhere-1\nhost elsewhere-2\n"


def test_order_of_the_lists(run, tmp_path):
    # contract: 2.1.4 2.1.27
    assert ran(run())
    (tmp_path / "home" / ".nodelist").write_text("host home-1\n")
    assert refused(run(), "names host home-1")
    assert refused(run(start=True), "names host home-1")
    (tmp_path / "nodelist").write_text("host here-1\n")
    assert refused(run(), "node list nodelist names host here-1")
    (tmp_path / "other").write_text("host env-1\n")
    assert refused(run(NODELIST="other"), "names host env-1")
    (tmp_path / "named").write_text("host localhost\n")
    assert ran(run("++nodelist", "named", NODELIST="other"))
    assert ran(run("++nodelist", "named", start=True))
    assert ran(run("++local"))
    assert ran(run("++local", start=True))


def test_missing_list_is_told_by_the_launcher(run):
    # contract: 2.1.4
    for start in (False, True):
        assert refused(run("++nodelist", "none", start=start), "node list none: No such file")
        assert refused(run(start=start, NODELIST="/no/list"), "node list /no/list: No such file")


@pytest.mark.parametrize("text", [
    "# all of it\n\n  # indented\ngroup main\nhost localhost\n",
    "host localhost\n",
    "group main ++cpus 4 ++shell ssh\nhost localhost ++nice 5 ++login me\nhost localhost\n",
    "cpus 2\n++setup source my.sh and more\npathfix /a /b\nspeed 1.5\next .x\nhost 127.0.0.1\n",
    "group others\nhost far\ngroup main\nhost localhost\ngroup last\nhost near\n",
    "host {this}\nhost {this}\n",
])
def test_accepted(run, tmp_path, text):
    # contract: 2.1.24 2.1.25
    (tmp_path / "list").write_text(text.format(this=socket.gethostname()))
    assert ran(run("++nodelist", "list"))


@pytest.mark.parametrize("text, flags, message", [
    (ELSEWHERE, [], "names host elsewhere-2: this version runs on one host only"),
    ("host localhost\nhost other\n", [], "names localhost beside other"),
    ("main\n", [], "line 1: a line starts with host, group, an option or #, not with main"),
    ("\nhost\n", [], "line 2: host needs a name"),
    ("host localhost ++colour red\n", [], "line 1: ++colour is no option"),
    ("host localhost ++cpus\n", [], "line 1: ++cpus needs 1 value"),
    ("host localhost ++cpus many\n", [], "line 1: ++cpus takes a number, not many"),
    ("host localhost ++pathfix /a\n", [], "line 1: ++pathfix needs 2 values"),
    ("host localhost\n", ["++nodegroup", "gpu"], "has no group gpu"),
    ("group gpu\ngroup main\nhost localhost\n", ["++nodegroup", "gpu"], "group gpu has no hosts"),
    ("# nothing\n", [], "group main has no hosts"),
])
def test_refused(run, tmp_path, text, flags, message):
    # contract: 2.1.24 2.1.25 2.1.26
    (tmp_path / "list").write_text(text)
    assert refused(run("++nodelist", "list", *flags), message)


def test_only_the_chosen_group_counts(run, tmp_path):
    # contract: 2.1.25
    (tmp_path / "list").write_text("group main\nhost far\ngroup near\nhost localhost\n")
    assert ran(run("++nodelist", "list", "++nodegroup", "near"))
    assert refused(run("++nodelist", "list"), "names host far")
