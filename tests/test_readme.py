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
    assert averages.loc[("real", "zero_shot"), "f1_low"] > 0  # "costs"
    assert (
        averages.loc[("few_shot", "zero_shot"), "f1_low"] > 0 < averages.loc[("pool", "zero_shot"), "f1_low"]
    )  # "win"
    relation = results.read_table(comparison, "fine_tuned_relation").set_index(["first", "second"])
    for _, row in relation.loc[[("real", "zero_shot")]].iterrows():  # "sign ... not firm", "wider"
        assert row["rho"] > 0 and row["rho_low"] < 0 and row["rho_p"] > 0.05
        assert row["group_difference"] > 0 and row["group_p_permutation"] > 0.05
    slopes = results.read_table(results.RELEASED / "instance_subjectivity" / "all", "slopes")
    assert slopes.query("votes_of == 'people'")["balanced"].max() < 0.75  # "hard"


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
