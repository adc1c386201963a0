"""The smoke profile of the chaos suite: one short round with every kind of fault that is possible here."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SEED = os.environ.get("TRIAD_CHAOS_SEED", "4")  # Any seed must do; a fixed one makes a red run replay.


def test_a_cluster_under_faults_breaks_no_promise():
    done = subprocess.run([sys.executable, str(HERE / "chaos.py"), "run", "--profile", "smoke", "--seed", SEED],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
