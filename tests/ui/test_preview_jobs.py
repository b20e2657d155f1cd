"""Jobs that read data: shared, newest request first, cancelled when nobody wants them, two at once. The processes are real."""

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from gan_core.config import TrainConfig
from gan_core.ui.preview_jobs import LEASE, MAX_PROCESSES, PreviewJobs

# A process that speaks as gan_core.data.preview does: it says that it began in a file, and ends when stdin does, or is told to.
OBEDIENT = """
import json, os, pathlib, signal, sys, threading
signal.signal(signal.SIGTERM, lambda *_: None)
folder, config = pathlib.Path(sys.argv[1]), json.loads(sys.stdin.readline())["config"]
name = f"{config['dataset']}-{config['max_images']}"
(folder / f"{name}.{os.getpid()}.began").touch()
print(json.dumps({"progress": {"stage": "reading", "done": 1, "total": 4, "what": name}}), flush=True)
def wait():
    while os.read(0, 99): pass
    (folder / f"{name}.{os.getpid()}.cancelled").touch()
    os._exit(0)
threading.Thread(target=wait, daemon=True).start()
while not (folder / f"{name}.end").exists():
    threading.Event().wait(0.01)
print((folder / f"{name}.end").read_text(), flush=True)
"""
DONE = '{"ready": {"about": {"shape": [1, 28, 28], "labelled": true}, "preview": "data:,"}}'


@pytest.fixture
def made(tmp_path):
    """make(**arguments) -> (Library, its folder): processes end with what is written to <folder>/<data set>-<max_images>.end"""
    libraries = []

    def make(script=OBEDIENT, **arguments):
        libraries.append(PreviewJobs(command=(sys.executable, "-c", script, str(tmp_path)), **arguments))
        return libraries[-1], tmp_path

    yield make
    for preview_jobs in libraries:
        preview_jobs.close()


def asked(count=0, dataset="digits"):
    return TrainConfig(dataset=dataset, max_images=count)


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return found


def begun(folder: Path, what="*", end="began"):
    return sorted(path.name.split(".")[0] for path in folder.glob(f"{what}.{end}"))


def test_fifty_browsers_share_one_process_and_its_result_is_remembered(made):
    preview_jobs, folder = made()
    threads = [threading.Thread(target=preview_jobs.request, args=(f"browser {k}", asked())) for k in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: preview_jobs.status("browser 7").get("progress"))
    assert preview_jobs.status("browser 49")["progress"] == {"stage": "reading", "done": 1, "total": 4, "what": "digits-0"}
    assert preview_jobs.summary(asked()) is None
    (folder / "digits-0.end").write_text(DONE)
    until(lambda: all(preview_jobs.status(f"browser {k}")["state"] == "ready" for k in range(50)))
    assert preview_jobs.status("browser 3")["preview"] == "data:,"
    assert preview_jobs.request("a late one", asked())["state"] == "ready" and preview_jobs.summary(asked())["labelled"]
    assert begun(folder) == ["digits-0"]


def test_the_newest_request_of_a_browser_wins_and_what_nobody_wants_is_cancelled(made):
    preview_jobs, folder = made()
    preview_jobs.request("a", asked(1))
    preview_jobs.request("b", asked(1))
    until(lambda: begun(folder) == ["digits-1"])
    preview_jobs.request("a", asked(2))
    until(lambda: begun(folder) == ["digits-1", "digits-2"])
    assert preview_jobs.status("b")["state"] == "working", "somebody else still wants it"
    assert preview_jobs.release("b") == {"state": "cancelled"}
    until(lambda: begun(folder, end="cancelled") == ["digits-1"])
    assert preview_jobs.status("a")["state"] == "working" and preview_jobs.status("b")["state"] == "none"
    (folder / "digits-1.end").write_text(DONE)
    preview_jobs.request("b", asked(1))
    until(lambda: preview_jobs.status("b")["state"] == "ready")
    assert begun(folder).count("digits-1") == 2, "a cancelled request begins anew"


def test_two_at_once_the_others_wait_and_those_that_were_given_up_never_begin(made):
    preview_jobs, folder = made()
    for k in range(1, 6):
        preview_jobs.request(f"browser {k}", asked(k))
    until(lambda: len(begun(folder)) == MAX_PROCESSES)
    assert [preview_jobs.status(f"browser {k}")["state"] for k in range(1, 6)] == ["working"] * 2 + ["waiting"] * 3
    preview_jobs.release("browser 3")
    for k in (1, 2, 4, 5):
        (folder / f"digits-{k}.end").write_text(DONE)
    until(lambda: all(preview_jobs.status(f"browser {k}")["state"] == "ready" for k in (1, 2, 4, 5)))
    assert begun(folder) == ["digits-1", "digits-2", "digits-4", "digits-5"]


