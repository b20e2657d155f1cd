"""The page as a program sees it: a real server, a real training process, gradio's own client."""

import json
import time

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from gan_core.runs.run import list_runs
from gan_core.ui.app import QUEUE_INTERVAL, Playground

SMALL = json.dumps({"batch_size": 2, "latent_dim": 8, "seed": 5})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "checkpoints"
    folder.mkdir()
    playground = Playground(folder, threads=1)
    playground.launch(host="127.0.0.1", quiet=True)
    yield playground, Client(playground.demo.local_url, verbose=False)
    playground.close()


def until(client, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition(state := client.predict(api_name="/state")):
        assert time.monotonic() < deadline, state
        time.sleep(0.02)
    return state


def test_while_nobody_does_anything_the_queue_of_events_rests(page):
    """How often says the queue that is served; gradio's own looks a thousand times a second."""
    playground, client = page
    assert client.predict(api_name="/state")["run"], "it is answered by way of that queue"
    queue = playground.demo._queue
    assert queue.server_app is playground.demo.server_app and not queue.stopped
    assert queue.sleep_when_free == QUEUE_INTERVAL >= 0.02


@pytest.mark.slow
def test_the_whole_story_by_its_api_names(page):
    playground, client = page
    shown = client.predict(api_name="/state")
    assert shown["state"] == "finished" and shown["run"].startswith("starter"), "the starter is there before anything"
    pictures = client.predict(3, 2, api_name="/generate")
    assert np.array(pictures["pictures"]).shape == (2, 28, 28) and pictures["run"] == shown["run"]
    for refused in ("/pause", "/resume", "/save", "/reset", "/restore"):
        with pytest.raises(AppError):
            client.predict(api_name=refused)

    started = client.predict("quick", SMALL, api_name="/start")
    assert started["state"] in ("starting", "running") and started["run"] != shown["run"]
    running = until(client, lambda status: status["state"] == "running" and status["step"] > 3)
    assert running["run"] == started["run"]
    with pytest.raises(AppError, match="Only one run can be active"):
        client.predict("quick", SMALL, api_name="/start")
    with pytest.raises(AppError):
        client.predict("both", 1, api_name="/step")

    tuned = client.predict('{"lr_d": 0.0005, "batch_size": 4}', api_name="/tune")
    assert tuned["tuned"] == {"lr_d": 0.0005, "batch_size": 4} and tuned["run"] == started["run"]
    with pytest.raises(AppError, match="latent_dim cannot change"):
        client.predict('{"latent_dim": 9}', api_name="/tune")
    paused = client.predict(api_name="/pause")
    assert paused["state"] == "paused"
    for i, network in enumerate(("discriminator", "generator", "both"), start=1):
        stepped = client.predict(network, 2, api_name="/step")
        assert stepped["step"] == paused["step"] + 2 * i and stepped["state"] == "paused"
    saved = client.predict(api_name="/save")
    assert saved["checkpoint_step"] == saved["step"] == stepped["step"]
    assert client.predict(api_name="/resume")["state"] == "running"
    pictures = client.predict(3, 2, api_name="/generate")
    assert pictures["run"] == started["run"] and pictures["step"] >= 0
    assert np.array(pictures["pictures"]).max() <= 255

    again = client.predict(api_name="/reset")
    assert again["run"] != started["run"]
    until(client, lambda status: status["run"] == again["run"] and status["step"] > 0)
    runs = {run.id: run for run in list_runs(playground.catalogue.folder)}
    assert runs[started["run"]].status().state == "stopped" and runs[started["run"]].status().checkpoint_step > 0
    assert runs[again["run"]].config == runs[started["run"]].config


@pytest.mark.parametrize(("preset", "overrides", "word"), [
    ("nothing", "{}", "quick, course"), ("quick", "{", "JSON"), ("quick", "[1]", "object"), ("quick", '{"wings": 2}', "wings"),
    ("quick", '{"batch_size": 0}', "batch_size is 0; give a whole number from 1"), ("quick", '{"lr_d": "fast"}', "lr_d"),
    ("quick", '{"betas_d": 0.5}', "betas_d"), ("quick", '{"device": "moon"}', "device"), ("quick", "[" * 5000, "JSON")])
def test_what_cannot_be_started_is_refused_in_words(page, preset, overrides, word):
    before = len(list_runs(page[0].catalogue.folder))
    with pytest.raises(AppError, match=word):
        page[1].predict(preset, overrides, api_name="/start")
    assert len(list_runs(page[0].catalogue.folder)) == before


@pytest.mark.parametrize(("args", "word"), [
    ((-1, 1), "seed"), ((2**31, 1), "seed"), ((0, 0), "count"), ((0, 257), "count")])
def test_numbers_out_of_range_are_refused_with_the_range(page, args, word):
    with pytest.raises(AppError, match=word):
        page[1].predict(*args, api_name="/generate")


def test_every_name_of_the_contract_is_there_and_documented(page):
    named = page[1].view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/start", "/pause", "/resume", "/step", "/reset", "/save", "/state", "/generate", "/extend",
                          "/tune", "/restore"}
    assert [p["parameter_name"] for p in named["/start"]["parameters"]] == ["preset", "overrides"]
    assert [p["parameter_name"] for p in named["/step"]["parameters"]] == ["network", "count"]
    assert [p["parameter_name"] for p in named["/tune"]["parameters"]] == ["changes"] and named["/restore"]["parameters"] == []
    assert [p["parameter_name"] for p in named["/extend"]["parameters"]] == ["steps", "minutes"]
    assert [p["parameter_name"] for p in named["/generate"]["parameters"]] == ["seed", "count"]
