"""From files of every instrument to votes that the notebooks read; every fault told with its line."""

import csv
import json
import resource
import stat

import pandas as pd
import pytest
from crowd_studies import SALT, TASKS, make_instances, make_pairs, save, sit

from synthlib import cli, data, ranking
from synthlib.crowd import mturk
from synthlib.crowd.collect import read_votes
from synthlib.crowd.export import export_votes
from synthlib.crowd.flags import Rule, flag_workers, keep_votes
from synthlib.crowd.pseudonyms import hide, open_salt
from synthlib.crowd.tables import read_table
from synthlib.crowd.write import write_instruments

RULE = Rule(min_seconds=2.0, straight_from=5, exclude=("failed_check", "too_fast"))


def write_csv(path, rows, encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def flags_of(study, key, found):
    workers = flag_workers(found.votes, RULE, per_worker=6 if study.kind == "pairs" else 8)
    return workers.set_index("worker")


def test_forms_become_votes_that_the_notebooks_read(tmp_path):
    study, key = make_pairs()
    found = read_votes(save(tmp_path / "in", *(sit(study, key, n) for n in (1, 2, 3))), study, key, salt=SALT)
    assert len(found.votes) == 21 and found.problems.empty
    workers = flag_workers(found.votes, RULE, per_worker=6)
    kept, account = keep_votes(found.votes, workers, RULE)
    assert len(kept) == 18 and account["votes"].tolist() == [21, 0, 0, 3, 0, 18]
    export_votes(kept, workers, account, study=study, rule=RULE, folder=tmp_path / "votes")
    votes = data.load_pair_votes(tmp_path / "votes" / "pairs.csv", tasks=TASKS)
    assert len(votes) == 18 and votes["check_passed"].all() and set(votes["worker"]) == set(workers["worker"])
    assert ranking.count_wins(votes, TASKS).sum() == 18
    assert json.loads((tmp_path / "votes" / "votes.json").read_text())["votes_by"] == "people"


def test_texts_become_votes_and_a_second_study_joins_the_folder(tmp_path):
    for number, seed in enumerate((7, 8)):
        study, key = make_instances(seed=seed)
        files = save(tmp_path / f"in{number}", *(sit(study, key, n) for n in (1, 2, 3)))
        found = read_votes(files, study, key, salt=SALT)
        workers = flag_workers(found.votes, RULE, per_worker=8)
        kept, account = keep_votes(found.votes, workers, RULE)
        for _ in range(2):  # exported again, it takes the place of what was there
            export_votes(kept, workers, account, study=study, rule=RULE, folder=tmp_path / f"votes{number}")
        votes = data.load_instance_votes("humor", tmp_path / f"votes{number}" / "instances.csv")
        assert len(votes) == 24 and set(votes["key"]) == set(key.keys.values())


@pytest.mark.parametrize("n_bytes", [100, 1000])  # too few for the votes, too few for votes.json
def test_an_export_to_a_full_disk_leaves_the_folder_as_it_was(tmp_path, n_bytes):
    study, key = make_instances()
    found = read_votes(save(tmp_path / "in", sit(study, key, 1)), study, key, salt=SALT)
    workers = flag_workers(found.votes, RULE, per_worker=8)
    kept, account = keep_votes(found.votes, workers, RULE)
    arguments = {"study": study, "rule": RULE, "folder": tmp_path / "votes"}
    export_votes(kept, workers, account, **arguments)
    before = {path.name: path.read_text() for path in (tmp_path / "votes").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            export_votes(kept, workers, pd.concat([account] * 5), **arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_text() for path in (tmp_path / "votes").iterdir()} == before


def test_careless_workers_are_flagged_each_for_what_they_did(tmp_path):
    study, key = make_pairs(n_workers=8)

    def left_always(place, answers):
        return key.checks.get(place.item, study.sides(place)[0])

    def wrong(place, answers):
        right = key.checks.get(place.item, answers[0])
        return next(a for a in answers if a != right)

    short = sit(study, key, 4)
    short["answers"] = [row for row in short["answers"] if row["item"] not in key.checks][:3]
    sittings = [
        sit(study, key, 1),
        sit(study, key, 2, choose=left_always),
        sit(study, key, 3, choose=wrong),
        short,
        sit(study, key, 5, seconds=0.4),
        sit(study, key, 6, session="a"),
        sit(study, key, 6, session="b"),
        sit(study, key, 7, worker="anna"),
        sit(study, key, 7, worker="bert"),
    ]
    found = read_votes(save(tmp_path / "in", *sittings), study, key, salt=SALT)
    flags = flags_of(study, key, found)
    names = ["repeated", "shared_slot", "failed_check", "no_check", "straight_lining", "too_fast", "incomplete"]
    told = {name: {flag for flag in names if flags.loc[hide(name, SALT), flag]} for name in "1 2 3 4 5 6 anna".split()}
    assert told.pop("3") >= {"failed_check"}
    assert told == {
        "1": set(),
        "2": {"straight_lining"},
        "4": {"no_check", "incomplete"},
        "5": {"too_fast"},
        "6": {"repeated"},
        "anna": {"shared_slot"},
    }
    kept, account = keep_votes(found.votes, flags.reset_index(), RULE)
    steps = account["votes"]
    assert steps.iloc[0] - steps.iloc[1:-1].sum() == steps.iloc[-1] == len(kept)
    assert not kept.duplicated(["worker", "item"]).any() and hide("5", SALT) not in set(kept["worker"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answers": [3]}, "no answer of a form"),
        ({"answers": []}, "no answers in this file"),
        ({"study": None}, "does not say of which study"),
        ({"worker": None}, "no worker is named"),
        ({"item": ["q1"]}, "no such item"),
        ({"left": "weather"}, "the item is of"),
        ({"answer": None}, "no answer, or a tie"),
        ({"answer": "weather"}, "it must be one of"),
        ({"slot": "first"}, "no number; decimals take a point"),
        ({"seconds": 10**400}, "no number"),
    ],
)
def test_what_is_no_answer_in_a_sitting_is_told(tmp_path, change, said):
    study, key = make_pairs()
    sitting = sit(study, key, 1)
    sitting["answers"] = [sitting["answers"][0] | change]
    found = read_votes(save(tmp_path / "in", sitting | change), study, key, salt=SALT)
    assert found.votes.empty and len(found.problems) == 1 and said in found.problems["problem"].iloc[0]
    workers = flag_workers(found.votes, RULE, per_worker=6)
    kept, account = keep_votes(found.votes, workers, RULE)
    assert kept.empty and account["workers"].iloc[-1] == 0
    with pytest.raises(ValueError, match="no valid worker"):
        export_votes(kept, workers, account, study=study, rule=RULE, folder=tmp_path / "votes")


def test_files_that_hold_no_sittings_are_refused(tmp_path):
    study, key = make_pairs()
    for text, said in (("5", "neither an export"), ("{", "line 1: this is no JSON"), ('{"worker": 1}', "neither")):
        (tmp_path / "v.json").write_text(text)
        with pytest.raises(ValueError, match=said):
            read_votes([tmp_path / "v.json"], study, key, salt=SALT)
    with pytest.raises(FileNotFoundError, match="no files"):
        read_votes([], study, key, salt=SALT)
    (tmp_path / "v.csv").write_text('worker,left,right,more_objective\n"anna,imdb,humor,imdb\n')
    with pytest.raises(ValueError, match=r"no rows below .* line 2 has 1 cells"):
        read_votes([tmp_path / "v.csv"], study, key, salt=SALT)


def test_a_sitting_that_was_saved_twice_counts_once_and_is_told(tmp_path):
    study, key = make_pairs()
    first, again = sit(study, key, 1), sit(study, key, 1)
    again["answers"][0] = again["answers"][0] | {"answer": again["answers"][0]["right"], "time": "2026-01-01T00:05:00Z"}
    found = read_votes(save(tmp_path / "in", first, first, again), study, key, salt=SALT)
    assert len(found.votes) == 8  # the changed answer stays, and flags its worker
    assert found.problems["value"].tolist() == ["7 answer(s)", "6 answer(s)"]
    assert flags_of(study, key, found)["repeated"].all()


def test_a_plain_csv_with_every_fault_gives_its_lines_and_the_rest_is_read(tmp_path):
    study, key = make_pairs()
    rows = [
        ["worker", "left", "right", "more_objective", "mood"],
        ["anna", "imdb", "humor", "humor", ""],
        ["anna", "humor", "humor", "humor", ""],
        ["anna", "imdb", "weather", "imdb", ""],
        ["anna", "imdb", "sms_spam", "tie", ""],
        ["", "imdb", "sms_spam", "imdb", ""],
        ["bert", "imdb", "sms_spam", "tweet_irony", ""],
        ["bert", "imdb"],
        ["bert", "sms_spam", "imdb", "imdb", ""],
    ]
    found = read_votes([write_csv(tmp_path / "v.csv", rows)], study, key, salt=SALT)
    assert found.votes["line"].tolist() == [2, 9] and found.votes["instrument"].unique().tolist() == ["csv"]
    told = {row.line: row.problem for row in found.problems.itertuples() if row.line}
    assert set(told) == {3, 4, 5, 6, 7, 8}
    for line, part in {
        3: "itself",
        4: "unknown task",
        5: "tie",
        6: "no worker",
        7: "unknown answer",
        8: "2 cells",
    }.items():
        assert part in told[line]
    assert found.problems.loc[found.problems["column"] == "mood", "problem"].tolist() == ["column not known, not read"]


@pytest.mark.parametrize(("seconds", "fast"), [("0.4", [True]), ("9", [False]), ("", [False]), ("0,4", [])])
def test_haste_is_seen_or_told_to_be_unknown(tmp_path, seconds, fast):
    study, key = make_pairs()
    rows = [["worker", "left", "right", "more_objective", "seconds"], ["anna", "imdb", "humor", "humor", seconds]]
    found = read_votes([write_csv(tmp_path / "v.csv", rows)], study, key, salt=SALT)
    assert flags_of(study, key, found)["too_fast"].tolist() == fast
    told = found.problems[["line", "column", "value"]].to_numpy().tolist()
    assert told == ([] if fast else [[2, "seconds", seconds]])


@pytest.mark.parametrize(
    ("header", "rename", "said"),
    [
        (["wroker", "left", "right", "more_objective"], {}, "'worker' .is it 'wroker'"),
        (["worker", "left", "right"], {}, "missing column.s. 'more_objective'"),
        (["rater", "left", "right", "more_objective"], {"rater": "worker"}, None),
    ],
)
def test_missing_and_renamed_columns(tmp_path, header, rename, said):
    study, key = make_pairs()
    path = write_csv(tmp_path / "v.csv", [header, ["anna", "imdb", "humor", "imdb"][: len(header)]])
    if said is None:
        assert len(read_votes([path], study, key, salt=SALT, rename=rename).votes) == 1
    else:
        with pytest.raises(ValueError, match=said):
            read_votes([path], study, key, salt=SALT, rename=rename)


def test_encodings(tmp_path):
    rows = [["worker", "key"], ["Zoë", "a"], ["Åsa", "b"]]
    with pytest.raises(ValueError, match="line 2: byte 0xeb is not utf-8"):
        read_table(write_csv(tmp_path / "v.csv", rows, "cp1252"))
    for encoding, given in (("cp1252", "cp1252"), ("utf-16", None), ("utf-8-sig", None), ("utf-8", None)):
        table, _ = read_table(write_csv(tmp_path / "v.csv", rows, encoding), encoding=given)
        assert table["worker"].tolist() == ["Zoë", "Åsa"] and list(table.columns) == ["worker", "key", "line"]
    (tmp_path / "v.csv").write_text("worker;key\nanna;a\n")
    assert read_table(tmp_path / "v.csv")[0]["key"].tolist() == ["a"]
    long = 'worker,key\nanna,"' + "x" * 140_000
    for text, said in (("", "empty"), ("worker,key\n", "no rows"), ("a,a\n1,2\n", "repeated"), (long, "line 2: field")):
        (tmp_path / "v.csv").write_text(text)
        with pytest.raises(ValueError, match=said):
            read_table(tmp_path / "v.csv")


def test_unknown_labels_texts_and_studies(tmp_path):
    study, key = make_instances()
    text = next(iter(key.keys.values()))
    rows = [["worker", "key", "label"], ["a", text, "humor"], ["a", "none", "humor"], ["a", text, "funny"]]
    found = read_votes([write_csv(tmp_path / "v.csv", rows)], study, key, salt=SALT)
    assert len(found.votes) == 1 and found.problems["line"].tolist() == [3, 4]
    other = sit(*make_instances(seed=9), 1)
    found = read_votes(save(tmp_path / "in", other), study, key, salt=SALT)
    assert found.votes.empty and found.problems["problem"].str.contains("another study").all()


def results(study, key, answer):
    """Return the batch results that the requester site would give for a batch, with ``answer`` as Answer columns."""
    batch = mturk.make_batch(study).add_prefix("Input.")
    batch.insert(0, "HITId", [f"hit{n}" for n in range(len(batch))])
    batch["WorkerId"] = ["A1", "A2", "A1"]
    batch["AssignmentStatus"], batch["WorkTimeInSeconds"] = ["Approved", "Submitted", "Rejected"], "70"
    for number in range(1, 8):
        item = batch[f"Input.item_{number}"]
        side = [
            "right" if key.checks.get(i) == r else "left"
            for i, r in zip(item, batch[f"Input.right_{number}"], strict=True)
        ]
        answer(batch, number, side)
    return batch


def plainly(batch, number, side):
    batch[f"Answer.answer_{number}"] = side


def ticked(batch, number, side):
    for value in ("left", "right"):
        batch[f"Answer.answer_{number}.{value}"] = [str(s == value).lower() for s in side]


def packed(batch, number, side):
    before = (
        [json.loads(t)[0] for t in batch["Answer.taskAnswers"]] if "Answer.taskAnswers" in batch else [{}] * len(side)
    )
    given = [
        b | {f"answer_{number}": {"left": s == "left", "right": s == "right"}}
        for b, s in zip(before, side, strict=True)
    ]
    batch["Answer.taskAnswers"] = [json.dumps([answers]) for answers in given]


@pytest.mark.parametrize("answer", [plainly, ticked, packed])
def test_mturk_results_in_each_of_their_forms(tmp_path, answer):
    study, key = make_pairs()
    results(study, key, answer).to_csv(tmp_path / "batch_results.csv", index=False)
    found = read_votes([tmp_path / "batch_results.csv"], study, key, salt=SALT)
    assert len(found.votes) == 14 and (found.votes["seconds"] == 10).all()
    assert found.votes.loc[found.votes["check"], "correct"].all()
    items = found.votes[~found.votes["check"]]
    assert (items["answer"] == items["left"]).all()
    assert found.problems["problem"].tolist() == ["a rejected assignment, not read"] and found.problems[
        "line"
    ].tolist() == [4]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("WorkTimeInSeconds", "70,5"),
        *(("Answer.taskAnswers", text) for text in ("{", "5", "null", '["x"]', "[{}, {}]")),
    ],
)
def test_faults_of_mturk_results_are_told_once_with_their_line(tmp_path, column, value):
    study, key = make_pairs()
    table = results(study, key, packed)
    table.loc[0, column] = value
    table.to_csv(tmp_path / "batch_results.csv", index=False)
    found = read_votes([tmp_path / "batch_results.csv"], study, key, salt=SALT)
    assert len(found.votes) == 7 and (found.votes["seconds"] == 10).all()
    told = found.problems[["line", "column", "value"]].to_numpy().tolist()
    assert told == [[2, column, value], [4, "AssignmentStatus", "Rejected"]]


