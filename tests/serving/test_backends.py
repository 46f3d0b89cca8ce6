"""Backends compute the same, or are not used; the choice is by measurement and reported."""

import numpy as np
import pytest
import torch
from steering_policy import steering_policy, steering_spec

from robot_learning.core.errors import ConfigurationError
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.policies.statistics import MeasuredStatistics
from robot_learning.serving import backend_probe
from robot_learning.serving.backend_probe import BACKENDS, choose_backend
from robot_learning.serving.backends import (
    CompiledBackend,
    EagerBackend,
    OnnxBackend,
    example_inputs,
)
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.devices import choose_device
from robot_learning.serving.local_policy import LocalPolicy
from robot_learning.serving.observation_history import Window
from robot_learning.serving.onnx_export import export_beside, export_onnx

SMALL = {
    "deterministic": {"hidden": [16]},
    "flow": {"channels": [16, 32], "inference_steps": 2},
    "act": {"width": 32, "hidden": 64},
}


def spec(family):
    return PolicySpec(
        (ObservationSpec("obs/joint_position", (3,)), ObservationSpec("obs/cube", (7,))),
        3,
        observation_steps=1 if family == "act" else 2,
        action_steps=8,
        executed_steps=4,
        first_action_index=1 if family == "flow" else 0,
    )


def policy(family, seed=0):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sizes = {"obs/joint_position": 3, "obs/cube": 7, "action": 3}
    statistics = {
        key: MeasuredStatistics.of(rng.normal(size=(50, size))) for key, size in sizes.items()
    }
    return make_policy(family, spec(family), statistics, SMALL[family]).eval()


@pytest.mark.parametrize("family", SMALL)
def test_onnx_runtime_computes_what_pytorch_does_in_smaller_batches_too(family):
    one = policy(family)
    onnx = OnnxBackend(one, 2, 1, lambda path: export_onnx(one, path, batch=2))
    eager = EagerBackend(one)
    for batch in (1, 2):
        observation, noise = example_inputs(one, batch, seed=batch)
        expected = eager.act(observation, noise)
        found = onnx.act(observation, noise)
        assert found.shape == (batch, 8, 3)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_smaller_batches_are_not_compiled_anew(monkeypatch):
    one, compiled, compile_with = policy("deterministic"), [], torch.compile

    def count(graph, _inputs):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(
        torch, "compile", lambda act, **how: compile_with(act, backend=count, **how)
    )
    backend, eager = CompiledBackend(one, 3), EagerBackend(one)
    for batch in (3, 1, 2):
        inputs = example_inputs(one, batch, seed=batch)
        np.testing.assert_allclose(backend.act(*inputs), eager.act(*inputs), atol=1e-5)
        assert len(compiled) == 1


def test_the_fastest_is_taken_and_every_one_reported(monkeypatch):
    monkeypatch.setattr(backend_probe, "EXPORT_FROM_S", 0.0)
    one = policy("deterministic")
    backend, report = choose_backend(one)
    tried = {candidate.name: candidate for candidate in report.candidates}
    assert set(tried) == set(BACKENDS) - {"auto"}
    assert "not tried" in tried["compiled"].remark
    fastest = min(("eager", "onnx"), key=lambda name: tried[name].median_s)
    assert backend.name == report.chosen == fastest
    assert str(report).startswith(f"{fastest}: eager ")


def test_a_backend_that_computes_something_else_is_refused(monkeypatch):
    one = policy("deterministic")

    class Wrong(OnnxBackend):
        def act(self, observation, noise):
            return super().act(observation, noise) + 0.01

    monkeypatch.setattr(backend_probe, "OnnxBackend", Wrong)
    monkeypatch.setattr(backend_probe, "EXPORT_FROM_S", 0.0)
    backend, report = choose_backend(one)
    assert backend.name == "eager"
    assert "refused: its actions differ from eager's" in str(report)
    with pytest.raises(ConfigurationError, match="backend 'onnx' cannot serve this policy"):
        choose_backend(one, "onnx")


def test_an_exporter_that_fails_costs_the_backend_only(monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(backend_probe, "OnnxBackend", broken)
    monkeypatch.setattr(backend_probe, "EXPORT_FROM_S", 0.0)
    backend, report = choose_backend(policy("deterministic"))
    assert backend.name == "eager" and "no such operator" in str(report)


def test_while_another_policy_drives_exporting_is_left_to_another_process(tmp_path):
    one = policy("deterministic")
    save_checkpoint(tmp_path / "one", one, CheckpointDetails())
    exports = lambda path: export_beside(tmp_path / "one", path)  # noqa: E731
    onnx, eager = OnnxBackend(one, 1, 1, exports), EagerBackend(one)
    inputs = example_inputs(one, 1)
    np.testing.assert_allclose(onnx.act(*inputs), eager.act(*inputs), atol=1e-5)
    with pytest.raises(ConfigurationError, match=r"the export failed: .*no checkpoint here"):
        export_beside(tmp_path / "two", tmp_path / "two.onnx")


def test_what_takes_minutes_to_export_is_only_exported_when_asked_for(monkeypatch):
    monkeypatch.setattr(backend_probe, "EXPORT_FROM_S", 0.0)
    monkeypatch.setattr(backend_probe, "COMPILE_FROM_S", 0.0)
    backend, report = choose_backend(policy("flow"), beside="nowhere")
    assert backend.name == "eager"
    remarks = [candidate.remark for candidate in report.candidates]
    assert remarks[1:] == [
        "not tried: another policy drives in the meantime",
        "not tried: its export takes minutes; ask for it",
    ]


def test_unknown_backends_and_devices_are_refused():
    with pytest.raises(ConfigurationError, match="did you mean 'onnx'"):
        choose_backend(policy("deterministic"), "onyx")
    with pytest.raises(ConfigurationError, match="unknown device 'gpu'"):
        choose_device("gpu")
    if not torch.backends.mps.is_available():
        with pytest.raises(ConfigurationError, match="device 'mps': PyTorch finds none here"):
            choose_device("mps")


def windows(one, count, seed=0):
    observation, _ = example_inputs(one, count, seed)
    return [
        Window(0, {key: values[index] for key, values in observation.items()})
        for index in range(count)
    ]


def test_equal_seeds_give_equal_chunks():
    one = policy("flow")
    asked = windows(one, 1)
    chunks = [LocalPolicy(one, seed=seed).infer(asked, [None]) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(chunks[0], chunks[1])
    assert np.abs(chunks[0] - chunks[2]).max() > 0.01


def test_arms_in_a_batch_get_what_each_gets_alone():
    specification = steering_spec(["pan", "lift"])
    one = LocalPolicy(steering_policy(specification, np.array([0.2, 0.4])))
    key = "obs/joint_position"
    asked = [Window(0, {key: np.full((1, 2), value, np.float32)}) for value in (0.0, 1.0, 2.0)]
    together = one.infer(asked, [None] * 3)
    alone = [one.infer([window], [None])[0] for window in asked]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_prefix_binds_the_arm_that_has_one_and_only_that():
    one = policy("flow")
    asked = windows(one, 2)
    free = LocalPolicy(one, seed=5).infer(asked, [None, None])
    target = free[0] + 0.5
    weights = np.array([1, 1, 1, 1, 0, 0, 0, 0], float)
    bound = LocalPolicy(one, seed=5).infer(asked, [ActionPrefix(target, weights), None])
    np.testing.assert_allclose(bound[1], free[1], atol=1e-6)
    before = np.abs(free[0] - target)[:4].mean()
    assert np.abs(bound[0] - target)[:4].mean() < 0.5 * before
