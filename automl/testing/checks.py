"""What a conformance check is, and how checks are run: one by one under pytest, or all of them for the command line."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

FAULTS = (Exception, SystemExit)
"""What a plugin may raise: `sys.exit` in its code must end neither pytest nor a command."""


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
        except FAULTS as error:
            raise ContractBroken(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class CheckResult:
    """How one check ended.

    Attributes:
        check: its name.
        message: what is wrong; "" when nothing is.
        where: file and line at which the plugin's own code raised something; "" where it did not.
        trace: the traceback of that.
    """

    check: str
    ok: bool
    message: str = ""
    where: str = ""
    trace: str = ""


def run_all(
    checks: Sequence[Check], subject: Any, watch: Callable[[str], None] = lambda name: None, module: str = ""
) -> list[CheckResult]:
    """Run every check that applies; none stops the others.

    Args:
        watch: told the name of each check before it runs.
        module: in which the plugin is written, for the place of what it raises.
    """
    results = []
    for check in checks:
        try:
            if not check.applies(subject):
                continue
            watch(check.name)
            check(subject)
        except FAULTS as error:
            message = str(error) if isinstance(error, ContractBroken) else f"{type(error).__name__}: {error}"
            where = _place(error, module)
            trace = "".join(traceback.format_exception(error)) if where else ""
            results.append(CheckResult(check.name, False, message, where, trace))
        else:
            results.append(CheckResult(check.name, True))
    return results


def _place(error: BaseException | None, module: str) -> str:
    """``file.py:12``, the last line of the plugin's package that what was raised first had passed; else ""."""
    package, found = module.rpartition(".")[0] or module, ""
    while error is not None:
        for frame, line in traceback.walk_tb(error.__traceback__):
            name = str(frame.f_globals.get("__name__", ""))
            if package and (name == package or name.startswith(f"{package}.")):
                found = f"{Path(frame.f_code.co_filename).name}:{line}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


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
