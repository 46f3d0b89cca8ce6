"""The numbers that dropout draws."""

import torch

from robot_learning.learning.training.random_numbers import seed_dropout


def test_dropout_draws_as_after_seeding_everything() -> None:
    ones = torch.ones(64, 32)
    torch.manual_seed(7)
    expected = torch.nn.functional.dropout(ones, 0.5)
    seed_dropout(torch.device("cpu"), 7)
    assert torch.equal(torch.nn.functional.dropout(ones, 0.5), expected)
    assert not torch.equal(torch.nn.functional.dropout(ones, 0.5), expected)
