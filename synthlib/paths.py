"""Where the project's folders lie; nothing is read or made here. SYNTHLIB_RESULTS and SYNTHLIB_CALLS move two."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PARAMS = ROOT / "params"
DATA = ROOT / "data"
FIGURES = ROOT / "figures"
RESULTS = Path(os.environ.get("SYNTHLIB_RESULTS", ROOT / "results")).absolute()
#: Stores of paid answers, apart from results/, which can be made again.
CALLS = Path(os.environ.get("SYNTHLIB_CALLS", ROOT / "calls")).absolute()
