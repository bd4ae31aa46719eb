"""Mutants of everything the port reads, few enough for every run; ``tests.vectors.mutate`` makes a hundred thousand."""

from pathlib import Path

from tests.vectors.mutate import kinds, run


def test_a_mutant_gets_a_verdict_and_proves_nothing_new(tmp_path: Path) -> None:
    """Evidence, a fault or a wait comes out, nothing else; and evidence says the same signer and file as before."""
    counted = run(tmp_path, 2000, seed=7)
    assert all(outcomes.total() == 2000 // len(counted) for outcomes in counted.values())
    refused = {name: outcomes.total() - outcomes["same evidence"] for name, outcomes in counted.items()}
    assert all(refused.values()), refused


def test_what_is_mutated_is_good(tmp_path: Path) -> None:
    """Unspoilt, each kind gives evidence: the mutants start from something accepted."""
    assert {kind.outcome(kind.valid) for kind in kinds(tmp_path)} == {"same evidence"}
