"""What every command prints with: consoles, clean text, refusals, verdicts in colour; and the exit codes.

Text that a pack or a file brings is printed as it is, never read as markup, and steers no terminal.
"""

from __future__ import annotations

import os
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

ERROR = 3
USAGE = 64
INTERRUPTED = 130

STYLES = {
    "SURVIVED": "green",
    "FALSIFIED": "red",
    "UNDERPOWERED": "yellow",
    "VACUOUS": "yellow",
    "ERROR": "magenta",
}
# A table in a log is cut by nobody's window.
_LOG_WIDTH = 200


class _Console(Console):
    """A console that a closed pipe silences: ``verifier audit | head`` still exits with the verdict."""

    def on_broken_pipe(self) -> None:
        """Say no more, and let the interpreter flush into nothing at exit."""
        self.quiet = True
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self.file.fileno())
        os.close(nothing)


def console(*, stderr: bool = False) -> Console:
    """Return a console on the present stdout or stderr; text is printed as it is, never read as markup."""
    made = _Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _LOG_WIDTH
    return made


def clean(text: object) -> str:
    """Return ``text`` without control characters: a pack's title must not steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in str(text))


def complain(sentence: str) -> None:
    """Say a sentence on standard error."""
    console(stderr=True).print(Text(clean(f"verifier: {sentence}")), soft_wrap=True)


def refuse(sentence: str) -> NoReturn:
    """Say why the command cannot be run as given, and exit 64."""
    complain(sentence)
    raise typer.Exit(USAGE)


def verdict(name: str | None) -> Text:
    """A verdict in its colour; none expected is "open"."""
    return Text("open", "dim") if name is None else Text(clean(name), STYLES.get(name, ""))


def agreement(agrees: bool | None) -> Text:
    """Whether a verdict is the expected one, in colour."""
    match agrees:
        case None:
            return Text("open", "dim")
        case True:
            return Text("yes")
        case _:
            return Text("NO", "bold red")
