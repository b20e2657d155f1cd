"""The live routes: sliders, history and stream, asked as a browser and as a stranger would."""

import asyncio
import contextlib
import json
import os
import threading
import zlib

import numpy as np
import pytest
import torch
from making import OF_POINTS, make_run
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gan_core.data.rendering import png, png_text
from gan_core.latent.view import load_live, seed_z
from gan_core.networks.pair import build_pair
from gan_core.runs import checkpoint
from gan_core.runs.run import RunError
from gan_core.ui import live_routes
from gan_core.ui.hub import QUEUE_SIZE, Hub
from gan_core.ui.latent_service import LatentService
from gan_core.ui.run_events import RunEvents

AT = live_routes.PREFIX


@pytest.fixture
def latent_service():
    latent_service = LatentService()
    latent_service._start()
    yield latent_service
    latent_service.close()


@pytest.fixture
def client(catalogue, latent_service):
    return TestClient(Starlette(routes=live_routes.routes(catalogue, Hub(catalogue), latent_service)))


def view_of(run):
    return load_live(run.live_path(), build_pair)


def test_a_z_gives_the_generators_picture_and_the_discriminators_verdict(client, catalogue, tmp_path):
    run = make_run(catalogue.folder)
    z = seed_z(7, 20)
    reply = client.post(f"{AT}z?run={run.id}&psi=0.7", content=z.astype("<f4").tobytes())
    wanted, verdict = view_of(run).image(z, 0.7)
    (tmp_path / "z.png").write_bytes(reply.content)
    assert reply.status_code == 200 and np.array_equal(np.asarray(Image.open(tmp_path / "z.png")), wanted)
    assert float(reply.headers["X-Gan-Verdict"]) == pytest.approx(verdict, abs=1e-4)
    assert reply.headers["X-Gan-Run"] == run.id and reply.headers["X-Gan-Step"] == "3"
    assert client.post(f"{AT}z?psi=0.7", content=z.tobytes()).content == reply.content, "without a name it is the shown run"


def test_the_generator_as_it_is_is_driven_by_name(client, catalogue, tmp_path):
    run, z = make_run(catalogue.folder), seed_z(7, 20)
    tensors, metadata = checkpoint.read(run.live_path())
    for name, tensor in tensors.items():  # two that no eye confuses
        if name.startswith("now.") and tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)).abs() * 0.3)
    checkpoint.write(run.live_path(), tensors, metadata)
    average = client.post(f"{AT}z?run={run.id}&psi=0.7&of=average", content=z.tobytes())
    now = client.post(f"{AT}z?run={run.id}&psi=0.7&of=now", content=z.tobytes())
    wanted, verdict = view_of(run).of_now.image(z, 0.7)
    (tmp_path / "now.png").write_bytes(now.content)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "now.png")), wanted) and now.content != average.content
    assert client.post(f"{AT}z?run={run.id}&psi=0.7", content=z.tobytes()).content == average.content, "which is the default"
    assert float(now.headers["X-Gan-Verdict"]) == pytest.approx(verdict, abs=1e-4)


@pytest.mark.parametrize(("query", "body", "status", "word"), [
    ("", b"", 422, "float32"), ("", b"123", 422, "float32"), ("", b"\0" * 84, 422, "20 numbers"),
    ("", np.full(20, np.nan, "f4").tobytes(), 422, "finite"), ("", np.full(20, np.inf, "f4").tobytes(), 422, "finite"),
    ("&psi=nan", bytes(80), 422, "psi"), ("&psi=x", bytes(80), 422, "psi"), ("&psi=-1", bytes(80), 422, "psi"),
    ("&psi=11", bytes(80), 422, "psi"), ("&label=0", bytes(80), 422, "no classes"), ("&label=1.5", bytes(80), 422, "whole"),
    ("&of=both", bytes(80), 422, "now or average"), ("", bytes(20_000), 422, "larger"), ("&run=nobody", bytes(80), 404, "nobody"),
    ("&run=../x", bytes(80), 404, "run")])
def test_anything_else_is_refused_in_one_sentence(client, catalogue, query, body, status, word):
    make_run(catalogue.folder, steps=1)
    reply = client.post(f"{AT}z?x=1{query}", content=body)
    assert reply.status_code == status and word in reply.text and reply.text.endswith(".") and "\n" not in reply.text


