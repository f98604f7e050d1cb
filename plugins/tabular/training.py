"""One lean loop in torch that trains small networks, on a CPU thread or a GPU.

The learning rate falls from its height to nothing in cycles, each twice as long as the one before. After each, the
network is as good as one that was trained for so long in one cycle, so training may stop there: validation rows choose
among few ends, and little data or much noise costs a short training only.

symbol    meaning
n         training rows
k         members of the network
g         groups of rows that share which units are dropped
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.contract import AnyArray, FitContext, FloatArray, Matrix

from .adamw import AdamW, Group
from .inputs import Inputs

_FIRST_EPOCHS, _LEAST_CYCLES = 2, 3
_STEPS = 3000
_ALONE_SHARE = 0.5
_BETAS = (0.9, 0.95)
_FRONT_RATE, _CONSTANT_RATE, _SIGN_RATE = 6.0, 0.1, 1.0
_GROUPS = 8
_VALIDATED_ROWS = 4096
_RESERVE = 0.02


@dataclass(frozen=True)
class Rows:
    """Encoded rows: X (n, d), y codes or values, weight (n,) or None."""

    X: Matrix
    y: AnyArray
    weight: FloatArray | None


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Attributes:
        weights: as `network.py` lists them, without `front`.
        epochs: after which these were the weights.
        truncated: time ended training, or made it shorter.
    """

    weights: dict[str, AnyArray]
    epochs: int
    truncated: bool


def cycles(epochs: int) -> list[int]:
    """Lengths of cycles that are `epochs` together: 2, 4, 8 … and a last one that takes the rest."""
    lengths, length = [], _FIRST_EPOCHS
    while epochs > 0:
        lengths.append(length if epochs >= 3 * length else epochs)
        epochs -= lengths[-1]
        length *= 2
    return lengths


def batch_size(n_rows: int) -> int:
    """Rows of one step: a multiple of 8 where there are 8."""
    wanted = 64 if n_rows < 500 else 128 if n_rows < 1000 else 256 if n_rows < 32_000 else 512
    wanted = 1024 if n_rows >= 108_000 else wanted
    return wanted if n_rows >= wanted else n_rows // 8 * 8 or n_rows


