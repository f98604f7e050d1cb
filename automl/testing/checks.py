"""What a conformance check is, and how checks are run: one by one under pytest, or all of them for the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class ContractBroken(AssertionError):
    """A plugin does not do what its contract says; the message tells what, where and what was expected."""


def require(condition: Any, message: str) -> None:
    """Raise ContractBroken with this message unless the condition holds."""
    if not condition:
        raise ContractBroken(message)


def _always(subject: Any) -> bool:
    return True


@dataclass(frozen=True)
class Check:
    """One promise of a contract.

    Attributes:
        name: a sentence that is true of a plugin that keeps it, with underscores.
        run: called with the subject of a kit; raises when the promise is broken.
        applies: False where the plugin makes no such promise.
    """

    name: str
    run: Callable[[Any], None]
    applies: Callable[[Any], bool] = _always

    def __call__(self, subject: Any) -> None:
        """Run it. Raises ContractBroken, whatever the plugin raised."""
        try:
            self.run(subject)
        except ContractBroken:
            raise
        except Exception as error:
            raise ContractBroken(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class CheckResult:
    """How one check ended: `check` is its name, `message` what is wrong ("" when nothing is)."""

    check: str
    ok: bool
    message: str = ""


def run_all(
    checks: Sequence[Check], subject: Any, watch: Callable[[str], None] = lambda name: None
) -> list[CheckResult]:
    """Run every check that applies; none stops the others. `watch` is told the name of each before it runs."""
    results = []
    for check in checks:
        try:
            if not check.applies(subject):
                continue
            watch(check.name)
            check(subject)
        except ContractBroken as broken:
            results.append(CheckResult(check.name, False, str(broken)))
        except Exception as error:
            results.append(CheckResult(check.name, False, f"{type(error).__name__}: {error}"))
        else:
            results.append(CheckResult(check.name, True))
    return results


class Kit:
    """A pytest class: derive `Test…` from one of the kits, set `plugin`, and each check becomes one test.

    Attributes:
        plugin: the class (or space) under test.
        checks: what it must pass.
    """

    plugin: ClassVar[Any] = None
    checks: ClassVar[Sequence[Check]] = ()

    def subject(self) -> Any:
        """What the checks are called with."""
        return self.plugin

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test per check that applies."""
        if "check" in metafunc.fixturenames:
            chosen = [check for check in self.checks if check.applies(self.subject())]
            metafunc.parametrize("check", chosen, ids=[check.name for check in chosen])

    def test_keeps_its_contract(self, check: Check) -> None:
        """The plugin keeps this promise."""
        check(self.subject())
