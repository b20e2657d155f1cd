"""What cannot be done: every fault that the code can raise has its English, and its values are plain and whole."""

import ast
import errno
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import numpy as np
import pytest

from gan_core import messages
from gan_core.data.reading.formats import FORMATS
from gan_core.data.reading.picture_file import REASONS
from gan_core.data.types import Cancelled, DataError
from gan_core.messages import ENGLISH, Fault, Misfit, byte_size, english_templates, message, os_reason

PACKAGE = Path(messages.__file__).parent
FAULTS = {"Fault", "Misfit", "ProcessMismatch", "DataError", "Unreachable", "Cancelled", "FetchFailed", "ConnectionCut",
          "StalePart", "message"}


def placeholders(key: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(english_templates()[key]) if name is not None}


@functools.cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    """(file, call or class) of every one in the package that may have to do with faults."""
    own = re.compile("messages import|" + "|".join(sorted(FAULTS - {"message"})))  # others have a `message` of their own
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if own.search(text):
            found += [(path.name, node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call | ast.ClassDef)]
    return tuple(found)


def made() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the package that makes a fault or a part of one, and where."""
    for name, node in nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAULTS:
            yield f"{name}:{node.lineno}", node


def test_every_fault_in_the_package_has_a_known_key_and_exactly_its_values():
    calls = list(made())
    assert len(calls) > 80
    used = set()
    for where, call in calls:
        assert call.args, where
        key = call.args[0]
        if not isinstance(key, ast.Constant):
            assert isinstance(key, ast.JoinedStr) or ast.unparse(key) in ("key", "error.key"), f"{where} has no literal key"
            continue
        used.add(key.value)
        assert key.value in english_templates(), f"{where}: {key.value}"
        given = {keyword.arg for keyword in call.keywords}
        if None in given:  # **values: the literal ones at least are wanted
            assert given - {None} <= placeholders(key.value), where
        else:
            assert given == placeholders(key.value), where
    prefixes = ("os_", "size_", "doing_")
    known = english_templates()
    result = {*used, *FORMATS.values(), *(f"skipped_{reason}" for reason in REASONS)}
    result |= {key for key in known if key.startswith(prefixes)}
    assert not set(known) - result, "a sentence that no code uses"


def test_a_class_of_faults_that_is_new_is_looked_at_too():
    """Whatever inherits from Fault in the package is in the list above."""
    classes = [node for _, node in nodes() if isinstance(node, ast.ClassDef)]
    found = {"Fault"}
    for _ in range(5):
        found |= {node.name for node in classes if {ast.unparse(base) for base in node.bases} & found}
    assert found == FAULTS - {"message"}


def test_a_fault_says_its_english_and_carries_plain_values():
    fault = DataError("folder_full", path=Path("/some/where"), most=1_000_000)
    assert str(fault) == "The folder /some/where contains more than 1,000,000 files; give a folder with the pictures alone."
    assert json.loads(json.dumps(fault.payload())) == {"key": "folder_full", "values": {"path": "/some/where", "most": 1_000_000}}
    assert isinstance(fault, RuntimeError) and isinstance(Misfit("misfit_batch", field="x", batch=9, n=2), ValueError)
    assert str(Cancelled("cancelled")).startswith("Cancelled. What was downloaded is kept")


def test_faults_stand_within_faults():
    tried = [message("tried", url=f"http://{name}", reason=Fault("no_answer", seconds=10.0)) for name in ("a", "b")]
    first = Fault("unreachable", dataset={"dataset": "mnist"}, file="x.gz", tried=tried)
    fault = Fault("unreachable_kept", first=first, size=byte_size(2_500_000))
    late = "it did not answer for 10 seconds"
    assert str(fault) == (f"mnist: x.gz could not be downloaded. Tried http://a: {late}, http://b: {late}. "
                          "The 2.5 MB that arrived are kept: the next try resumes from there.")
    assert ENGLISH.sentence(json.loads(json.dumps(fault.payload()))) == str(fault)


@pytest.mark.parametrize(("count", "expected_text"), [(0, "0 bytes"), (99_999, "99,999 bytes"), (100_000, "0.1 MB"),
                                             (10**9 - 1, "1,000 MB"), (10**9, "1 GB"), (1_340_000_000, "1.34 GB")])
def test_sizes_have_the_unit_that_can_be_read(count, expected_text):
    fault = Fault("archive_directory", size=byte_size(np.int64(count)), most=byte_size(1 << 24))
    assert str(fault).startswith(f"The archive's list of files has {expected_text}; 16.8 MB are allowed")
    json.dumps(fault.payload())


def test_an_unknown_key_or_a_missing_value_is_a_mistake_at_once():
    with pytest.raises(KeyError):
        DataError("There is no such key.")
    with pytest.raises(KeyError):
        DataError("folder_full", path="/x")


def test_what_is_no_letter_or_has_no_end_is_made_fit_to_be_told():
    fault = Fault("folder_missing", path="/a\udcff\nb" + "x" * 5000)
    json.dumps(fault.payload()).encode()
    str(fault).encode("utf-8")
    assert "/a? bxxx" in str(fault) and len(str(fault)) < 700


def test_why_the_system_refused():
    assert ENGLISH.sentence(os_reason(OSError(errno.ENOSPC, "whatever"))) == "No space left on device"
    assert os_reason(OSError(errno.EIO, "Input/output error")) == "Input/output error"
    assert os_reason(OSError("no number")) == "no number"


def test_parts_without_an_end_are_refused():
    result = {"key": "tried", "values": {"url": "", "reason": ""}}
    for _ in range(20):
        result = {"key": "misfit_batch", "values": {"field": "", "batch": 1, "n": result}}
    with pytest.raises(ValueError, match="without an end"):
        ENGLISH.sentence(result)


def test_all_that_a_full_disk_may_hinder_has_words():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((PACKAGE / "worker").glob("*.py")))
    doing = set(re.findall(r'attempt\("([^"]+)"', text)) | set(re.findall(r'\("(\w+)", (?:lambda: )?self\.recorder\.', text))
    known = {key for key in english_templates() if key.startswith("doing_")}
    assert len(doing) == 6 and {f"doing_{what}" for what in doing} == known
