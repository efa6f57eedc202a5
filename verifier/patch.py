"""A counterexample as a patch: a unified diff that adds an ordinary regression test beside the property.

The test judges the one instance again, on the randomness of its confirmation, and fails once it is no longer violated. It
stands beside the property and not inside it: as an ``@example`` it would end every search before it began.

What the record brings reaches the source as literals only. The claim comes from the registry, the instance is rebuilt by its
validating constructors and written anew from the object, and every text is a Python literal made by ``repr``.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from verifier import records
from verifier.claims import Claim
from verifier.instances import Instance
from verifier.records import RecordError, RunDirectory
from verifier.runs import own_file
from verifier.verdicts.judgement import VIOLATED
from verifier.verdicts.search import confirm

HELPER = "check_counterexample"
_FROM = "verifier.testing"
_WIDTH = 100


class Unpatchable(ValueError):
    """No regression test can be made of this; the message says why."""


class NotViolated(Unpatchable):
    """The instance is not violated here, so that its test would fail."""


@dataclass(frozen=True)
class Patch:
    """The diff, the file it is for (relative to where its package is imported from), and the name of the test."""

    text: str
    file: str
    test: str


def counterexample_of(run: records.PathLike, claim: Claim) -> tuple[Instance, int]:
    """The minimal counterexample of a claim in a run and the seed that confirmed it.

    Raises Unpatchable where the run has none, RecordError for a file that cannot be read or trusted.
    """
    run = Path(run)
    if not run.is_dir():
        raise RecordError(f"{run}: is no directory of a run: name one that holds counterexamples/")
    places = RunDirectory(run)
    if places.counterexamples.is_symlink():
        raise RecordError(f"{places.counterexamples}: is a link: a run is read from its own files only")
    path = places.counterexample(claim.id, "minimal")
    if not own_file(path):
        raise Unpatchable(f"{run}: holds no counterexample to {claim.id}: it lacks {path.relative_to(run)}")
    record = records.load_counterexample(path)
    if record["claim"] != claim.id or record["verdict"] != VIOLATED:
        raise Unpatchable(f"{path}: is about {record['claim']!r}, {record['verdict']}: no violation of {claim.id}")
    try:
        return Instance.from_json(record["instance"]), record["seed"]
    except ValueError as error:
        raise RecordError(f"{path}: $.instance: {error}") from None


def patch_for(claim: Claim, instance: Instance, seed: int) -> Patch:
    """The diff that adds a test of ``instance`` to the module that holds ``claim``.

    Raises NotViolated where the instance is not violated here, Unpatchable where no module holds the claim, or the module has
    this test.
    """
    found = confirm(claim, instance, seed).judgement
    if found.verdict != VIOLATED:
        raise NotViolated(f"{claim.id} is {found.verdict} on this instance here, not violated: {found.reason}")
    module, name, alone = _holder(claim)
    try:
        before = Path(str(module.__file__)).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unpatchable(f"{module.__name__}: its source cannot be read as UTF-8: {error}") from None
    test = _test_name(claim, instance)
    if re.search(rf"^def {test}\(", before, re.MULTILINE):
        raise Unpatchable(f"{module.__name__} has the test {test} already")
    after = (
        _with_import(before).rstrip() + "\n\n\n" + _source(claim, instance, seed, test, f"({name},)" if alone else name)
    )
    if "\r\n" in before:
        after = after.replace("\r\n", "\n").replace("\n", "\r\n")
    file = module.__name__.replace(".", "/") + ("/__init__" if hasattr(module, "__path__") else "") + ".py"
    return Patch(_diff(before, after, file), file, test)


def _holder(claim: Claim) -> tuple[ModuleType, str, bool]:
    """The module that declares a claim, the name under which it holds it, and whether it holds it alone. Of several modules, the
    one that holds the fewest claims beside it.
    """
    found: list[tuple[int, str, ModuleType, str, bool]] = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(module, ModuleType) or not str(file).endswith(".py") or name != module.__name__:
            continue
        for attribute, value in list(vars(module).items()):
            alone = value is claim
            if alone or (isinstance(value, (tuple, list)) and any(item is claim for item in value)):
                found.append((1 if alone else len(value), name, module, attribute, alone))
    # READINGS first, which the pytest plugin reads, and a collection before a single claim of the same size.
    found.sort(key=lambda each: (each[3] != "READINGS", each[0], each[4], each[1], each[3]))
    if not found:
        raise Unpatchable(f"no module that is a file holds {claim.id}: declare it at the top of one")
    return found[0][2], found[0][3], found[0][4]


def _test_name(claim: Claim, instance: Instance) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", (claim.reading or claim.id).lower()).strip("_")
    return f"test_counterexample_to_{words}_{instance.digest[:8]}"


def _source(claim: Claim, instance: Instance, seed: int, test: str, held: str) -> str:
    """The test as source code; the JSON in lines of 100 characters."""
    text = json.dumps(instance.to_json(), sort_keys=True, allow_nan=False)
    wrapper = textwrap.TextWrapper(_WIDTH, drop_whitespace=False, replace_whitespace=False, break_on_hyphens=False)
    pieces = wrapper.wrap(text)  # of ASCII in which only spaces are white: nothing is changed, and nothing lost
    lines = "\n".join(f"        {_literal(piece)}" for piece in pieces)
    return (
        f"def {test}() -> None:\n"
        f'    """A counterexample that was found is one still."""\n'
        f"    {HELPER}(\n"
        f"        {held},\n"
        f"        {_literal(claim.id)},\n"
        f"{lines},\n"
        f"        seed={seed:d},\n"
        f"    )\n"
    )


def _literal(text: str) -> str:
    """A text as a Python literal in ASCII, in double quotes where it has none, as the project's formatter writes it."""
    plain = ascii(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain and "\\" not in plain else plain


def _with_import(source: str) -> str:
    """The source with the helper imported: beside what it imports from the same module, else after the last import."""
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    lines = _lines(source if source.endswith("\n") else source + "\n")
    for node in imports:
        if isinstance(node, ast.ImportFrom) and node.module == _FROM and not node.level:
            names = {alias.name: alias.asname for alias in node.names}
            if names.get(HELPER, "absent") is None:
                return source
            if node.lineno == node.end_lineno:
                words = sorted([a.name + (f" as {a.asname}" if a.asname else "") for a in node.names] + [HELPER])
                lines[node.lineno - 1] = f"from {_FROM} import {', '.join(words)}\n"
                return "".join(lines)
    body = tree.body
    docstring = bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    last = imports[-1].end_lineno if imports else body[0].end_lineno if docstring else 0
    lines.insert(last or 0, f"from {_FROM} import {HELPER}\n")
    return "".join(lines)


def _diff(before: str, after: str, file: str) -> str:
    """A unified diff as ``git apply`` reads it."""
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{file}", f"b/{file}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Lines as git counts them: a form feed or a separator ends none."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
