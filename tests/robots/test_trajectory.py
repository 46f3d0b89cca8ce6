import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robot_learning.robots.trajectory import TrajectoryFollower


def follower(start=(0.0, 1.0)):
    return TrajectoryFollower(np.array(start))


def test_it_holds_where_it_starts():
    np.testing.assert_array_equal(follower().target(123.0), [0.0, 1.0])


def test_a_time_of_zero_means_at_once():
    one = follower()
    one.accept(np.array([0.0]), np.array([[2.0, 3.0]]), now_s=5.0)
    np.testing.assert_array_equal(one.target(5.0), [2.0, 3.0])


def test_it_moves_linearly_from_where_it_is_to_each_point_and_stays_at_the_last():
    one = follower()
    one.accept(np.array([1.0, 3.0]), np.array([[1.0, 1.0], [1.0, 5.0]]), now_s=10.0)
    targets = [one.target(10.0 + time_s).tolist() for time_s in (0.0, 0.5, 1.0, 2.0, 3.0, 9.0)]
    assert targets == [[0, 1], [0.5, 1], [1, 1], [1, 3], [1, 5], [1, 5]]


def test_a_new_trajectory_begins_where_the_old_one_is():
    one = follower()
    one.accept(np.array([1.0]), np.array([[1.0, 1.0]]), now_s=0.0)
    one.accept(np.array([1.0]), np.array([[0.0, 1.0]]), now_s=0.5)
    assert one.target(0.5)[0] == 0.5
    assert one.target(1.0)[0] == 0.25
    assert one.target(1.5)[0] == 0.0


def test_what_it_returns_is_not_its_own_memory():
    one = follower()
    one.target(0.0)[:] = 9.0
    np.testing.assert_array_equal(one.target(0.0), [0.0, 1.0])


@given(
    times=st.lists(st.floats(0.01, 10.0), min_size=1, max_size=5, unique=True),
    values=st.lists(st.floats(-3.0, 3.0), min_size=5, max_size=5),
    now_s=st.floats(0.0, 20.0),
)
def test_the_target_never_leaves_the_span_of_its_points(times, values, now_s):
    one = follower((0.5,))
    points = np.array(values[: len(times)])[:, None]
    one.accept(np.sort(times), points, now_s=2.0)
    low, high = min(0.5, points.min()), max(0.5, points.max())
    assert low - 1e-9 <= one.target(now_s)[0] <= high + 1e-9
