"""How the emulated shafts move where no physics stands behind them."""

import math

import pytest

from robot_learning.servos.emulator.shafts import Drive, FreeShafts

STEP_S = 0.005


def test_a_shaft_goes_to_its_goal_within_its_bounds() -> None:
    shafts = FreeShafts([1], start_rad=0.0)
    drives = {1: Drive(1.0, speed_max_rad_s=2.0, acceleration_max_rad_s2=10.0)}
    moved = [shafts.advance(drives, STEP_S)[1] for _ in range(400)]
    speeds = [shaft.velocity_rad_s for shaft in moved]
    assert moved[-1].position_rad == pytest.approx(1.0, abs=1e-3)
    assert max(shaft.position_rad for shaft in moved) < 1.01
    assert max(speeds) == pytest.approx(2.0)
    changes = [abs(b - a) for a, b in zip([0.0, *speeds], speeds, strict=False)]
    assert max(changes) <= 10.0 * STEP_S + 1e-9


@pytest.mark.parametrize("step_s", [0.0, 0.001, 1.0, 100.0])
def test_any_step_leads_towards_the_goal(step_s: float) -> None:
    shafts = FreeShafts([1], start_rad=0.0)
    shaft = shafts.advance({1: Drive(1.0)}, step_s)[1]
    assert 0.0 <= shaft.position_rad <= 1.0 and math.isfinite(shaft.velocity_rad_s)


def test_without_torque_it_stays_where_it_was_put() -> None:
    shafts = FreeShafts([1, 2])
    shafts.place(2, 0.5)
    assert shafts.advance({1: Drive(None), 2: Drive(None)}, 1.0)[2].position_rad == 0.5
