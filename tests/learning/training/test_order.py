import torch

from robot_learning.learning.training.order import SampleOrder


def test_every_epoch_has_every_sample_once_across_batches() -> None:
    order = SampleOrder(10, 4, seed=3)
    drawn = torch.cat([order.batch(step) for step in range(5)])
    for epoch in range(2):
        assert sorted(drawn[10 * epoch : 10 * epoch + 10].tolist()) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_a_batch_depends_on_its_step_alone() -> None:
    forward, direct = SampleOrder(10, 4, seed=3), SampleOrder(10, 4, seed=3)
    all_batches = [forward.batch(step) for step in range(9)]
    assert torch.equal(direct.batch(8), all_batches[8])
    assert torch.equal(direct.batch(1), all_batches[1])
    other = SampleOrder(10, 4, seed=4)
    assert any(not torch.equal(other.batch(step), all_batches[step]) for step in range(3))


def test_a_batch_larger_than_the_data_repeats_them() -> None:
    drawn = SampleOrder(3, 8, seed=0).batch(0)
    assert torch.bincount(drawn).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
