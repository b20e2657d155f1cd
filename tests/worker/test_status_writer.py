"""What a worker says of its run: notices that stay until their cause is gone, and a heart that stops with those it needs."""

import os
import threading

import psutil
import pytest

from gan_core.config import PRESETS
from gan_core.messages import message
from gan_core.runs.run import Run
from gan_core.worker import status_writer as boards
from gan_core.worker.status_writer import StatusWriter


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(PRESETS["quick"], tmp_path, preset="quick")


def test_a_notice_stays_until_its_own_cause_is_gone(run: Run) -> None:
    status_writer = StatusWriter(run)
    logs, data = message("notice_log", name="trackio", reason="gone"), message("notice_data", before=3, now=4)
    saving = [message("notice_saving", reason=reason, kept=message("kept_none")) for reason in ("full", "still full")]
    status_writer.set_notices("logs", logs)
    status_writer.set_notices("saving", saving[0])
    assert run.stored_status().notices == [logs, saving[0]]
    assert run.stored_status().notice == ("Logging to trackio has ended (gone). Training goes on without it. "
                                          "Saving failed: full. Training goes on; there is no checkpoint yet.")
    before = status_writer.status.heartbeat
    status_writer.set_notices("saving", saving[0])
    status_writer.set_notices("measuring")
    assert status_writer.status.heartbeat <= before + 1, "what stands already costs no write, but for a beat of the heart"
    status_writer.set_notices("saving")
    status_writer.write(checkpoint_step=5)
    assert run.stored_status().notices == [logs]
    status_writer.set_notices("resuming", data, saving[0])
    status_writer.set_notices("saving", saving[1])
    assert run.stored_status().notices == [logs, data, saving[0], saving[1]], "one cause may have more than one to say"
    status_writer.clear_notices(but="saving")
    assert run.stored_status().notices == [saving[1]] and "still full" in run.stored_status().notice
    status_writer.close()


def test_the_heart_stands_still_while_the_processes_it_needs_do_not_answer(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(boards, "HEARTBEAT_INTERVAL", 0.01)
    asked, held = threading.Semaphore(0), threading.Event()

    def silent() -> bool:
        asked.release()
        return held.is_set()

    held.set()
    status_writer = StatusWriter(run, frozen=silent)
    before = run.stored_status().heartbeat
    for _ in range(3):
        assert asked.acquire(timeout=60)
    assert run.stored_status().heartbeat == before
    held.clear()
    for _ in range(2):  # the second time it asks, the first beat is on the disk
        assert asked.acquire(timeout=60)
    assert asked.acquire(timeout=60) and run.stored_status().heartbeat > before
    status_writer.close()


def test_what_the_run_was_before_a_process_was_lost_is_known_until_it_is_that_again(run: Run) -> None:
    status_writer = StatusWriter(run, "paused", psutil.Process())
    status = run.stored_status()
    assert (status.state, status.restarting, status.launcher) == ("starting", "paused", os.getpid())
    status_writer.write(step=3)
    assert run.stored_status().restarting == "paused"
    status_writer.write("paused")
    assert run.stored_status().restarting == ""
    status_writer.close()
    assert StatusWriter(run).status.launcher == 0