def test_while_torch_is_imported_the_sliders_say_wait(catalogue):
    make_run(catalogue.folder, steps=1)
    client = TestClient(Starlette(routes=live_routes.routes(catalogue, Hub(catalogue), LatentService())))
    for reply in (client.post(f"{AT}z", content=bytes(80)), client.get(f"{AT}directions"), client.get(f"{AT}seed?seed=1")):
        assert reply.status_code == 503 and reply.headers["Retry-After"]


def test_seeds_and_directions_are_those_of_the_newest_generator(client, catalogue):
    run = make_run(catalogue.folder)
    assert client.get(f"{AT}seed?run={run.id}&seed=7").json()["z"] == pytest.approx(seed_z(7, 20).tolist())
    for wrong in ("-1", "1.5", "x", "1e99", "nan"):
        assert client.get(f"{AT}seed?seed={wrong}").status_code == 422
    found = client.get(f"{AT}directions?run={run.id}").json()
    rows = np.array(found["directions"])
    assert rows.shape == (16, 20) and np.allclose(rows @ rows.T, np.eye(16), atol=1e-3)
    assert found["latent_dim"] == 20 and found["step"] == 3 and found["version"] == 1


def test_directions_keep_their_place_when_the_generator_is_replaced(client, catalogue, latent_service):
    run = make_run(catalogue.folder)
    before = client.get(f"{AT}directions").json()
    # Another generator under the same run: its own directions differ, in order and in sign.
    other = make_run(catalogue.folder.parent / "shipped", kind="starter", steps=1, seed=5)
    run.live_file(2).write_bytes(other.live_path().read_bytes())
    status = run.stored_status()
    status.live = 2
    run.write_status(status)
    after = client.get(f"{AT}directions?run={run.id}").json()
    assert after["version"] == before["version"] + 1
    alike = np.array(before["directions"]) @ np.array(after["directions"]).T
    assert (np.diag(alike) >= 0).all()
    assert np.abs(np.diag(alike)).sum() >= np.abs(np.diag(alike[:, ::-1])).sum()
    assert client.get(f"{AT}directions?run={run.id}").json() == after


def test_the_history_is_served_picture_by_picture(client, catalogue):
    run = make_run(catalogue.folder)
    frames = run.frames()
    assert len(frames) == 2
    for frame in frames:
        assert client.get(f"{AT}frame?run={run.id}&seq={frame.seq}").content == frame.path.read_bytes()
    reply = client.get(f"{AT}frame?run={run.id}")
    assert reply.content == frames[-1].path.read_bytes() and reply.headers["cache-control"] == "no-store", "the newest"
    now = client.get(f"{AT}frame?run={run.id}&seq={frames[-1].seq}&of=now").content
    assert now == run.now_path(frames[-1]).read_bytes()
    assert client.get(f"{AT}frame?run={run.id}&seq={frames[-1].seq}&of=x").status_code == 422
    run.now_path(frames[-1]).unlink()  # as in a run of an older version
    assert client.get(f"{AT}frame?run={run.id}&seq={frames[-1].seq}&of=now").status_code == 404
    for wrong in ("99", "x", "", "../1"):
        assert client.get(f"{AT}frame?run={run.id}&seq={wrong}").status_code == 404


