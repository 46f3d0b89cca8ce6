"""With how many threads a training is fastest, on a machine and a clock of the test."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.threads import FastestThreads
from robot_learning.learning.training.trainer import train


class Machine:
    """Steps take as long as the number of threads says; nothing else passes time."""

    def __init__(self, most: int, first: int = 0, **seconds: float) -> None:
        self.now_s, self.count = 0.0, most
        self.seconds = {int(name[1:]): value for name, value in seconds.items()}
        self.used: list[int] = []
        self.threads = FastestThreads(
            most, first, clock=lambda: self.now_s, set_threads=self._set_count
        )

    def _set_count(self, count: int) -> None:
        self.count = count

    def steps(self, number: int) -> None:
        for _ in range(number):
            self.threads.begin()
            self.used.append(self.count)
            self.now_s += self.seconds[self.count]
            self.threads.end()

    def until(self, end_s: float) -> None:
        while self.now_s < end_s:
            self.steps(1)


def test_one_thread_where_the_others_wait_for_each_other() -> None:
    machine = Machine(2, t1=0.003, t2=0.030)
    machine.until(3.0)
    assert (machine.threads.chosen, machine.count) == (1, 1)
    assert len(machine.used) > 600


def test_as_many_as_help() -> None:
    machine = Machine(8, t1=0.8, t2=0.45, t4=0.3, t8=0.35)
    machine.steps(12)
    assert (machine.threads.chosen, machine.count) == (4, 4)
    # Long steps are not made over and over again to find out.
    assert len(machine.used[: machine.used.index(4) + 2]) <= 5


def test_a_little_faster_is_not_worth_a_core() -> None:
    machine = Machine(2, t1=0.0100, t2=0.0095)
    machine.until(3.0)
    assert machine.threads.chosen == 1


def test_it_is_measured_again_when_the_machine_becomes_busy_and_when_it_is_free() -> None:
    machine = Machine(2, t1=0.010, t2=0.006)
    machine.until(5.0)
    assert machine.threads.chosen == 2
    machine.seconds = {1: 0.012, 2: 0.060}
    machine.until(20.0)
    assert machine.threads.chosen == 1
    machine.seconds = {1: 0.010, 2: 0.006}
    machine.until(120.0)
    assert machine.threads.chosen == 2
    # Nearly all steps are made with what is fastest.
    assert machine.used[-3000:].count(2) > 2700


def test_what_a_killed_training_had_chosen_is_gone_on_with() -> None:
    machine = Machine(4, 2, t1=0.01, t2=0.01, t4=0.01)
    machine.steps(50)
    assert set(machine.used) == {2}
    assert Machine(1, t1=0.01).threads.is_measuring is False


@pytest.mark.parametrize(
    ("compute", "wanted"),
    [
        ({"threads": 0}, {1, 2}),
        ({"threads": 2}, {2}),
        ({"threads": 0, "measure_threads": False}, {3}),
    ],
)
def test_a_number_that_is_given_is_exact(
    demonstrations: Dataset,
    make_config: Callable[..., TrainConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compute: dict[str, object],
    wanted: set[int],
) -> None:
    torch.set_num_threads(3 if wanted == {3} else 2)
    before, seen = torch.get_num_threads(), set()
    zero = torch.optim.Optimizer.zero_grad

    def noted(self: torch.optim.Optimizer, set_to_none: bool = True) -> None:
        seen.add(torch.get_num_threads())
        zero(self, set_to_none)

    monkeypatch.setattr(torch.optim.Optimizer, "zero_grad", noted)
    config = make_config(steps=80 if wanted == {1, 2} else 4)
    plain = {"compute": {"threads": 0, **compute}}
    train(demonstrations, config.with_values(plain), tmp_path / "run")
    assert seen <= wanted
    assert len(seen) == 1 or wanted == {1, 2}
    assert torch.get_num_threads() == before
