"""The parts of README.md that hold numbers, written from the released run so that none is typed by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from synthlib.compare import say_points
from synthlib.fine_tuned import FINE_TUNED, FOLDER, FROZEN
from synthlib.params import STAGES
from synthlib.paths import ROOT
from synthlib.reporting.fine_tuned_words import say_changes
from synthlib.results import RELEASED, read_table
from synthlib.tasks import load_task, load_tasks
from synthlib.votes.instances import say_labels

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
    "05_original": "beside the figures the authors print",
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
    "11_coverage": "how often intervals hold the truth, on made-up crowds",
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
    averages = read_table(comparison, "averages").set_index(["first", "second"])
    relation = read_table(comparison, "relation").set_index(["first", "second"]).loc[("real", "zero_shot")]
    differences = read_table(comparison, "differences")
    said = {pair: say_points(row, "f1", signed=True) for pair, row in averages.iterrows()}
    gaps = differences[(differences["first"] == "real") & (differences["second"] == "zero_shot")]
    firm = int((gaps["f1_low"] > 0).sum())
    over_tasks = read_table(comparison, "over_tasks").set_index(["first", "second"])
    wide = {pair: f"{100 * row.f1_low:+.1f} to {100 * row.f1_high:+.1f}" for pair, row in over_tasks.iterrows()}
    rho = (
        f"{relation.rho:.2f} ({relation.rho_low:.2f} to {relation.rho_high:.2f}; permutation p = {relation.rho_p:.2f})"
    )
    return "\n\n".join(
        [
            "**Zero-shot text costs, few-shot text costs less.** "
            f"Over {len(gaps)} tasks, real training rows beat zero-shot text by {said['real', 'zero_shot']} points of "
            f"Macro-F1 (95% interval for these tasks; firm on {firm} of them; for other tasks like these "
            f"{wide['real', 'zero_shot']}), and by {said['real_matched', 'zero_shot']} when both have the same size, "
            f"so most of the gap is quality. Real examples in the prompt win back {said['few_shot', 'zero_shot']}. "
            f"{_say_attributes(over_tasks, said)} But the examples need labels too: a classifier of their pool alone "
            f"wins back {said['pool', 'zero_shot']}; few-shot text is {said['few_shot', 'pool']} above it (for other "
            f"tasks {wide['few_shot', 'pool']}).",
            "**The gap and the subjectivity of the task.** "
            f"Spearman's rho with the scores of a language-model panel, which knows the study, is {rho}: the sign "
            f"of the original finding, but ten tasks do not make it firm. {_say_exceptions(gaps)}",
            f"**Single texts.** {_say_instances(folder / 'instance_subjectivity' / 'all')}",
            *_say_fine_tuned(comparison, len(gaps)),
        ]
    )


def _say_attributes(over_tasks: pd.DataFrame, said: dict[tuple[str, str], str]) -> str:
    row = over_tasks.loc[("attributed", "zero_shot")]
    return (
        f"Drawn attributes change {said['attributed', 'zero_shot']} on average: surely better on "
        f"{row.better:.0f} tasks, surely worse on {row.worse:.0f} "
        f"({100 * row.lowest:+.1f} to {100 * row.highest:+.1f})."
    )


def _say_exceptions(gaps: pd.DataFrame) -> str:
    subjective = gaps.loc[gaps["group"] == "most_subjective", "f1"].median()
    rows = gaps[(gaps["group"] == "least_subjective") & (gaps["f1"] >= subjective)]
    titles = [task.title for task in load_tasks(list(rows["task"])).values()] if len(rows) else []
    return (
        f"Of the {(gaps['group'] == 'least_subjective').sum()} tasks that the study calls least subjective, "
        f"{len(titles)} ({', '.join(titles) or 'none'}) have a gap above the median of the most subjective."
    )


def _say_fine_tuned(comparison: Path, n_tasks: int) -> list[str]:
    if not (comparison / "fine_tuned_averages.parquet").is_file():
        return []
    averages = read_table(comparison, "fine_tuned_averages").set_index(["first", "second", "classifier"])
    conclusions = read_table(comparison, "fine_tuned_conclusions")
    gap = {
        kind: say_points(averages.loc[("real", "zero_shot", kind)], "f1", signed=True) for kind in (FROZEN, FINE_TUNED)
    }
    over_pool = say_points(averages.loc[("few_shot", "pool", FINE_TUNED)], "f1", signed=True)
    how = json.loads(next(FOLDER.glob("*/manifest.json")).read_text())["parameters"]
    moved = read_table(comparison, "fine_tuned_gap_changes")
    moved = moved[moved["sure"] & (moved["first"] == "real_matched") & (moved["second"] == "zero_shot")]
    titles = load_tasks(list(moved["task"])) if len(moved) else {}
    named = [f"{titles[row.task].title} {say_points(row, 'f1', signed=True)}" for row in moved.itertuples()]
    released = conclusions["task"].nunique()
    which = "all" if released == n_tasks else f"{released} of the {n_tasks}"
    return [
        f"**With the encoder fine-tuned** ({which} tasks, {how['n_seeds']} seeds, up to {how['n_real']:,} real rows), "
        f"real rows beat zero-shot text by {gap[FINE_TUNED]} points; frozen, on the same tasks, by {gap[FROZEN]}. "
        f"Few-shot text minus its pool alone is then {over_pool}. "
        f"{say_changes(conclusions)}. At equal size the gap surely moves on: {', '.join(named) or 'none'}."
    ]


def _say_instances(instances: Path) -> str:
    slopes, curves = read_table(instances, "slopes"), read_table(instances, "gamma_curves")
    slopes = slopes.query("votes_of == 'people' and source in ['real', 'zero_shot']")
    sure = {
        name: (slopes[f"{name}_low"] > 0).groupby(slopes["source"]).agg(["sum", "size"])
        for name in ("balanced_slope", "slope")
    }
    zero_shot = slopes[slopes["source"] == "zero_shot"]
    falls = ", ".join(zero_shot.loc[zero_shot["slope_high"] < 0, "title"])
    beaten = curves[curves["title"].isin(zero_shot["title"]) & (curves["source"] == "zero_shot")]
    beaten = beaten.loc[beaten["accuracy_high"] < beaten["constant"], "title"].nunique()
    rows = read_table(instances, "mixed_model").set_index("term")
    task, text = (-100 * rows.loc[f"zero_shot x {term}", "estimate"] for term in ("subjectivity", "disagreement"))
    return (
        "Is a classifier trained on zero-shot text more often right on texts on which readers agree? By people's "
        f"votes balanced accuracy surely rises with agreement on {sure['balanced_slope'].loc['zero_shot', 'sum']} of "
        f"{len(zero_shot)} sets (trained on real text: {sure['balanced_slope'].loc['real', 'sum']}); plain accuracy, "
        f"which the labels' shares move too, on {sure['slope'].loc['zero_shot', 'sum']} "
        f"({sure['slope'].loc['real', 'sum']}){f', and surely falls on {falls}' if falls else ''}. On {beaten} of "
        "these sets the zero-shot classifier is at some threshold worse than always saying the commonest label. In one "
        f"model of all texts on which the panel voted, the gap of zero-shot text widens by {task:.1f} points of "
        f"accuracy for a task one standard deviation more subjective and narrows by {-text:.1f} for each of five "
        "voters who dissents. "
        f"{say_labels(read_table(instances, 'label_check'))}"
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