def test_a_picture_of_the_grid_has_its_verdict_and_its_z(client, catalogue, tmp_path):
    run = make_run(catalogue.folder)
    newest = run.frames()[-1]
    for of, path in (("average", newest.path), ("now", run.now_path(newest))):
        found = client.get(f"{AT}frame?run={run.id}&seq={newest.seq}&of={of}&as=verdicts").json()
        assert len(found["fakes"]) == 64 and len(found["reals"]) == 16
        grid = np.asarray(Image.open(path))
        for index in (0, 9, 63):
            fake = client.get(f"{AT}seed?run={run.id}&fake={index}").json()
            z = np.array(fake["z"], "f4")
            assert fake["label"] == 0, "no classes"
            reply = client.post(f"{AT}z?run={run.id}&of={of}", content=z.tobytes())
            (tmp_path / "z.png").write_bytes(reply.content)
            y, x = 28 * (index // 8), 28 * (index % 8)
            cell = grid[y:y + 28, x:x + 28].astype(int)
            assert np.abs(np.asarray(Image.open(tmp_path / "z.png")).astype(int) - cell).max() <= 2, "float16 is near"
            assert float(reply.headers["X-Gan-Verdict"]) * 100 == pytest.approx(found["fakes"][index], abs=2)
    for wrong, status in (("seed?fake=64", 422), ("seed?fake=-1", 422), ("seed?fake=x", 422),
                          (f"frame?seq={newest.seq}&as=text", 422), ("frame?seq=99&as=verdicts", 404)):
        reply = client.get(f"{AT}{wrong}")
        assert reply.status_code == status and reply.text.endswith(".") and "\n" not in reply.text
    Image.open(newest.path).save(newest.path)  # without the text, as older versions wrote it
    assert client.get(f"{AT}frame?seq={newest.seq}&as=verdicts").json() == {"fakes": [], "reals": []}


NO_PLACES = {"reals": 0, "places": [], "distances": []}


def test_the_real_ones_nearest_to_the_fakes_of_a_moment_are_told(client, catalogue):
    run = make_run(catalogue.folder)
    for frame in run.frames():
        path = run.nearest_path(frame)
        told = json.loads(png_text(path.read_bytes(), "nearest"))
        for of in ("average", "now"):
            at = f"{AT}frame?run={run.id}&seq={frame.seq}&of={of}&as=nearest"
            picture = client.get(at)
            assert picture.content == path.read_bytes() and picture.headers["content-type"] == "image/png"
            assert "max-age" in picture.headers["cache-control"], "every viewer takes it once, and nothing is encoded anew"
            found = client.get(at + "-places").json()
            assert found == {"reals": 20, **told[of]} and len(found["places"]) == 64
    path.unlink()  # as in a run of many pictures, or of an older version
    assert client.get(at).status_code == 404 and client.get(at + "-places").json() == NO_PLACES
    assert client.get(f"{AT}frame?run={run.id}&seq=99&as=nearest").status_code == 404
    of_points = make_run(catalogue.folder, **OF_POINTS)
    assert client.get(f"{AT}frame?run={of_points.id}&as=nearest").status_code == 404
    assert client.get(f"{AT}frame?run={of_points.id}&as=nearest-places").json() == NO_PLACES


SOUND = {"places": [0, 15], "distances": [0.5, 99]}  # of a picture of 16 cells


@pytest.mark.parametrize(("told", "kept"), [
    ({"reals": 9, "average": SOUND}, True),
    ({"reals": 9, "average": SOUND | {"src": "https://example.com/x.png", "reals": "many"}, "src": "https://example.com"}, True),
    ({"reals": 9, "now": SOUND}, False),  # by the other generator only
    ({"average": SOUND}, False), ({"reals": "<b>", "average": SOUND}, False), ({"reals": True, "average": SOUND}, False),
    *(({"reals": 9, "average": average}, False) for average in (
        3, [], {}, {"places": [0]}, {"distances": [0.5]}, {"places": [0, 1], "distances": [0.5]},
        *(SOUND | {"places": places} for places in ([0, 16], [0, -1], [0, 1.0], [0, "1"], [0, None], [0, True], "01", None, 7)),
        *(SOUND | {"distances": distances} for distances in ([0, float("nan")], [0, float("inf")], [0, -1], [0, "1"], [0, None],
                                                             [0, 10**400], [0, True], "01", None, 7)))),
    ([], False), (7, False), ("x", False)])
def test_of_a_foreign_file_of_nearest_ones_only_what_makes_sense_is_told(client, catalogue, told, kept):
    run = make_run(catalogue.folder, steps=1)
    frame = run.frames()[-1]
    run.nearest_path(frame).write_bytes(png(np.zeros((2 * 28, 8 * 28), np.uint8), {"nearest": json.dumps(told)}))
    at = f"{AT}frame?run={run.id}&seq={frame.seq}&as=nearest-places"
    assert client.get(at).json() == ({"reals": 9, **SOUND} if kept else NO_PLACES)
    assert client.get(at + "&of=x").status_code == 422


@pytest.mark.parametrize("text", [None, "", "{", "[" * 100_000])
def test_a_damaged_file_of_nearest_ones_is_as_none(client, catalogue, text):
    run = make_run(catalogue.folder, steps=1)
    frame = run.frames()[-1]
    at = f"{AT}frame?run={run.id}&seq={frame.seq}&as=nearest-places"
    whole = png(np.zeros((28, 28), np.uint8), {} if text is None else {"nearest": text})
    header = whole[12:16] + b"\x7f\xff\xff\xff" * 2 + whole[24:29]
    vast = whole[:12] + header + zlib.crc32(header).to_bytes(4) + whole[33:]
    for damaged in (whole, whole[:40], b"", vast):
        run.nearest_path(frame).write_bytes(damaged)
        assert client.get(at).json() == NO_PLACES


@pytest.mark.parametrize(("dataset", "offered"), [
    ("digits", True), ("quickdraw:sheep,cat", True), ("zip:farm-0123456789abcdef", False), ("zip:/home/me/farm.zip", False),
    ("folder:/home/me/farm", False), ("of an older version", False)])
def test_where_strangers_reach_the_page_it_shows_no_pictures_of_uploads_but_the_16_beside_the_fakes(
        client, catalogue, dataset, offered):
    run = make_run(catalogue.folder, steps=1)
    (run.path / "config.json").write_text(json.dumps(run.info | {"config": run.info["config"] | {"dataset": dataset}}))
    at = f"{AT}frame?run={run.id}&seq={run.frames()[-1].seq}&as=nearest"

    async def newest():
        hub = Hub(catalogue)
        watching = hub.watch(run.id)
        snapshot = json.loads((await take(watching, 1))[0][1])
        await watching.aclose()
        hub.closed = True
        await hub._task
        return snapshot

    for catalogue.public, shown in ((False, True), (True, offered)):
        snapshot = asyncio.run(newest())
        for reply in (client.get(at), client.get(f"{at}-places")):
            assert reply.status_code == (200 if shown else 404) and (shown or "Strangers" in reply.text)
        assert snapshot["frame"]["nearest"] is shown and snapshot["frame"]["now"]
        assert snapshot["real"].startswith("data:image/png")


def test_points_are_driven_on_their_plane_and_their_history_is_json(client, catalogue, tmp_path):
    run = make_run(catalogue.folder, **OF_POINTS)
    z = seed_z(7, 20)
    reply = client.post(f"{AT}z?run={run.id}", content=z.tobytes())
    picture, verdict, point = view_of(run).render(z)
    (tmp_path / "z.png").write_bytes(reply.content)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "z.png")), picture)
    assert [float(v) for v in reply.headers["X-Gan-Point"].split(",")] == pytest.approx(point, rel=1e-4)
    assert float(reply.headers["X-Gan-Verdict"]) == pytest.approx(verdict, abs=1e-4)
    assert client.get(f"{AT}directions?run={run.id}").json()["classes"] == 0
    for frame in run.frames():
        found = client.get(f"{AT}frame?run={run.id}&seq={frame.seq}")
        assert found.headers["content-type"] == "application/json" and found.json() == json.loads(frame.path.read_bytes())


