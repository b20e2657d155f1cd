"""A GAN of points on the plane, against closed forms: an opinion that is known, a slope that is known, a map that is known."""

import base64
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gan_core.evaluation import plane
from gan_core.evaluation.plane import Axes

AXES = Axes((1.0, -2.0), 0.5, (-3.0, 5.0, -6.0, 2.0))
POINTS = st.lists(st.tuples(*[st.floats(-50, 50, width=32)] * 2), min_size=2, max_size=30, unique=True)


class Hill(nn.Module):
    """The logit -|x - top|^2 / 2: most real at `top`, its slope there is top - x."""

    def __init__(self, x: float, y: float) -> None:
        super().__init__()
        self.top = torch.tensor([x, y])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -0.5 * (x - self.top).square().sum(1)


def mlp(outputs: int, inputs: int = 2) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, outputs))


@given(POINTS, st.floats(0.01, 30))
def test_axes_show_all_points_in_a_square_and_lead_there_and_back(points, scale):
    points = torch.tensor(points)
    axes = Axes.around(points, points.mean(0), scale)
    x0, x1, y0, y1 = axes.view
    assert x1 - x0 == pytest.approx(y1 - y0, rel=2e-3, abs=1e-2) and x1 > x0
    assert ((points >= torch.tensor([x0, y0])) & (points <= torch.tensor([x1, y1]))).all()
    assert torch.allclose(axes.to_data(axes.to_networks(points)), points, atol=1e-3)
    assert Axes.from_dict(json.loads(json.dumps(axes.to_dict()))) == axes


@pytest.mark.parametrize("wrong", [{"middle": [0]}, {"scale": 0}, {"scale": math.nan}, {"view": [1, 0, 0, 1]}, {"view": [0, 1]},
                                   {"view": None}, {"scale": "wide"}])
def test_nonsense_is_no_axes(wrong):
    with pytest.raises((ValueError, TypeError)):
        Axes.from_dict({**AXES.to_dict(), **wrong})


@pytest.mark.parametrize(("fake_is_one", "center"), [(False, 0.0), (True, 0.0), (False, 1.5)])
def test_the_heat_is_the_probability_of_real_at_the_middle_of_each_square(fake_is_one, center):
    found = plane.heat_map(Hill(1.0, 2.0), AXES, 16, fake_is_one=fake_is_one, center=center)
    assert found.shape == (16, 16) and found.dtype == np.uint8
    for row in range(16):
        for column in range(16):
            x, y = -3 + 8 * (column + 0.5) / 16, -6 + 8 * (row + 0.5) / 16  # row 0 at the bottom
            logit = -0.5 * (((x - 1) / 0.5 - 1.0) ** 2 + ((y + 2) / 0.5 - 2.0) ** 2) - center
            wanted = 255 / (1 + math.exp(logit if fake_is_one else -logit))
            assert abs(float(found[row, column]) - wanted) <= 0.51, (row, column)


@given(st.lists(st.tuples(*[st.floats(-4, 4)] * 2), min_size=1, max_size=20), st.booleans())
def test_arrows_climb_the_hill_all_by_one_scale_and_none_is_longer_than_an_eighth_of_the_view(fakes, fake_is_one):
    fake, top = torch.tensor(fakes), torch.tensor([5.0, 5.0])
    arrows = plane.push_vectors(Hill(5.0, 5.0), fake, 1.0, fake_is_one)
    slope = (fake - top) if fake_is_one else (top - fake)
    for arrow, one in zip(arrows, slope, strict=True):
        across = float(one.norm())  # how far the logit rises across the view of side 1
        assert float(arrow.norm()) == pytest.approx(min(1.0, across / 8) / 8, abs=1e-5)
        assert float(torch.dot(arrow, one)) == pytest.approx(float(arrow.norm() * one.norm()), rel=1e-3, abs=1e-5)
    alone = plane.push_vectors(Hill(5.0, 5.0), fake[:1], 1.0, fake_is_one)
    assert torch.allclose(alone, arrows[:1]), "whatever else is on the plane"


