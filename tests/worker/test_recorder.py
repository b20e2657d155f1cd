"""What a worker leaves behind: paces that keep to their share, curves that stay small, histories that thin out."""

import errno
import io
import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gan_core import registry
from gan_core.config import PRESETS
from gan_core.data.rendering import png_text
from gan_core.evaluation.feature_free import NearestPicture, thumbnails
from gan_core.latent.view import load_live
from gan_core.networks.pair import build_pair
from gan_core.runs.frames import grid_labels, grid_layout
from gan_core.runs.run import Run, read_json
from gan_core.training.trainer import Trainer
from gan_core.worker import metrics_writer
from gan_core.worker import nearest as n
from gan_core.worker import recorder as r
from gan_core.worker.nearest import FARTHEST, NearestReals

IMAGES = torch.randint(256, (20, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


POINTS = torch.randn(1200, 2, generator=torch.Generator().manual_seed(0)) * 3 + 7
OF_POINTS = {"networks": "mlp", "dataset": "ring", "batch_size": 2, "latent_dim": 2, "threads": 1, "device": "cpu",
             "precision": "fp32"}


@pytest.fixture
def made(tmp_path):
    run = Run.create(PRESETS["quick"].replace(batch_size=2, latent_dim=4, threads=1, device="cpu"), tmp_path)
    trainer = Trainer(run.config, IMAGES)
    return run, trainer, r.Recorder(run, trainer, life=1, seq=0, live=0)


def values(**losses):
    return {name: torch.tensor(float(value)) for name, value in losses.items()}


@given(st.lists(st.floats(0.001, 2.0), min_size=1, max_size=50))
def test_whatever_it_costs_it_takes_no_more_than_its_share_nor_comes_more_often_than_its_interval(costs):
    with pytest.MonkeyPatch.context() as patch:
        now = [100.0]
        patch.setattr(r.time, "monotonic", lambda: now[0])
        pace, spent, shown = r.RateLimit(0.25, 0.05), 0.0, []
        for cost in costs:
            while not pace.due():
                now[0] += 0.01
            shown.append(now[0])
            began = now[0]
            now[0] += cost
            spent += cost
            pace.record(began)
        while not pace.due():
            now[0] += 0.01
        assert spent <= 0.05 * (now[0] - shown[0]) + 1e-6
        assert all(b - a >= 0.25 for a, b in itertools.pairwise(shown))


@given(st.lists(st.tuples(st.floats(-10, 10), st.booleans()), min_size=1, max_size=120), st.integers(1, 40))
def test_averaging_loses_no_step_and_no_weight(tmp_path_factory, steps, every):
    """Every step is in exactly one record, n counts them, and a record's value is the mean of its steps."""
    run = Run.create(PRESETS["quick"].replace(batch_size=2, latent_dim=2), tmp_path_factory.mktemp("run"))
    trainer = Trainer.__new__(Trainer)
    trainer.step_count, trainer.images_seen = 0, 0
    recorder = r.Recorder(run, trainer, life=1, seq=0, live=0)
    for k, (value, single) in enumerate(steps, start=1):
        trainer.step_count, trainer.images_seen = k, 2 * k
        recorder.add(values(d_loss=value) if single else values(d_loss=value, g_loss=-value), 0.1 * k)
        if k % every == 0:
            recorder.flush()
    recorder.flush(everything=True)
    records, place = run.metrics(), 0
    for record in records:
        part = steps[place:place + record.get("n", 1)]
        place += len(part)
        assert record["step"] == place and record["images"] == 2 * place
        assert record["d_loss"] == pytest.approx(np.mean([value for value, _ in part]), rel=1e-4, abs=1e-4)
        assert len({single for _, single in part}) == 1 and ("g_loss" in record) != part[0][1]
    assert place == len(steps)


def test_a_long_runs_curves_stay_small(made):
    run, trainer, recorder = made
    for k in range(1, 30_001):
        trainer.step_count = k
        recorder.add(values(d_loss=1.0), 0.0)
        if k % 8 == 0:
            recorder.flush()
    recorder.flush(everything=True)
    assert 4000 <= len(run.metrics()) <= metrics_writer.DENSE * (1 + np.log(30_000 / metrics_writer.DENSE)) + 100


def test_divergence_is_named_by_its_first_step_and_what_was_good_is_kept(made):
    run, trainer, recorder = made
    for k, value in enumerate([1.0, 2.0, float("nan"), 3.0, float("inf")], start=1):
        trainer.step_count = k
        recorder.add(values(d_loss=value), 0.0)
    with pytest.raises(r.Diverged, match="step 3") as caught:
        recorder.flush()
    assert caught.value.step == 3
    assert [(one["step"], one["d_loss"]) for one in run.metrics()] == [(1, 1.0), (2, 2.0)]


def test_a_line_torn_by_a_full_disk_costs_itself_only(made, monkeypatch):
    run, trainer, recorder = made
    real_open = open

    class Torn:
        def __init__(self, *args, **kwargs):
            self.file = real_open(*args, **kwargs)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.file.close()

        def write(self, data):
            self.file.write(data[:len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    for k, full in ((1, False), (2, True), (3, False)):
        trainer.step_count = k
        recorder.add(values(d_loss=k), 0.0)
        if full:
            monkeypatch.setattr("builtins.open", Torn)
            with pytest.raises(OSError):
                recorder.flush(everything=True)
            monkeypatch.undo()
        else:
            recorder.flush(everything=True)
    assert [one["step"] for one in run.metrics()] == [1, 3]


def test_grids_are_kept_at_growing_distances_and_the_newest_two_always(made):
    run, trainer, recorder = made
    for step in range(0, 150):
        trainer.step_count = step
        recorder.write_frame()
        kept = run.frames()
        assert [frame.step for frame in kept][-2:] == [max(0, step - 1), step][-min(2, step + 1):]
    steps = [frame.step for frame in kept]
    assert steps[0] == 0 and len(steps) < 60
    assert all(b > a * 1.04 or b - a <= 2 for a, b in itertools.pairwise(steps[:-1]))
    assert np.asarray(Image.open(kept[-1].path)).shape == (224, 224)
    assert recorder.seq == 150 == kept[-1].seq
    assert sorted(path.name for path in (run.path / "now").iterdir()) == [frame.path.name for frame in kept]


def test_grids_and_live_files_hold_the_generator_as_it_is_beside_its_average(made):
    run, trainer, recorder = made
    with torch.no_grad():  # two that no eye confuses
        for weights in trainer.G.parameters():
            weights.copy_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)) * 0.2)
    recorder.write_frame()
    recorder.write_live()
    frame, view, z = run.frames()[-1], load_live(run.live_file(1), build_pair), trainer.batches.fixed_z(64)[0]
    for path, name, shown in ((frame.path, "average", view), (run.now_path(frame), "now", view.of_now)):
        grid = np.asarray(Image.open(path)).reshape(8, 28, 8, 28).transpose(0, 2, 1, 3).reshape(64, 28, 28)
        np.testing.assert_array_equal(grid, trainer.sample(64, generator=name).numpy()[:, 0])
        assert np.abs(shown.image(z[0])[0].astype(int) - grid[0]).max() <= 2, "float16 is near"
    assert not np.array_equal(trainer.sample(64), trainer.sample(64, generator="now"))


@pytest.mark.parametrize(("preset", "changes"), [
    ("quick", {}), ("quick", {"loss": "course"}), ("quick", {"loss": "relativistic"}), ("conditional", {}),
    ("quick", {"ema_half_life": 0.0})])
def test_each_grid_holds_the_verdicts_on_its_own_pictures_and_on_the_real_ones(tmp_path, preset, changes):
    """Asked of D by hand, about the pixels of the files: the page puts these numbers under these very pictures."""
    config = PRESETS[preset].replace(**{"batch_size": 2, "latent_dim": 4, "threads": 1, "device": "cpu", **changes})
    run, trainer = Run.create(config, tmp_path), Trainer(config, IMAGES, torch.arange(20) % 10)
    for _ in range(3):
        trainer.step()
    before = {name: tensor.clone() for name, tensor in trainer.state_dict().items()}
    recorder = r.Recorder(run, trainer, life=1, seq=0, live=0)
    recorder.write_real()
    recorder.write_frame()
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.state_dict().items()) and trainer.G.training
    frame, D, sign = run.frames()[-1], trainer.D.eval(), -1 if config.loss == "course" else 1
    columns = 10 if trainer.classes else 8

    def by_hand(path, labels):
        pixels = np.asarray(Image.open(path))
        cells = pixels.reshape(-1, 28, pixels.shape[1] // 28, 28).transpose(0, 2, 1, 3).reshape(-1, 1, 28, 28)
        x = torch.from_numpy(cells.copy()).float() / 255
        with torch.no_grad():
            logits = D(x, *([labels] if trainer.classes else [])) - trainer.center()
        return (100 * torch.sigmoid(sign * logits)).numpy()

    for path in [frame.path, run.now_path(frame)][:1 + trainer.averaged]:
        found = json.loads(png_text(path.read_bytes(), "verdicts"))
        assert np.abs(by_hand(path, torch.arange(8 * columns) % 10) - found["fakes"]).max() < 0.51
        order = torch.randperm(20, generator=trainer.draws.generator("real pictures", 0))[:16]
        assert np.abs(by_hand(run.real_path, order % 10) - found["reals"]).max() < 0.51
        assert len(found["fakes"]) == 8 * columns and len(found["reals"]) == 16
    assert trainer.averaged == run.now_path(frame).exists()


def cells_of(png: bytes, side: int = 28) -> np.ndarray:
    """The pictures of a grid (N, side, side), by rows."""
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    return pixels.reshape(pixels.shape[0] // side, side, -1, side).transpose(0, 2, 1, 3).reshape(-1, side, side)


@pytest.mark.parametrize(("preset", "changes", "columns"), [
    ("quick", {}, 8), ("quick", {"augment": "translation"}, 8), ("conditional", {}, 10), ("quick", {"ema_half_life": 0.0}, 8)])
def test_each_frame_is_kept_with_the_real_ones_nearest_to_its_fakes(tmp_path, preset, changes, columns):
    """Compared with all distances in float64, from the pixels of the files and the pictures as they were given."""
    config = PRESETS[preset].replace(**{"batch_size": 2, "latent_dim": 4, "threads": 1, "device": "cpu", **changes})
    reals = torch.cat([IMAGES, IMAGES // 2, 255 - IMAGES])
    run, trainer = Run.create(config, tmp_path), Trainer(config, reals, torch.arange(60) % 10)
    with torch.no_grad():  # fakes that differ
        for weights in (*trainer.G.parameters(), *trainer.G_ema.parameters()):
            weights.copy_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(weights.numel())) * 0.3)
    before = {name: tensor.clone() for name, tensor in trainer.state_dict().items()}
    state = torch.get_rng_state()
    r.Recorder(run, trainer, life=1, seq=0, live=0).write_frame()
    assert torch.equal(state, torch.get_rng_state()) and trainer.G.training, "nothing is drawn"
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.state_dict().items()), "nothing moves"
    frame = run.frames()[-1]
    png = run.nearest_path(frame).read_bytes()
    told, kept = json.loads(png_text(png, "nearest")), cells_of(png)
    assert told["reals"] == 60 and set(told) == {"reals", "average"} | ({"now"} if trainer.averaged else set())
    rows = thumbnails(reals).double()
    among = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    found_places = set()
    for name, path in (("average", frame.path), ("now", run.now_path(frame)))[:1 + trainer.averaged]:
        fakes = torch.from_numpy(cells_of(path.read_bytes()))[:, None]
        distances = torch.cdist(thumbnails(fakes).double(), rows, compute_mode="donot_use_mm_for_euclid_dist")
        places, wanted = told[name]["places"], distances.min(1)
        assert len(places) == len(told[name]["distances"]) == 8 * columns
        np.testing.assert_array_equal(kept[places], reals[wanted.indices, 0].numpy())
        np.testing.assert_allclose(told[name]["distances"], wanted.values / among.min(1).values.median(), atol=6e-4)
        found_places |= set(places)
        assert len(set(places)) > 1
    assert found_places == set(range(len(found_places))), "each once"


def test_a_copy_is_at_distance_0_and_a_real_one_typically_at_1():
    nearest = NearestReals(IMAGES)
    rows, distances = nearest.search(IMAGES)
    assert rows.tolist() == list(range(20)) and distances.abs().max() == 0
    alike = NearestReals(IMAGES[:1].repeat(3, 1, 1, 1))
    assert alike.search(IMAGES[5:6])[1].item() == FARTHEST, "no distance among the reals to compare with, and still a number"
    measured = NearestPicture(thumbnails(IMAGES))
    measured.fit(0, 20)
    ratio = measured.ratio(measured.nearest(thumbnails(255 - IMAGES)))
    assert float(nearest.search(255 - IMAGES)[1].median()) == pytest.approx(ratio), "their median is the measure"


def test_pictures_that_stand_twice_are_compared_with_the_others():
    once, fakes = NearestReals(IMAGES), 255 - IMAGES
    twice = NearestReals(IMAGES.repeat_interleave(2, 0))
    assert torch.equal(once.search(fakes)[1], twice.search(fakes)[1]) and once.search(fakes)[1].max() < FARTHEST
    assert torch.equal(2 * once.search(fakes)[0], twice.search(fakes)[0]), "the first of equal ones"


def test_thumbnails_are_made_of_few_pictures_at_a_time(monkeypatch):
    """As numbers all of them at once would take hundreds of megabytes."""
    made = []
    monkeypatch.setattr(n, "thumbnails", lambda images: made.append(len(images)) or thumbnails(images))
    images = torch.randint(256, (250, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    rows, distances = NearestReals(images).search(images)
    assert max(made) <= 100 and rows.tolist() == list(range(250)) and distances.max() == 0


def test_the_nearest_go_with_their_frames_and_are_not_kept_of_many_pictures_or_points(made, tmp_path, monkeypatch):
    run, trainer, recorder = made
    for step in range(60):
        trainer.step_count = step
        recorder.write_frame()
    kept = sorted(path.name for path in (run.path / "nearest").iterdir())
    assert kept == [frame.path.name for frame in run.frames()] and len(kept) < 60
    (run.path / "nearest" / "00000099-99.png").write_bytes(b"")  # of a frame that was never written
    trainer.step_count = 5
    r.Recorder(run, trainer, life=2, seq=recorder.seq, live=0)
    assert sorted(path.name for path in (run.path / "nearest").iterdir()) == [frame.path.name for frame in run.frames()]

    many = Run.create(run.config, tmp_path, name="many")
    with monkeypatch.context() as patch:
        patch.setattr(n, "MOST_REALS", 19)
        r.Recorder(many, Trainer(run.config, IMAGES), life=1, seq=0, live=0).write_frame()
    large = Run.create(run.config, tmp_path, name="large")
    with monkeypatch.context() as patch:
        patch.setattr(n, "MOST_VALUES", IMAGES.numel() - 1)
        r.Recorder(large, Trainer(run.config, IMAGES), life=1, seq=0, live=0).write_frame()
    of_points = Run.create(PRESETS["quick"].replace(**OF_POINTS), tmp_path, name="points")
    r.Recorder(of_points, Trainer(of_points.config, POINTS), life=1, seq=0, live=0).write_frame()
    one = Run.create(run.config, tmp_path, name="one")
    r.Recorder(one, Trainer(run.config, IMAGES[:1]), life=1, seq=0, live=0).write_frame()
    for without in (many, large, of_points, one):
        assert len(without.frames()) == 1 and not (without.path / "nearest").exists()


@pytest.mark.parametrize("changes", [{}, OF_POINTS])
def test_without_an_average_nothing_is_written_twice(tmp_path, changes):
    config = PRESETS["quick"].replace(**{"batch_size": 2, "device": "cpu", **changes, "ema_half_life": 0.0})
    run, trainer = Run.create(config, tmp_path), Trainer(config, POINTS if changes else IMAGES)
    recorder = r.Recorder(run, trainer, life=1, seq=0, live=0)
    recorder.write_frame()
    recorder.write_live()
    frame, view = run.frames()[-1], load_live(run.live_file(1), build_pair)
    assert not run.now_path(frame).exists() and view.now is None and view.of_now is view
    assert not changes or "now" not in read_json(frame.path)


@pytest.mark.parametrize(("classes", "columns", "each"), [(0, 8, 0), (1, 8, 8), (2, 8, 4), (3, 9, 3), (5, 10, 2), (10, 10, 1),
                                                          (16, 16, 1), (17, 8, 0), (345, 8, 0)])
def test_classes_stand_side_by_side_while_there_is_room(classes, columns, each):
    assert grid_layout(classes) == (columns, each)
    labels = grid_labels(classes)
    assert len(labels) == 8 * columns and set(labels) == set(range(min(max(1, classes), len(labels))))
    if each:
        assert all(label == place % columns // each for place, label in enumerate(labels)), "one class for each column"


def test_two_classes_fill_a_grid_as_ten_do(tmp_path):
    run = Run.create(PRESETS["conditional"].replace(batch_size=2, latent_dim=4, threads=1, device="cpu"), tmp_path)
    trainer = Trainer(run.config, IMAGES, torch.arange(20) % 2)
    with torch.no_grad():  # a fresh generator draws every class alike
        for weights in trainer.G_ema.parameters():
            weights.copy_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)))
    recorder = r.Recorder(run, trainer, life=1, seq=0, live=0)
    recorder.write_frame()
    shown = np.asarray(Image.open(run.frames()[-1].path)).reshape(8, 28, 8, 28)
    z, _ = trainer.batches.fixed_z(64)
    right = trainer.sample(z[8:16], torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])).numpy()
    np.testing.assert_array_equal(shown[1].transpose(1, 0, 2), right[:, 0])
    assert not np.array_equal(right, trainer.sample(z[8:16], torch.zeros(8).long()).numpy()), "a class is seen"