@pytest.mark.parametrize("name", live_routes.SCRIPTS)
def test_bokehs_scripts_come_from_the_installed_package(client, name):
    reply = client.get(AT + name)
    assert reply.status_code == 200 and len(reply.content) > 50_000
    assert reply.headers["content-type"].startswith("text/javascript")


# The hub, without HTTP.


async def take(watching, count):
    return [await asyncio.wait_for(anext(watching), 20) for _ in range(count)]


def test_everybody_gets_a_snapshot_then_the_same_events_with_the_same_ids(catalogue):
    run = make_run(catalogue.folder)

    async def story():
        hub = Hub(catalogue)
        one, two = hub.watch(), hub.watch(run.id)
        firsts = [(await take(one, 1))[0], (await take(two, 1))[0]]
        for name, text, identity in firsts:
            assert name == "snapshot" and json.loads(text)["run"] == run.id and json.loads(text)["boot"] == hub.boot
            assert identity.startswith(f"{hub.boot}.{run.id}.")
        with open(run.metrics_path(1), "a") as file:
            file.write('{"step": 4, "d_loss": 1.5}\n')
        (a,), (b,) = await take(one, 1), await take(two, 1)
        assert a == b and a[0] == "metrics"
        assert hub.viewers == 2
        await one.aclose()
        assert hub.viewers == 1
        hub.closed = True
        assert [event async for event in two] == [], "the end of the server ends every stream"
        await hub._task

    asyncio.run(story())


