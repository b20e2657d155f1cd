"""Webhooks against a real HTTP server: what is posted and when, and what a server that fails costs."""

import json
import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fake_run import ROOT, FakeRun

from gan_core import registry
from gan_core.integrations import follower as following
from gan_core.integrations import webhook
from gan_core.integrations.follower import Follower, follow
from gan_core.integrations.interface import DeliveryError, Integration, IntegrationError
from gan_core.integrations.processes import FollowerProcesses
from gan_core.integrations.registry import INTEGRATIONS, check_available
from gan_core.messages import ENGLISH


class Receiver:
    """A server that stores what is posted, and answers with `answers` in turn, then with 200."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append(json.loads(body))
                receiver.paths.append(self.path)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/a-secret"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def events(self) -> list[str]:
        return [post["event"] for post in self.posts]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    one = Receiver()
    monkeypatch.setenv(webhook.VARIABLE, one.url)
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FINAL_PAUSES", (0.0, 0.0))


def look(fake: FakeRun) -> None:
    stop = threading.Event()
    stop.set()
    follow(fake.run, "webhook", stop)


def best(fake: FakeRun, step: int, value: float) -> None:
    fake.status.best = {"step": step, "name": "fd", "value": value}
    fake.run.write_status(fake.status)


def ended(fake: FakeRun, state: str, **fields: Any) -> None:
    for name, value in {"state": state, **fields}.items():
        setattr(fake.status, name, value)
    fake.run.write_status(fake.status)


def test_the_best_and_the_end_are_posted_once_each(tmp_path: Path, receiver: Receiver) -> None:
    fake = FakeRun(tmp_path)
    fake.step(5)
    look(fake)
    assert receiver.posts == [], "nothing has happened yet"
    best(fake, 3, 12.3456)
    look(fake)
    look(fake)
    assert receiver.events == ["best"]
    post = receiver.posts[0]
    assert post == {"event": "best", "run": fake.run.id, "name": fake.run.name, "step": 5, "elapsed": fake.status.elapsed,
                    "best": {"step": 3, "name": "fd", "value": 12.3456}, "error": None,
                    "text": f"{fake.run.name} has a new best: fd 12.35 at step 3."}
    best(fake, 4, 2.0)
    fake.end()
    look(fake)
    look(fake)
    assert receiver.events == ["best", "best", "finished"]
    assert receiver.posts[2]["text"] == f"{fake.run.name} has finished at step 5." and receiver.paths[0] == "/hooks/a-secret"


@pytest.mark.parametrize(("state", "text"), [("stopped", "has been stopped at step 2."),
                                             ("failed", "has failed at step 2: It broke.")])
def test_other_ends_are_posted_and_those_of_a_later_life_again(tmp_path: Path, receiver: Receiver, state: str, text: str) -> None:
    fake = FakeRun(tmp_path)
    fake.step(2)
    error = {"kind": "crashed", "message": "It broke.", "step": 2} if state == "failed" else None
    ended(fake, state, error=error)
    look(fake)
    assert receiver.posts[0]["text"].endswith(text) and receiver.posts[0]["error"] == error
    ended(fake, state, life=fake.status.life + 1)
    look(fake)
    assert receiver.events == [state, state]


def test_a_run_whose_worker_was_killed_is_posted_as_failed(tmp_path: Path, receiver: Receiver) -> None:
    fake = FakeRun(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    ended(fake, "running", pid=gone.pid, pid_started=1.0, host=platform.node())
    look(fake)
    assert receiver.events == ["failed"] and receiver.posts[0]["error"]["kind"] == "killed"


def test_a_temporary_failure_is_retried_and_the_newest_best_is_posted(
        tmp_path: Path, receiver: Receiver, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRun(tmp_path)
    fake.step(2)
    best(fake, 1, 5.0)
    receiver.answers = [503]
    follower = Follower(fake.run, "webhook")
    follower.log_events(fake.status)
    assert "127.0.0.1 answered 503 Service Unavailable. Trying again." in capfd.readouterr().err
    follower.log_events(fake.status)
    assert len(receiver.posts) == 1, "not at once"
    best(fake, 2, 4.0)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + following.RETRY_INTERVAL)
    follower.log_events(fake.status)
    follower.log_events(fake.status)
    assert [post["best"]["step"] for post in receiver.posts] == [1, 2]


def test_the_end_is_tried_several_times_and_then_a_sentence(tmp_path: Path, receiver: Receiver) -> None:
    fake = FakeRun(tmp_path)
    fake.step()
    fake.end()
    receiver.answers = [500, 502]
    look(fake)
    assert receiver.events == ["finished"] * 3
    again = FakeRun(tmp_path / "again")
    again.end()
    receiver.answers = [500, 502, 429]
    with pytest.raises(DeliveryError, match=r"^127\.0\.0\.1 answered 429 Too Many Requests\.$"):
        look(again)
    receiver.answers = []
    look(again)
    assert receiver.events == ["finished"] * 7, "what could not be delivered is delivered by the next follower"


@pytest.mark.parametrize("answer", [404, 301, 401])
def test_an_address_that_refuses_ends_the_log_without_its_secret(tmp_path: Path, receiver: Receiver, answer: int) -> None:
    fake = FakeRun(tmp_path)
    best(fake, 1, 1.0)
    receiver.answers = [answer]
    with pytest.raises(IntegrationError, match=f"127.0.0.1 answered {answer}") as caught:
        look(fake)
    assert "secret" not in str(caught.value) and not isinstance(caught.value, DeliveryError)


def test_a_server_that_is_away_or_silent_is_a_sentence(tmp_path: Path, receiver: Receiver,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRun(tmp_path)
    fake.end()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv(webhook.VARIABLE, f"http://127.0.0.1:{silent.getsockname()[1]}/a-secret")
        with pytest.raises(DeliveryError, match=r"127.0.0.1 cannot be reached \(.*refused") as caught:
            look(fake)
        silent.listen()
        monkeypatch.setattr(webhook, "TIMEOUT", 0.1)
        start = time.monotonic()
        with pytest.raises(DeliveryError, match=r"127.0.0.1 cannot be reached \(timed out") as late:
            look(fake)
        assert time.monotonic() - start < 3, "three attempts of 0.1 s"
    assert "secret" not in f"{caught.value}{late.value}"


def test_a_proxy_from_the_environment_is_used(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRun(tmp_path)
    fake.end()
    monkeypatch.setenv("HTTP_PROXY", receiver.url.rsplit("/", 2)[0])
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv(webhook.VARIABLE, "http://hooks.invalid/a-secret")
    look(fake)
    assert receiver.events == ["finished"] and receiver.paths == ["http://hooks.invalid/a-secret"]


@pytest.mark.parametrize("url", ["", "hooks.example.com/x", "ftp://hooks.example.com/x", "http://", "http://[", "http://a:99999/",
                                 "http://xn--/", "http://é../", "http://[v1.x]/", f"http://{'a' * 300}/", "http://a/\udcff"])
def test_an_address_that_is_none_is_a_sentence_before_training(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(webhook.VARIABLE, url)
    with pytest.raises(IntegrationError, match=webhook.VARIABLE):
        check_available(["webhook"])


def test_every_integration_of_the_table_is_one() -> None:
    for name in INTEGRATIONS:
        assert issubclass(registry.resolve(INTEGRATIONS, name), Integration), name


@pytest.mark.slow
@pytest.mark.parametrize("answers", [[], [404]], ids=["answered", "refused"])
def test_a_real_training_posts_its_end_and_survives_a_server_that_refuses(tmp_path: Path, receiver: Receiver,
                                                                          answers: list[int]) -> None:
    receiver.answers = answers
    done = subprocess.run([sys.executable, "-m", "gan_core.worker", "--new", "--log", "webhook", "--dataset", "ring",
                           "--steps", "40", "--set", "measure_share=0", "--checkpoints", str(tmp_path)],
                          cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert receiver.events == ["finished"] and receiver.posts[0]["step"] == 40


def test_the_followers_process_gives_notice_when_the_address_refuses(tmp_path: Path, receiver: Receiver) -> None:
    fake, notices = FakeRun(tmp_path), []
    fake.end()
    receiver.answers = [404]
    processes = FollowerProcesses(fake.run, ["webhook"], notices.append)
    processes.close()
    assert [ENGLISH.sentence(notice) for notice in notices] == [
        f"Logging to webhook has ended (127.0.0.1 answered 404 Not Found; check {webhook.VARIABLE}.). "
        "Training goes on without it."]
