"""What setting frozen and fine-tuned encoders side by side shows, in sentences."""

from __future__ import annotations

import pandas as pd

from synthlib.compare import CONTRASTS
from synthlib.fine_tuned import FINE_TUNED, FROZEN


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


def say_conclusions(conclusions: pd.DataFrame, relation: pd.DataFrame) -> list[str]:
    """Return in sentences which conclusions of the frozen run change.

    Parameters
    ----------
    conclusions : DataFrame
        From :func:`synthlib.fine_tuned.compare_conclusions`.
    relation : DataFrame
        :func:`synthlib.task_comparison.relate_gaps` of both kinds, with the column classifier.
    """
    said = []
    for (first, second), rows in conclusions.groupby(["first", "second"], sort=False):
        counts = rows["change"].value_counts()
        parts = [f"firm under both with the same sign on {counts.get('firm under both', 0)} of {len(rows)} tasks"]
        for change in ("reversed", "firm only frozen", "firm only fine-tuned", "firm under neither"):
            if change in counts:
                parts.append(f"{change} on {', '.join(rows.loc[rows['change'] == change, 'task'])}")
        said.append(f"{first} minus {second}: {'; '.join(parts)}.")
    pair = relation[(relation["first"] == CONTRASTS[0][0]) & (relation["second"] == CONTRASTS[0][1])]
    rho = pair.set_index("classifier")
    if {FROZEN, FINE_TUNED} <= set(rho.index) and rho["rho"].notna().all():
        values = [
            f"{row.rho:+.2f} ({row.rho_low:+.2f} to {row.rho_high:+.2f}, permutation p = {row.rho_p:.3f}) "
            + say_kind(kind)
            for kind, row in rho.loc[[FROZEN, FINE_TUNED]].iterrows()
        ]
        said.append(f"Spearman's rho of the gap real minus zero_shot with subjectivity: {' and '.join(values)}.")
    else:
        said.append("Spearman's rho of the gap with subjectivity is undefined on so few tasks.")
    return [*said, f"{say_changes(conclusions)}."]


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