def test_who_looks_at_another_run_is_told_the_active_ones_step_once_a_second_and_its_state_at_once(catalogue, monkeypatch):
    other, active = make_run(catalogue.folder, steps=1), make_run(catalogue.folder, steps=1)
    clock = [100.0]
    monkeypatch.setattr("gan_core.ui.hub.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(catalogue.supervisor, "active", lambda: active)
    hub = Hub(catalogue)

    def told(step, state="running"):
        status = active.stored_status()
        status.step, status.state = step, state
        active.write_status(status)
        events = [json.loads(text) for name, text in hub._poll({other.id})[other.id][1] if name == "status"]
        return [event["active_run"] for event in events]

    assert told(1) == [{"name": active.name, "preset": active.preset, "state": "running", "step": 1}]
    clock[0] += 0.9
    assert told(7) == [], "nothing is sent for it"
    clock[0] += 0.2
    assert told(9) == [{"name": active.name, "preset": active.preset, "state": "running", "step": 9}]
    assert told(11, "paused") == [{"name": active.name, "preset": active.preset, "state": "paused", "step": 11}]
    with catalogue.supervisor.being_ended(active):
        (event,) = [json.loads(text) for name, text in hub._poll({other.id})[other.id][1] if name == "status"]
        assert event["ending"] == [active.id]
    monkeypatch.setattr(catalogue.supervisor, "active", lambda: None)
    assert told(11, "stopped") == [None]


def test_who_follows_the_shown_run_is_taken_along_when_another_is_shown(catalogue):
    first = make_run(catalogue.folder, steps=1)

    async def story():
        hub = Hub(catalogue)
        following, staying = hub.watch(), hub.watch(first.id)
        await take(following, 1)
        await take(staying, 1)
        second = make_run(catalogue.folder, steps=2)
        (event,) = await take(following, 1)
        assert event[0] == "snapshot" and json.loads(event[1])["run"] == second.id
        for viewer in hub._viewers:
            assert viewer.run == (first.id if viewer.choice else second.id)
        hub.closed = True
        await hub._task

    asyncio.run(story())


def test_a_viewer_too_slow_for_its_events_is_given_a_fresh_snapshot(catalogue):
    run = make_run(catalogue.folder, steps=1)

    async def story():
        hub = Hub(catalogue)
        slow = hub.watch()
        await take(slow, 1)
        (viewer,) = hub._viewers
        step = 1
        while not viewer.overflowed:
            step += 1
            grow(run, step)
            hub._send(hub._poll({""}))
        assert step > QUEUE_SIZE
        hub._send(hub._poll({""}))
        (event,) = await take(slow, 1)
        assert event[0] == "snapshot" and json.loads(event[1])["series"]["step"][-1] == step
        hub.closed = True
        await hub._task

    asyncio.run(story())


def grow(run, step):
    with open(run.metrics_path(1), "a") as file:
        file.write(json.dumps({"step": step, "d_loss": 1.0}) + "\n")


def test_who_asks_by_the_last_id_gets_what_the_stream_sends_and_nothing_twice(catalogue):
    run = make_run(catalogue.folder)

    async def story():
        hub = Hub(catalogue)
        watching = hub.watch()
        (first,) = await take(watching, 1)
        by_request, streamed, cursor = [], [], first.identity
        for step in range(4, 9):
            grow(run, step)
            streamed += await take(watching, 1)
            if step % 2:  # who asks less often gets more at once
                news = await hub.events("", cursor)
                by_request, cursor = by_request + news, news[-1].identity
        assert [json.loads(event.text)["series"]["step"] for event in streamed] == [[4], [5], [6], [7], [8]]
        assert by_request == streamed[:4], "the very texts and ids"
        for k, event in enumerate(streamed[:-1]):
            assert await hub.events(run.id, event.identity) == streamed[k + 1:]
        assert await hub.events("", first.identity) == streamed
        assert await hub.events("", streamed[-1].identity) == [], "after a second without news"
        resumed = hub.watch("", streamed[2].identity)
        assert await take(resumed, 2) == streamed[3:], "a stream that was cut goes on where it was"
        grow(run, 9)
        assert await take(resumed, 1) == await take(watching, 1)
        hub.closed = True
        await hub._task

    asyncio.run(story())


def test_a_page_that_only_asks_keeps_the_hub_looking_and_hears_of_news_while_it_waits(catalogue):
    run = make_run(catalogue.folder)

    async def story():
        hub = Hub(catalogue)
        ((name, text, cursor),) = await hub.events()
        assert name == "snapshot" and json.loads(text)["run"] == run.id and json.loads(text)["boot"] == hub.boot
        waiting = asyncio.create_task(hub.events("", cursor))
        await asyncio.sleep(0)
        grow(run, 4)
        ((name, text, identity),) = await waiting
        assert name == "metrics" and json.loads(text)["series"]["step"] == [4]
        looks = hub._poll
        seen = []
        hub._poll = lambda choices: seen.append(choices) or looks(choices)
        pages = [asyncio.create_task(hub.events("", identity)) for _ in range(50)]
        assert await asyncio.gather(*pages) == [[]] * 50
        assert len(seen) < 20 and all(choices == {""} for choices in seen), "fifty pages cost the looks of one"
        hub._asked = dict.fromkeys(hub._asked, 0.0)  # nobody has asked for long
        await hub._task
        assert not hub._shown, "a run that nobody looks at costs nothing"

    asyncio.run(story())


@pytest.mark.parametrize("stale", ["another server", "another run", "too old", "of the future", "nonsense"])
def test_a_cursor_that_is_not_known_here_gets_the_whole_run(catalogue, monkeypatch, stale):
    other = make_run(catalogue.folder, steps=1)
    run = make_run(catalogue.folder, steps=1)
    monkeypatch.setattr("gan_core.ui.event_log.MAX_EVENTS", 3)

    async def story():
        hub = Hub(catalogue)
        ((_, _, first),) = await hub.events()
        last = first
        for step in range(2, 7):
            grow(run, step)
            ((name, _, last),) = await hub.events("", last)
            assert name == "metrics"
        ((_, _, of_other),) = await hub.events(other.id)
        boot, _, number = last.partition(f".{run.id}.")
        cursors = {"another server": [f"{boot[::-1]}x.{run.id}.{number}"], "another run": [of_other], "too old": [first],
                   "of the future": [f"{boot}.{run.id}.{int(number) + 1000}"],
                   "nonsense": ["x", f"{boot}.{run.id}.", f"{boot}.{run.id}.-1", f"{boot}.{run.id}." + "9" * 5000,
                                f"{boot}.{run.id}.\N{SUPERSCRIPT TWO}", f"{boot}.{run.id}.\N{ARABIC-INDIC DIGIT TWO}"]}
        for step, cursor in enumerate(cursors[stale], start=7):
            ((name, text, identity),) = await hub.events("", cursor)
            whole = json.loads(text)
            assert name == "snapshot" and whole["run"] == run.id and whole["series"]["step"][-1] == step - 1
            ((name, _, _),) = await take(hub.watch("", cursor), 1)
            assert name == "snapshot", "of the stream, too"
            grow(run, step)
            assert [event.name for event in await hub.events("", identity)] == ["metrics"], "from there it goes on"
        hub.closed = True
        await hub._task

    asyncio.run(story())


def test_another_run_that_is_shown_meanwhile_comes_as_a_whole(catalogue):
    first = make_run(catalogue.folder, steps=1)

    async def story():
        hub = Hub(catalogue)
        ((_, _, cursor),) = await hub.events()
        ((_, _, staying),) = await hub.events(first.id)
        second = make_run(catalogue.folder, steps=2)
        ((name, text, cursor),) = await hub.events("", cursor)
        assert name == "snapshot" and json.loads(text)["run"] == second.id
        assert await hub.events(first.id, staying) == []
        grow(second, 3)
        assert [event.name for event in await hub.events("", cursor)] == ["metrics"]
        ((name, text, _),) = await hub.events("no such run", cursor)
        assert name == "metrics" or json.loads(text)["run"] == second.id
        assert "no such run" not in hub._asked, "names that a caller invents are not looked for again"
        hub.closed = True
        await hub._task

    asyncio.run(story())


@pytest.mark.parametrize("way", ["watch", "events"])
def test_a_page_that_leaves_while_it_is_let_in_takes_nobodys_events_along(catalogue, way):
    run = make_run(catalogue.folder, steps=1)

    async def story():
        hub, inside, gone = Hub(catalogue), threading.Event(), threading.Event()
        watching, poll = hub.watch(), hub._poll
        await take(watching, 1)

        def held(choices):
            if choices == {run.id}:  # by whom leaves: the other one has chosen none
                grow(run, 2)
            updates = poll(choices)
            if choices == {run.id}:
                inside.set()
                gone.wait(20)
            return updates

        hub._poll = held
        leaving = asyncio.create_task(anext(hub.watch(run.id)) if way == "watch" else hub.events(run.id))
        assert await asyncio.to_thread(inside.wait, 20)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        gone.set()
        ((name, text, _),) = await take(watching, 1)
        assert name == "metrics" and json.loads(text)["series"]["step"] == [2]
        assert hub.viewers == 1
        hub.closed = True
        await hub._task

    asyncio.run(story())


def test_the_answer_to_a_request_is_one_whole_object_with_what_the_stream_sends(client, catalogue):
    run = make_run(catalogue.folder)
    reply = client.get(f"{AT}events")
    assert reply.headers["content-type"] == "application/json" and reply.headers["cache-control"] == "no-store"
    assert int(reply.headers["content-length"]) == len(reply.content)
    ((name, cursor, snapshot),) = reply.json()["events"]
    assert name == "snapshot" and snapshot["run"] == run.id and cursor.startswith(f"{snapshot['boot']}.{run.id}.")
    grow(run, 4)
    ((name, cursor, event),) = client.get(f"{AT}events?run={run.id}&cursor={cursor}").json()["events"]
    assert name == "metrics" and event["series"]["step"] == [4]
    assert client.get(f"{AT}events?cursor={cursor}").json() == {"events": []}


def header(width, height):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")


@pytest.mark.parametrize(("name", "damage"), [
    ("frames/99-99.png", b""), ("frames/99-99.png", header(8, 8)[:20]), ("frames/99-99.png", header(8, 0)),
    ("frames/99-99.png", header(0, 8)), ("frames/99-99.png", header(2**31 - 1, 1)),
    ("frames/99-99.json", b"5"), ("frames/99-99.json", b"NaN"), ("frames/99-99.json", b"[" * 200_000),
    ("metrics/backup.jsonl", b'{"life": 1, "start_step": 3}\n'), ("metrics/0002.jsonl", b"[" * 200_000 + b"\n"),
    ("metrics/0002.jsonl", b'{"step": 4, "quality": {"fd": 1%s}}\n' % (b"0" * 400))])
def test_a_damaged_file_of_a_run_is_as_none(catalogue, name, damage, caplog):
    run = make_run(catalogue.folder, steps=1)
    (run.path / name).write_bytes(damage)

    async def story():
        hub = Hub(catalogue)
        watching = hub.watch(run.id)
        ((event, text, _),) = await take(watching, 1)
        snapshot = json.loads(text)
        assert event == "snapshot" and snapshot["run"] == run.id and snapshot["series"]["step"] == [1]
        assert snapshot["frame"] is None if "frames" in name else snapshot["frame"]["step"] == 1
        hub.closed = True
        await hub._task

    asyncio.run(story())
    assert not caplog.records


@pytest.mark.parametrize("failing", ["refresh", "snapshot", "find"])
def test_a_run_that_cannot_be_read_takes_no_other_stream_down_and_comes_back(catalogue, monkeypatch, caplog, failing):
    healthy, damaged = make_run(catalogue.folder, steps=1), make_run(catalogue.folder, steps=1)
    broken = True
    owner = type(catalogue) if failing == "find" else RunEvents
    original = getattr(owner, failing)

    def fails(self, *arguments):
        if broken and damaged.id in (*arguments, getattr(self, "id", "")):
            raise ZeroDivisionError("a damaged file")
        return original(self, *arguments)

    async def story():
        nonlocal broken
        monkeypatch.setattr(owner, failing, fails)
        hub = Hub(catalogue)
        beside, watching = hub.watch(damaged.id), hub.watch(healthy.id)
        waiting = asyncio.create_task(take(beside, 2 if failing == "refresh" else 1))
        await take(watching, 1)
        for step in (2, 3):
            with open(healthy.metrics_path(1), "a") as file:
                file.write(json.dumps({"step": step, "d_loss": 1.0}) + "\n")
            ((name, text, _),) = await take(watching, 1)
            assert name == "metrics" and json.loads(text)["series"]["step"] == [step]
        assert len(caplog.records) == 1 and damaged.id in caplog.text and "a damaged file" in caplog.text
        assert not waiting.done()
        broken = False
        name, text, _ = (await waiting)[-1]
        assert name == "snapshot" and json.loads(text)["series"]["step"] == [1]
        hub.closed = True
        await hub._task

    asyncio.run(story())


def test_a_failure_of_a_whole_poll_does_not_end_the_streams(catalogue, monkeypatch, caplog):
    run = make_run(catalogue.folder, steps=1)

    async def story():
        hub = Hub(catalogue)
        watching, failures = hub.watch(run.id), []
        await take(watching, 1)
        poll = hub._poll

        def fails(choices):
            if len(failures) < 2:
                failures.append(choices)
                raise ZeroDivisionError("whatever it is")
            return poll(choices)

        async with hub._poll_lock:  # no poll is under way, which would see the record before one fails
            monkeypatch.setattr(hub, "_poll", fails)
            with open(run.metrics_path(1), "a") as file:
                file.write('{"step": 2, "d_loss": 1.5}\n')
        ((name, _, _),) = await take(watching, 1)
        assert name == "metrics" and len(failures) == 2 and len(caplog.records) == 1
        hub.closed = True
        await hub._task

    asyncio.run(story())


# Files that are not what their names say.

SHOWN = ("frame", "now", "nearest", "real.png")
READ = ("live", "data.json", "floor.json", "status.json", "metrics/0002.jsonl", "checkpoint/best.json", "control/00-x.json")


def place_of(run, name):
    """The file of a run; "frame" and so on: of its newest moment."""
    newest = run.frames()[-1]
    places = {"frame": newest.path, "now": run.now_path(newest), "nearest": run.nearest_path(newest), "live": run.live_path()}
    return places.get(name) or run.path / name


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "make"), [(name, make) for name in SHOWN for make in ("pipe", "folder", "vast", "text")]
                         + [(name, make) for name in READ for make in ("pipe", "vast")])
