"""Training without a page, as a person at a terminal meets it: real processes, a real terminal, the run's own folder."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gan_core.config import PRESETS
from gan_core.registry import DATASETS, NETWORKS
from gan_core.runs.run import Run, list_runs
from gan_core.runs.status import Status
from gan_core.worker import cli, main, new_run, progress, summary
from gan_core.worker.shutdown import Shutdown

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
SMALL = ["--set", "batch_size=4", "--set", "latent_dim=8", "--set", "threads=1"]


def config_of(*argv: str):
    return new_run.config_from(cli.parse(["--new", *argv]))


# The command line.

def test_the_command_line_becomes_a_config() -> None:
    config, preset = config_of("--preset", "steady", "--minutes", "10", "--steps", "500", "--set", "betas_d=0.5, 0.9", "--set",
                               "spectral_norm=true", "--set", "lr_d=1e-3", "--set", "image_size=32")
    assert preset == "steady" and config == PRESETS["steady"].replace(
        max_minutes=10, max_steps=500, betas_d=(0.5, 0.9), spectral_norm=True, lr_d=1e-3, image_size="32")
    assert config_of() == (PRESETS["quick"], "quick")
    assert config_of("--set", "seed=1", "--set", "seed=2")[0].seed == 2, "the last counts, as with options"


def test_without_a_preset_one_is_taken_that_fits_the_data() -> None:
    for name, entry in DATASETS.items():
        config, _ = config_of("--dataset", f"{name}:x" if entry.argument and not entry.default else name)
        assert NETWORKS[config.networks].points == entry.points, name


@pytest.mark.parametrize(("argv", "sentence"), [
    (["--preset", "stedy"], "There is no preset 'stedy'; choose one of: quick"), (["--set", "lr_d"], "--set lr_d has no value"),
    (["--set", "lr_d=seven"], "lr_d is 'seven'; give a number from 0 to 1."),
    (["--steps", "1.5"], "max_steps is '1.5'; give a whole number"),
    (["--minutes", "-1"], "max_minutes is '-1'"), (["--set", "wings=2"], "unknown field 'wings'"),
    (["--set", "spectral_norm=maybe"], "spectral_norm is 'maybe'; give true or false."), (["--set", "betas_d=1"], "two numbers"),
    (["--dataset", "moon"], "dataset is 'moon'"), (["--preset", "steady", "--dataset", "ring"], "--preset ring"),
    (["--preset", "ring", "--dataset", "digits"], "another preset"),
    (["--minutes", "5", "--set", "max_minutes=6"], "max_minutes is given twice, by its option and by --set max_minutes=6"),
    (["--log", "paper"], "There is no log 'paper'"), (["--set", "processes=3"], "3 processes cannot share batch_size 16 evenly"),
    (["--set", "processes=64", "--set", "batch_size=64", "--set", "device=cpu"], "64 processes need a core each")])
def test_a_bad_value_is_one_sentence_and_nothing_is_made(tmp_path, capsys, monkeypatch, argv, sentence) -> None:
    monkeypatch.setattr(main, "train_run", lambda *_: pytest.fail("nothing to train"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is pytest's
    assert main.main(["--new", "--checkpoints", str(tmp_path / "runs"), *argv]) == 2
    reply = capsys.readouterr().err
    assert sentence in reply and reply.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_a_link_that_leads_to_itself_is_one_sentence(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is pytest's
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert main.main([str(tmp_path / "a")]) == 2
    reply = capsys.readouterr().err
    assert "is not a run folder" in reply and reply.count("\n") == 1


@pytest.mark.parametrize("argv", [[], ["--new", "a-run"], ["--idle", "a-run"], ["a-run", "--preset", "quick"], ["--wings"],
                                  ["--idle", "--minutes", "5"], ["--new", "--threads", "-2"]])
def test_a_command_line_without_sense_is_one_sentence(capsys, argv) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parse(argv)
    reply = capsys.readouterr().err
    assert caught.value.code == 2 and reply.count("\n") == 1 and "--help" in reply


def test_help_lists_every_preset_data_set_and_field(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parse(["--help"])
    page = capsys.readouterr().out
    assert caught.value.code == 0
    for name in (*PRESETS, *DATASETS, *cli.FIELDS):
        assert re.search(rf"^  {re.escape(name)}\b", page, re.MULTILINE), name


# What is shown.

def test_the_share_that_is_done_is_that_of_whichever_end_comes_first() -> None:
    status = Status(state="running", step=250, elapsed=30.0, speed=100.0)
    both = PRESETS["quick"].replace(max_steps=1000, max_minutes=1, batch_size=10)
    label, share, facts = progress.describe(status, both, {"d_loss": 0.5, "g_loss": 0.25}, {"fd": 1.5, "kid": 2.0})
    assert (label, share) == ("step 250", 0.5)
    assert facts == "0:30, 0:30 left, 100 images/s, d_loss 0.500, g_loss 0.250, fd 1.5"
    assert progress.describe(status, both.replace(max_minutes=0), {}, {})[1:] == (0.25, "0:30, 1:15 left, 100 images/s")
    status.tuned = {"max_steps": 500}
    assert progress.describe(status, both, {}, {})[1] == 0.5
    assert progress.describe(Status(state="paused"), PRESETS["quick"], {}, {}) == ("paused, step 0", -1.0, "0:00, 0 images/s")


def test_what_is_fetched_first_is_shown_too() -> None:
    fetched = {"stage": "downloading", "done": 25_000_000, "total": 100_000_000, "what": "sheep"}
    status = Status(state="starting", progress=fetched)
    assert progress.describe(status, PRESETS["quick"], {}, {}) == ("downloading sheep", 0.25, "25.0 of 100.0 MB")
    status.progress = {"stage": "reading", "done": 1200, "total": 0, "what": ""}
    assert progress.describe(status, PRESETS["quick"], {}, {}) == ("reading", -1.0, "1,200")


def test_the_newest_of_the_curves_is_found_near_the_end_of_a_long_file(tmp_path) -> None:
    path = tmp_path / "0001.jsonl"
    path.write_text('{"step": 1, "quality": {"fd": 9.0}}\n' + '{"step": 2, "d_loss": 1.0}\n' * 10_000
                    + '{"step": 3, "quality": {"fd": 4.0}}\n{"step": 4, "d_loss": 2.0}\n'
                    + '{"step": 5, "t": 1, "mark": {}}\n{"step": 6, "d_l')
    assert progress.newest_records(path) == ({"step": 4, "d_loss": 2.0}, {"fd": 4.0})
    assert progress.newest_records(tmp_path / "none") == ({}, {})


def test_a_notice_is_told_once_when_it_comes_and_again_at_the_end(tmp_path, capfd, monkeypatch) -> None:
    """Nobody need look at a page to hear that the disk is full."""
    run, status, full = Run.create(PRESETS["quick"], tmp_path), Status(state="running"), "Saving failed: No space left on device."
    run.write_status(status)
    monkeypatch.setattr(progress, "POLL", 100.0)  # this test looks
    shown = progress.ProgressDisplay(run, lambda: False)
    with shown:
        for notice in (full, full, ""):
            status.notice = notice
            run.write_status(status)
            shown.update()
    assert capfd.readouterr().err.count(full) == 1
    status.state, status.notice = "stopped", full
    run.write_status(status)
    shutdown = Shutdown.__new__(Shutdown)
    shutdown.signals = []
    assert summary.conclude(run, cli.parse([str(run.path)]), 0, shutdown)[0].endswith(full)


def test_a_run_that_cannot_go_on_says_so_in_a_batch_job_too(tmp_path, capfd, monkeypatch) -> None:
    run = Run.create(PRESETS["quick"], tmp_path)
    run.write_status(Status(state="failed", error={"kind": "crashed", "message": "The training failed.", "step": 3}))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is pytest's
    monkeypatch.setattr(main, "train_run", lambda *_: 1)
    assert main.main([str(run.path)]) == 1
    assert capfd.readouterr().err.splitlines()[-1] == "The training failed."


# The process.

class Shell:
    """`python -m gan_core.worker` with a real terminal for its stderr."""

    def __init__(self, *argv: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([sys.executable, "-m", "gan_core.worker", *argv], cwd=ROOT, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=slave, text=True)
        os.close(slave)
        self.seen = ""

    def read(self) -> str:
        """All that was written to the terminal so far."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                self.seen += os.read(self.master, 65536).decode()
            except OSError:  # the other end is closed
                break
        return self.seen

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline and self.process.poll() is None, f"waited for {what}:\n{self.read()}"
            time.sleep(0.01)

    def ends(self) -> tuple[int, str]:
        return self.process.wait(PATIENCE), self.process.stdout.read()