def test_what_was_refused_is_tried_once_more_when_somebody_starts_it_all_the_same(made):
    preview_jobs, folder = made()
    assert preview_jobs.retry(asked(1)) is None, "nobody has looked at it yet"
    preview_jobs.request("a", asked(1))
    refused = '{"refused": "No.", "fault": {"key": "silent", "values": {}}}'
    (folder / "digits-1.end").write_text(refused)
    until(lambda: preview_jobs.status("a")["state"] == "refused")
    again = preview_jobs.retry(asked(1), seconds=30)
    assert again["sentence"] == "No." and again["fault"]["key"] == "silent" and preview_jobs.status("a")["state"] == "refused"
    (folder / "digits-1.end").unlink()
    assert preview_jobs.retry(asked(1), seconds=0.05) is None, "nobody waits without end"
    assert preview_jobs.status("a")["state"] == "working"
    (folder / "digits-1.end").write_text(DONE)
    until(lambda: preview_jobs.status("a")["state"] == "ready")
    assert preview_jobs.retry(asked(1)) is None


def test_a_browser_that_went_without_a_word_is_noticed(made):
    now = [0.0]  # the clock is the test's, so that a busy machine cannot let the wrong lease expire
    preview_jobs, folder = made(clock=lambda: now[0])
    preview_jobs.request("gone", asked(1))
    preview_jobs.request("here", asked(2))
    until(lambda: begun(folder) == ["digits-1", "digits-2"])
    now[0] += LEASE * 0.7
    assert preview_jobs.status("here")["state"] == "working"
    now[0] += LEASE * 0.7
    until(lambda: begun(folder, end="cancelled") == ["digits-1"])
    assert preview_jobs.status("here")["state"] == "working"


@pytest.mark.parametrize(("script", "sentence"), [
    ("import os; os.kill(os.getpid(), 9)", "ended without a word"),
    ("print('nonsense')", "ended without a word"),
    ("print('{\"refused\": \"There is no network.\"}')", "There is no network."),
    ("print('{\"refused\": \"There is no network.\", \"fault\": {\"key\": \"from the future\"}}')", "There is no network.")])
def test_a_process_that_dies_or_refuses_is_one_sentence_and_is_asked_again(made, script, sentence):
    preview_jobs, _ = made(script)
    for _ in range(2):
        assert preview_jobs.request("a", asked())["state"] == "working"
        until(lambda: preview_jobs.status("a")["state"] == "refused")
        assert sentence in preview_jobs.status("a")["sentence"]


def test_one_that_will_not_end_is_killed_and_closing_ends_everything(made, monkeypatch):
    monkeypatch.setattr("gan_core.ui.preview_jobs.TERMINATE_SECONDS", 0.2)
    preview_jobs, folder = made("import os, pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
                                "(pathlib.Path(sys.argv[1]) / f'{os.getpid()}.began').touch(); time.sleep(600)")
    preview_jobs.request("a", asked())
    child = psutil.Process(int(until(lambda: begun(folder))[0]))  # by its own word: this process has other children as well
    preview_jobs.close()
    assert psutil.wait_procs([child], 20)[1] == []
    assert preview_jobs.request("a", asked(3)) == {"state": "cancelled"}


def test_a_folder_is_read_again_for_every_new_request_because_its_pictures_may_have_changed(made, tmp_path):
    preview_jobs, folder = made(OBEDIENT.replace("{config['dataset']}", "{config['dataset'].split(':')[0]}"))
    (folder / "folder-0.end").write_text(DONE)
    for _ in range(2):
        preview_jobs.request("a", asked(dataset=f"folder:{tmp_path}"))
        until(lambda: preview_jobs.status("a")["state"] == "ready")
    assert begun(folder) == ["folder-0"] * 2


def test_the_real_process_prepares_the_digits():
    preview_jobs = PreviewJobs()
    try:
        preview_jobs.request("a", asked())
        until(lambda: preview_jobs.status("a")["state"] == "ready")
        assert preview_jobs.summary(asked())["count"] == 5000 and preview_jobs.status("a")["preview"].startswith("data:image/png")
    finally:
        preview_jobs.close()
