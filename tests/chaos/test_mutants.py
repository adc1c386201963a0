"""The suite turns red for each mutant and stays green for the true binaries; a release cannot be a mutant."""

import os
import subprocess
from pathlib import Path

import mutants
import pytest
import scenarios
from deployment import BIN, REPO

SEED = int(os.environ.get("TRIAD_CHAOS_SEED", "4"))
COMPILED = [name for name, mutant in mutants.ALL.items() if mutant.daemon]


@pytest.fixture
def verdict_of(capfd):
    def verdict_of(who, scenario):
        verdict = mutants.try_out(who, scenario, SEED)
        with capfd.disabled():
            print(f"\n{verdict}", flush=True)
        return verdict
    return verdict_of


@pytest.mark.parametrize("scenario", scenarios.ALL)
def test_true_binaries_stay_green(scenario, verdict_of):
    why_not = scenarios.ALL[scenario].why_not()
    if why_not:
        pytest.skip(f"NOT TESTED: {why_not}")
    assert verdict_of("true binaries", scenario).is_green


@pytest.mark.parametrize("name", mutants.ALL)
def test_a_mutant_turns_the_suite_red(name, verdict_of):
    if mutants.why_not(name):
        pytest.skip(f"NOT TESTED: {mutants.why_not(name)}")
    assert not verdict_of(name, mutants.ALL[name].scenario).is_green


# ---------------------------------------------------------------- what keeps mutants out


@pytest.mark.parametrize("words", [("--config=release", "--define=mutant=no_head_check"),
                                   ("--define=mutant=no_such_mutant",)])
def test_bazel_refuses_mutants_in_a_release_and_unknown_names(words):
    with pytest.raises(mutants.Broken, match="the names are .*never with --config=release"):
        mutants.bazel("build", "--nobuild", "--symlink_prefix=/", *words, "//contentdb")


@pytest.mark.parametrize("name", COMPILED)
def test_an_optimizing_compiler_refuses_a_mutant_and_the_others_take_it(name, tmp_path):
    source = tmp_path / "mutant.c"
    source.write_text(f'#include "lib/base/mutant.h"\nint mutant = MUTANT_{name.upper()};\n', encoding="ascii")

    def compiles(*words):
        command = [os.environ.get("CC", "cc"), "-fsyntax-only", f"-I{REPO}", *words, source]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0 or "broken on purpose" in done.stderr, done.stderr
        return done.returncode == 0

    assert compiles("-O2") and compiles(f"-DMUTANT_{name.upper()}=1")
    assert not compiles("-O2", f"-DMUTANT_{name.upper()}=1")


def test_the_true_binaries_hold_no_mutant():
    for path in mutants.DAEMONS:
        assert b"broken on purpose" not in (Path(BIN) / path).read_bytes()
