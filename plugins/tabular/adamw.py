"""Adam with decoupled weight decay (Loshchilov & Hutter, 2019), each array at a rate of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_EPSILON = 1e-8


@dataclass(frozen=True)
class Group:
    """An array to train.

    Attributes:
        array: tensor that requires its gradient.
        factor: of the learning rate.
        decay: weight decay, by the array's own rate.
    """

    array: Any
    factor: float
    decay: float


class AdamW:
    """The steps of `torch.optim.AdamW`, by the same fused kernel.

    That class imports torch's compiler at its first step, which takes as long as training a small network, and looks at
    all arrays' devices and types anew at every step.

    rate: learning rate of the next step.
    """

    def __init__(self, groups: Sequence[Group], betas: tuple[float, float]) -> None:
        import torch

        self.groups, self.betas, self.rate = groups, betas, 0.0
        self._means = [torch.zeros_like(group.array) for group in groups]
        self._squares = [torch.zeros_like(group.array) for group in groups]
        self._count = torch.zeros((), dtype=torch.float32, device=groups[0].array.device)

    def step(self) -> None:
        """Move against the gradients, and forget them."""
        import torch

        self._count += 1
        with torch.no_grad():
            for group, mean, square in zip(self.groups, self._means, self._squares, strict=True):
                if group.array.grad is None:
                    continue
                torch._fused_adamw_(
                    [group.array],
                    [group.array.grad],
                    [mean],
                    [square],
                    [],
                    [self._count],
                    lr=self.rate * group.factor,
                    beta1=self.betas[0],
                    beta2=self.betas[1],
                    weight_decay=group.decay,
                    eps=_EPSILON,
                    amsgrad=False,
                    maximize=False,
                )
                group.array.grad = None
