"""The form in a real browser, the form in a notebook, and the panel: what they export is read as votes."""

import json
import re
import time

import pytest
from browser import CHROMIUM, open_browser
from crowd_studies import SALT, TASKS, make_instances, make_pairs
from loopback_llm import serve_llm
from test_llm import SETTINGS
from tiny_causal import write_tiny_causal

from synthlib import cli, llm, paths
from synthlib.asking.backends import Llm
from synthlib.crowd import panel
from synthlib.crowd.collect import read_votes
from synthlib.crowd.form import write_form
from synthlib.crowd.widget import Form
from synthlib.crowd.write import write_instruments

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (chromium, google-chrome)")
SCRIPTED = "document.querySelector('#count').textContent"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def downloads(page, tmp_path):
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    return tmp_path


def start(page, path, number):
    page.open(path.as_uri())
    page.click("#code")
    page.type(str(number))
    page.press("Enter")


def wait_for(folder, ending):
    for _ in range(100):
        if found := [p for p in folder.glob(f"votes-*.{ending}") if p.stat().st_size]:
            return found[0]
        time.sleep(0.05)
    raise TimeoutError(f"no {ending} in {folder}")


@needs_browser
def test_a_person_answers_by_keyboard_stops_comes_back_and_saves(page, downloads):
    study, key = make_pairs()
    form = write_form(study, downloads / "form.html")
    page.requests.clear()
    start(page, form, 2)
    for key_pressed in ("1", "ArrowRight", "2"):
        page.press(key_pressed)
        page.press("Enter")
    assert page.run(SCRIPTED) == "Question 4 of 7"
    start(page, form, 2)  # the page is opened anew
    assert page.run(SCRIPTED) == "Question 4 of 7"
    page.press("Enter")  # nothing is chosen: it stays, and says why
    assert page.run(SCRIPTED) == "Question 4 of 7"
    assert page.run("document.querySelector('[aria-live]').textContent") == "Choose an answer first."
    page.click("#back")
    assert page.run("document.querySelector('input:checked').id") == "answer-2"
    page.click("#next")
    for _ in range(4):
        page.press("1")
        page.press("Enter")
    page.click("#save-json")
    page.click("#save-csv")
    files = [wait_for(downloads, ending) for ending in ("json", "csv")]
    found = [read_votes([file], study, key, salt=SALT) for file in files]
    for collection in found:
        assert collection.problems.empty and len(collection.votes) == 7
        sides = (collection.votes["answer"] == collection.votes["left"]).tolist()
        assert sides == [True, False, False, True, True, True, True]
        assert (collection.votes["seconds"] >= 0).all()
    same = ["worker", "session", "slot", "item", "answer", "seconds"]
    assert found[0].votes[same].astype(str).equals(found[1].votes[same].astype(str))
    assert json.loads(page.run("document.querySelector('#as-text').value")) == json.loads(files[0].read_text())
    assert {address.split(":")[0] for address in page.requests} <= {"file", "blob", "data"}, page.requests


@needs_browser
def test_numbers_are_checked_and_people_on_one_device_are_kept_apart(page, downloads):
    study, _ = make_instances()
    form = write_form(study, downloads / "form.html")
    for wrong in ("0", "4", "x", " ", "1.5"):
        start(page, form, wrong)
        assert page.run("document.querySelector('#code-wrong').textContent").endswith("from 1 to 3.")
        assert page.run("document.activeElement.id") == "code"
    start(page, form, 1)
    page.press("2")
    page.press("Enter")
    start(page, form, 3)
    assert page.run(SCRIPTED) == "Question 1 of 10"
    start(page, form, 1)
    assert page.run(SCRIPTED) == "Question 2 of 10"


