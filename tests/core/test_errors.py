import pytest

from robot_learning.core import errors
from robot_learning.core.errors import RobotLearningError, unknown_choice


def test_a_near_miss_is_suggested_and_all_choices_are_listed() -> None:
    text = unknown_choice("task", "lft", ["reach", "lift"])
    assert text == "unknown task 'lft'; did you mean 'lift'? Valid: lift, reach"


def test_a_far_miss_gets_the_list_only() -> None:
    assert unknown_choice("task", "zzz", ["lift"]) == "unknown task 'zzz'; valid: lift"


def test_a_beginning_that_all_share_makes_none_of_them_near() -> None:
    valid = ["optimizer.betas", "optimizer.learning_rate"]
    assert unknown_choice("setting", "optimizer.lr", valid) == (
        "unknown setting 'optimizer.lr'; valid: optimizer.betas, optimizer.learning_rate"
    )
    near = unknown_choice("setting", "optimizer.beta", valid)
    assert "did you mean 'optimizer.betas'? Valid: optimizer.betas, " in near


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("steps", "did you mean 'ppo.steps' or 'fit.steps'? Valid: fit, ppo, sed"),
        ("fit.steps", "did you mean 'ppo.steps' or 'fit.steps'?"),
        ("seed", "did you mean 'sed'?"),
        ("learning_rte", "did you mean 'fit.learning_rate'?"),
        ("zzz", "valid: fit, ppo, sed"),
    ],
)
def test_what_lies_deeper_is_suggested_with_its_full_name(given: str, meant: str) -> None:
    near = ["ppo.steps", "fit.steps", "fit.learning_rate"]
    assert f"'{given}'; {meant}" in unknown_choice("setting", given, ["fit", "ppo", "sed"], near)


def test_no_choice_at_all_is_said() -> None:
    assert unknown_choice("robot", "x", []).endswith("valid: (none)")


@pytest.mark.parametrize(
    "name",
    [
        "ConfigurationError",
        "ProfileError",
        "CommandError",
        "RobotConnectionError",
        "DependencyError",
    ],
)
def test_every_error_is_caught_as_one_of_ours(name: str) -> None:
    assert issubclass(getattr(errors, name), RobotLearningError)
