"""The cluster job: its templates are what they say, and the job itself runs on two nodes started by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from by_hand import ByHand

from automl import AutoML
from automl.cli.jobfile import JobFile

JOB = Path(__file__).parents[2] / "examples" / "cluster_job"
README = (JOB / "README.md").read_text(encoding="utf-8")


def documents(name: str) -> list[Any]:
    """What a YAML file holds."""
    yaml = pytest.importorskip("yaml", reason="comes with the ray extra")
    return list(yaml.safe_load_all((JOB / name).read_text(encoding="utf-8")))


def test_the_job_file_is_one() -> None:
    job = JobFile.read(JOB / "job.toml")
    assert (JOB / job.data).is_file()
    assert job.options["time_limit"] > 0


def test_the_cluster_template_starts_nodes_with_a_token_and_installs_the_engine() -> None:
    (cluster,) = documents("cluster.yaml")
    assert cluster["head_node_type"] in cluster["available_node_types"]
    assert all("node_config" in kind for kind in cluster["available_node_types"].values())
    starts = [
        line for kind in ("head", "worker") for line in cluster[f"{kind}_start_ray_commands"] if "ray start" in line
    ]
    assert len(starts) == 2
    assert all(line.startswith("RAY_AUTH_MODE=token ray start") for line in starts)
    assert "cairn-automl[ray,remote]" in cluster["setup_commands"][0]


def test_the_kubernetes_template_runs_the_command_that_is_documented(tmp_path: Path) -> None:
    config, job = documents("kuberay.yaml")
    assert (config["kind"], job["kind"]) == ("ConfigMap", "RayJob")
    entrypoint = job["spec"]["entrypoint"].split()
    assert " ".join(entrypoint[:2]) in README
    mount = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]
    assert entrypoint[2] == f"{mount['mountPath']}/job.toml"
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    (tmp_path / "job.toml").write_text(config["data"]["job.toml"], encoding="utf-8")
    said = JobFile.read(tmp_path / "job.toml")
    assert said.output.startswith("s3://")


def test_commands_that_are_documented_exist() -> None:
    from typer.testing import CliRunner

    from automl.cli.app import app

    for command in set(re.findall(r"automl (run|submit|resume)\b", README)):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


@pytest.fixture
def two_nodes() -> Iterator[ByHand]:
    """A head without cores, and a worker."""
    pytest.importorskip("ray", reason="the ray extra is not installed")
    cluster = ByHand()
    cluster.head()
    cluster.worker(cpus=2)
    yield cluster
    cluster.close()


def test_the_job_runs_on_two_nodes_and_the_model_comes_back(two_nodes: ByHand, tmp_path: Path) -> None:
    text = (
        (JOB / "job.toml")
        .read_text(encoding="utf-8")
        .replace("time_limit = 120", "n_trials = 1\nmodels = ['linear-baseline']")
    )
    file = tmp_path / "job.toml"
    file.write_text(text.replace("../quickstart", str(JOB.parent / "quickstart")), encoding="utf-8")
    command = [sys.executable, "-c", "from automl.cli import main; main()", "submit", str(file), "--ray", two_nodes.url]
    done = subprocess.run(command, env=two_nodes.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "baseline" in done.stdout
    assert "sha256" not in done.stdout
    assert AutoML.load(tmp_path / "churn-model").metric_ == "roc_auc"