def test_names_are_hidden_and_the_salt_is_kept_apart(tmp_path):
    study, key = make_pairs()
    found = read_votes(save(tmp_path / "in", sit(study, key, 1, worker="Anna")), study, key, salt=SALT)
    assert "Anna" not in found.votes.to_csv() and found.votes["worker"].str.fullmatch("w[0-9a-f]{12}").all()
    salt = open_salt(tmp_path / "private" / "salt")
    assert open_salt(tmp_path / "private" / "salt") == salt != SALT
    assert stat.S_IMODE((tmp_path / "private" / "salt").stat().st_mode) == 0o600
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(ValueError, match="holds 1 bytes"):
        open_salt(tmp_path / "short")


def test_voters_of_two_kinds_never_share_a_folder(tmp_path):
    study, key = make_pairs()
    for number, (name, said) in enumerate({"html form": None, "panel (language model)": "votes by people"}.items()):
        files = save(tmp_path / f"in{number}", sit(study, key, 1, instrument=name))
        found = read_votes(files, study, key, salt=SALT)
        workers = flag_workers(found.votes, RULE, per_worker=6)
        kept, account = keep_votes(found.votes, workers, RULE)
        arguments = {"study": study, "rule": RULE, "folder": tmp_path / "votes"}
        if said is None:
            export_votes(kept, workers, account, **arguments)
        else:
            with pytest.raises(ValueError, match=said):
                export_votes(kept, workers, account, **arguments)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pairs.csv", "worker,left,right,more_objective,check_passed\n", "pairs.csv has no column 'study'"),
        ("votes.json", "[]", "votes_by is None"),
        ("votes.json", "{", "is no JSON"),
    ],
)
def test_a_folder_made_by_hand_is_not_written_to(tmp_path, name, text, said):
    study, key = make_pairs()
    found = read_votes(save(tmp_path / "in", sit(study, key, 1)), study, key, salt=SALT)
    workers = flag_workers(found.votes, RULE, per_worker=6)
    (tmp_path / name).write_text(text)
    kept, account = keep_votes(found.votes, workers, RULE)
    with pytest.raises(ValueError, match=said):
        export_votes(kept, workers, account, study=study, rule=RULE, folder=tmp_path)
    assert (tmp_path / name).read_text() == text


