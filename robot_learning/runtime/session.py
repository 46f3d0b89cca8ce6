"""One loop over a robot, its command sources and its arbiter, in lockstep.

It does what the nodes do over topics, without topics: in each control period the robot is
observed, the sources are polled, the arbiter decides, the robot is commanded, and time moves on.
The robot's simulated time is the only clock, so that a run is as fast as the machine allows and
repeats bit for bit from its seeds. Recorders and viewers subscribe to it.

    with MujocoRobot(profile, task) as robot:
        session = Session(robot, Arbiter(arbiter_settings(profile)), policy=policy)
        session.reset(seed=7, requests=(Request.ENABLE, Request.HAND_BACK))
        solved = session.run(400, until=robot.success)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured
from robot_learning.control.requests import Request
from robot_learning.control.state import ArbiterState, Decision, Demonstration, Inputs
from robot_learning.core.clocks import Instant
from robot_learning.core.profile import RobotProfile
from robot_learning.core.turns import TurnCounter
from robot_learning.core.types import Command, Observation
from robot_learning.runtime.source import SILENT, CommandSource


class LockstepRobot(Protocol):
    """A connected robot whose time passes only in `advance`; `MujocoRobot` is one."""

    profile: RobotProfile

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> int:
        """Begin an episode; returns the seed that was used."""
        ...

    def observe(self) -> Observation:
        """The robot now; the stamp is the session's time."""
        ...

    def apply(self, command: Command) -> Command:
        """Command it; returns what it took."""
        ...

    def advance(self) -> None:
        """Let one control period pass."""
        ...


class Subscriber:
    """Is notified of everything that happens in a session. Override what is of interest."""

    def on_reset(self, seed: int) -> None:
        """An episode begins."""

    def on_step(self, observation: Observation, decision: Decision) -> None:
        """The robot was seen and the arbiter decided, both at `observation.stamp_ns`."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One control period: the observation, the decision, and the command that the robot took.

    `taken` is None while the arbiter commands nothing.
    """

    observation: Observation
    decision: Decision
    taken: Command | None


class Session:
    """Runs episodes, one after the other. One thread.

    Attributes:
        robot: connected robot that is observed and commanded.
        arbiter: decides once in each control period who drives.
        seed: seed of the running episode.
        episode: number of the running episode, from 0; -1 before the first reset.
        state: state of the arbiter after the newest step.
        last: newest step; None right after a reset.
    """

    def __init__(
        self,
        robot: LockstepRobot,
        arbiter: Arbiter,
        *,
        human: CommandSource | None = None,
        policy: CommandSource | None = None,
        subscribers: Iterable[Subscriber] = (),
    ) -> None:
        self.robot = robot
        self.arbiter = arbiter
        self.seed = 0
        self.episode = -1
        self.state = ArbiterState()
        self.last: Step | None = None
        self._human, self._policy = human, policy
        self._subscribers = list(subscribers)
        self._requests: list[Request] = []
        self._demonstration: Demonstration | None = None
        self._turns = TurnCounter(arbiter.settings.turns)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Notify `subscriber` of everything from now on."""
        self._subscribers.append(subscriber)

    def reset(
        self,
        seed: int | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        requests: Iterable[Request] = (Request.ENABLE,),
        demonstration: Demonstration | None = None,
    ) -> int:
        """Begin an episode with a fresh arbiter; returns the seed that was used.

        Args:
            seed: seed of the robot's reset and of the sources; None takes the robot's next one.
            options: options of the robot's reset, such as poses of objects; None for none.
            requests: requests to the arbiter, answered in the first step. After ENABLE the human's
                source drives as soon as it sends; a policy needs HAND_BACK too, and drives if it
                sends at once.
            demonstration: DART noise on the human's commands in this episode; None for none.

        Raises:
            ConfigurationError: the options are wrong; the previous episode continues.
        """
        self.seed = self.robot.reset(seed, options)
        self.episode += 1
        self.state, self.last = ArbiterState(), None
        self._turns.restart()
        self._requests = list(requests)
        self._demonstration = demonstration
        for source in (self._human, self._policy):
            if source is not None:
                source.reset(self.seed)
        for subscriber in self._subscribers:
            subscriber.on_reset(self.seed)
        return self.seed

    def ask(self, *requests: Request) -> None:
        """Ask the arbiter for something; the next step's decision has the responses."""
        self._requests += requests

    def step(self) -> Step:
        """One control period.

        Raises:
            RobotLearningError: the robot or a subscriber cannot go on.
        """
        observation = self.robot.observe()
        reading, now_ns = observation.joint_position, observation.stamp_ns
        position = self._turns.take(reading)
        if position is not reading:
            observation = replace(observation, joint_position=position)
        before = self.last.decision if self.last else None
        human = self._human.poll(observation, before) if self._human else SILENT
        policy = self._policy.poll(observation, before) if self._policy else SILENT
        inputs = Inputs(
            human=human.commands,
            policy=policy.commands,
            measured=Measured(now_ns, now_ns, reading),
            requests=(*self._requests, *human.requests, *policy.requests),
            demonstration=self._demonstration,
        )
        self._requests = []
        self.state, decision = self.arbiter.step(self.state, inputs, Instant.lockstep(now_ns))
        taken = None
        if decision.publish:
            taken = self.robot.apply(Command(now_ns, decision.sent))
        for subscriber in self._subscribers:
            subscriber.on_step(observation, decision)
        self.robot.advance()
        self.last = Step(observation, decision, taken)
        return self.last

    def run(self, steps: int, until: Callable[[], bool] | None = None) -> bool:
        """Run at most `steps` periods; returns whether `until` came true.

        The subscribers see the state in which it came true as well: one more step is taken from it.
        """
        for _ in range(steps):
            reached = until is not None and until()
            self.step()
            if reached:
                return True
        return False
