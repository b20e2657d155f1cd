import json
import math
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import scale, scale_model
from benchmarks.scale_model import Link
from gan_core.runs.run import Run, list_runs

ROOT = Path(__file__).parents[2]


def test_the_courses_operations_are_those_of_its_layers() -> None:
    """Products and additions, by hand: a step plays G twice (once with its gradient) and D on 2 and on 1 pictures an image."""
    generator = [128 * 3136, 14 * 14 * 9 * 64 * 128, 28 * 28 * 9 * 128 * 256, 28 * 28 * 25 * 256]
    discriminator = [14 * 14 * 16 * 64, 7 * 7 * 16 * 64 * 128, 4 * 4 * 16 * 128 * 128, 2048]
    G, D = 2 * sum(generator), 2 * sum(discriminator)
    first_g, first_d = 2 * generator[0], 2 * discriminator[0]  # nobody asks for the gradient of z or of D's pictures
    for_d = G + 2 * (3 * D - first_d)
    for_g = 3 * G - first_g + 2 * D  # through a D whose weights need none
    assert scale_model.operations("course", batch=2) == pytest.approx(for_d + for_g, rel=0.01)
    assert (for_d + for_g) / 1e9 == pytest.approx(2.18, abs=0.01)


def test_the_bytes_of_a_step_are_its_gradients_and_little_more() -> None:
    assert scale_model.parameters("course") == (779_969, 396_609)
    d, g = scale_model.exchanges("course")
    assert 0 <= d - 4 * 396_609 <= 0.01 * d and 0 <= g - 4 * 779_969 <= 0.01 * g
    sizes = scale_model.exchanges("quick")
    assert sorted(sizes)[-2:] == pytest.approx([4 * n for n in sorted(scale_model.parameters("quick"))], rel=0.01)


def test_a_ring_takes_what_its_formula_says() -> None:
    link = Link("", bandwidth=1e9, latency=1e-3)
    assert scale_model.communication([10**9], link, 1) == 0
    assert scale_model.communication([10**9], link, 2) == pytest.approx(1 + 0.002)
    assert scale_model.communication([10**9, 10**9], link, 4) == pytest.approx(2 * (1.5 + 0.006))


