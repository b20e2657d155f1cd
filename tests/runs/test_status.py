"""The tables of docs/run-folder.md are the oracle: every state, every transition, every button."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_core.runs.status import ACTIVE, CONTROLS, ENDED, STATES, Status, controls

CONTRACT = (Path(__file__).parents[2] / "docs" / "run-folder.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, its header row first."""
    below = CONTRACT[CONTRACT.index(heading):]
    rows = [line for line in below[below.index("|"):].split("\n\n")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if not row.startswith("|---")]


def names(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(",")]


def test_every_field_is_in_the_contract_and_no_other() -> None:
    described = [name for row in table("## status.json")[1:] for name in names(row[0])]
    assert sorted(described) == sorted(field.name for field in dataclasses.fields(Status))


ARROWS = {(a, b) for froms, tos in table("## The state table")[1:] for a in names(froms) for b in names(tos.split(" (")[0])}


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_every_pair_of_states_is_as_the_contract_says(before: str, after: str) -> None:
    status = Status(state=before)
    if (before, after) in ARROWS:
        status.move_to(after)
        assert status.state == after
    else:
        with pytest.raises(AssertionError, match=f"no transition from {before} to {after}"):
            status.move_to(after)
        assert status.state == before


def test_states_are_active_or_ended_and_all_in_the_contract() -> None:
    assert {a for a, _ in ARROWS} == set(STATES) == set(ACTIVE) | set(ENDED) and not set(ACTIVE) & set(ENDED)


@pytest.mark.parametrize("has_best", [True, False])
@pytest.mark.parametrize("has_checkpoint", [True, False])
@pytest.mark.parametrize("shown", ["none", "starter", *STATES])
def test_every_button_is_enabled_exactly_when_the_contract_says(shown: str, has_checkpoint: bool, has_best: bool) -> None:
    header, *rows = table("## What each control means")
    cells = next(row for row in rows if shown in names(row[0].replace(" or ", ", ")))
    conditions = {"yes": True, "if it has a checkpoint": has_checkpoint, "if it has a best one": has_best}
    expected = {button: conditions.get(cell, False)
                for button, cell in zip(header[1:], cells[1:], strict=True)}
    status = Status(state=shown if shown in STATES else "finished", checkpoint_step=5 if has_checkpoint else -1,
                    best={"step": 4, "name": "fd", "value": 1.5} if has_best else None)
    assert set(expected) == set(CONTROLS)
    assert controls(None if shown == "none" else status, "starter" if shown == "starter" else "run") == expected


@given(st.dictionaries(st.text(max_size=8), st.integers()), st.sampled_from(STATES), st.integers(0, 10**9))
def test_a_newer_writers_fields_are_skipped_and_ours_survive(extra: dict, state: str, step: int) -> None:
    status = Status(state=state, step=step, error={"kind": "killed", "message": "m", "step": 1})
    unknown = {name: value for name, value in extra.items() if name not in status.to_dict()}
    assert Status.from_dict({**status.to_dict(), **unknown}) == status


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown state 'flying'; the states are: starting, running"):
        Status.from_dict({"state": "flying"})
