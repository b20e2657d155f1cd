import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_core import registry
from gan_core.config import PRESETS, ConfigError, TrainConfig

FIELDS = dataclasses.fields(TrainConfig)
SWITCHES = [f for f in FIELDS if f.type == "bool"]
TEXTS = [f for f in FIELDS if f.type == "str" and f.metadata["choices"] is None]
NUMBERS = [f for f in FIELDS if f.metadata["choices"] is None and f not in [*SWITCHES, *TEXTS]]
CHOICES = [f for f in FIELDS if f.metadata["choices"] is not None]


def allowed(field: dataclasses.Field) -> st.SearchStrategy:
    about = field.metadata
    if about["choices"] is not None:
        return st.sampled_from(about["choices"])
    if field in SWITCHES:
        return st.booleans()
    if field in TEXTS:
        return st.sampled_from([name for name, entry in registry.DATASETS.items() if entry.default or not entry.argument])
    if field.type == "int":
        return st.integers(about["low"], about["high"])
    one = st.floats(about["low"], about["high"])
    return st.tuples(one, one) if field.type.startswith("tuple") else one


configs = st.builds(TrainConfig, **{f.name: allowed(f) for f in FIELDS})


@given(configs)
def test_every_allowed_config_survives_its_dict_and_its_json(config: TrainConfig) -> None:
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict(), allow_nan=False))) == config
    assert config.replace() == config and hash(config) == hash(config.replace())


@given(st.sampled_from(NUMBERS), st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans(),
                                           st.lists(st.floats(), max_size=3), st.binary(), st.just(10**400)))
def test_any_value_is_taken_in_range_or_refused_in_one_sentence(field: dataclasses.Field, value: object) -> None:
    about = field.metadata
    try:
        taken = getattr(TrainConfig(**{field.name: value}), field.name)
    except ConfigError as error:
        text = str(error)
        assert text.startswith(f"{field.name} is ") and text.endswith(".") and "give " in text
        assert f"{about['low']:.9g}" in text or f"{about['low']:g}" in text, "it says what is allowed"
        return
    for number in taken if isinstance(taken, tuple) else (taken,):
        assert about["low"] <= number <= about["high"] and math.isfinite(number)
        assert isinstance(number, int if field.type == "int" else float)


@given(st.sampled_from(CHOICES), st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text(), max_size=2)))
def test_an_unknown_choice_is_refused_with_all_that_are_known(field: dataclasses.Field, value: object) -> None:
    if value in field.metadata["choices"]:
        return
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{field.name: value})
    assert all(choice in str(caught.value) for choice in field.metadata["choices"])


@pytest.mark.parametrize("field", SWITCHES, ids=lambda f: f.name)
@pytest.mark.parametrize("value", [0, 1, None, "yes", 1.0])
def test_a_switch_is_true_or_false_and_nothing_else(field: dataclasses.Field, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{field.name} is .*give true or false"):
        TrainConfig(**{field.name: value})


@pytest.mark.parametrize("field", NUMBERS, ids=lambda f: f.name)
def test_the_ends_of_every_range_are_in_and_what_is_beyond_is_out(field: dataclasses.Field) -> None:
    low, high = field.metadata["low"], field.metadata["high"]
    pair = field.type.startswith("tuple")
    for inside in (low, high):
        TrainConfig(**{field.name: (inside, inside) if pair else inside})
    for outside in (low - 1, high + 1, math.nan, math.inf, -math.inf):
        with pytest.raises(ConfigError, match=f"^{field.name} is "):
            TrainConfig(**{field.name: (low, outside) if pair else outside})


@pytest.mark.parametrize("field", [f for f in NUMBERS if f.type == "int"], ids=lambda f: f.name)
def test_a_whole_number_is_not_half(field: dataclasses.Field) -> None:
    with pytest.raises(ConfigError, match="a whole number"):
        TrainConfig(**{field.name: 1.5})


def test_unknown_names_are_refused_by_name() -> None:
    for attempt in (lambda: TrainConfig.from_dict({"lr": 1}), lambda: TrainConfig().replace(lr=1)):
        with pytest.raises(ConfigError, match=r"unknown field 'lr'; the fields are: .*lr_d.*lr_g"):
            attempt()
    for nothing in (None, [], "seed", 5):
        with pytest.raises(ConfigError, match="named fields"):
            TrainConfig.from_dict(nothing)


def test_a_config_never_changes() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().seed = 1


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: f.name)
def test_every_field_explains_itself(field: dataclasses.Field) -> None:
    about = field.metadata
    assert about["help"].endswith(".") and len(about["help"]) < 120
    assert about["choices"] or field in [*SWITCHES, *TEXTS] or about["low"] < about["high"]