@pytest.fixture
def shell() -> Iterator[Callable[..., Shell]]:
    shells: list[Shell] = []

    def open_(*argv: str) -> Shell:
        shells.append(Shell(*argv))
        return shells[-1]

    yield open_
    for one in shells:
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()
        os.close(one.master)


def worker(*argv: str, code: str = "") -> subprocess.CompletedProcess:
    how = ["-c", code] if code else ["-m", "gan_core.worker"]
    return subprocess.run([sys.executable, *how, *argv], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def the_run(folder: Path) -> Run:
    return list_runs(folder)[0]


@pytest.mark.slow
def test_a_new_run_shows_a_bar_obeys_its_folder_and_is_resumed_after_ctrl_c(shell, tmp_path) -> None:
    one = shell("--new", "--minutes", "60", "--name", "Dolly", "--checkpoints", str(tmp_path), *SMALL)
    one.until(lambda: list_runs(tmp_path) and the_run(tmp_path).stored_status().step > 2, "steps")
    run = the_run(tmp_path)
    assert run.name == "Dolly" and run.preset == "quick" and run.config.max_minutes == 60
    # Whoever has the folder steers it: the page, or this test.
    assert run.wait(run.send("pause"), timeout=PATIENCE).state == "paused"
    one.until(lambda: "paused, step" in one.read(), "the pause in the terminal")
    assert run.wait(run.send("tune", changes={"lr_d": 1e-4}), timeout=PATIENCE).tuned == {"lr_d": 1e-4}
    assert run.wait(run.send("resume"), timeout=PATIENCE).state == "running"
    bar = r"\rstep [\d,]+ +\d+%\|.*left, [\d,]+ images/s, d_loss \d\.\d+, g_loss \d"
    one.until(lambda: re.search(bar, one.read()), "the bar")
    one.process.send_signal(signal.SIGINT)
    status, sentence = one.ends()
    assert status == 130 and f"run:    {run.path}" in sentence and f"playground.py --checkpoints {tmp_path}" in sentence
    assert f"resume with: python -m gan_core.worker {run.path}" in sentence
    ended = run.status()
    assert ended.state == "stopped" and ended.checkpoint_step == ended.step > 2

    two = shell(str(run.path))
    two.until(lambda: run.stored_status().life == 2 and run.stored_status().step > ended.step, "the second life")
    two.until(lambda: "images/s" in two.read(), "its bar")
    run.send("stop")
    status, sentence = two.ends()
    assert status == 0 and "stopped at step" in sentence and len(list_runs(tmp_path)) == 1


@pytest.mark.slow
def test_without_a_terminal_there_are_a_few_lines_and_steps_end_a_run(tmp_path) -> None:
    pytest.importorskip("tensorboardX")
    done = worker("--new", "--log", "tensorboard", "--dataset", "ring", "--steps", "40", "--checkpoints", str(tmp_path),
                  "--set", "threads=1")
    run = the_run(tmp_path)
    assert done.returncode == 0 and run.status().state == "finished" and run.status().step == 40
    assert f"run:    {run.path}" in done.stdout and f"{run.name} finished at step 40" in done.stdout
    assert list((run.path / "tensorboard").glob("events.*")), "and the log that was asked for"
    assert "\r" not in done.stderr and done.stderr.count("\n") <= 6


def test_what_only_the_worker_can_refuse_leaves_nothing_either(tmp_path) -> None:
    done = worker("--new", "--set", "loss=hinge", "--set", "label_noise=0.1", "--checkpoints", str(tmp_path))
    assert done.returncode == 2 and "the loss hinge has no labels" in done.stderr and list_runs(tmp_path) == []


def test_a_second_ctrl_c_ends_at_once_even_where_the_first_cannot_be_obeyed() -> None:
    code = ("import time; from gan_core.worker.shutdown import Shutdown; shutdown = Shutdown()\n"
            "shutdown.on_request(lambda: print('saving', flush=True))\nprint('ready', flush=True)\nwhile True: time.sleep(0.01)")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "saving\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def heard(number: int, run: str = "shutdown.on_request(lambda: None)") -> int:
    """The exit status that a process ends with to which this signal was sent."""
    return worker(code=f"import os, signal, sys; from gan_core.worker.shutdown import Shutdown; shutdown = Shutdown(); {run}\n"
                       f"os.kill(os.getpid(), {number}); sys.exit(shutdown.exit_status)").returncode


def test_the_terminals_end_is_heard_unless_nohup_has_made_it_mean_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup themselves; a child inherits it
    try:
        assert heard(signal.SIGHUP) == 129
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        assert heard(signal.SIGHUP) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("asked", "state", "alone", "result"), [
    ([signal.SIGINT], "stopped", True, 130), ([signal.SIGTERM], "stopped", True, 143), ([signal.SIGHUP], "stopped", True, 129),
    ([], "stopped", True, 0), ([signal.SIGTERM], "finished", True, 0), ([signal.SIGTERM], "stopped", False, 0)])
