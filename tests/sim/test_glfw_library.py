"""Which GLFW library is loaded, and when that is left to GLFW itself."""

import ctypes

import pytest

from robot_learning.sim.glfw_library import name_glfw_library


def test_the_library_that_came_with_glfw_is_named() -> None:
    environment: dict[str, str] = {}
    name_glfw_library(environment)
    (library,) = environment.values()
    assert ctypes.CDLL(library).glfwGetVersionString


@pytest.mark.parametrize(
    "environment",
    [
        {"PYGLFW_LIBRARY": "/mine.so"},
        {"PYGLFW_LIBRARY_VARIANT": "wayland"},
        {"XDG_SESSION_TYPE": "wayland"},
    ],
)
def test_another_one_that_is_wanted_stays(environment: dict[str, str]) -> None:
    changed = dict(environment)
    name_glfw_library(changed)
    assert changed == environment
