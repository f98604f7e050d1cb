"""The modules of examples can be imported, as their scripts import each other."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("benchmark", "cluster_job/checks"):
    sys.path.append(str(Path(__file__).parents[2] / "examples" / folder))
