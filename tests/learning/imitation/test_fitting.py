import numpy as np
import pytest

from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import Episode, EpisodeHeader, Rows
from robot_learning.learning.imitation.fitting import make_samples
from robot_learning.learning.training.errors import TrainingError

NAN = np.nan


def episode(number: int, labels: list[float], drove: list[int]) -> Episode:
    label = np.array(labels, np.float32)[:, None]
    rows = len(labels)
    return Episode(
        EpisodeHeader(number, 1),
        observation=np.arange(rows, dtype=np.float32)[:, None] + 10 * number,
        label=label,
        action=np.full((rows, 1), 7.0, np.float32),
        labelled=np.array(drove, bool) & ~np.isnan(label[:, 0]),
        expert_drove=np.array(drove, bool),
        disagreement=np.full(rows, NAN, np.float32),
    )


@pytest.fixture
def rows() -> Rows:
    found = Rows.of(
        [episode(0, [1, 2, NAN, NAN, 5], [1, 1, 0, 0, 1]), episode(1, [NAN, NAN, 8], [0, 0, 1])]
    )
    assert found is not None
    return found


def config(**overrides: object) -> ImitationConfig:
    return ImitationConfig().with_values({"gate.kind": "human", **overrides})


def test_only_labelled_rows_are_trained_on(rows: Rows) -> None:
    samples = make_samples(rows, config())
    assert samples.row.tolist() == [0, 1, 4, 7]
    assert samples.target[samples.row, 0].tolist() == [1, 2, 5, 8]
    assert not samples.chunk_is_pad.any()


def test_chunks_stop_at_the_episode_and_skip_what_has_no_label(rows: Rows) -> None:
    samples = make_samples(rows, config(action_steps=3, executed_steps=3))
    assert samples.chunk_is_pad.tolist() == [
        [False, False, True],
        [False, True, True],
        [False, True, True],
        [False, True, True],
    ]
    assert samples.chunk[:2].tolist() == [[0, 1, 2], [1, 2, 3]]
    assert samples.chunk.max() == 7


def test_histories_repeat_the_first_row(rows: Rows) -> None:
    samples = make_samples(rows, config(observation_steps=3))
    assert samples.history.tolist() == [[0, 0, 0], [0, 0, 1], [2, 3, 4], [5, 6, 7]]
    assert samples.history_is_pad[:2].tolist() == [[True, True, False], [True, False, False]]


def test_the_policys_rows_may_be_trained_on_but_for_those_before_a_takeover(rows: Rows) -> None:
    samples = make_samples(rows, config(**{"fit.policy_rows": True}))
    assert samples.row.tolist() == list(range(8))
    assert samples.target[[2, 3, 5], 0].tolist() == [7, 7, 7]
    samples = make_samples(rows, config(**{"fit.policy_rows": True, "fit.drop_before_takeover": 1}))
    assert samples.row.tolist() == [0, 1, 2, 4, 5, 7]


def test_interventions_may_weigh_as_much_as_the_rest(rows: Rows) -> None:
    samples = make_samples(
        rows, config(**{"fit.policy_rows": True, "fit.intervention_weight": "equal"})
    )
    assert samples.weight is not None
    drove = rows.expert_drove[samples.row]
    assert float(samples.weight[drove].sum()) == pytest.approx(float(samples.weight[~drove].sum()))


def test_no_label_at_all_is_an_error() -> None:
    rows = Rows.of([episode(0, [NAN, NAN], [0, 0])])
    assert rows is not None
    with pytest.raises(TrainingError, match="no labelled row"):
        make_samples(rows, config())
