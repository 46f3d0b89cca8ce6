"""The tables of all models: registers at places of their own, and blocks that agree with them."""

import math
from itertools import pairwise

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.emulator.families import FAMILIES
from robot_learning.servos.emulator.shafts import Shaft
from robot_learning.servos.models.catalog import MODELS, servo_model
from robot_learning.servos.models.servo_model import ServoModel

all_models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@all_models
def test_registers_do_not_overlap(model: ServoModel) -> None:
    for first, second in pairwise(model.registers.values()):
        assert first.end <= second.address, (first.name, second.name)


@all_models
def test_every_count_that_fits_is_read_as_it_was_written(model: ServoModel) -> None:
    for register in model.registers.values():
        for count in (*register.count_range, 0, register.factory):
            assert register.decode(register.encode(count)) == count, register.name
        with pytest.raises(ValueError, match=register.name):
            register.encode(register.count_range[1] + 1)


@all_models
def test_the_block_of_a_cycle_says_what_the_registers_say(model: ServoModel) -> None:
    memory = bytearray(range(1, 256))
    start = model.feedback_address
    memory[start + 1 : start + 2] = b"\x8f"
    found = model.feedback(bytes(memory[start : start + model.feedback_size]))

    def value(name: str) -> float:
        register = model.registers.get(name)
        if register is None:
            return math.nan
        return register.to_value(register.decode(bytes(memory[register.address : register.end])))

    names = ("position", "speed", "current", "load", "voltage", "temperature")
    assert found == pytest.approx([value(f"present_{name}") for name in names], nan_ok=True)


@all_models
def test_a_goal_fills_the_registers_of_its_block(model: ServoModel) -> None:
    memory = bytearray(256)
    block = model.goal(1.0, 2.0, 30.0)
    memory[model.goal_address : model.goal_address + len(block)] = block
    speed = "goal_speed" if model.protocol.name == "feetech" else "profile_speed"
    for name, wanted in {"goal_position": 1.0, speed: 2.0, "acceleration": 30.0}.items():
        register = model.registers[name]
        count = register.decode(bytes(memory[register.address : register.end]))
        assert register.to_value(count) == pytest.approx(wanted, abs=register.scale)


@all_models
def test_a_bound_is_never_none(model: ServoModel) -> None:
    assert model.goal(1.0, 1e-9, 1e-9) != model.goal(1.0, 1e9, 1e9)
    assert 0 not in (model.goal(1.0, 1e-9, 1e-9)[0], max(model.goal(1.0, 1e-9, 1e-9)[4:8]))


@pytest.mark.parametrize(
    ("name", "volts"),
    [("xl330-m288", (3.5, 7.0)), ("xc330-t181", (5.5, 14.0)), ("xc330-t288", (5.5, 14.0))],
)
def test_a_new_servo_is_content_with_its_own_supply(name: str, volts: tuple[float, float]) -> None:
    model = MODELS[name]
    low, high = (model.registers[f"voltage_{end}"] for end in ("min", "max"))
    found = (low.to_value(low.factory), high.to_value(high.factory))
    assert found == pytest.approx(volts)
    servo = FAMILIES[model.protocol.name].servo(model, 1)
    servo.pass_time(0.01)
    assert servo.status() == 0


@all_models
@pytest.mark.parametrize("byte", [0x00, 0x7F, 0x80, 0xFF])
def test_an_emulated_servo_survives_whatever_is_written(model: ServoModel, byte: int) -> None:
    servo = FAMILIES[model.protocol.name].servo(model, 1)
    for mode in {"sts3215": [0]}.get(model.name, [3, 4, 5]):
        servo.set_count("mode", mode)
        for register in model.registers.values():
            if register.name != "mode":
                servo.set_count("torque_enable", 0)
                servo.write(register.address, bytes([byte] * register.size))
        servo.set_count("torque_enable", 1)
        for goal_rad in (servo.drive().goal_rad or 0.0, servo.value("goal_position")):
            servo.sense(Shaft(goal_rad, 1e6, 1.0))
            servo.pass_time(0.01)
            servo.read(0, 256)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown servo model 'xl330'; did"):
        servo_model("xl330")
