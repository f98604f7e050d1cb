"""The benchmark's modules can be imported, as its scripts import each other."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "examples" / "benchmark"))
