"""What policies make of episodes that were left out."""

import numpy as np
from gymnasium import spaces

from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import Episode, EpisodeHeader
from robot_learning.learning.imitation.fitting import policy_spec
from robot_learning.learning.imitation.spaces import ActionLayout, ObservationLayout
from robot_learning.learning.imitation.unseen import unseen_figures

ACTIONS = ActionLayout(spaces.Box(-1, 1, (1,)))
LAYOUT = ObservationLayout(spaces.Box(-9, 9, (1,)))


def episode(number: int, begin: float, label: float) -> Episode:
    rows = np.linspace(begin, begin + 0.5, 20, dtype=np.float32)[:, None]
    everything = np.ones(20, np.bool_)
    return Episode(
        EpisodeHeader(number, 0),
        observation=rows,
        label=np.full((20, 1), label, np.float32),
        action=np.full((20, 1), label, np.float32),
        labelled=everything,
        expert_drove=everything,
        disagreement=np.full(20, np.nan, np.float32),
    )


def test_disagreement_and_discrepancy_are_those_of_what_was_left_out(
    quick: ImitationConfig,
) -> None:
    """The first episode of five lies elsewhere, and its labels are others."""
    config = quick.with_values({"fit.steps": 400})
    spec = policy_spec(config, LAYOUT.leaves, ACTIONS)

    def figures(odd: float) -> tuple[float, float]:
        episodes = [episode(0, 5.0 * odd, 0.5 * odd), *(episode(k, 0.0, 0.0) for k in range(1, 5))]
        disagreements, discrepancies = unseen_figures(
            episodes, config, spec, leaves=LAYOUT.leaves, actions=ACTIONS, seeds=[1, 2, 3]
        )
        assert disagreements.shape == discrepancies.shape == (20,)
        return float(disagreements.mean()), float(discrepancies.mean())

    disagreement, discrepancy = figures(odd=1.0)
    known_disagreement, known_discrepancy = figures(odd=0.0)
    assert disagreement > 10 * known_disagreement
    assert discrepancy > 10 * known_discrepancy
    assert known_discrepancy < 0.01