def test_a_new_life_removes_pictures_of_steps_that_will_be_made_again(made):
    run, trainer, recorder = made
    for step in (0, 5, 9):
        trainer.step_count = step
        recorder.write_frame()
    trainer.step_count = 5
    r.Recorder(run, trainer, life=2, seq=recorder.seq, live=0)
    assert [frame.step for frame in run.frames()] == [0, 5]


def test_real_png_shows_real_pictures_and_the_live_files_are_the_newest_two(made):
    run, _, recorder = made
    recorder.write_real()
    shown = np.asarray(Image.open(run.real_path)).reshape(2, 28, 8, 28).transpose(0, 2, 1, 3).reshape(16, 28, 28)
    known = {picture.tobytes() for picture in IMAGES[:, 0].numpy()}
    assert len({picture.tobytes() for picture in shown} & known) == 16
    for _ in range(4):
        recorder.write_live()
    assert sorted(path.name for path in (run.path / "live").iterdir()) == ["3.safetensors", "4.safetensors"]


def test_points_leave_frames_of_json_thinned_as_pictures_are(tmp_path):
    config = PRESETS["quick"].replace(**OF_POINTS)
    run = Run.create(config, tmp_path)
    trainer = Trainer(config, POINTS)
    recorder = r.Recorder(run, trainer, life=1, seq=0, live=0)
    recorder.write_real()
    for step in range(40):
        trainer.step_count = step
        recorder.write_frame()
    frames, real = run.frames(), read_json(run.real_path)
    assert len(frames) < 40 and [frame.step for frame in frames][-2:] == [38, 39]
    assert {frame.path.suffix for frame in frames} == {run.real_path.suffix} == {".json"}
    known = {tuple(point) for point in POINTS.numpy().round(2).tolist()}
    assert len(real["points"]) == 1000 and {tuple(np.float32(p).round(2).tolist()) for p in real["points"]} <= known
    shown = read_json(frames[-1].path)
    assert shown["view"] == real["view"] and np.allclose(shown["fake"], trainer.sample(512), atol=0.01)
    assert np.allclose(shown["now"]["fake"], trainer.sample(512, generator="now"), atol=0.01)
    assert len(shown["now"]["push"]) == len(shown["push"]) and not (run.path / "now").exists()
    trainer.step_count = 10
    r.Recorder(run, trainer, life=2, seq=recorder.seq, live=0)
    assert max(frame.step for frame in run.frames()) == 10