def test_the_exit_status_tells_which_signal_ended_it(tmp_path, asked, state, alone, result) -> None:
    """A batch system that takes its machine back must not believe that the run has finished."""
    run, shutdown = Run.create(PRESETS["quick"], tmp_path / "two words"), Shutdown.__new__(Shutdown)
    shutdown.signals = asked
    run.write_status(Status(state=state, step=5, checkpoint_step=5))
    sentence, status = summary.conclude(run, cli.parse([str(run.path)]), 0, shutdown, alone)
    assert status == result
    assert state == "finished" or sentence.endswith(f"python -m gan_core.worker '{run.path}'")


@pytest.mark.parametrize("streams", ["2>&1 | true", pytest.param(">&- 2>&- <&-", marks=pytest.mark.slow)])
def test_an_output_that_nobody_reads_ends_no_training(tmp_path, streams) -> None:
    code = f"""
import sys
from pathlib import Path
from gan_core.worker import main, progress
progress.POLL = 0.001
def train_run(*_):
    Path({str(tmp_path)!r}, "trained").touch()
    return 0
main.train_run = train_run
status = main.main(["--new", "--checkpoints", {str(tmp_path)!r}])
Path({str(tmp_path)!r}, "status").write_text(str(status))
"""
    subprocess.run(["sh", "-c", f'"$0" -c "$1" {streams}', sys.executable, code], cwd=ROOT, stdin=subprocess.DEVNULL)
    assert (tmp_path / "trained").exists() and (tmp_path / "status").read_text() == "0"