def test_the_command_goes_from_design_to_votes(tmp_path, capsys):
    folder = tmp_path / "study"
    design = ["crowd", "design", "pairs", str(folder), "--tasks", *TASKS, "--per-worker", "6", "--seed", "7"]
    assert cli.main(design) == 0 and "3 slots" in capsys.readouterr().out
    study, key = make_pairs()
    write_instruments(study, key, folder)
    save(tmp_path / "in", *(sit(study, key, n) for n in (1, 2, 3)))
    collect = ["crowd", "collect", str(folder), str(tmp_path / "in"), "--votes", str(tmp_path / "votes")]
    assert cli.main(collect) == 0
    assert "21 answers of 3 workers in 3 file(s)" in capsys.readouterr().out
    assert len(data.load_pair_votes(tmp_path / "votes" / "pairs.csv", tasks=TASKS)) == 18
    assert cli.main([*collect, "--exclude", "failed_check", "too_fast", "--min-seconds", "60"]) == 2
    said = capsys.readouterr().err
    assert "no valid worker" in said and "too fast to have read" in said
    assert cli.main([*collect, "--exclude", "tired"]) == 2 and "flags are repeated" in capsys.readouterr().err
    assert cli.main([*collect, "--salt", str(tmp_path / "votes" / "salt")]) == 2