@pytest.mark.parametrize("efficiency", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("n", [2, 8, 64])
def test_from_the_batch_that_is_enough_on_computing_takes_its_share_of_the_step(n: int, efficiency: float) -> None:
    sizes, flop, rate, link = [4_700_000], 2.18e9, 8e12, Link("", 1.25e9, 5e-5)
    batch, away = scale_model.enough(sizes, flop, rate, link, n, efficiency), scale_model.communication(sizes, link, n)

    def share(b: int) -> float:
        return (computing := b * flop / rate) / (computing + away)

    assert share(batch) >= efficiency > share(batch - 1)


def test_a_million_images_cost_what_their_seconds_cost() -> None:
    assert scale_model.cost(price=3.6, speed=1000) == pytest.approx(1.0)


def test_the_tables_in_the_document_are_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    scale_model.report()
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    document = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert len(printed) > 30 and not [line for line in printed if line not in document]


@pytest.mark.slow
def test_two_processes_are_measured() -> None:
    found = scale.run_processes("scale", 2, "quick", 16, 1, 1.0)
    assert found["messages"] == len(scale_model.exchanges("quick")) and 0 < found["in_step"] < found["step"]
    assert math.isclose(found["bytes"], sum(scale_model.exchanges("quick")), rel_tol=0.01)


def test_the_slurm_script_is_sound_to_bash() -> None:
    assert subprocess.run(["bash", "-n", ROOT / "docs/slurm/train.sbatch"]).returncode == 0
    text = (ROOT / "docs/slurm/train.sbatch").read_text()
    assert not re.search(r"docker|singularity|apptainer", text.replace("without a container", ""))


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The environment of a job on two nodes of one process each; srun and scontrol are stand-ins, on one machine."""
    tools = tmp_path / "bin"
    tools.mkdir()
    srun = 'while [[ "$1" == --* ]]; do shift; done; "$@" & "$@" & wait -n; wait'
    for name, code in {"scontrol": f'if [ "$1" = requeue ]; then echo "$2" >> {tmp_path}/requeued; else echo localhost; fi',
                       "srun": f'echo "$@" >> {tmp_path}/srun\n{srun}'}.items():
        (tools / name).write_text(f"#!/bin/bash\n{code}\n")
        (tools / name).chmod(stat.S_IRWXU)
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHON": sys.executable, "PLAYGROUND": str(ROOT),
            "SLURM_SUBMIT_DIR": str(ROOT), "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_NUM_NODES": "2", "PROCESSES": "1",
            "SLURM_JOB_ID": str(os.getpid()), "CHECKPOINTS": str(tmp_path / "two words"), "BATCH": "16",
            "SLURM_CPUS_PER_TASK": "2", "OMP_NUM_THREADS": "1"}


SCRIPT = ["bash", ROOT / "docs/slurm/train.sbatch"]


@pytest.mark.slow
def test_the_slurm_script_trains_on_two_nodes_stops_when_the_time_is_up_and_goes_on(tmp_path: Path, job: dict[str, str]) -> None:
    """The script itself, the rendezvous and two groups of processes."""
    store = tmp_path / "store" / "run"
    job["STORE"] = f"file://{store}"

    def submit(*options: str, **more: str) -> tuple[Run, int]:
        """Trains until some steps are made, then the time is up; returns the run and the step it had begun at."""
        with open(tmp_path / "log", "a") as log:
            script = subprocess.Popen([*SCRIPT, *options], env=job | more, stdout=log, stderr=log)
        try:
            begun, deadline = None, time.monotonic() + 120
            while True:
                assert script.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
                run = next(iter(list_runs(job["CHECKPOINTS"])), None)
                status = run.stored_status() if run else None
                if status and status.state == "running":
                    begun = status.step if begun is None else begun
                    if status.step > begun + 20:
                        break
                time.sleep(0.05)
            script.send_signal(signal.SIGUSR1)
            assert script.wait(90) == 0, (tmp_path / "log").read_text()[-3000:]
        finally:
            script.kill()
        return run, begun

    requeued = tmp_path / "requeued"
    run, _ = submit("--preset", "quick", "--steps", "1000000")
    status = run.stored_status()
    assert status.state == "stopped" and status.processes == 2 and status.checkpoint_step == status.step
    assert run.preset == "quick" and run.config.max_steps == 1_000_000 and run.config.batch_size == 16
    assert "--cpus-per-task=2" in (tmp_path / "srun").read_text(), "or srun gives one core"
    assert requeued.read_text().split() == [job["SLURM_JOB_ID"]]
    again, begun = submit("--preset", "quick", "--steps", "1000000", REQUEUE="0")  # as Slurm starts a requeued job: the same id
    assert again.id == run.id and begun >= status.step and len(requeued.read_text().split()) == 1
    assert len(list_runs(job["CHECKPOINTS"])) == 1
    assert json.loads((store / "status.json").read_text())["step"] == again.stored_status().step
    assert (store / "checkpoint" / "latest.json").exists()


@pytest.mark.slow
def test_the_slurm_script_is_heard_before_there_is_anything_to_stop_and_asks_for_no_endless_run_again(
        tmp_path: Path, job: dict[str, str]) -> None:
    with open(tmp_path / "log", "a") as log:
        script = subprocess.Popen([*SCRIPT, "--preset", "quick"], env=job, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "srun").exists():  # torchrun is loading
            assert script.poll() is None and time.monotonic() < deadline
        script.send_signal(signal.SIGUSR1)
        assert script.wait(120) == 0, (tmp_path / "log").read_text()[-3000:]
    finally:
        script.kill()
    assert list_runs(job["CHECKPOINTS"])[0].status().state == "stopped" and not (tmp_path / "requeued").exists()


def test_the_slurm_script_refuses_in_a_sentence(tmp_path: Path, job: dict[str, str]) -> None:
    done = subprocess.run([*SCRIPT, "--preset", "steddy"], env=job, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("There is no preset 'steddy'") and done.stderr.count("\n") == 1
    assert not (tmp_path / "srun").exists()