def test_an_end_that_was_asked_for_before_there_is_anything_to_end_is_kept() -> None:
    code = ("import os, signal; from gan_core.worker.shutdown import Shutdown; shutdown = Shutdown()\n"
            "os.kill(os.getpid(), signal.SIGTERM)\n"
            "shutdown.on_request(lambda: print('ended'))")
    assert worker(code=code).stdout == "ended\n"


@pytest.mark.slow
def test_torchrun_makes_one_run_and_goes_on_with_it_when_a_process_is_killed(tmp_path) -> None:
    argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "2",
            "-m", "gan_core.worker", "--new", "--checkpoints", str(tmp_path), *SMALL, "--set", "measure_share=0"]
    launcher = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def until(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline and launcher.poll() is None
            time.sleep(0.05)

    try:
        until(lambda: list_runs(tmp_path) and the_run(tmp_path).stored_status().step > 2)
        run = the_run(tmp_path)
        assert run.config.processes == 2 and run.stored_status().processes == 2
        follower = next(child for child in psutil.Process(launcher.pid).children() if child.pid != run.stored_status().pid)
        follower.kill()
        until(lambda: run.stored_status().life == 2 and run.status().state == "running" and run.stored_status().step > 2)
        assert len(list_runs(tmp_path)) == 1
        run.send("stop")
        assert launcher.wait(PATIENCE) == 0 and run.status().state == "stopped"
    finally:
        for process in [*psutil.Process(launcher.pid).children(recursive=True)] if launcher.poll() is None else []:
            process.kill()
        launcher.kill()
        launcher.wait()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="takes this process's place")
def test_a_new_run_of_two_processes_is_handed_to_torchrun(tmp_path) -> None:
    done = worker("--new", "--checkpoints", str(tmp_path), "--steps", "20", "--set", "processes=2", *SMALL)
    run = the_run(tmp_path)
    assert done.returncode == 0 and f"run:    {run.path}" in done.stdout and len(list_runs(tmp_path)) == 1
    assert run.status().state == "finished" and run.status().step == 20 and run.status().processes == 2