def test_the_command_says_what_workers_buy_and_under_which_assumptions(capsys):
    shared = ["--simulations", "20", "--workers", "10", "40", "--items"]
    assert cli.main(["crowd", "power", "pairs", *shared, "5"]) == 0
    said = capsys.readouterr().out
    assert "assumed: true scores spread by 1.0" in said and said.count("score_width") == 2
    assert cli.main(["crowd", "power", "instances", *shared, "40"]) == 0 and "alpha_width" in capsys.readouterr().out
    assert (
        cli.main(["crowd", "power", "pairs", *shared, "3"]) == 2 and "cannot see more than 3" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("step", "option", "value", "said"),
    [
        *(
            ("design", f"--{name}", "0", "whole number from 1")
            for name in ("checks", "workers", "per-worker", "min-votes")
        ),
        ("design", "--seed", "-1", "whole number from 0"),
        ("power", "--per-worker", "0", "whole number from 1"),
        ("power", "--workers", "2.5", "whole number from 1"),
        ("power", "--noise", "-1", "number above 0"),
        ("power", "--spread", "nan", "number above 0"),
        ("power", "--spammers", "7", "number from 0 to below 1"),
        ("power", "--simulations", "0", "whole number from 2"),
        ("power", "--confidence", "2", "number between 0 and 1"),
        ("power", "--labels", "1", "whole number from 2"),
    ],
)
def test_numbers_out_of_range_are_refused_before_any_work(tmp_path, capsys, step, option, value, said):
    given = {"design": [str(tmp_path / "study"), "--tasks", "humor"], "power": ["--items", "8", "--workers", "5"]}
    with pytest.raises(SystemExit):
        cli.main(["crowd", step, "instances", *given[step], option, value])
    assert f"argument {option}: '{value}' is not a {said}" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_one_worker_is_read_and_said_to_allow_no_interval(tmp_path, capsys):
    study, key = make_pairs()
    write_instruments(study, key, tmp_path / "study")
    files = save(tmp_path / "in", sit(study, key, 1))
    assert (
        cli.main(["crowd", "collect", str(tmp_path / "study"), *map(str, files), "--votes", str(tmp_path / "v")]) == 0
    )
    assert "no interval over workers" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "v" / "pairs.csv")) == 6