@pytest.mark.parametrize("loss", [*registry.LOSSES, "course again"])
def test_the_verdict_of_a_live_file_is_the_trainers_whatever_the_loss_is_called(tmp_path, monkeypatch, loss):
    """A second loss that labels fakes 1 is a loss that no reader knows by name."""
    monkeypatch.setitem(registry.LOSSES, "course again", registry.LOSSES["course"])
    name, spec = loss, registry.LOSSES[loss]
    if loss == "course again":  # TrainConfig's choices are fixed when it is defined: the row behind a known name changes
        name = "hinge"
        monkeypatch.setitem(registry.LOSSES, name, spec)
    config = PRESETS["quick"].replace(loss=name, batch_size=8, device="cpu", ema_half_life=0.0)
    run, trainer = Run.create(config, tmp_path), Trainer(config, IMAGES)
    z = trainer.batches.fixed_z(1)[0]
    trainer.G.eval(), trainer.D.eval()

    @torch.no_grad()
    def logit() -> torch.Tensor:
        return trainer.D(trainer.G(z)) - trainer.center()

    # A discriminator that is sure, one way or the other: without biases its logit grows with the product of its weights.
    weights = [weight for name, weight in trainer.D.named_parameters() if name.endswith("weight")]
    with torch.no_grad():
        factor = logit().abs().item() ** (-1 / len(weights))
        for weight in weights:
            weight.mul_(factor)
    r.Recorder(run, trainer, life=1, seq=0, live=0).write_live()
    view = load_live(run.live_file(1), build_pair)
    believed = torch.sigmoid(-logit() if trainer.loss.fake_is_one else logit()).item()
    assert abs(believed - 0.5) > 0.1, "a verdict of one half would be right either way"
    assert view.image(z[0])[1] == pytest.approx(believed, abs=0.05)


def test_a_live_file_of_points_says_where_they_lie_and_drives_them(tmp_path):
    config = PRESETS["quick"].replace(**OF_POINTS)
    run = Run.create(config, tmp_path)
    trainer = Trainer(config, POINTS)
    r.Recorder(run, trainer, life=1, seq=0, live=0).write_live()
    view = load_live(run.live_file(1), build_pair)
    z = torch.tensor([[0.5, -1.0]])
    picture, _, point = view.render(z[0])
    assert picture.shape == (280, 280, 4) and np.allclose(point, trainer.sample(z)[0], atol=0.02)
