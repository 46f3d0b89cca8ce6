"""`load_policy`: what an environment gives goes in, what it takes comes out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from robot_learning.core.errors import RobotLearningError
from robot_learning.policies import TrainedPolicy, load_policy
from robot_learning.policies.checkpoint import (
    Checkpoint,
    CheckpointDetails,
    load_checkpoint,
    save_checkpoint,
)
from robot_learning.policies.config import PolicyConfig
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.errors import CheckpointError, PolicyError
from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec

PLAIN = {"observation_normalization": "none", "action_normalization": "none", "hidden": [4]}


class Sum(Policy):
    """Chunk step k: the sum of all that it sees, of the oldest row ten times, and k / 100."""

    family = "sum"
    takes_discrete_actions = True

    def __init__(self, spec: PolicySpec) -> None:
        super().__init__(spec, None, PolicyConfig())
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def loss(self, batch: object, generator: object = None) -> Any:
        raise NotImplementedError

    def act(self, observation: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        rows = sum(values.float().flatten(2).sum(-1) for values in observation.values())
        total = rows[:, -1] + 10 * rows[:, 0]
        if self.spec.discrete_actions:
            return total.long()[:, None]
        steps = torch.arange(self.spec.action_steps) / 100
        return (total[:, None] + steps)[..., None].repeat(1, 1, self.spec.action_dim)


def trained(
    *columns: ObservationSpec, environment: EnvironmentDetails | None = None, **spec: Any
) -> TrainedPolicy:
    policy = Sum(PolicySpec(columns, **{"action_dim": 1, **spec}))
    return TrainedPolicy(Checkpoint(policy, CheckpointDetails(environment=environment), "", ""))


def test_history_and_chunk_are_kept_until_the_episode_is_reset() -> None:
    policy = trained(
        ObservationSpec("obs/x", (1,)), observation_steps=2, action_steps=2, executed_steps=2
    )
    given = [policy.act({"x": np.array([float(k)])})[0] for k in (1, 2, 3)]
    np.testing.assert_allclose(given, [11, 11.01, 23], rtol=1e-6)
    policy.reset()
    np.testing.assert_allclose(policy.act({"x": np.array([5.0])}), [55], rtol=1e-6)


def test_what_the_policy_does_not_look_at_is_no_trouble_and_actions_are_float32() -> None:
    action = trained(ObservationSpec("obs/x", (2,)), action_dim=3).act(
        {"x": np.array([1.0, 2.0]), "else": np.zeros(9)}
    )
    assert action.dtype == np.float32
    np.testing.assert_allclose(action, [33, 33, 33])


def test_an_image_goes_in_as_the_camera_gives_it() -> None:
    policy = trained(ObservationSpec("images/front", (4, 6, 3), is_image=True))
    image = np.zeros((4, 6, 3), np.uint8)
    image[1, 2, 0] = 7
    np.testing.assert_allclose(policy.act({"front": image}), [77])


def test_entries_of_an_environment_are_found_as_they_lie_in_its_observation() -> None:
    columns = (ObservationSpec("obs/goal/x", (1,)), ObservationSpec("obs/goal/side", (3,)))
    details = EnvironmentDetails(
        first_choices={"obs/goal/side": 5},
        action_shape=(1, 2),
        action_low=(None, -1.0),
        action_high=(None, 3.5),
    )
    policy = trained(*columns, environment=details, action_dim=2)
    action = policy.act({"goal": {"x": np.float64(0.5), "side": 7}})
    # The one-hot vector and x sum up to 1.5; the action's second number has bounds.
    assert action.shape == (1, 2)
    np.testing.assert_allclose(action, [[16.5, 3.5]])
    with pytest.raises(PolicyError, match=r"'goal/side' is 4; .* whole numbers from 5 to 7"):
        policy.act({"goal": {"x": 0.5, "side": 4}})


def test_an_observation_that_is_one_array_and_actions_that_are_choices() -> None:
    details = EnvironmentDetails(first_action=2)
    policy = trained(
        ObservationSpec("obs/observation", (2,)), environment=details, discrete_actions=99
    )
    action = policy.act(np.array([1.0, 2.0]))
    assert isinstance(action, np.int64)
    assert action == 33 + 2


@pytest.mark.parametrize(
    ("observation", "said"),
    [
        ({"y": np.zeros(2), "z": 0}, "observes 'x'; the observation has y, z"),
        ({}, "observes 'x'; the observation has \\(nothing\\)"),
        (np.zeros(2), "observes 'x'; the observation is ndarray, not a mapping"),
        ({"x": np.zeros(3)}, r"'x' has the shape \(3,\); the policy was trained with \(2,\)"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(observation: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        trained(ObservationSpec("obs/x", (2,))).act(observation)


def test_a_run_stands_for_its_best_checkpoint_and_what_is_drawn_follows_from_the_seed(
    tmp_path: Path,
) -> None:
    spec = PolicySpec((ObservationSpec("obs/x", (2,)),), action_dim=1)
    policy = make_policy("gaussian", spec, None, {**PLAIN, "answer": "sample"})
    save_checkpoint(tmp_path / "run" / "best", policy, CheckpointDetails())
    loaded = load_policy(tmp_path / "run", seed=3)
    seen = {"x": np.array([0.3, 0.1])}
    first, second = loaded.act(seen), loaded.act(seen)
    assert first != second
    loaded.reset(3)
    assert [loaded.act(seen), loaded.act(seen)] == [first, second]


def test_importing_the_package_imports_no_torch() -> None:
    text = "import sys, robot_learning.policies as p; print('torch' in sys.modules); p.load_policy"
    command = [sys.executable, "-c", f"{text}; print('torch' in sys.modules)"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(ImportError, match="no_policy"):
        exec("from robot_learning.policies import no_policy")


ENVIRONMENT = EnvironmentDetails(
    "Pendulum-v1", {"g": 9.0}, 30, -200.0, {"obs/side": 1}, (2,), (None, -2.0), (None, 2.0)
)


def saved(folder: Path, environment: EnvironmentDetails | None) -> Path:
    policy = make_policy(
        "deterministic", PolicySpec((ObservationSpec("obs/x", (2,)),), action_dim=2), None, PLAIN
    )
    save_checkpoint(folder, policy, CheckpointDetails(environment=environment))
    return folder


@pytest.mark.parametrize("environment", [None, ENVIRONMENT])
def test_a_checkpoint_keeps_its_environment(
    environment: EnvironmentDetails | None, tmp_path: Path
) -> None:
    place = saved(tmp_path / "checkpoint", environment)
    assert load_checkpoint(place).details.environment == environment
    # What older versions do not know stands only where it is needed.
    assert ("environment" in (place / "checkpoint.json").read_text()) == bool(environment)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"action_low": [1.0]}, "bounds"),
        ({"action_low": ["a", "b"]}, r"action_low\[0\]: expected a number, found 'a'"),
        ({"action_dtype": "object"}, "action_dtype is 'object'; valid are float16, float32"),
        ({"id": 3}, "details.environment.id: expected text, found 3"),
        ({"arguments": []}, "details.environment.arguments: expected a mapping"),
        ({"banana": 1}, "details.environment: unknown key 'banana'"),
    ],
)
def test_a_damaged_environment_is_refused(wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    import json

    place = saved(tmp_path / "checkpoint", ENVIRONMENT)
    path = place / "checkpoint.json"
    plain = json.loads(path.read_text())
    plain["details"]["environment"].update(wrong)
    path.write_text(json.dumps(plain))
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(place)


def test_what_a_checkpoint_names_is_neither_imported_nor_read() -> None:
    with pytest.raises(PolicyError, match=r"not imported unless .* --env evil:Thing-v0"):
        EnvironmentDetails("evil:Thing-v0").trusted_id()
    assert ENVIRONMENT.trusted_id() == "Pendulum-v1"
    with pytest.raises(RobotLearningError, match="has no environment: give --env"):
        EnvironmentDetails().trusted_id()
    hidden = EnvironmentDetails("A-v0", {"n": 1, "inner": [{"xml_file": "/tmp/evil.xml"}]})
    with pytest.raises(PolicyError, match=r"inner='/tmp/evil.xml'.*--env-set"):
        hidden.trusted_arguments({"n": 2})
    assert hidden.trusted_arguments({"inner": "mine:x"}) == {"n": 1, "inner": "mine:x"}
