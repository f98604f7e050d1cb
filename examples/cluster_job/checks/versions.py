"""The oldest and the newest Ray and Optuna that are supported: the executor conformance suite and the proposer's tests.

Builds two virtual environments in a temporary folder and removes them again. The lower bounds are those of
pyproject.toml, the newest are what pip finds. Libraries that are not under test are taken from the environment
this runs in, which also has pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
LENIENT = ("-Wignore::ResourceWarning", "-Wignore::DeprecationWarning")  # an older Ray leaves its own files open
TESTS = ("tests/execution/test_ray.py", "tests/search/test_proposer.py")


def lower_bounds() -> dict[str, str]:
    """Requirement -> oldest version, of Ray and Optuna."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["ray"]]
    found = dict(re.fullmatch(r"([^>]+)>=([^,]+).*", entry).groups() for entry in wanted if ">=" in entry)  # type: ignore[union-attr, misc]
    return {name: found[name] for name in ("ray[default]", "optuna")}


def environment(folder: Path, requirements: list[str]) -> Path:
    """A new environment with these requirements before all that this one has; gives its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    command = [sys.executable, "-m", "pip", "--quiet", "--python", str(python), "install"]
    subprocess.run([*command, "--disable-pip-version-check", *requirements], check=True)
    inherited = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in inherited]  # heeds what is installed as editable
    (site / "inherited.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return python


def run(python: Path) -> dict[str, object]:
    """The tests in that environment."""
    tell = "import ray, optuna; print(ray.__version__, optuna.__version__)"
    versions = subprocess.run([python, "-c", tell], capture_output=True, text=True, check=True).stdout.split()
    variables = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(python), "-m", "pytest", "-q", "--numprocesses=0", "-p", "no:cacheprovider", *LENIENT, *TESTS]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1:]
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:])
    return {"ray": versions[0], "optuna": versions[1], "exit code, wanted 0": done.returncode, "said": last}


def main(which: list[str]) -> int:
    """Prints the figures; 0 when the tests pass in each environment."""
    oldest = lower_bounds()
    wanted = {"oldest": [f"{name}=={version}" for name, version in oldest.items()], "newest": list(oldest)}
    codes = []
    for name in which:
        with tempfile.TemporaryDirectory(prefix="vs") as scratch:
            figures = run(environment(Path(scratch) / "venv", wanted[name]))
        print(json.dumps({name: figures}, indent=2), flush=True)
        codes.append(figures["exit code, wanted 0"])
    return 1 if any(codes) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["oldest", "newest"], help="of the two; both without")
    only = parser.parse_args().only
    raise SystemExit(main([only] if only else ["oldest", "newest"]))
