"""The README is true: its code runs, its commands are those of CI, its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOMS = ("automl", "plugins", "search_spaces", "tests", "examples")
PAGES = [*ROOT.glob("*.md"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.md"))]


def blocks(language: str) -> list[str]:
    """Fenced code of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def command(start: str) -> str:
    """The one-line command of the README that begins so and stands alone in its block."""
    (line,) = [block.strip() for block in blocks("bash") if block.startswith(start) and "pytest" in block]
    return line


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert command("python3 -m venv") in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_ci_is_executable_and_is_bash() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_both_commands_name_what_is_there() -> None:
    for block in blocks("bash"):
        for path in re.findall(r"(?:examples|tests)/\S+\.py", block):
            assert (ROOT / path).is_file()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"\.\[(\w+)\]", README)) <= set(extras)
    assert set(re.findall(r"cairn-automl\[(\w+)\]", README)) <= set(extras)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_the_first_example_runs(tmp_path: Path) -> None:
    code = next(block for block in blocks("python") if "read_csv" in block)
    assert "time_limit=60" in code
    code = code.replace("time_limit=60", "time_limit=6").replace("examples/", f"{ROOT}/examples/")
    for _ in range(2):  # it may be tried again
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert "binary, scores are roc_auc" in done.stdout
    assert (tmp_path / "churn-model").is_dir()


def test_the_shell_samples_run_in_their_order_and_again(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    lines = [line for block in blocks("bash") if "train.csv" in block for line in block.splitlines()]
    assert len([line for line in lines if "automl " in line]) >= 10
    script = re.sub(
        r"(fit .*)--time-limit \d+", r"\1--n-trials 1 --models tree-baseline", "\n".join(["set -e", *lines])
    )
    script = re.sub(r"(resume .*)--time-limit \d+", r"\1--n-trials 2", script)
    script = f'automl() {{ "{sys.executable}" -m automl "$@"; }}\n{script}'
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "model" / "inputs").is_dir()
    assert not (tmp_path / "served" / "inputs").exists()


def test_the_model_of_the_readme_is_as_short_as_it_says_and_keeps_its_contract(tmp_path: Path) -> None:
    code = next(block for block in blocks("python") if "ModelPlugin" in block)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 25
    (tmp_path / "my_package.py").write_text(code, encoding="utf-8")
    use = (
        "import pandas as pd\nfrom sklearn.datasets import load_wine\nfrom my_package import Nearest\n"
        "from automl import AutoML\n"
        "model = AutoML(extra_plugins=[Nearest], n_trials=1, models=['nearest'], executor='inline', verbose=0)\n"
        "model.fit(load_wine(as_frame=True).frame, target='target')\n"
        "board = model.leaderboard()\n"
        "assert 'ok' in set(board[board['family'] == 'nearest']['state']), board.to_string()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", use], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_entry_point_of_the_readme_is_one() -> None:
    (table,) = [tomllib.loads(block) for block in blocks("toml")]
    assert table["project"]["entry-points"]["automl.models"] == {"nearest": "my_package:Nearest"}


def test_shell_commands_have_the_options_they_are_shown_with() -> None:
    from typer.testing import CliRunner

    from automl.cli.app import app

    lines = [line.split() for block in blocks("bash") for line in block.splitlines() if line.startswith("automl ")]
    assert lines
    for words in lines:
        options = {word for word in words if word.startswith("-")}
        name = words[1:3] if words[1] == "plugins" else words[1:2]
        done = CliRunner().invoke(app, [*name, "--help"])
        assert done.exit_code == 0, done.output
        assert all(option in done.output for option in options), words


def test_the_output_shown_is_real() -> None:
    shown = README.partition("<!-- output -->")[2].partition("<!-- /output -->")[0]
    assert "baseline" in shown
    assert "promised" in shown
    assert "ensemble" in shown
