"""A run that goes on with another policy has its settings checked for that one."""

from __future__ import annotations

from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.learning.interactive.round_folders import checkpoint_digest
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.rounds import DaggerRun, Phase, Round, load_run, save_run


def test_settings_of_before_that_the_new_policy_lacks_are_told_before_anything_is_recorded(
    stepped_dagger, checkpoint, tmp_path
):
    def told(**given):
        """What ends the start, in one line."""
        one = stepped_dagger(policy="gmm", rounds=1, episodes_per_round=1, **given)
        assert one.run() != 0
        (line,) = one.graph.error.splitlines()
        return line

    # A new run is refused, and leaves the dataset behind.
    assert "unknown option 'kl_weight'" in told(
        settings="policy.kl_weight=5", checkpoint=checkpoint
    )
    training = RoundSettings(policy="act", settings={"policy": {"kl_weight": 5.0}})
    place, dataset = str(checkpoint), tmp_path / "set"
    first = Round(1, Phase.COLLECTING, place, checkpoint_digest(place))
    save_run(tmp_path / "run", DaggerRun(str(dataset), 50.0, training, rounds=(first,)))
    assert "unknown option 'kl_weight'" in told(resume="true")
    assert not DatasetFolder(dataset).episode_names()
    assert load_run(tmp_path / "run").training.policy == "act", "it may go on as it was"
