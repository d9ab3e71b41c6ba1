"""README.md says what the released run found: its numbers are the run's, its verdicts follow from them."""

import re

import pytest

from synthlib import results
from synthlib.paths import ROOT
from synthlib.runner import readme


def test_numbers_and_figure_table_are_those_of_the_released_run():
    assert readme.render() == readme.README.read_text(encoding="utf-8"), "run `synthlib release`"


def test_verdicts_in_words_follow_from_the_tables():
    comparison = results.RELEASED / "task_comparison" / "all"
    averages = results.read_table(comparison, "averages").set_index(["first", "second"])
    whole, quality = (averages.loc[(first, "zero_shot")] for first in ("real", "real_matched"))
    assert quality["f1_low"] > whole["f1"] / 2  # "most of the gap is quality"
    assert averages.loc[("few_shot", "zero_shot"), "f1_low"] > 0  # "win back"
    relation = results.read_table(comparison, "relation").set_index(["first", "second"]).loc[("real", "zero_shot")]
    assert relation["rho"] > 0 and relation["rho_low"] < 0 and relation["rho_p"] > 0.05  # "sign ... not firm"
    mixed = results.read_table(results.RELEASED / "instance_subjectivity" / "all", "mixed_model").set_index("term")
    assert (
        mixed.loc["zero_shot x subjectivity", "high"] < 0 < mixed.loc["zero_shot x disagreement", "low"]
    )  # "widens", "narrows"


def test_every_link_leads_to_a_file():
    text = readme.README.read_text(encoding="utf-8")
    targets = set(re.findall(r"\]\(([^)#:]+)\)", text))
    assert len(targets) > 30
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_a_missing_place_is_an_error():
    with pytest.raises(ValueError, match="no place <!-- run:findings -->"):
        readme.refresh("no marks here", {"findings": "x"})
    assert (
        readme.refresh("<!-- run:a -->\nold\n<!-- /run:a -->", {"a": "new"}) == "<!-- run:a -->\nnew\n<!-- /run:a -->"
    )