def test_arrows_point_where_a_small_step_gains_most():
    D = mlp(1).double().eval()
    fake = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    arrows = plane.push_vectors(D.float(), fake, 1.0).double()
    D, x, h = D.double(), fake.double(), 1e-5
    with torch.no_grad():
        slope = torch.stack([(D(x + step) - D(x - step))[:, 0] / (2 * h) for step in torch.eye(2).double() * h], 1)
    assert slope.norm(dim=1).max() < 8 and torch.allclose(arrows, slope / 64, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_where_there_is_no_slope_there_are_no_arrows(value):
    class Flat(nn.Module):
        def forward(self, x):
            return x.sum(1) * value

    assert torch.equal(plane.push_vectors(Flat(), torch.randn(5, 2), 1.0), torch.zeros(5, 2))


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_a_frame_is_what_the_networks_make_of_the_same_z_in_the_datas_own_units(latent_dim):
    G, D = mlp(2, latent_dim).eval(), mlp(1).eval()
    z = torch.randn(512, latent_dim, generator=torch.Generator().manual_seed(0))
    found = plane.make_frame(G, D, z, AXES)
    unit = torch.tensor([1.0, -2.0])
    with torch.no_grad():
        assert np.allclose(found["fake"], G(z) * 0.5 + unit, atol=1e-3) and len(found["push"]) == 64
        for row, column in ((0, 0), (0, 16), (8, 3), (16, 16)):
            place = torch.zeros(1, latent_dim)
            for axis, k in ((0, column), (1, row)):
                if axis < latent_dim:
                    place[0, axis] = -2 + k / 4
            assert np.allclose(found["warp"][row][column], G(place)[0] * 0.5 + unit, atol=1e-3), "columns along z1, rows along z2"
    wanted = plane.push_vectors(D, (torch.tensor(found["fake"][:64]) - unit) / 0.5, 16.0) * 0.5
    assert np.allclose(found["push"], wanted, atol=5e-3) and (found["full_arrow"], found["longest_arrow"]) == (8, 1 / 8)
    heat = np.frombuffer(base64.b64decode(found["heat"]["values"]), np.uint8).reshape(48, 48)
    assert found["heat"]["size"] == 48 and np.array_equal(heat, plane.heat_map(D, AXES)) and found["view"] == list(AXES.view)
    assert len(plane.to_json(found)) < 20_000


def test_making_a_frame_leaves_both_networks_as_they_were_and_drops_nothing():
    G, D = mlp(2).train(), mlp(1).train()
    before = [tensor.clone() for tensor in (*G.parameters(), *D.parameters())]
    z = torch.randn(512, 2)
    assert plane.make_frame(G, D, z, AXES) == plane.make_frame(G, D, z, AXES), "dropout would draw anew"
    assert G.training and D.training and all(p.grad is None for p in (*G.parameters(), *D.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(before, (*G.parameters(), *D.parameters()), strict=True))


def test_a_generator_that_has_lost_its_numbers_still_makes_a_frame_that_can_be_read():
    G, D = mlp(2), mlp(1)
    with torch.no_grad():
        G[0].bias.fill_(math.nan)
        D[0].bias.fill_(math.inf)
    assert json.loads(plane.to_json(plane.make_frame(G, D, torch.randn(512, 2), AXES)))["fake"][0] == [1.0, -2.0]


def test_the_small_picture_shows_the_point_where_it_lies_on_what_the_discriminator_thinks():
    opinion = np.zeros((48, 48), np.uint8)
    opinion[:, 24:] = 255  # real on the right
    under = plane.draw_backdrop(opinion, np.zeros((0, 2)), AXES)
    drawn = plane.draw_point(under, (-1.0, 0.0), AXES)  # a quarter from the left, a quarter from the top
    assert drawn.shape == (280, 280, 4) and drawn.dtype == np.uint8
    assert tuple(drawn[70, 70]) == (*plane.ORANGE, 255)
    assert drawn[250, 10, 3] == 0 and tuple(drawn[250, 270, :3]) == plane.BLUE and 90 < drawn[250, 270, 3] < 130
    corner, outside = plane.draw_point(under, (5.0, -6.0), AXES), plane.draw_point(under, (1e9, -1e9), AXES)
    assert np.array_equal(corner, outside) and tuple(corner[279, 279]) == (*plane.ORANGE, 255)
    cloud = plane.draw_backdrop(opinion, np.array([[-1.0, 0.0], [1e6, 0.0]]), AXES)
    assert (cloud != under).any(-1).sum() == 9, "a dot of nine pixels; one far outside is not drawn"
