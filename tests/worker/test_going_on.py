"""A run that exists, from the command line: it goes on beyond its end, and with other knobs."""

import json
from pathlib import Path

import forked
import pytest
from waiting import PATIENCE

from gan_core.config import PRESETS
from gan_core.runs import checkpoint
from gan_core.runs.run import Run
from gan_core.runs.status import Status
from gan_core.worker import assignments, cli, main

# Nothing is left to measurements, which may choose another way to the same numbers.
CONFIG = PRESETS["quick"].replace(batch_size=4, latent_dim=8, threads=1, measure_share=0, device="cpu", precision="fp32",
                                  memory_format="contiguous", rewrites="off")


def trained(run: Run, *argv: str) -> Run:
    """The run after a worker process with these options has ended well."""
    output = run.path.parent / f"{run.path.name}.txt"
    assert forked.started([str(run.path), *argv], output=output).wait(PATIENCE) == 0, output.read_text()
    return run


def tensors_of(run: Run) -> dict[str, bytes]:
    saved = checkpoint.newest_valid(run.checkpoint_folder)
    return {name: tensor.numpy().tobytes() for name, tensor in saved.tensors.items()}


def marks_of(run: Run) -> list[dict]:
    lines = [line for path in sorted((run.path / "metrics").glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [record["mark"] for record in map(json.loads, lines) if "mark" in record]


@pytest.mark.slow
def test_a_finished_run_goes_on_to_the_same_bits_as_one_that_was_told_so_at_once(tmp_path: Path) -> None:
    long = trained(Run.create(CONFIG.replace(max_steps=24), tmp_path / "long"))
    short = trained(Run.create(CONFIG.replace(max_steps=10), tmp_path / "short"))
    assert (short.status().state, short.status().step) == ("finished", 10)
    trained(short)  # without a word it stays finished
    assert (short.status().state, short.status().step) == ("finished", 10)
    trained(short, "--steps", "24")
    assert (short.status().state, short.status().step, short.status().tuned) == ("finished", 24, {"max_steps": 24})
    assert tensors_of(short) == tensors_of(long) and len(tensors_of(short)) > 20
    assert [mark["changes"] for mark in marks_of(short) if mark["kind"] == "tune"] == [{"max_steps": [10, 24]}]


@pytest.mark.slow
def test_knobs_are_in_force_from_the_next_step_on_and_saved_with_it(tmp_path: Path) -> None:
    run = trained(Run.create(CONFIG.replace(max_steps=6), tmp_path))
    trained(run, "--steps", "12", "--set", "lr_d=0.0005", "--set", "betas_d=0.5,0.9")
    saved = checkpoint.newest_valid(run.checkpoint_folder).metadata["config"]
    assert (saved["lr_d"], saved["betas_d"], saved["max_steps"]) == (0.0005, [0.5, 0.9], 12)
    assert run.status().tuned == {"lr_d": 0.0005, "betas_d": [0.5, 0.9], "max_steps": 12} and run.config.lr_d == CONFIG.lr_d
    assert run.status().step == 12


def run_at(folder: Path, step: int, elapsed: float, **fields) -> Run:
    run = Run.create(CONFIG.replace(**fields), folder)
    run.write_status(Status(state="finished", step=step, elapsed=elapsed, life=1, checkpoint_step=step))
    return run


def changes(run: Run, *argv: str) -> dict:
    return assignments.live_changes(run, cli.parse([str(run.path), *argv]))


def test_the_limit_that_is_given_takes_the_place_of_one_that_is_reached(tmp_path: Path) -> None:
    run = run_at(tmp_path, 500, 600.0, max_minutes=10, max_steps=1000)
    assert changes(run) == {}
    assert changes(run, "--steps", "900") == {"max_steps": 900, "max_minutes": 0.0}
    assert changes(run, "--minutes", "12") == {"max_minutes": 12.0}
    assert changes(run, "--minutes", "0", "--set", "betas_g=0.5, 0.9") == {"max_minutes": 0.0, "betas_g": [0.5, 0.9]}


@pytest.mark.parametrize(("argv", "sentence"), [
    (["--steps", "500"], "is at step 500 already and ends at step 500; give more with --steps, or --steps 0 for no end."),
    (["--steps", "20"], "is at step 500 already and ends at step 20; give more"),
    (["--set", "lr_d=0.1"], "is at 10 minutes already and ends at 10; give more with --minutes, or --minutes 0 for no end."),
    (["--set", "networks=mlp"], "networks cannot change in a run that has begun; these can: "),
    (["--set", "wings=2"], "unknown field 'wings'"), (["--set", "lr_d=0,0005"], "lr_d is '0,0005'; give a number from 0 to 1."),
    (["--set", "lr_d"], "--set lr_d has no value"), (["--steps", "1.5"], "max_steps is '1.5'; give a whole number"),
    (["--steps", "9", "--set", "max_steps=8"], "max_steps is given twice"),
    (["--preset", "quick"], "--preset is for a run that is made now; write --new as well")])
def test_what_cannot_change_is_one_sentence_and_nothing_is_trained(tmp_path, capsys, monkeypatch, argv, sentence) -> None:
    monkeypatch.setattr(main, "train_run", lambda *_: pytest.fail("nothing to train"))
    monkeypatch.setattr(main, "Shutdown", lambda: None)  # this process is pytest's
    run = run_at(tmp_path, 500, 600.0, max_minutes=10)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    try:
        code = main.main([str(run.path), *argv])
    except SystemExit as end:
        code = end.code
    reply = capsys.readouterr().err
    assert code == 2 and sentence in reply and reply.count("\n") == 1
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_a_process_that_torchrun_starts_again_changes_nothing_twice(tmp_path, monkeypatch) -> None:
    given = {}

    def train(path, options, *_):
        given.update(options.changes)
        return 0

    monkeypatch.setattr(main, "train_run", train)
    monkeypatch.setattr(main, "Shutdown", lambda: type("", (), {"interrupted": False, "exit_status": 0})())
    run = run_at(tmp_path, 500, 600.0, max_steps=500)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    main.train(cli.parse([str(run.path), "--steps", "600"]))
    assert given == {}
    status = run.stored_status()
    status.move_to("starting")
    run.write_status(status)
    monkeypatch.setattr(main, "_refuse_busy", lambda *_: None)
    main.train(cli.parse([str(run.path), "--steps", "600"]))
    assert given == {"max_steps": 600}, "the one before it had not come so far"
