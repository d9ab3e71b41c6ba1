"""Where the project's folders lie; nothing is read or made here. SYNTHLIB_RESULTS moves results/ elsewhere."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PARAMS = ROOT / "params"
DATA = ROOT / "data"
FIGURES = ROOT / "figures"
RESULTS = Path(os.environ.get("SYNTHLIB_RESULTS", ROOT / "results")).absolute()
