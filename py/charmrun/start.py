"""Starts a program on several PEs through the launcher ``charmrun``."""

import importlib.util
import os
import shutil
import subprocess
import sys
from typing import Dict, List, Optional

SHELL_MODULE = "charm4py.interactive"
LOCAL_HOSTS = ("localhost", "127.0.0.1")


def _launcher() -> Optional[str]:
    """The built launcher: beside this file, else on PATH."""
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "charmrun")
    if os.access(beside, os.X_OK) and not os.path.isdir(beside):
        return beside
    on_path = shutil.which("charmrun")
    if on_path is not None and _is_script(on_path):
        return None  # this very module, as a console script
    return on_path


def _is_script(path: str) -> bool:
    with open(path, "rb") as f:
        return f.read(2) == b"#!"


def _nodelist(args: List[str]) -> Optional[str]:
    """The node list that a launcher would read, if there is one."""
    if "++nodelist" in args[:-1]:
        return args[args.index("++nodelist") + 1]
    if "NODELIST" in os.environ:
        return os.environ["NODELIST"]
    for path in ("nodelist", os.path.expanduser("~/.nodelist")):
        if os.path.exists(path):
            return path
    return None


def _only_this_host(nodelist: str) -> bool:
    """True if all ``host NAME`` lines name this host."""
    try:
        with open(nodelist, encoding="utf-8", errors="replace") as f:
            lines = [line.split() for line in f]
    except OSError:
        return False  # the launcher tells
    return all(words[1] in LOCAL_HOSTS for words in lines
               if len(words) == 2 and words[0] == "host")


def _command(args: List[str]) -> Optional[List[str]]:
    """What to run for these arguments; None, having said why, without launcher."""
    launcher = _launcher()
    if launcher is None:
        wanted = os.path.join(os.path.dirname(os.path.abspath(__file__)), "charmrun")
        print("charmrun was not found: " + wanted + " does not exist, and PATH has none.")
        print("Build c4 first (./quickstart build), or install it.")
        return None
    if "++local" not in args and "++mpiexec" not in args:
        nodelist = _nodelist(args)
        if nodelist is None or _only_this_host(nodelist):
            args.append("++local")
    if "++interactive" in args and SHELL_MODULE not in args:
        args += ["-m", SHELL_MODULE]
    return [launcher, *args]


def _environment() -> Dict[str, str]:
    """The launcher shall run Python programs with this Python, if it can; else it
    takes the one that it was built for."""
    if importlib.util.find_spec("greenlet") is None:
        return dict(os.environ)
    return {**os.environ, "PYTHON": sys.executable}


def start(args: List[str] = []) -> int:
    """Runs the launcher with args (default: ``sys.argv[1:]``); returns its exit status."""
    command = _command(args if args else sys.argv[1:])
    if command is None:
        return 1
    sys.stdout.flush()
    with subprocess.Popen(command, env=_environment()) as job:
        while True:
            try:
                status = job.wait()
                return status if status >= 0 else 128 - status
            except KeyboardInterrupt:
                pass  # the launcher got it as well, and ends the job


def main() -> int:
    """The console script: becomes the launcher, so that signals reach it."""
    command = _command(sys.argv[1:])
    if command is None:
        return 1
    sys.stdout.flush()
    os.execve(command[0], command, _environment())


if __name__ == "__main__":
    sys.exit(main())
