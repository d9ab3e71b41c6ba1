"""Files of votes that are not as they should be: each fault is named with its lines."""

import pandas as pd
import pytest

from synthlib import data, ranking
from synthlib.votes import firmness

HEAD = "worker,left,right,more_objective,check_passed\n"
GOOD = "w1,imdb,humor,imdb,True\n"
LABELS = "task,key,annotator,label\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + GOOD + "w1,imdb,imdb,imdb,True\n", r"a task stands against itself: 1 line\(s\): 3"),
        (
            HEAD + GOOD + "w1,imdb,humor,tie,True\n" * 7,
            r"is 'tie'.*leave ties out\): 7 line\(s\): 3, 4, ",
        ),
        (HEAD + "\n" + "w1,imdb,chess,imdb,True\n", r"column right: unknown task 'chess'; known are.*1 line\(s\): 3"),
        (HEAD + GOOD + ",imdb,humor,imdb,True\n", r"no worker is named: 1 line\(s\): 3"),
        (
            HEAD.replace(",left", ',"a\nnote",left') + 'w1,"a\r\nb",imdb,humor,imdb,True\nw1,,imdb,imdb,imdb,True\n',
            r"a task stands against itself: 1 line\(s\): 5",
        ),
        (HEAD + "w1,imdb,humor,imdb,maybe\n", r"check_passed must be true or false: 1 line\(s\): 2"),
        (HEAD, "no votes"),
        ("", "no sound csv"),
        ("worker;left\n", r"missing column\(s\).*it has \['worker;left'\]"),
    ],
)
def test_faults_in_pairs_are_named_with_their_lines(tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        data.load_pair_votes(tmp_path / "pairs.csv", tasks=["imdb", "humor"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("imdb,k1,a1,good\n", r"unknown label\(s\) \['good'\]; allowed are.*1 line\(s\): 2"),
        ("imdb,k1,a1,positive\n" * 2, r"annotator 'a1' votes twice on key 'k1': 1 line\(s\): 3"),
        ("imdb,,a1,positive\n", r"no key: 1 line\(s\): 2"),
    ],
)
def test_faults_in_labels_are_named_with_their_lines(tmp_path, rows, message):
    (tmp_path / "instances.csv").write_text(LABELS + rows)
    with pytest.raises(ValueError, match=message):
        data.load_instance_votes("imdb", tmp_path / "instances.csv")


def test_other_encodings_are_refused_and_marks_of_spreadsheets_read(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes((HEAD + "Jürgen,imdb,humor,imdb,1\n").encode("latin-1"))
    with pytest.raises(ValueError, match=r"is not UTF-8 \(byte 47\); save it as CSV UTF-8"):
        data.load_pair_votes(path, tasks=["imdb", "humor"])
    path.write_bytes((HEAD + "Jürgen,imdb,humor,imdb,1\n\n").encode("utf-8-sig"))
    votes = data.load_pair_votes(path, tasks=["imdb", "humor"])
    assert votes["worker"].tolist() == ["Jürgen"] and votes["check_passed"].tolist() == [True]


def test_one_worker_and_unconnected_tasks_still_have_levels_and_scores():
    tasks = ["imdb", "humor", "sms_spam", "relation"]
    rows = [("w1", "imdb", "humor", "imdb"), ("w1", "sms_spam", "relation", "relation")]
    votes = pd.DataFrame(rows, columns=["worker", "left", "right", "more_objective"])
    wins = ranking.count_wins(votes, tasks)
    settings = {"regularisation": 0.01, "n_resamples": 100, "confidence": 0.95, "rng": None}
    scores, draws = firmness.score_tasks(wins, tasks, **settings)
    assert scores["part"].tolist() == [1, 1, 2, 2] and len(draws) == 0
    assert scores["score"].iloc[1] > scores["score"].iloc[0] and scores["score_low"].isna().all()
    assert abs(scores.groupby("part")["score"].sum()).max() < 1e-9
    assert firmness.number_levels(wins[0] > wins[0].T).tolist() == [1, 2, 2, 1]
