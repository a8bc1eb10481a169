"""The contract of a component: a pytree whose numbers are leaves, checked on construction, found by name."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord import games, registry
from jaxcoord.errors import ParameterError, nearest
from jaxcoord.evolution import PairwiseComparison
from jaxcoord.model import (
    Component,
    Field,
    Model,
    component,
    get,
    observable,
    param,
    parameters,
    replace,
    resolve,
    static,
    to_plain,
)


class Engine(Component, abstract=True):
    power: float = param(90.0, doc="power", unit="kW", low=0, high=500)
    gears: int = static(5, doc="gears", low=1, high=9)


class Radio(Component, abstract=True):
    power: float = param(0.1, doc="power of the loudspeaker")


class Car(Model, abstract=True):
    engine: Engine = component(Engine, doc="what drives it")
    radio: Radio = component(Radio, doc="what sings")
    seats: int = param(4, doc="seats", low=1, high=9)
    drag: float = param(0.3, doc="drag", low=0)
    grip: float = param(-1.0, doc="grip", high=0)
    offset: float = param(0.0, doc="any number")
    wheels: list = param([1.0, 1.0, 1.0, 1.0], doc="weight on each wheel", shape=("wheel",), low=0)
    coupling: list = param([[1.0, 0.0], [0.0, 1.0]], doc="couplings", shape=("S", "S"))
    colour: str = static("red", doc="colour", choices=("red", "green", "blue"))
    label: str = static("", doc="any text")
    electric: bool = static(False, doc="kind of engine")

    speed = observable(doc="speed", unit="m/s")
    load = observable(doc="load on each wheel", dims=("wheel",))


# Trees


def test_numbers_are_leaves_and_structure_is_structure():
    leaves = jax.tree.leaves(Car())
    assert len(leaves) == 8
    assert leaves[:2] == [90.0, 0.1]
    assert jax.tree.structure(Car()) == jax.tree.structure(Car(drag=9.0, engine=Engine(power=1.0)))
    others = [Car(colour="blue"), Car(electric=True), Car(label="x"), Car(engine=Engine(gears=6))]
    structures = [jax.tree.structure(car) for car in (Car(), *others)]
    assert all(one != other for one, other in itertools.combinations(structures, 2))


def test_a_tree_comes_back_whole():
    car = Car(engine=Engine(power=7, gears=2), colour="green", seats=2, wheels=[1, 2, 3, 4])
    leaves, structure = jax.tree.flatten(car)
    again = jax.tree.unflatten(structure, leaves)
    assert isinstance(again, Car)
    assert isinstance(again.engine, Engine)
    assert to_plain(again) == to_plain(car)
    assert to_plain(car) == {
        "name": "",
        "engine": {"name": "", "power": 7.0, "gears": 2},
        "radio": {"name": "", "power": 0.1},
        "seats": 2,
        "drag": 0.3,
        "grip": -1.0,
        "offset": 0.0,
        "wheels": [1.0, 2.0, 3.0, 4.0],
        "coupling": [[1.0, 0.0], [0.0, 1.0]],
        "colour": "green",
        "label": "",
        "electric": False,
    }


def test_leaves_carry_their_paths():
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(Car())]
    expected = ["engine.power", "radio.power", "seats", "drag", "grip", "offset", "wheels", "coupling"]
    assert paths == [f".{name}" for name in expected]


def test_tracers_and_placeholders_pass_unchecked():
    def cost(drag):
        return Car(drag=drag, engine=Engine(power=-drag)).engine.power * drag

    assert jax.jit(cost)(3.0) == -9
    assert jax.grad(cost)(3.0) == -6
    np.testing.assert_array_equal(jax.vmap(cost)(jnp.arange(3.0)), [0, -1, -4])
    assert isinstance(jax.tree.map(lambda _: object(), Car()), Car)


@pytest.mark.parametrize(
    "drag", [jnp.float32(-1), jnp.array([1.0, 2.0]), jnp.float32(jnp.nan), np.float64("inf"), 1e300]
)
def test_numbers_that_lie_on_a_device_or_do_not_fit_it_are_checked_as_well(drag):
    with pytest.raises(ParameterError, match=r"Car\.drag"):
        Car(drag=drag)


def test_a_value_of_structure_is_compiled_once_and_numbers_never_again():
    traced = []

    @jax.jit
    def measure(car):
        traced.append(car.engine.gears)
        return car.drag * car.engine.gears

    cars = [Car(drag=1.0), Car(drag=2.0), Car(engine=Engine(gears=6)), Car(drag=7.0)]
    assert [float(measure(car)) for car in cars] == pytest.approx([5, 10, 1.8, 35])
    assert traced == [5, 6]


def test_components_are_frozen():
    with pytest.raises(AttributeError, match="drag"):
        Car().drag = 1.0


# Values


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("drag", 2, 2.0),
        ("drag", np.float32(0.5), 0.5),
        ("drag", np.array(0.25), 0.25),
        ("drag", 0, 0.0),
        ("seats", 3.0, 3),
        ("seats", np.int64(9), 9),
        ("electric", np.True_, True),
    ],
)
def test_a_value_becomes_a_plain_number_of_its_kind(field, value, kept):
    found = getattr(Car(**{field: value}), field)
    assert found == kept
    assert type(found) is type(kept)


def test_array_parameters_become_float64_and_are_not_shared():
    first, second = Car(), Car()
    first.wheels[0] = 5
    assert second.wheels.tolist() == Car().wheels.tolist() == [1, 1, 1, 1]
    assert Car(wheels=(1, 2)).wheels.dtype == np.float64


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("drag", -0.5, "Car.drag = -0.5: out of range; allowed: at least 0"),
        ("grip", 0.5, "Car.grip = 0.5: out of range; allowed: at most 0"),
        ("seats", 0, "Car.seats = 0: out of range; allowed: 1 to 9"),
        ("seats", 2.5, "Car.seats = 2.5: a whole number is needed, 1 to 9"),
        ("seats", math.nan, "Car.seats = nan: not finite; allowed: 1 to 9"),
        ("drag", math.nan, "Car.drag = nan: not finite; allowed: at least 0"),
        ("offset", math.inf, "Car.offset = inf: not finite; allowed: any finite number"),
        ("offset", -math.inf, "Car.offset = -inf: not finite; allowed: any finite number"),
        ("drag", "fast", "Car.drag = 'fast': a number is needed, at least 0"),
        ("drag", None, "Car.drag = None: a number is needed, at least 0"),
        ("drag", True, "Car.drag = True: a number is needed, at least 0"),
        ("drag", [1.0], "Car.drag = [1.0]: a number is needed, at least 0"),
        ("electric", 1, "Car.electric = 1: true or false is needed"),
        ("colour", "gren", "Car.colour = 'gren': one of 'red', 'green', 'blue'; did you mean 'green'?"),
        ("colour", 3, "Car.colour = 3: one of 'red', 'green', 'blue'; allowed: blue, green, red"),
        ("wheels", [[1.0]], "Car.wheels: 2 axes; needed: 1, ['wheel']"),
        ("wheels", [1.0, -1.0], "Car.wheels: out of range; allowed: at least 0"),
        ("wheels", [1.0, math.inf], "Car.wheels[1] = inf: not finite; allowed: at least 0"),
        ("wheels", "round", "Car.wheels: an array of numbers with axes ['wheel'] is needed"),
        ("coupling", np.ones((2, 3)), "Car.coupling: shape (2, 3); both axes named 'S' must have the same length"),
        ("coupling", [[1.0], [1.0, 2.0]], "Car.coupling: an array of numbers with axes ['S', 'S'] is needed"),
        ("engine", 90.0, "Car.engine = 90.0: a component is needed, see `jaxcoord models`"),
    ],
)
def test_a_refusal_names_field_value_and_what_is_allowed(field, value, message):
    with pytest.raises(ParameterError) as caught:
        Car(**{field: value})
    assert str(caught.value) == message


def test_every_field_is_declared():
    with pytest.raises(TypeError, match=r"Bare\.x: declare it with param\(\), static\(\) or component\(\)"):

        class Bare(Component, abstract=True):
            x: float = 1.0


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (Field("param", ""), "any finite number"),
        (Field("param", "", low=0), "at least 0"),
        (Field("param", "", high=2.5), "at most 2.5"),
        (Field("param", "", low=0, high=1), "0 to 1"),
        (Field("static", "", choices=("a", "b")), "one of 'a', 'b'"),
    ],
)
def test_what_is_allowed_is_put_in_words(field, words):
    assert field.allowed == words


# Names


def test_parameters_are_listed_by_path():
    expected = ["engine.power", "engine.gears", "radio.power", "seats", "drag", "grip", "offset", "wheels", "coupling"]
    found = dict(parameters(Car()))
    assert list(found) == [*expected, "colour", "label", "electric"]
    assert (found["engine.power"].unit, found["engine.power"].high) == ("kW", 500)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("drag", "drag"),
        ("model.drag", "drag"),
        ("gears", "engine.gears"),
        ("engine.power", "engine.power"),
        ("model.radio.power", "radio.power"),
    ],
)
def test_a_short_name_resolves_to_its_path(name, path):
    assert resolve(Car(), name) == path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("power", r"'power' is ambiguous: engine\.power, radio\.power"),
        ("darg", "unknown parameter 'darg' .*did you mean 'drag'"),
        ("engine.powr", r"did you mean 'engine\.power'"),
        ("engine", "unknown parameter 'engine'"),
        ("zzzzz", "allowed: .*drag.*wheels"),
    ],
)
def test_a_name_that_does_not_resolve_is_answered_with_the_nearest(name, words):
    with pytest.raises(ParameterError, match=words):
        resolve(Car(), name)


def test_the_nearest_name():
    assert nearest("hawk_dove", ["hawk-dove", "donation"]) == "; did you mean 'hawk-dove'?"
    assert nearest("qqq", ["b", "a"]) == "; allowed: a, b"
    assert nearest("qqq", []) == ""


# Replacing


def test_replace_reaches_into_parts_and_leaves_the_rest():
    car = Car(engine=Engine(power=7.0, gears=2), drag=0.1)
    changed = replace(car, {"engine.power": 8, "radio.power": 2.0, "seats": 5})
    assert [get(changed, path) for path in ("engine.power", "engine.gears", "radio.power", "seats", "drag")] == [
        8.0,
        2,
        2.0,
        5,
        0.1,
    ]
    assert (car.engine.power, car.seats) == (7.0, 4)


def test_replace_checks_the_new_values():
    with pytest.raises(ParameterError, match=r"Engine\.power = 501: out of range; allowed: 0 to 500"):
        replace(Car(), {"engine.power": 501})


def test_replace_changes_a_part_and_a_value_of_the_new_part():
    changed = replace(Car(), {"engine": Engine(gears=2), "engine.power": 8.0})
    assert (changed.engine.gears, changed.engine.power) == (2, 8.0)


# Models


def test_observables_are_collected_from_all_bases():
    class Van(Car, abstract=True):
        volume: float = param(5.0, doc="room for goods", low=0)
        load = observable(doc="load on each axle", dims=("axle",))
        freight = observable(doc="goods", unit="kg")

    assert list(Car.observables) == ["speed", "load"]
    assert list(Van.observables) == ["speed", "load", "freight"]
    assert Van.observables["load"].dims == ("axle",)
    assert (Van.observables["speed"].unit, Van.observables["speed"].dims) == ("m/s", ())
    assert list(Van.fields) == [*Car.fields, "volume"]


@pytest.mark.parametrize("call", [lambda m: m.init(None), lambda m: m.step(None, None), lambda m: m.observe(None)])
def test_a_missing_method_says_what_it_must_return(call):
    with pytest.raises(TypeError, match=r"Car\.\w+\(self, .* is missing: it returns"):
        call(Car())


def test_a_model_without_labels_updates_one_agent():
    assert Car().coords() == {}
    assert Car().agents == 1


# The registry


@pytest.fixture
def own_registry(monkeypatch):
    registry.load()
    monkeypatch.setattr(registry, "_components", dict(registry._components))


@pytest.mark.usefixtures("own_registry")
def test_a_class_is_registered_under_its_name_in_kebab_case():
    class TinyTestModel2D(Model):
        pass

    class other_test_model(Model, name="chosen-test-name"):
        pass

    assert registry.find("tiny-test-model2-d", Model, "model") is TinyTestModel2D
    assert registry.find("chosen-test-name", Model, "model") is other_test_model
    assert TinyTestModel2D.registered_name == "tiny-test-model2-d"
    assert "car" not in registry.names(Component)


def test_names_are_those_of_the_asked_kind():
    assert "hawk-dove" in registry.names(games.Game)
    assert "hawk-dove" not in registry.names(Model)
    assert registry.find("pairwise-comparison", Model, "model.name") is PairwiseComparison


@pytest.mark.parametrize("name", ["hawk-dov", "pairwise-comparison", 3, None])
def test_an_unknown_name_is_refused_with_its_place(name):
    with pytest.raises(ParameterError, match=r"model\.game\.name = .*: unknown game; "):
        registry.find(name, games.Game, "model.game.name")


@pytest.mark.usefixtures("own_registry")
def test_a_name_of_the_library_cannot_be_taken():
    with pytest.raises(ParameterError, match=r"the name 'hawk-dove' belongs to jaxcoord\.games"):

        class Impostor(games.Game, name="hawk-dove"):
            pass

    assert registry.find("hawk-dove", games.Game, "game") is games.hawk_dove
