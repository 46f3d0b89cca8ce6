"""ACT and diffusion at the papers' sizes: chunks a second, against LeRobot's own policies.

ROBOT_LEARNING_LEROBOT_PYTHON=/path/to/python python benchmarks/bench_policy_inference.py

The peer is LeRobot in the interpreter that the variable names (an environment of its own with
lerobot 0.4.4), with the same architecture, inputs and number of threads; the two take turns in one
run. Weights are random: they do not change what is computed. Ours is measured as PyTorch runs it
and through ONNX Runtime, between which serving chooses by measuring.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from harness import Row, Spread, ratio, report, take_turns

from robot_learning.policies.families import family_named, make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.serving.backends import Backend, EagerBackend, OnnxBackend, example_inputs
from robot_learning.serving.onnx_export import export_onnx

PEER_VARIABLE = "ROBOT_LEARNING_LEROBOT_PYTHON"
STATE, ENVIRONMENT, ACTIONS = 14, 7, 14
IMAGE = (480, 640, 3)
CHANNELS = (512, 1024, 2048)

PEER = """
import sys, torch
from lerobot.configs.types import FeatureType, PolicyFeature
name, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
def feature(kind, shape): return PolicyFeature(type=kind, shape=shape)
inputs = {"observation.state": feature(FeatureType.STATE, (14,)),
          "observation.environment_state": feature(FeatureType.ENV, (7,))}
if name == "act_image":
    inputs["observation.images.front"] = feature(FeatureType.VISUAL, (3, 480, 640))
outputs = {"action": feature(FeatureType.ACTION, (14,))}
if name.startswith("act"):
    from lerobot.policies.act.configuration_act import ACTConfig as Config
    from lerobot.policies.act.modeling_act import ACTPolicy as Policy
    config = Config(input_features=inputs, output_features=outputs, device="cpu",
                    pretrained_backbone_weights=None)
    lead = (1,)
else:
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig as Config
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy as Policy
    config = Config(input_features=inputs, output_features=outputs, device="cpu",
                    noise_scheduler_type="DDIM", num_inference_steps=10)
    lead = (1, 2)
policy = Policy(config).eval()
batch = {key: torch.rand(*lead, *value.shape) for key, value in inputs.items()}
def act():
    if name.startswith("act"):
        return policy.predict_action_chunk(dict(batch))
    return policy.diffusion.generate_actions(batch)
with torch.inference_mode():
    act()
    print("ready", sum(p.numel() for p in policy.parameters()), flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            act()
        print("done", flush=True)
"""


@dataclass(frozen=True)
class Subject:
    """One architecture.

    Attributes:
        name: of it.
        policy: ours.
        calls: how often it is run in a turn.
        exports: also through ONNX Runtime; a large network that stands in the export once for
            each sampling step takes the exporter minutes.
    """

    name: str
    policy: Callable[[], Policy]
    calls: int
    exports: bool = True


def act_policy(image: bool) -> Policy:
    """The paper's ACT with a chunk of 100."""
    columns = [ObservationSpec("state", (STATE,)), ObservationSpec("environment", (ENVIRONMENT,))]
    if image:
        columns.append(ObservationSpec("front", IMAGE, is_image=True))
    spec = PolicySpec(tuple(columns), ACTIONS, action_steps=100, executed_steps=100)
    return make_policy("act", spec, None, family_named("act").reference).eval()


def diffusion_policy() -> Policy:
    """LeRobot's default diffusion U-Net, ten DDIM steps."""
    columns = (ObservationSpec("state", (STATE,)), ObservationSpec("environment", (ENVIRONMENT,)))
    spec = PolicySpec(
        columns,
        ACTIONS,
        observation_steps=2,
        action_steps=16,
        executed_steps=8,
        first_action_index=1,
    )
    overrides = {"channels": CHANNELS, "time_features": 128, "inference_steps": 10}
    return make_policy("diffusion", spec, None, overrides).eval()


SUBJECTS = (
    Subject("act", lambda: act_policy(image=False), 10),
    Subject("act_image", lambda: act_policy(image=True), 1),
    Subject("diffusion", diffusion_policy, 1, exports=False),
)


class Peer:
    """LeRobot in its own interpreter, which acts as often as it is told and then answers."""

    def __init__(self, python: str, name: str, threads: int) -> None:
        """Start it and wait until it is warm.

        Raises:
            RuntimeError: it did not start.
        """
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [python, "-c", PEER, name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        answer = self._answer("ready")
        self.parameters = int(answer.split()[1])

    def act(self, calls: int) -> None:
        """Run the policy `calls` times."""
        print(calls, file=self._process.stdin, flush=True)
        self._answer("done")

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _answer(self, wanted: str) -> str:
        lines = self._process.stdout
        for line in lines or ():
            if line.startswith(wanted):
                return line
        raise RuntimeError("the peer's interpreter ended; does it have lerobot 0.4.4?")


def measure(subject: Subject, threads: int, repetitions: int, python: str | None) -> list[Row]:
    """The figures of one architecture."""
    torch.set_num_threads(threads)
    policy = subject.policy()
    observation, noise = example_inputs(policy, 1)
    backends: dict[str, Backend] = {"PyTorch": EagerBackend(policy)}
    if subject.exports:
        backends["ONNX Runtime"] = OnnxBackend(
            policy, 1, threads, lambda path: export_onnx(policy, path)
        )

    def repeated(act: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(subject.calls):
                act()

        return run

    contestants: dict[str, Callable[[], object]] = {
        name: repeated(lambda backend=backend: backend.act(observation, noise))  # type: ignore[misc]
        for name, backend in backends.items()
    }
    peer = Peer(python, subject.name, threads) if python else None
    if peer is not None:
        contestants["LeRobot"] = lambda: peer.act(subject.calls)
    seconds = take_turns(contestants, repetitions)
    if peer is not None:
        peer.close()
    title = f"{subject.name}, {threads} thread{'s' if threads > 1 else ''}"
    rows = [
        Row(f"{title}: {name}", Spread.of([1e3 * s / subject.calls for s in found]), "ms a chunk")
        for name, found in seconds.items()
    ]
    if peer is not None:
        ours = sum(p.numel() for p in policy.parameters())
        rows.append(Row(f"{title}: parameters, ours", Spread.of([ours / 1e6]), "million"))
        rows.append(Row(f"{title}: LeRobot's", Spread.of([peer.parameters / 1e6]), "million"))
        names = list(backends)
        for name in names:
            figure = ratio(seconds["LeRobot"], seconds[name])
            rows.append(Row(f"{title}: rate of {name} / LeRobot's", figure, "x"))
        best = min(names, key=lambda name: Spread.of(seconds[name]).median)
        figure = ratio(seconds["LeRobot"], seconds[best])
        rows.append(Row(f"{title}: what serving takes / LeRobot's", figure, "x", ">= 1.5"))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", default=[subject.name for subject in SUBJECTS])
    arguments = parser.parse_args()
    python = os.environ.get(PEER_VARIABLE)
    if python and not Path(python).exists():
        parser.error(f"{PEER_VARIABLE}: there is no {python}")
    rows = [
        row
        for subject in SUBJECTS
        if subject.name in arguments.only
        for threads in arguments.threads
        for row in measure(subject, threads, arguments.repetitions, python)
    ]
    report("policy_inference", rows, {"peer": "lerobot 0.4.4" if python else "none"})


if __name__ == "__main__":
    main()
