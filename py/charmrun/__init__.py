"""Starting jobs: ``python3 -m charmrun.start +p4 prog.py``."""
