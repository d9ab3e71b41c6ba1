"""Files that are written whole or not at all."""

from __future__ import annotations

import pytest

from synthlib.files import replacing


def test_until_the_end_there_is_the_old_file_and_after_an_error_still(tmp_path):
    path = tmp_path / "table.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(OSError, match="disk"), replacing(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
        raise OSError("disk is full")
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "new" and list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_share_a_temporary_one(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as other:
        assert one != other
        one.touch(), other.touch()
