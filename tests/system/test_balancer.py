"""+balancer and the +LB flags in whole jobs: C programs, plugins, mistakes."""
import os
import re
import shutil
import subprocess

import pytest

BUILD = os.environ.get("C4_BUILDDIR", os.getcwd())
SOURCE = os.environ.get("C4_SRCDIR", os.getcwd())
CHARMRUN = os.path.join(BUILD, "bin", "charmrun")
PROGRAM = os.path.join(BUILD, "examples", "kneighbour")
BUILT_IN = ["DummyLB", "GreedyLB", "GreedyRefineLB", "RandCentLB", "RefineLB", "RotateLB"]
CHARES, K, ITERATIONS = 24, 2, 40           # a step every 10 iterations, but not at the end
NSTEPS = ITERATIONS // 10 - 1
GUARD_S = 120  # against hangs

STEP = re.compile(r"c4> LB step (\d+) \((.*?)\): (\S+), load (\S+), (\d+) of (\d+) objects move, "
                  r"imbalance ([\d.]+) -> ([\d.]+) predicted")


def run(npes, *flags, **env):
    return subprocess.run(
        [CHARMRUN, f"+p{npes}", PROGRAM, str(CHARES), str(K), str(ITERATIONS), *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        universal_newlines=True, timeout=GUARD_S, env=dict(os.environ, **env))


def steps(done):
    """(round, reason, strategy, load, moves, before, predicted) of each step of a good job."""
    assert done.returncode == 0, done.stderr
    assert f"{CHARES * K * 2 * ITERATIONS} of {CHARES * K * 2 * ITERATIONS} messages arrived" in done.stdout
    found = [STEP.match(line) for line in done.stdout.splitlines()]
    found = [(int(m[1]), m[2], m[3], m[4], int(m[5]), float(m[7]), float(m[8]))
             for m in found if m and int(m[6]) == CHARES]
    assert [s[0] for s in found] == list(range(len(found)))
    return found


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The example plugin, copied out of the tree and built by its own Makefile."""
    path = tmp_path_factory.mktemp("plugin") / "example"
    shutil.copytree(os.path.join(SOURCE, "plugins", "example"), path)
    os.chmod(path, 0o755)
    subprocess.run(["make", "-s"], cwd=path, check=True,
                   env=dict(os.environ, PKG_CONFIG_PATH=BUILD))
    return str(path / "strips.so")


@pytest.mark.parametrize("npes", [1, 2, 4, 8])
@pytest.mark.parametrize("name", BUILT_IN)
def test_every_strategy_keeps_the_program_right(name, npes):
    # contract: 10.21 10.24
    found = steps(run(npes, "+balancer", name, "+LBDebug"))
    assert len(found) == NSTEPS
    for _, reason, strategy, _, moves, before, predicted in found:
        assert strategy.split(",")[0] == name
        assert reason == "AtSync"
        if npes == 1 or name == "DummyLB":
            assert moves == 0
        elif name == "RotateLB":
            assert moves == CHARES
        if name in ("RefineLB", "GreedyRefineLB"):
            assert predicted <= before + 0.001


def test_balancing_lowers_the_imbalance():
    """The chares differ 20 to 1; nearly all of the heavy ones begin on PE 0."""
    first = steps(run(2, "+balancer", "GreedyRefineLB", "+LBDebug", "+LBLoad", "cpu"))[0]
    _, _, _, _, moves, before, predicted = first
    assert moves > 0
    assert before > 0.3
    assert predicted < before / 2


def test_without_a_balancer_nothing_is_said():
    done = run(2)
    assert steps(done) == []
    assert "c4>" not in done.stdout


def test_balancers_in_turn():
    found = steps(run(2, "+balancer", "Rotate", "+balancer", "DummyLB", "+LBDebug"))
    assert [s[2].split(",")[0] for s in found] == ["RotateLB"] + ["DummyLB"] * (NSTEPS - 1)


def test_the_seed_decides_what_chance_does():
    """RandCentLB looks at no load, so moves depend on the seed alone."""
    moves = [[s[4] for s in steps(run(4, "+balancer", "RandCentLB", "+LBDebug", "+LBSeed", seed))]
             for seed in ("5", "5", "6")]
    assert moves[0] == moves[1] != moves[2]


@pytest.mark.parametrize("flags,npes,load", [
    (["+LBLoad", "cpu"], 1, "cpu"), (["+LBLoad", "wall"], 8, "wall"), (["+LBLoad", "user"], 1, "user,wall"),
    ([], 1, "wall"), ([], 4 * os.cpu_count(), "cpu"),
])
def test_what_counts_as_load_is_printed(flags, npes, load):
    done = run(npes, "+balancer", "DummyLB", "+LBDebug", *flags)
    assert {s[3] for s in steps(done)} == {load}
    first = next(line for line in done.stdout.splitlines() if line.startswith("c4> balancing"))
    assert ("CPU time" if load == "cpu" else "wall time") in first


def test_debug_level_2_has_a_line_for_each_pe():
    done = run(3, "+balancer", "DummyLB", "+LBDebug", "2")
    assert len(steps(done)) == NSTEPS
    assert len(re.findall(r"^c4> +\d+ +\d+ \d+ ", done.stdout, re.M)) == 3 * NSTEPS


def test_off():
    # contract: 10.26
    done = run(2, "+balancer", "RotateLB", "+LBDebug", "+LBOff")
    assert steps(done) == []
    assert "+LBOff" in done.stdout


def test_within_the_period_only_the_first_step_moves():
    # contract: 10.25
    done = run(2, "+balancer", "RotateLB", "+LBDebug", "+LBPeriod", "10000")
    assert "+LBPeriod: at most one step in 10000 s; steps begin with AtSync only" in done.stdout
    found = steps(done)
    assert [s[4] for s in found] == [CHARES] + [0] * (NSTEPS - 1)
    assert all("+LBPeriod" in s[1] for s in found[1:])


def test_a_strategy_that_fails_leaves_the_job_alone():
    done = run(2, "+balancer", "DummyLB,fail=yes", "+LBDebug")
    assert [s[4] for s in steps(done)] == [0] * NSTEPS
    assert done.stderr.count("balancer DummyLB failed") == 1


@pytest.mark.parametrize("form", ["path", "path and name", "name"])
def test_a_plugin_from_outside_the_tree(plugin, form):
    spec, env = {"path": (plugin, {}), "path and name": (plugin + ":StripsLB,dimension=0", {}),
                 "name": ("strips", {"C4_PLUGIN_PATH": os.path.dirname(plugin)})}[form]
    found = steps(run(4, "+balancer", spec, "+LBDebug", **env))
    assert len(found) == NSTEPS
    assert {s[2] for s in found} == {"StripsLB,dimension=0"}
    assert found[0][6] < found[0][5]


def test_help_lists_all_and_runs_nothing(plugin):
    done = run(2, "+balancer", "help", C4_PLUGIN_PATH=os.path.dirname(plugin))
    assert (done.returncode, done.stderr) == (0, "")
    assert "messages arrived" not in done.stdout
    for name in BUILT_IN + ["StripsLB"]:
        assert done.stdout.count(f"  {name} ") == 1


@pytest.mark.parametrize("flags,says", [
    (["+balancer", "GreedyRefinLB"], "there is no balancer 'GreedyRefinLB' (did you mean GreedyRefineLB?)"),
    (["+balancer", "TreeLB"], "known: " + ", ".join(BUILT_IN)),
    (["+balancer", "DistributedLB"], "there is no balancer 'DistributedLB'"),
    (["+balancer", "MetisLB"], "known: " + ", ".join(BUILT_IN)),
    (["+balancer", "./no.so"], "./no.so cannot be opened: No such file or directory"),
    (["+balancer", CHARMRUN], "charmrun"),
    (["+balancer", "my.py:MyLB"], "strategies in Python are not supported yet"),
    (["+balancer", "RefineLB,tolerance=0.5"], "takes a number from 1 to"),
    (["+balancer", "RefineLB", "+LBLoad", "PAPI_TOT_INS"], "+LBLoad takes wall, cpu or user"),
    (["+balancer", "RefineLB", "+LBSeed", "soon"], "+LBSeed takes a whole number"),
])
def test_mistakes_end_the_job_before_it_begins(flags, says):
    # contract: 10.22
    done = run(2, *flags)
    assert done.returncode == 1
    assert says in done.stderr
    assert "iteration" not in done.stdout
    assert len([line for line in done.stderr.splitlines() if line.startswith("c4:")]) == 1