@needs_browser
@pytest.mark.parametrize("make", [make_pairs, make_instances])
def test_a_screen_reader_finds_its_way_and_nothing_is_cut_off_on_a_phone(page, downloads, make):
    study, _ = make()
    form = write_form(study, downloads / "form.html")
    page.resize(360, 740, phone=True)
    start(page, form, 1)
    assert page.run("document.activeElement.tagName") == "LEGEND"
    assert page.run("document.documentElement.scrollWidth <= 360")
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    named = {(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n.get("ignored")}
    radios = [name for role, name in named if role == "radio"]
    assert len(radios) == 2 and all(radios)
    roles = {role for role, _ in named}
    assert {"group", "radio", "button", "progressbar", "status", "main"} <= {role.lower() for role in roles}
    assert ("button", "Next") in named
    assert page.run("[...document.querySelectorAll('button, .choice')].filter(e => e.offsetHeight)"
                    ".every(e => e.getBoundingClientRect().height >= 44)")  # fmt: skip
    page.send("Emulation.clearDeviceMetricsOverride")


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stay_texts_and_are_readable(page, downloads, scheme):
    study, _ = make_instances()
    evil = "<img src=x onerror='document.title=\"broken\"'></script><b>bold</b>"
    study = study.model_copy(update={"items": [i.model_copy(update={"text": evil}) for i in study.items]})
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    start(page, write_form(study, downloads / "form.html"), 1)
    assert page.run("document.querySelector('.text').textContent") == evil and page.run("document.title") == study.title
    page.press("1")
    time.sleep(0.3)  # until the colour has changed
    for selector in (".text", ".choice small", "#saved", "#next", ".chosen small"):
        assert contrast(page, selector) >= 4.5, (scheme, selector)


def contrast(page, selector):
    """Return the contrast (WCAG 2) of an element's text and the nearest painted background behind it."""
    colors = page.run(
        f"(() => {{let e = document.querySelector({json.dumps(selector)}); const ink = getComputedStyle(e).color;"
        "while (e && getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)') e = e.parentElement;"
        "return [ink, getComputedStyle(e).backgroundColor]})()"
    )
    lights = []
    for color in colors:
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("make", [make_pairs, make_instances])
def test_the_notebooks_form_exports_what_the_page_does(tmp_path, make):
    study, key = make()
    form = Form(study, 2)
    with pytest.raises(ValueError, match="nothing was answered"):
        form.save(tmp_path)
    for _ in form.places:
        assert form.next.disabled and form.choice.value is None
        form.choice.value = form.choice.options[1][1]
        form.next.click()
    form.back.click()
    assert form.choice.value is not None and form.next.disabled is False
    found = read_votes([form.save(tmp_path)], study, key, salt=SALT)
    assert len(found.votes) == len(form.places) and found.problems.empty
    if study.kind == "pairs":
        assert (found.votes["answer"] == found.votes["right"]).all()
    with pytest.raises(ValueError, match="slots 1 to 3"):
        Form(study, 4)


def test_a_language_model_panel_is_asked_through_the_engine_and_says_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(paths, "CALLS", tmp_path / "calls")
    monkeypatch.setattr("loopback_llm.write_answer", lambda body, number, fault: {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": "Neither." if number == 5 else "B."}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    })  # fmt: skip
    study, key = make_pairs()
    personas = ["a retired teacher", "a nurse"]
    with serve_llm(lambda n, body: "429" if n == 3 else "") as (url, witness):
        settings = Llm(**SETTINGS | {"base_url": url, "concurrency": 1})
        sittings = panel.ask_panel(study, personas, settings)
        again = panel.ask_panel(study, personas, settings)
        assert len(witness.requests) == 15 and again == sittings
    told = witness.requests[0]["messages"]
    assert "retired teacher" in told[0]["content"] and "not affected by the reader's own biases" in told[0]["content"]
    assert not any(task in told[1]["content"] for task in TASKS[1:2])  # titles, not names of files
    (tmp_path / "panel.json").write_text(json.dumps(sittings))
    found = read_votes([tmp_path / "panel.json"], study, key, salt=SALT)
    assert len(found.votes) == 13 and set(found.votes["instrument"]) == {"panel (language model)"}
    assert found.problems["value"].tolist() == ["Neither."]
    assert (found.votes["answer"] == found.votes["right"]).all()
    with pytest.raises(ValueError, match="4 personas for 3 slots"):
        panel.ask_panel(study, ["x"] * 4, settings)


def test_the_command_asks_a_model_on_disk_as_a_panel(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "CALLS", tmp_path / "calls")
    study, key = make_pairs()
    write_instruments(study, key, tmp_path / "study")
    fields = {"model": write_tiny_causal(tmp_path / "tiny"), "store": "p", "temperature": 1.0, "max_tokens": 2}
    fields |= {"labels": "mixed", "texts_per_conversation": 1, "asks_per_text": 1, "batch_size": 4}
    (tmp_path / "llm.yaml").write_text(json.dumps(fields | {"device": "cpu", "dtype": "float32"}))
    (tmp_path / "personas.txt").write_text("a retired teacher\na nurse\n")
    names = {"--llm": "llm.yaml", "--personas": "personas.txt", "--file": "panel.json"}
    told = ["crowd", "panel", str(tmp_path / "study")]
    told += [str(part) for name, file in names.items() for part in (name, tmp_path / file)]
    assert cli.main([*told, "--backend", "local"]) == 0
    assert "14 answers of 2 language-model personas (not people)" in capsys.readouterr().out
    sittings = json.loads((tmp_path / "panel.json").read_text())
    assert [sitting["persona"] for sitting in sittings] == ["a retired teacher", "a nurse"]
    assert cli.main(told) == 2 and "Llm: " in capsys.readouterr().err  # the fields are not those of a server
    for text, said in (("model: [", "is no YAML"), ("- model", "not a mapping")):
        (tmp_path / "llm.yaml").write_text(text)
        assert cli.main(told) == 2 and said in capsys.readouterr().err
