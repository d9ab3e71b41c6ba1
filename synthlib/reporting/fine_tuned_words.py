"""What setting frozen and fine-tuned encoders side by side shows, in sentences."""

from __future__ import annotations

import pandas as pd

from synthlib.compare import CONTRASTS
from synthlib.fine_tuned import FINE_TUNED, FROZEN
from synthlib.plots.style import SOURCE_NAMES

#: What becomes of a difference between sources with fine-tuning, and the column that counts it.
CHANGES = {
    "firm under both": "firm under both, same sign",
    "reversed": "firm under both, opposite signs",
    "firm only frozen": "firm only frozen",
    "firm only fine-tuned": "firm only fine-tuned",
    "firm under neither": "firm under neither",
}


def say_kind(kind: str) -> str:
    """Return the kind of a classifier as a word of a sentence."""
    return kind.replace("_", "-")


def say_changes(conclusions: pd.DataFrame) -> str:
    """Return the counts of :func:`synthlib.fine_tuned.compare_conclusions` as a sentence without its stop."""
    counts = conclusions["change"].value_counts()
    one = sum(counts.get(f"firm only {kind}", 0) for kind in ("frozen", "fine-tuned"))
    return (
        f"Of {len(conclusions)} differences between sources {counts.get('firm under both', 0)} are firm with the same "
        f"sign under both encoders, {counts.get('reversed', 0)} firm with opposite signs, {one} firm under one only "
        f"and {counts.get('firm under neither', 0)} under neither"
    )


def tabulate_changes(conclusions: pd.DataFrame) -> pd.DataFrame:
    """Return on how many tasks each difference between sources is firm under which encoder, as a table to read."""
    pairs = conclusions[["first", "second"]].apply(lambda names: names.map(SOURCE_NAMES.get))
    counts = pairs.assign(**{head: conclusions["change"] == change for change, head in CHANGES.items()})
    return counts.groupby(["first", "second"], sort=False).sum()


def say_relations(relation: pd.DataFrame) -> str:
    """Return in a sentence how the gap goes with subjectivity under both encoders.

    Parameters
    ----------
    relation : DataFrame
        :func:`synthlib.task_comparison.relate_gaps` of both kinds, with the column classifier.
    """
    pair = relation[(relation["first"] == CONTRASTS[0][0]) & (relation["second"] == CONTRASTS[0][1])]
    rows = pair.set_index("classifier").reindex([FROZEN, FINE_TUNED])
    if rows["rho"].isna().any():
        return "Spearman's rho of the gap with subjectivity is undefined on so few tasks."
    rho = [
        f"{row.rho:.2f} ({row.rho_low:.2f} to {row.rho_high:.2f}, permutation p = {row.rho_p:.2f}) {say_kind(kind)}"
        for kind, row in rows.iterrows()
    ]
    said = f"Spearman's rho of subjectivity and the gap of zero-shot text is {' and '.join(rho)}"
    if rows["group_difference"].notna().all():
        groups = [
            f"{100 * row.group_difference:.1f} points (permutation p = {row.group_p_permutation:.2f}) {say_kind(kind)}"
            for kind, row in rows.iterrows()
        ]
        said += f"; in the study's most subjective group the gap is wider by {' and by '.join(groups)}"
    return f"{said}."


def say_trends(trends: pd.DataFrame, source: str) -> str:
    """Return in a sentence whether fine-tuning changes what single texts show, for one training source."""
    meanings = {
        "balanced_slope": (0.0, "the interval of the slope of balanced accuracy lies above 0"),
        "auc": (0.5, "that of the AUC of uncertainty lies above 0.5"),
    }
    said = []
    for measure, (chance, meaning) in meanings.items():
        rows = trends[(trends["measure"] == measure) & (trends["source"] == source) & trends["value"].notna()]
        of_kind = {kind: rows[rows["classifier"] == kind] for kind in (FROZEN, FINE_TUNED)}
        counts = [
            f"on {(part['low'] > chance).sum()} of {len(part)} sets with the {say_kind(kind)} encoder"
            for kind, part in of_kind.items()
        ]
        said.append(f"{meaning} {' and '.join(counts)}")
    return "; ".join(said) + "."
