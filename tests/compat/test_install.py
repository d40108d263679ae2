"""What is installed is whole and works; the selftest says so, or says what does not."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from jobs import BUILD

SRC = pathlib.Path(os.environ["C4_SRCDIR"])
JOBS = ["no launcher", "1 PE", "2 PEs"]
GUARD_S = 600


def selftest(*args, **env):
    return subprocess.run([sys.executable, "-m", "charm4py.selftest", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=GUARD_S, universal_newlines=True, cwd="/",
                          env={**os.environ, **env})


def test_selftest_in_the_build_tree():
    # contract: 17.1 17.2
    done = selftest()
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, lines[-1]) == (0, "", "all works"), done.stdout
    for line in lines[:-1]:
        assert line.split()[0] in ("ok", "-"), line
    for job in JOBS:
        for what in ("messages", "errors", "reductions", "migration", "pool"):
            assert any(line.startswith("ok ") and f" {job}: {what}" in line for line in lines), done.stdout
    assert any(line.startswith("ok ") and " recording " in line for line in lines)
    assert any(line.startswith("ok ") and sys.executable in line for line in lines)


def test_selftest_as_json():
    found = json.loads(selftest("--json").stdout)
    assert {"state": "ok", "what": "2 PEs: pool", "details": ""} in found
    assert selftest("--jason").returncode == 2


def copy_of_the_package(folder):
    """The packages of the build tree, without the launcher."""
    for name in ("charm4py", "charmrun"):
        (folder / name).mkdir()
        for path in pathlib.Path(BUILD, "py", name).iterdir():
            if path.is_file() and path.name != "charmrun":
                (folder / name / path.name).symlink_to(path.resolve())
    return folder


def path_without_tools():
    return os.pathsep.join(d for d in os.environ["PATH"].split(os.pathsep)
                           if not os.path.exists(os.path.join(d, "charmrun")))


def test_selftest_without_a_launcher(tmp_path):
    # contract: 17.2
    done = selftest(PYTHONPATH=str(copy_of_the_package(tmp_path)), PATH=path_without_tools())
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1 and "charmrun" in failed[0] and "not found" in failed[0]
    assert "ok      no launcher: messages" in done.stdout


def test_selftest_with_a_launcher_that_fails(tmp_path):
    folder = copy_of_the_package(tmp_path)
    bad = folder / "charmrun" / "charmrun"
    bad.write_text("#!/bin/sh\necho no room >&2\nexit 7\n")
    bad.chmod(0o755)
    done = selftest(PYTHONPATH=str(folder), PATH=path_without_tools())
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 3, done.stdout
    assert "status 7 after 0 of 6 checks: no room" in failed[0]
    assert done.stdout.splitlines()[-1].startswith("3 of ")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """make install into a folder of its own."""
    if not os.path.exists(os.path.join(BUILD, "Makefile")) or not shutil.which("make"):
        pytest.skip("no build tree")
    if os.environ.get("C4_SANITIZERS"):
        pytest.skip("the same files as without sanitizers")
    root = tmp_path_factory.mktemp("root")
    done = subprocess.run(["make", "-C", BUILD, "install", f"DESTDIR={root}"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=GUARD_S)
    assert done.returncode == 0, done.stdout[-3000:]
    return root


def one(root, pattern):
    found = list(root.glob(pattern))
    assert len(found) == 1, (pattern, found)
    return found[0]


def test_all_files_of_the_packages_are_installed(installed):
    for name in ("charm4py", "charmrun"):
        there = one(installed, f"**/{name}/__init__.py").parent
        mine = {p.name for p in (SRC / "py" / name).iterdir() if p.suffix in (".py", ".pyi", ".typed")
                or p.name == "py.typed"}
        assert mine <= {p.name for p in there.iterdir()}
    assert list(one(installed, "**/charm4py/__init__.py").parent.glob("_c4*.so"))


@pytest.mark.parametrize("pattern", ["**/bin/charmrun", "**/bin/c4prof", "**/man1/charmrun.1",
                                     "**/man1/c4prof.1", "**/include/c4.h", "**/pkgconfig/c4.pc",
                                     "**/lib/libc4.so"])
def test_is_installed(installed, pattern):
    assert one(installed, pattern).stat().st_size > 0


def test_selftest_of_what_is_installed(installed):
    package = one(installed, "**/charm4py/__init__.py").parent.parent
    tools = one(installed, "**/bin/charmrun").parent
    library = one(installed, "**/lib/libc4.so").parent
    done = selftest(PYTHONPATH=str(package), LD_LIBRARY_PATH=str(library),
                    PATH=str(tools) + os.pathsep + path_without_tools())
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.endswith("all works\n")
    assert str(installed) in done.stdout
    for folder in ("py", "bin"):            # the installation may be in a folder of the build tree
        assert os.path.join(BUILD, folder) + os.sep not in done.stdout


def test_environment_of_the_build_tree():
    """What `quickstart env` prints is enough for a shell that had nothing."""
    quickstart = SRC / "quickstart"
    script = f'eval "$({quickstart} env)" && command -v charmrun c4prof && python3 -m charm4py.selftest'
    env = {"PATH": path_without_tools(), "HOME": os.environ.get("HOME", "/"), "C4_BUILD": BUILD}
    if os.environ.get("C4_SANITIZERS"):
        env.update({name: os.environ[name] for name in ("LD_PRELOAD", "ASAN_OPTIONS") if name in os.environ})
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
                          timeout=GUARD_S, universal_newlines=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [os.path.join(BUILD, "bin", tool) for tool in ("charmrun", "c4prof")]
    assert lines[-1] == "all works"
