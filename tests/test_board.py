"""What a worker says of its run: notices that stay until their cause is gone, and a heart that stops with those it needs."""

import os
import threading

import psutil
import pytest

from gan_core.config import PRESETS
from gan_core.messages import part
from gan_core.runs.run import Run
from gan_core.worker import status_writer as boards
from gan_core.worker.status_writer import Board


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(PRESETS["quick"], tmp_path, preset="quick")


def test_a_notice_stays_until_its_own_cause_is_gone(run: Run) -> None:
    board = Board(run)
    logs, data = part("notice_log", name="trackio", reason="gone"), part("notice_data", before=3, now=4)
    saving = [part("notice_saving", reason=reason, kept=part("kept_none")) for reason in ("full", "still full")]
    board.note("logs", logs)
    board.note("saving", saving[0])
    assert run.stored_status().notices == [logs, saving[0]]
    assert run.stored_status().notice == ("Logging to trackio has ended (gone). Training goes on without it. "
                                          "Saving failed: full. Training goes on; there is no checkpoint yet.")
    before = board.status.heartbeat
    board.note("saving", saving[0])
    board.note("measuring")
    assert board.status.heartbeat <= before + 1, "what stands already costs no write, but for a beat of the heart"
    board.note("saving")
    board.write(checkpoint_step=5)
    assert run.stored_status().notices == [logs]
    board.note("resuming", data, saving[0])
    board.note("saving", saving[1])
    assert run.stored_status().notices == [logs, data, saving[0], saving[1]], "one cause may have more than one to say"
    board.forget_notices(but="saving")
    assert run.stored_status().notices == [saving[1]] and "still full" in run.stored_status().notice
    board.close()


def test_the_heart_stands_still_while_the_processes_it_needs_do_not_answer(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(boards, "BEAT", 0.01)
    asked, held = threading.Semaphore(0), threading.Event()

    def silent() -> bool:
        asked.release()
        return held.is_set()

    held.set()
    board = Board(run, held=silent)
    before = run.stored_status().heartbeat
    for _ in range(3):
        assert asked.acquire(timeout=60)
    assert run.stored_status().heartbeat == before
    held.clear()
    for _ in range(2):  # the second time it asks, the first beat is on the disk
        assert asked.acquire(timeout=60)
    assert asked.acquire(timeout=60) and run.stored_status().heartbeat > before
    board.close()


def test_what_the_run_was_before_a_process_was_lost_is_known_until_it_is_that_again(run: Run) -> None:
    board = Board(run, "paused", psutil.Process())
    status = run.stored_status()
    assert (status.state, status.restarting, status.launcher) == ("starting", "paused", os.getpid())
    board.write(step=3)
    assert run.stored_status().restarting == "paused"
    board.write("paused")
    assert run.stored_status().restarting == ""
    board.close()
    assert Board(run).status.launcher == 0
