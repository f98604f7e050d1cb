"""A neural network for tables: a plain PyTorch loop to learn, numpy to predict.

The choices follow RealMLP-TD-S (Holzmüller, Grinsztajn, Steinwart, 2024): scaled and bent inputs, a learnt factor per
column, the NTK parametrisation, Adam with a learning rate that falls and rises in four cycles, the best epoch kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.contract import AnyArray, Batch, Estimate, Facts, FitContext, FitInfo, FloatArray, Resources

from .base import RowModel
from .network import first_weights, forward
from .watch import Watch

_MOST_STEPS = 3000
_CYCLES = 4
_SCALE_RATE, _BIAS_RATE = 6.0, 0.1
_BETAS = (0.9, 0.95)
_PATIENT_SHARE = 0.5
_SECONDS_PER_STEP = 1.7e-3


class TorchMLP(RowModel):
    """Fully connected layers on one-hot, target-mean and scaled columns."""

    name = "torch-mlp"
    view = "matrix"
    encoders = ("one-hot", "target-mean", "scaled-numeric", "datetime-parts", "text-scores")
    requires = ("torch",)
    extra = "torch"
    handles_weight = True
    truncatable = True

    weights: list[AnyArray]
    low: float
    high: float
    _exact: list[FloatArray] | None = None

    def learn(self, train: Batch, valid: Batch | None, ctx: FitContext) -> FitInfo | None:
        """Train until the epochs, patience or time run out, and keep the best epoch."""
        y = np.asarray(train.y)
        self.low, self.high = float(y.min()), float(y.max())
        self._exact = None
        watch = Watch(ctx, _PATIENT_SHARE * self.params["epochs"])
        self.weights = self._train(train, valid, ctx, watch)
        return FitInfo(watch.best_step, {"stop_epoch": watch.best_step}, {"truncated": watch.truncated})

    def raw(self, X: Any) -> AnyArray:
        """The network in numpy; real values stay within those of training."""
        if self._exact is None:
            self._exact = [w.astype(np.float64) for w in self.weights]
        out = forward(self._exact, self.params["activation"], X)
        if not self.classifies:
            return np.clip(out[:, 0], self.low, self.high)
        out -= out.max(axis=1, keepdims=True)
        np.exp(out, out=out)
        return np.asarray(out / out.sum(axis=1, keepdims=True))

    def _train(self, train: Batch, valid: Batch | None, ctx: FitContext, watch: Watch) -> list[AnyArray]:
        """The weights of the best epoch."""
        import torch

        torch.set_num_threads(ctx.threads)
        run = _Run(self.params, self.classifies, ctx, train, valid, len(self.seen))
        best, begun = run.snapshot(), time.monotonic()
        with torch.enable_grad():
            for epoch in range(1, run.epochs + 1):
                finished = run.epoch(epoch, begun)
                loss = run.loss_of(valid)
                ended = watch.ends(epoch, loss if math.isfinite(loss) else math.inf) if valid else watch.ends(epoch)
                if run.finite() and (watch.improved(epoch) or epoch == 1):
                    best = run.snapshot()
                if ended or not finished or epoch == self.params.get("stop_epoch") or not run.finite():
                    watch.truncated |= not finished
                    break
        return best

    @classmethod
    def resources(cls, facts: Facts, params: Mapping[str, Any]) -> Sequence[Resources]:
        """Half a graphics card when there is one, else a thread."""
        return (Resources(cpus=1, gpus=0.5), Resources())

    @classmethod
    def estimate(cls, facts: Facts, params: Mapping[str, Any]) -> Estimate:
        """Steps x layers x the cost of one 256 x 256 layer on a batch of 256."""
        per_epoch = math.ceil(facts.n_rows / _batch_size(facts.n_rows))
        steps = _epochs(params.get("epochs", 64), per_epoch) * per_epoch
        inputs = facts.n_features + 5 * facts.n_categories
        width, layers = params.get("width", 256), params.get("layers", 3)
        size = (inputs + width * (layers - 1)) * width / 131_072 * _batch_size(facts.n_rows) / 256
        return Estimate(
            0.3 + steps * (6e-4 + _SECONDS_PER_STEP * size), memory=200_000_000 + 12 * facts.n_rows * inputs
        )


class _Run:
    """One training run: tensors, optimiser and schedule."""

    def __init__(
        self,
        params: Mapping[str, Any],
        classifies: bool,
        ctx: FitContext,
        train: Batch,
        valid: Batch | None,
        n_classes: int,
    ) -> None:
        import torch

        self.params, self.classifies, self.ctx = params, classifies, ctx
        self.X, self.y, self.weight = self._tensors(train)
        self.held = None if valid is None else self._tensors(valid)
        self.size = _batch_size(len(self.X))
        self.per_epoch = math.ceil(len(self.X) / self.size)
        self.epochs = _epochs(params["epochs"], self.per_epoch)
        hidden = [params["width"]] * params["layers"]
        start = first_weights(self.X.shape[1], hidden, n_classes if classifies else 1, ctx.seed)
        self.weights = [torch.from_numpy(w).to(ctx.device).requires_grad_() for w in start]
        self.optimiser = torch.optim.Adam(self._groups(), betas=_BETAS, fused=True)
        self.rng = np.random.default_rng(ctx.seed)
        self.noise = torch.Generator(device=ctx.device).manual_seed(ctx.seed)

    def epoch(self, number: int, begun: float) -> bool:
        """One pass over the rows; False when time ran out in it."""
        import torch

        order = torch.from_numpy(self.rng.permutation(len(self.X))).to(self.ctx.device)
        for step in range(self.per_epoch):
            done = (number - 1 + step / self.per_epoch) / self.epochs
            self._set_rate(max(done, _share_of_time(begun, self.ctx)))
            rows = order[step * self.size : (step + 1) * self.size]
            weight = None if self.weight is None else self.weight[rows]
            loss = self._loss(self._forward(self.X[rows], True), self.y[rows], weight)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            if self.ctx.time_left() <= 0:
                return False
        return True

    def loss_of(self, valid: Batch | None) -> float:
        """Mean loss of the validation rows."""
        import torch

        if self.held is None:
            return math.nan
        X, y, weight = self.held
        with torch.no_grad():
            return float(self._loss(self._forward(X, False), y, weight))

    def snapshot(self) -> list[AnyArray]:
        """The weights as they are now."""
        return [w.detach().cpu().numpy().copy() for w in self.weights]

    def finite(self) -> bool:
        """Has training not diverged?"""
        return all(bool(w.detach().isfinite().all()) for w in self.weights)

    def _tensors(self, batch: Batch) -> tuple[Any, Any, Any]:
        import torch

        kind = np.int64 if self.classifies else np.float32
        X = torch.tensor(np.asarray(batch.X, dtype=np.float32), device=self.ctx.device)
        y = torch.tensor(np.asarray(batch.y, dtype=kind), device=self.ctx.device)
        weight = batch.weight
        return X, y, None if weight is None else torch.tensor(weight, dtype=torch.float32, device=self.ctx.device)

    def _groups(self) -> list[dict[str, Any]]:
        """Parameter groups with their own factor of the learning rate; only W decays."""
        W, b = self.weights[1::2], self.weights[2::2]
        return [
            {"params": self.weights[:1], "factor": _SCALE_RATE, "decays": False},
            {"params": W, "factor": 1.0, "decays": True},
            {"params": b, "factor": _BIAS_RATE, "decays": False},
        ]

    def _set_rate(self, share: float) -> None:
        """Four falling cycles over the run; decoupled weight decay rides on the rate."""
        import torch

        rate = (
            self.params["learning_rate"] * 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + (2**_CYCLES - 1) * share)))
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
            if group["decays"] and self.params["weight_decay"] > 0:
                with torch.no_grad():
                    for w in group["params"]:
                        w.mul_(1 - rate * self.params["weight_decay"])

    def _forward(self, X: Any, training: bool) -> Any:
        import torch
        from torch.nn import functional

        act = getattr(functional, self.params["activation"])
        hidden, dropout = X * self.weights[0], self.params["dropout"]
        for position in range(1, len(self.weights), 2):
            W = self.weights[position]
            hidden = torch.addmm(self.weights[position + 1], hidden, W, alpha=W.shape[0] ** -0.5)
            if position == len(self.weights) - 2:
                return hidden
            hidden = act(hidden)
            if training and dropout > 0:
                hidden = hidden * self._mask(hidden, dropout)
        return hidden

    def _mask(self, like: Any, dropout: float) -> Any:
        import torch

        draw = torch.rand(like.shape, generator=self.noise, device=like.device)
        return (draw >= dropout).to(like.dtype) / (1 - dropout)

    def _loss(self, out: Any, y: Any, weight: Any) -> Any:
        from torch.nn import functional

        if self.classifies:
            losses = functional.cross_entropy(out, y, reduction="none")
        else:
            losses = (out[:, 0] - y) ** 2
        return losses.mean() if weight is None else (losses * weight).mean()


def _batch_size(n_rows: int) -> int:
    """Rows of one step."""
    if n_rows < 1000:
        return 64 if n_rows < 500 else 128
    return 256 if n_rows < 32_000 else 512 if n_rows < 108_000 else 1024


def _epochs(wanted: int, steps_per_epoch: int) -> int:
    """Fewer epochs for many rows."""
    return max(1, min(wanted, _MOST_STEPS // max(1, steps_per_epoch)))


def _share_of_time(begun: float, ctx: FitContext) -> float:
    """How much of the fit's time is gone, 0 to 1, so that the schedule ends when the time does."""
    if math.isinf(ctx.deadline):
        return 0.0
    return min(1.0, (time.monotonic() - begun) / max(ctx.deadline - begun, 1e-9))