def most_epochs(params: Mapping[str, Any], n_rows: int) -> int:
    """Those wanted, or fewer for many rows: what so many steps are."""
    steps = params.get("steps", _STEPS)
    return max(1, min(int(params["epochs"]), int(steps) // max(1, n_rows // batch_size(n_rows))))


def train(
    weights: Mapping[str, AnyArray],
    inputs: Inputs,
    params: Mapping[str, Any],
    classifies: bool,
    rows: Rows,
    held: Rows | None,
    ctx: FitContext,
) -> Trained:
    """Train from these first weights; with `held` rows until a cycle no longer helps, and keep the best cycle's end."""
    import torch

    torch.set_num_threads(ctx.threads)
    with torch.enable_grad():
        return _Run(weights, inputs, params, classifies, rows, held, ctx).train()


class _Run:
    """One training: tensors, optimiser, and the clock."""

    def __init__(
        self,
        weights: Mapping[str, AnyArray],
        inputs: Inputs,
        params: Mapping[str, Any],
        classifies: bool,
        rows: Rows,
        held: Rows | None,
        ctx: FitContext,
    ) -> None:
        import torch

        self.params, self.classifies, self.ctx = params, classifies, ctx
        self.absolute = not classifies and ctx.aim != "mean"
        self.net = _Net(weights, inputs, params["activation"], ctx.device)
        self.rows, self.held = self._tensors(rows), None if held is None else self._tensors(held)
        self.size = batch_size(len(rows.X))
        self.steps = max(1, len(rows.X) // self.size)
        self.parts = math.gcd(self.size, max(1, self.net.members // params.get("share", 1)))
        self.optimiser = AdamW(self.net.groups(params["weight_decay"]), _BETAS)
        self.rng = np.random.default_rng(ctx.seed)
        self.noise = torch.Generator(device=ctx.device).manual_seed(ctx.seed)
        self.begun, self.trained, self.reserve = time.monotonic(), 0, _RESERVE * max(0.0, ctx.time_left())
        self.truncated = False
        on_gpu = ctx.device.startswith("cuda")
        self.precision = torch.autocast("cuda", dtype=torch.bfloat16) if on_gpu else nullcontext()

    def train(self) -> Trained:
        """Cycles until they no longer help or none fits; the weights of the best."""
        best, best_epochs, best_loss = self.net.arrays(), 0, math.inf
        best["head"][:] = 0.0
        given = self.params.get("stop_epoch")
        wanted = cycles(most_epochs(self.params, len(self.rows[0])) if given is None else given)
        if self.held is None and given is None:
            wanted = wanted[: max(1, len(wanted) - 1)]
        for number, length in enumerate(wanted):
            fitting = self._fitting(length, sum(wanted[number:]))
            if not fitting or not self._cycle(fitting):
                break
            loss = self._held_loss() if given is None else math.nan
            better = not loss >= best_loss
            if better:
                best, best_loss, best_epochs = self.net.arrays(), loss, self.trained
            if self.truncated or self._stopped(loss) or (not better and number + 1 >= _LEAST_CYCLES):
                break
        return Trained(best, best_epochs, self.truncated)

    def _fitting(self, length: int, left: int) -> int:
        """Epochs of the next cycle that time allows: all, or what is left when the one after it would not fit."""
        if not self.trained or math.isinf(self.ctx.deadline):
            return length
        pace = (time.monotonic() - self.begun) / self.trained
        possible = int((self.ctx.time_left() - self.reserve) / pace)
        if possible >= min(2 * length, left):
            return length
        self.truncated = True
        return min(possible, left) if possible >= _ALONE_SHARE * length else 0

    def _cycle(self, epochs: int) -> bool:
        """The rate from its height to nothing; False when training diverged."""
        import torch

        begun, total = time.monotonic(), epochs * self.steps
        time_there = self.ctx.time_left() - self.reserve
        for epoch in range(epochs):
            order = torch.from_numpy(self.rng.permutation(len(self.rows[0]))).to(self.ctx.device)
            for step in range(self.steps):
                gone = 0.0 if math.isinf(time_there) else (time.monotonic() - begun) / max(time_there, 1e-9)
                self._set_rate(max((epoch * self.steps + step) / total, gone))
                self._step(order[step * self.size : (step + 1) * self.size])
                if gone >= 1.0:
                    self.truncated = True
                    break
            self.trained += 1
            if self.truncated and time.monotonic() - begun >= time_there:
                break
        return self.net.finite()

    def _step(self, chosen: Any) -> None:
        X, y, weight = self.rows
        X, y = X.index_select(0, chosen), y.index_select(0, chosen)
        with self.precision:
            out = self.net(X, self.parts, self.params["dropout"], self.noise)
        share = out.shape[0] * out.shape[1] // len(chosen)
        loss = self._losses(out.float().flatten(0, 1), y.repeat(share), self.params["label_smoothing"])
        if weight is not None:
            loss = loss * weight.index_select(0, chosen).repeat(share)
        loss.mean().backward()
        self.optimiser.step()

    def _losses(self, out: Any, y: Any, smoothing: float) -> Any:
        """One loss per row of out, (rows, S)."""
        from torch.nn import functional

        if self.classifies:
            return functional.cross_entropy(out, y, reduction="none", label_smoothing=smoothing)
        return self._sizes(out[:, 0] - y)

    def _sizes(self, wrong: Any) -> Any:
        """Of errors: how large they count."""
        return wrong.abs() if self.absolute else wrong**2

    def _held_loss(self) -> float:
        """Mean loss of the validation rows, of the mean of the members' answers; nan without them."""
        import torch

        if self.held is None:
            return math.nan
        begun, total = time.monotonic(), 0.0
        X, y, weight = self.held
        weight = torch.ones_like(y, dtype=torch.float32) if weight is None else weight
        low, high = (float(end(self.rows[1])) for end in (torch.min, torch.max))
        with torch.no_grad(), self.precision:
            for i in range(0, len(X), _VALIDATED_ROWS):
                rows = slice(i, i + _VALIDATED_ROWS)
                out = self.net(X[rows]).float()
                if self.classifies:
                    answers = out.softmax(-1).mean(0).gather(1, y[rows, None])[:, 0].clamp_min(1e-7)
                    losses = -answers.log()
                else:
                    losses = self._sizes(out.mean(0)[:, 0].clamp(low, high) - y[rows])
                total += float((losses * weight[rows]).sum())
        self.reserve = max(self.reserve, 2.0 * (time.monotonic() - begun))
        loss = total / float(weight.sum())
        return loss if math.isfinite(loss) else math.inf

    def _stopped(self, loss: float) -> bool:
        """Does the engine want no more?"""
        ended = not math.isnan(loss) and self.ctx.report(self.trained, loss)
        self.truncated |= ended
        return ended

    def _set_rate(self, gone: float) -> None:
        """The rate after this share of a cycle."""
        self.optimiser.rate = self.params["learning_rate"] * 0.5 * (1.0 + math.cos(math.pi * min(1.0, gone)))

    def _tensors(self, rows: Rows) -> tuple[Any, Any, Any]:
        import torch

        y = torch.from_numpy(np.asarray(rows.y, dtype=np.int64 if self.classifies else np.float32))
        weight = None if rows.weight is None else torch.from_numpy(rows.weight.astype(np.float32))
        device = self.ctx.device
        return torch.from_numpy(rows.X).to(device), y.to(device), None if weight is None else weight.to(device)


class _Net:
    """The network of `network.py` in torch."""

    def __init__(self, weights: Mapping[str, AnyArray], inputs: Inputs, activation: str, device: str) -> None:
        import torch
        from torch.nn import functional

        self.weights = {name: torch.from_numpy(w.copy()).to(device).requires_grad_() for name, w in weights.items()}
        self.cut = torch.from_numpy(inputs.cut).to(device)
        self.slope, self.shift = (
            torch.from_numpy(part.astype(np.float32)).to(device) for part in (inputs.slope, inputs.shift)
        )
        self.activation = getattr(functional, activation)
        self.members, self.width = weights["head"].shape[:2]
        self.layers = 1 + sum(name.startswith("hidden") for name in weights)

    def groups(self, decay: float) -> list[Group]:
        """Each array with its own factor of the learning rate; decay rides on the rate, on layers only.

        Factors make one rate fit every width: those of layers fall with the root of their inputs.
        """
        found = []
        fan = {name: w.shape[-2] for name, w in self.weights.items() if w.dim() > 1}
        fan["input"] = fan["pieces"] = fan["input"] + fan.get("pieces", 0)
        for name, w in self.weights.items():
            layer = name.startswith(("input", "pieces", "hidden", "head"))
            factor = fan[name] ** -0.5 if layer else _CONSTANT_RATE
            factor = {"front": _FRONT_RATE, "sign": _SIGN_RATE}.get(name, factor)
            found.append(Group(w, factor, decay / factor if layer else 0.0))
        return found

    def __call__(self, X: Any, parts: int = 0, dropout: float = 0.0, noise: Any = None) -> Any:
        """(k, rows, S) outputs.

        Args:
            parts: in training, parts of the rows that members see: each one part, and each part is seen by
                ``k / parts`` members; 0 shows all rows to all members.
        """
        import torch

        w, rows = self.weights, len(X)
        first = torch.addmm(w["start"], X * w["front"], w["input"])
        if len(self.cut):
            filled = torch.addcmul(self.shift, X.index_select(1, self.cut)[:, :, None], self.slope).clamp_(0.0, 1.0)
            first = torch.addmm(first, filled.flatten(1), w["pieces"])
        first = first[None]
        if self.members > 1:
            if parts:
                first = first.view(1, parts, rows // parts, -1)
                first = first.expand(self.members // parts, -1, -1, -1).reshape(self.members, rows // parts, -1)
            first = torch.addcmul(w["shift"][:, None], first, w["sign"][:, None])
        hidden = self._dropped(self.activation(first.flatten(0, 1)), dropout, noise)
        for layer in range(1, self.layers):
            hidden = self.activation(torch.addmm(w[f"level{layer}"], hidden, w[f"hidden{layer}"]))
            hidden = self._dropped(hidden, dropout, noise)
        return torch.baddbmm(w["offset"][:, None], hidden.view(self.members, -1, self.width), w["head"])

    def _dropped(self, hidden: Any, dropout: float, noise: Any) -> Any:
        """Units set to 0, the same ones in each of a few groups of rows: as good as one by one, and nearly free."""
        import torch

        if dropout <= 0 or noise is None:
            return hidden
        groups = math.gcd(len(hidden), _GROUPS)
        kept = torch.rand((groups, 1, self.width), generator=noise, device=hidden.device) >= dropout
        mask = kept.to(hidden.dtype).div_(1.0 - dropout)
        return (hidden.view(groups, -1, self.width) * mask).view(hidden.shape)

    def finite(self) -> bool:
        """Has training not diverged?"""
        return all(bool(w.detach().isfinite().all()) for w in self.weights.values())

    def arrays(self) -> dict[str, AnyArray]:
        """The weights as they are now, the front factors within the first layer."""
        found = {name: w.detach().cpu().numpy().copy() for name, w in self.weights.items()}
        found["input"] *= found.pop("front")[:, None]
        return found