def test_the_course_preset_is_the_course() -> None:
    course = PRESETS["course"]
    assert (course.networks, course.loss, course.latent_dim, course.batch_size) == ("course", "course", 128, 32)
    assert (course.lr_d, course.lr_g, course.betas_d, course.betas_g) == (1e-4, 1e-4, (0.9, 0.999), (0.9, 0.999))
    assert (course.label_noise, course.d_steps) == (0.05, 1)


def test_the_default_preset_is_the_default_config_with_what_keeps_it_from_falling_apart() -> None:
    assert next(iter(PRESETS)) == "quick"
    assert PRESETS["quick"].replace(r1=0, penalty_final=0.1, decay_steps=0) == TrainConfig()
    assert PRESETS["quick"].r1 > 0 and PRESETS["quick"].decay_steps > 0


@pytest.mark.parametrize("table", [registry.NETWORKS, registry.LOSSES, registry.DATASETS])
def test_every_name_a_config_may_hold_leads_to_code(table: dict) -> None:
    for name in table:
        assert registry.resolve(table, name) is not None
    with pytest.raises(KeyError, match="'nothing' is not known here; choose one of"):
        registry.resolve(table, "nothing")


@given(st.one_of(st.text(), st.none(), st.integers(), st.sampled_from(list(registry.DATASETS)).flatmap(
    lambda name: st.text().map(lambda rest: f"{name}:{rest}"))))
def test_any_data_set_is_taken_or_refused_in_one_sentence(value: object) -> None:
    try:
        taken = TrainConfig(dataset=value).dataset
    except ConfigError as error:
        assert str(error).startswith("dataset is ") and str(error).endswith(".") and error.field == "dataset"
        return
    name, argument = registry.split_dataset(taken)
    assert name in registry.DATASETS and argument == argument.strip()
    assert TrainConfig(dataset=taken).dataset == taken, "a name that was taken is taken again as it is"


@pytest.mark.parametrize(("networks", "shape", "classes", "reason"), [
    ("course", (1, 28, 28), False, ""), ("course", (1, None, None), False, ""), ("course", (None, 28, 28), False, ""),
    ("course", (3, 28, 28), False, "shape"), ("course", (1, 32, 32), False, "shape"), ("course", (1, 28, 28), True, "classes"),
    ("course", (3, 28, 28), True, "shape"), ("course", (2,), True, "points"), ("quick", (3, 64, 64), True, ""),
    ("quick", (3, 28, 32), False, "shape"), ("mlp", (2,), False, ""), ("mlp", (3,), False, "shape"),
    ("mlp", (None, None, None), False, "pictures"), ("mlp", (2,), True, "classes")])
def test_networks_say_why_they_cannot_make_data(networks, shape, classes, reason):
    assert registry.NETWORKS[networks].misfit(shape, classes) == reason


def test_a_batch_is_shared_by_what_divides_it():
    config = TrainConfig(batch_size=12)
    assert [n for n in range(1, 14) if config.is_batch_shared_by(n)] == [1, 2, 3, 4, 6, 12]
