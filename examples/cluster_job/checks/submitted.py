"""`automl submit` to a head started by hand: the job runs, the model comes back, the exit code follows.

Starts a head without cores and a worker with two on this machine, with ports, folders and a token of their own, and
gives the command three jobs: a good one, one whose data is rejected (exit code 3), and one for a cluster that is not
there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from by_hand import ByHand, free_port

from automl import AutoML

DATA = Path(__file__).parents[2] / "quickstart" / "churn.csv"


def submit(cluster: ByHand, folder: Path, name: str, url: str = "", **entries: object) -> dict[str, object]:
    """Write a job file and submit it; what the command said, its exit code and its seconds."""
    job = {"data": str(DATA), "target": "churned", "output": name, **entries}
    file = folder / f"{name}.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    began = time.monotonic()
    command = [sys.executable, "-c", "from automl.cli import main; main()", "submit", str(file)]
    done = subprocess.run(
        [*command, "--ray", url or cluster.url],
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr, "seconds": round(seconds, 1)}


def main(time_limit: float) -> int:
    """Prints the figures; 0 when all of it is so."""
    cluster = ByHand()
    try:
        cluster.head(cpus=0)
        cluster.worker(cpus=2)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            good = submit(cluster, folder, "good", options={"time_limit": time_limit, "random_state": 0})
            model = AutoML.load(folder / "good") if (folder / "good").is_dir() else None
            answers = 0 if model is None else len(model.predict(pd.read_csv(DATA)))
            bad = submit(cluster, folder, "bad", target="nowhere")
            nobody = submit(cluster, folder, "nobody", url=f"http://127.0.0.1:{free_port()}")
            figures = {
                "good: exit code, wanted 0": good["code"],
                "good: seconds, of which the fit": [good["seconds"], time_limit],
                "good: rows that the fetched model predicts": answers,
                "good: log lines that came through": len(str(good["out"]).splitlines()),
                "rejected data: exit code, wanted 3": bad["code"],
                "rejected data: a model came back, wanted False": (folder / "bad").exists(),
                "no cluster: exit code, wanted 1": nobody["code"],
                "no cluster: said": str(nobody["err"]).strip()[-200:],
            }
            print(json.dumps(figures, indent=2))
            if good["code"]:
                print(good["out"], good["err"])
            if bad["code"] != 3:
                print(bad["out"], bad["err"])
            fine = (good["code"], bad["code"], nobody["code"]) == (0, 3, 1) and answers > 0
            return 0 if fine and not (folder / "bad").exists() else 1
    finally:
        cluster.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=20, help="seconds of the good job's fit")
    raise SystemExit(main(parser.parse_args().time_limit))