def test_what_is_no_plain_file_of_its_kind_reaches_nobody_and_holds_no_thread(client, catalogue, name, make):
    run = make_run(catalogue.folder)
    at = f"{AT}frame?run={run.id}&seq={run.frames()[-1].seq}"
    wanted = {"frame": at, "now": at + "&of=now", "nearest": at + "&as=nearest", "verdicts": at + "&as=verdicts",
              "places": at + "&as=nearest-places"}
    path = place_of(run, name)
    path.unlink(missing_ok=True)
    if make == "pipe":
        os.mkfifo(path)
    elif make == "folder":
        path.mkdir()
    elif make == "text":
        path.write_text("root:x:0:0\n")
    else:
        with open(path, "wb") as file:
            file.truncate(3 << 30)  # it takes no room
    for kind, address in wanted.items():
        reply = client.get(address)
        spoilt = {"frame": ("frame", "verdicts"), "now": ("now",), "nearest": ("nearest",), "status.json": ()}
        if kind in spoilt.get(name, ()):
            assert reply.status_code == 404 and reply.text.endswith(".") and "root" not in reply.text
        else:
            assert reply.status_code == 200 and reply.content, (kind, reply.text)
        if kind == "places":
            assert (reply.json() == NO_PLACES) == (name == "nearest")
    assert client.post(f"{AT}z?run={run.id}", content=seed_z(7, 20).tobytes()).status_code in (200, 404, 422, 503)

    async def watched():
        hub = Hub(catalogue)
        watching = hub.watch(run.id)
        if name != "status.json":
            ((event, text, _),) = await take(watching, 1)
            assert event == "snapshot" and "root:" not in text
        hub._send(hub._poll({run.id}))
        hub.closed = True

    asyncio.run(watched())
    assert run.metrics()[-1]["step"] == 3 and run.pending_commands() is not None
    with contextlib.suppress(RunError):
        run.restore_best()


