"""The parts of README.md that hold numbers, written from the released run so that none is typed by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from synthlib.compare import say_points
from synthlib.diversity import count_order
from synthlib.fine_tuned import FINE_TUNED, FOLDER, FROZEN
from synthlib.params import STAGES
from synthlib.paths import ROOT
from synthlib.reporting.fine_tuned_words import say_changes, say_kind
from synthlib.results import RELEASED, read_table
from synthlib.tasks import load_task

README = ROOT / "README.md"
#: What each figure shows; figures of the released run without a line here fail the test of the README.
CAPTIONS = {
    "01_balance": "labels among the real training rows",
    "01_lengths": "lengths of the real texts",
    "01_overlap": "near duplicates between training and test texts",
    "01_marks": "best rule on form alone, by task",
    "02_audit_lengths": "requested against written length",
    "02_nearest_example": "few-shot texts and the examples they were shown",
    "02_shortcuts": "how well function words alone tell the labels",
    "02_scoring": "what a classifier learns while the texts come",
    "03_sources": "Macro-F1 by training source, one task",
    "03_confusions": "which labels are mistaken for which",
    "03_convergence": "how training converges, by source",
    "03_convergence_fine_tuned": "the same, fine-tuned",
    "03_fine_tuned": "Macro-F1 by training source, frozen and fine-tuned",
    "03_learning_curves": "Macro-F1 against texts per label",
    "03_mixing_curves": "real texts added to synthetic ones",
    "04_subjectivity_graph": "levels of subjectivity (language-model panel)",
    "04_subjectivity_scores": "Bradley-Terry scores (language-model panel)",
    "04_rank_probabilities": "how firm the ranks are (language-model panel)",
    "05_table_1": "the study's Table 1 for this generator",
    "05_gaps": "differences between sources by task",
    "05_original": "beside the numbers printed in the study",
    "05_gap_and_subjectivity": "gap against subjectivity of the task",
    "05_size_and_quality": "what size explains, what quality explains",
    "05_mixing_curves": "mixing curves of all tasks",
    "05_fine_tuned": "frozen and fine-tuned encoders side by side",
    "06_diversity": "Remote Clique and Chamfer distance",
    "06_similarity": "closeness to real texts",
    "06_map": "real and synthetic texts of one task on a plane",
    "07_table_2": "agreement on single texts, by task",
    "07_gamma_curves": "accuracy against agreement threshold",
    "07_slopes": "slopes and rank correlations of those curves",
    "07_human_agreement": "the same with people's votes",
    "07_uncertainty": "does uncertainty find disputed texts?",
    "07_soft_labels": "probabilities against the distribution of people's votes",
    "07_fine_tuned": "single texts, frozen and fine-tuned encoders side by side",
    "07_mixed_model": "subjectivity of task and text in one mixed model",
    "08_gap_and_moderators": "the gap against formality, length, style, labels and spread",
    "08_moderators": "which of these go with the gap",
    "08_irony": "irony on cleaned and raw test tweets, with tags in the training text",
    "08_cartography": "how hard synthetic texts are to learn",
    "08_repairs": "synthetic text with odd texts dropped, reweighted, relabelled",
    "09_diversity": "texts after the recipes of TinyStories and Phi-1, beside plain prompts",
    "09_openings": "how many texts begin alike",
    "09_features": "what a classifier learns of the labels that were in the request",
    "09_costs": "what such texts cost, and what a local classifier saves",
    "10_power_pairs": "what more workers buy: ranking tasks",
    "10_power_texts": "what more workers buy: agreement on texts",
    "10_recovered": "a walk through a study with simulated workers",
    "11_coverage": "how often intervals hold the truth, on made-up studies",
    "11_recovery": "scores found with and without spammers",
    "12_place": "agreement on one task's texts beside other sets (an example)",
    "12_expectation": "what one more task may expect of synthetic text",
}


def say_table_1(folder: Path) -> str:
    """Return the caption of Table 1, from the parameters of the run that made it."""
    table = read_table(folder / "task_comparison" / "all", "table_1")
    how = json.loads(next((folder / "train").glob("*/manifest.json")).read_text())["parameters"]
    n_labels = pd.Series({task: len(load_task(task).labels) for task in table["task"].unique()})
    zero_shot = table[table["source"] == "zero_shot"].set_index("task")["n_train"]
    (n_synthetic,) = set(zero_shot // n_labels[zero_shot.index])
    return (
        "*Figure 1. Macro-F1 on real test texts by training source. "
        f"A {how['hidden_units']}-unit hidden layer on frozen {how['encoder']} features; {how['n_seeds']} seeds; "
        f"at most {how['n_real']:,} real rows, {n_synthetic} synthetic texts per label and setting.*"
    )


def say_findings(folder: Path) -> str:
    """Return what was found, in sentences with intervals, from the tables of a released run."""
    comparison = folder / "task_comparison" / "all"
    paragraphs = [
        _say_gaps(comparison, read_table(folder / "report" / "all", "expected")),
        _say_subjectivity(comparison),
        _say_instances(folder / "instance_subjectivity" / "all"),
        _say_diversity(read_table(folder / "diversity" / "all", "diversity")),
        _say_fine_tuned(comparison),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _say_gaps(comparison: Path, expected: pd.DataFrame) -> str:
    averages = read_table(comparison, "averages").set_index(["first", "second"])
    differences = read_table(comparison, "differences").set_index(["first", "second"])
    over_tasks = read_table(comparison, "over_tasks").set_index(["first", "second"])
    said = {pair: say_points(row, "f1", signed=True) for pair, row in averages.iterrows()}
    gaps = differences.loc[("real", "zero_shot")]
    pairs = ("real_matched", "zero_shot"), ("real", "real_matched")
    quality, size = (differences.loc[pair].set_index("task")["f1"] for pair in pairs)
    further = expected.query("first == 'real' and second == 'zero_shot' and place == 'not known'").iloc[0]
    drawn = over_tasks.loc[("attributed", "zero_shot")]
    return (
        "**Zero-shot text costs; real examples in the prompt help.** "
        f"Over {len(gaps)} tasks, real training rows beat zero-shot text by {said['real', 'zero_shot']} points of "
        f"Macro-F1, surely on {(gaps['f1_low'] > 0).sum()} of them (a further task: {100 * further.gap_low:+.0f} to "
        f"{100 * further.gap_high:+.0f}). At equal size it is {said['real_matched', 'zero_shot']}, the larger part "
        f"of the gap on {(quality > size).sum()} tasks. Few-shot text wins back {said['few_shot', 'zero_shot']}, but a "
        f"classifier of nothing but the labelled pool wins back {said['pool', 'zero_shot']}. Attributed text changes "
        f"{said['attributed', 'zero_shot']}, by task from {100 * drawn.lowest:+.1f} to {100 * drawn.highest:+.1f}."
    )


def _say_subjectivity(comparison: Path) -> str:
    found = read_table(comparison, "relation").assign(classifier=FROZEN)
    if (comparison / "fine_tuned_relation.parquet").is_file():
        found = read_table(comparison, "fine_tuned_relation")
    rows = found[(found["first"] == "real") & (found["second"] == "zero_shot")]
    rho = [
        f"{row.rho:.2f} ({row.rho_low:.2f} to {row.rho_high:.2f}; permutation p = {row.rho_p:.2f}) "
        + say_kind(row.classifier)
        for row in rows.itertuples()
    ]
    apart = [
        f"{100 * row.group_difference:.1f} points (p = {row.group_p_permutation:.2f}) {say_kind(row.classifier)}"
        for row in rows.itertuples()
    ]
    return (
        "**The gap and the subjectivity of the task.** Spearman's rho of the gap with the panel's scores is "
        f"{' and '.join(rho)}. In the study's own groups of tasks, the most subjective have the wider gap, by "
        f"{' and '.join(apart)}. The sign is that of the original finding, but ten tasks do not make it firm."
    )


def _say_instances(instances: Path) -> str:
    slopes, curves = read_table(instances, "slopes"), read_table(instances, "gamma_curves")
    slopes = slopes.query("votes_of == 'people' and source in ['real', 'zero_shot']")
    real, zero_shot = (slopes[slopes["source"] == source] for source in ("real", "zero_shot"))
    steeper = (zero_shot["balanced_slope_minus_real_low"] > 0).sum()
    flatter = (zero_shot["balanced_slope_minus_real_high"] < 0).sum()
    curves = curves[curves["title"].isin(zero_shot["title"]) & curves["source"].isin(["real", "zero_shot"])]
    below = curves[curves["accuracy_high"] < curves["constant"]].groupby("title")["source"].nunique()
    return (
        "**Single texts.** Is a classifier more often right on texts on which readers agree? By people's votes, "
        f"balanced accuracy surely rises with agreement on {(zero_shot['balanced_slope_low'] > 0).sum()} of "
        f"{len(zero_shot)} sets after training on zero-shot text and on {(real['balanced_slope_low'] > 0).sum()} after "
        f"training on real text, but the two slopes surely differ on {steeper + flatter} only (zero-shot steeper on "
        f"{steeper}). The sets are hard: on {(below == 2).sum()} of them both do worse, at some threshold, than always "
        "giving the commonest label."
    )


def _say_diversity(measured: pd.DataFrame) -> str:
    counts = count_order(measured, ["real", "zero_shot"]).loc["chamfer"]
    return (
        "**Diversity.** The study found synthetic text less diverse than real text. Here zero-shot texts are clearly "
        f"more spread out than as many real ones on {counts['last_above']} of {counts['n_tasks']} tasks (Chamfer "
        f"distance) and clearly less on {counts['first_above']}: they were written in conversations in which the model "
        "sees what it wrote."
    )


def _say_fine_tuned(comparison: Path) -> str:
    if not (comparison / "fine_tuned_averages.parquet").is_file():
        return ""
    averages = read_table(comparison, "fine_tuned_averages").set_index(["first", "second", "classifier"])
    conclusions = read_table(comparison, "fine_tuned_conclusions")
    gap, over_pool = (
        say_points(averages.loc[(*pair, FINE_TUNED)], "f1", signed=True)
        for pair in (("real", "zero_shot"), ("few_shot", "pool"))
    )
    how = json.loads(next(FOLDER.glob("*/manifest.json")).read_text())["parameters"]
    return (
        f"**With the encoder fine-tuned** ({conclusions['task'].nunique()} tasks, {how['n_seeds']} seeds, up to "
        f"{how['n_real']:,} real rows), real rows beat zero-shot text by {gap} points; few-shot text minus its pool "
        f"alone is {over_pool}. {say_changes(conclusions)}."
    )


def tabulate_figures(folder: Path, figures: Path) -> str:
    """Return a Markdown table: figure, what it shows, its notebook, and the notebook's minutes in the released run."""
    lines = ["| figure | shows | notebook | minutes |", "|---|---|---|---|"]
    seconds = {
        stage: [json.loads(path.read_text())["seconds"] for path in (folder / stage).glob("*/manifest.json")]
        for stage in STAGES
    }
    notebooks = {stage.notebook[:2]: (name, stage) for name, stage in STAGES.items()}
    for path in sorted(figures.glob("*.png")):
        name, stage = notebooks[path.stem[:2]]
        minutes = f"{sum(seconds[name]) / 60:.1f}" + (f" ({len(seconds[name])} tasks)" if stage.per_task else "")
        link = f"[{stage.notebook}](notebooks/{stage.notebook}.ipynb)"
        lines.append(f"| [{path.stem}](figures/{path.name}) | {CAPTIONS[path.stem]} | {link} | {minutes} |")
    return "\n".join(lines)


def refresh(text: str, parts: dict[str, str]) -> str:
    """Return a document with what stands between ``<!-- run:NAME -->`` and ``<!-- /run:NAME -->`` replaced.

    Raises
    ------
    ValueError
        A part has no place in the document.
    """
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- run:{name} -->\n).*?(<!-- /run:{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md has no place <!-- run:{name} --> ... <!-- /run:{name} -->")
        text = pattern.sub(lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text)
    return text


def render() -> str:
    """Return README.md with its numbers from data/results/companion and its table from figures/."""
    parts = {
        "table_1": say_table_1(RELEASED),
        "findings": say_findings(RELEASED),
        "figures": tabulate_figures(RELEASED, ROOT / "figures"),
    }
    return refresh(README.read_text(encoding="utf-8"), parts)
