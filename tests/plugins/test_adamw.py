"""The networks' optimiser takes torch's own steps."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch
from automl.plugins.tabular.adamw import AdamW, Group

SHAPES = ((5,), (5, 7), (2, 7), (7, 7), (2, 7, 3))


def arrays() -> list[torch.Tensor]:
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.normal(size=shape).astype(np.float32)).requires_grad_() for shape in SHAPES]


def gradients(trained: list[torch.Tensor], step: int) -> None:
    """The same for equal arrays; the first has none at every third step."""
    for number, array in enumerate(trained):
        array.grad = None if number == 0 and step % 3 == 0 else torch.sin(array.detach() * (step + 1))


def test_each_step_is_that_of_torch_for_every_array_at_its_own_rate_and_decay() -> None:
    ours, theirs = arrays(), arrays()
    factors, decays = [1.0, 0.5, 0.1, 2.0, 1.0], [0.0, 0.1, 0.0, 0.3, 0.01]
    own = AdamW([Group(*of) for of in zip(ours, factors, decays, strict=True)], (0.9, 0.95))
    groups = [{"params": [array], "weight_decay": decay} for array, decay in zip(theirs, decays, strict=True)]
    other = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.95))
    for step in range(1, 40, 3):  # all arrays have their gradients: torch counts the steps of each by itself
        gradients(ours, step)
        gradients(theirs, step)
        own.rate = 0.01 * (1 + step % 4)
        for group, factor in zip(other.param_groups, factors, strict=True):
            group["lr"] = own.rate * factor
        own.step()
        other.step()
    for one, same in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, same, rtol=1e-5, atol=1e-6)


def test_an_array_without_a_gradient_stays_and_gradients_are_forgotten() -> None:
    trained = arrays()
    before = [array.detach().clone() for array in trained]
    optimiser = AdamW([Group(array, 1.0, 0.0) for array in trained], (0.9, 0.95))
    optimiser.rate = 0.1
    gradients(trained, 0)
    optimiser.step()
    assert torch.equal(trained[0], before[0])
    assert not torch.equal(trained[1], before[1])
    assert all(array.grad is None for array in trained)


def test_training_a_network_does_not_import_the_compiler_of_torch() -> None:
    """It takes two seconds, longer than most networks of little data train."""
    script = """
import sys
import numpy as np
import pandas as pd
from automl import AutoML
x = np.linspace(0.0, 1.0, 60)
model = AutoML(n_trials=1, models=["real-mlp"], executor="inline", verbose=0)
model.fit(pd.DataFrame({"x": x, "y": x**2}), target="y")
assert "real-mlp" in set(model.leaderboard().query("state == 'ok'")["model"])
assert "torch" in sys.modules
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