@pytest.mark.parametrize("sides", [(223, 56), (8 * 28, 27), (8 * 28, 0), (4, 4), (2**31 - 1, 2**31 - 1)])
def test_only_square_pictures_in_rows_of_eight_are_shown_as_the_nearest(client, catalogue, sides):
    run = make_run(catalogue.folder, steps=1)
    frame = run.frames()[-1]
    run.nearest_path(frame).write_bytes(header(*sides) + bytes(100))
    reply = client.get(f"{AT}frame?run={run.id}&seq={frame.seq}&as=nearest")
    assert reply.status_code == 404 and "damaged" in reply.text


def test_points_are_served_where_they_are_an_object(client, catalogue):
    run = make_run(catalogue.folder, **OF_POINTS)
    frame = run.frames()[-1]
    for data in (b"[1]", b"{", b"<b>", b"[" * 100_000):
        frame.path.write_bytes(data)
        reply = client.get(f"{AT}frame?run={run.id}&seq={frame.seq}")
        assert reply.status_code == 404 and "damaged" in reply.text
    frame.path.write_bytes(b'{"fake": []}')
    reply = client.get(f"{AT}frame?run={run.id}&seq={frame.seq}")
    assert reply.content == b'{"fake": []}' and reply.headers["x-content-type-options"] == "nosniff"
