"""What the command line shows: tables and written paths on standard output, progress and complaints beside it."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from mri_noise.result import Result

T = TypeVar("T")

_FILE_WIDTH = 160
"""Width of tables [characters] where the output goes to a file and has no width of its own."""

_out = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
_err = Console(stderr=True)


def show(*tables: "pd.DataFrame", title: str | None = None, as_json: bool = False) -> None:
    """Print tables; as JSON, a list of their rows each, or the single table's rows.

    A table of a few rows and many columns is printed on its side.
    """
    filled = [_plain(table) for table in tables if not table.empty]
    if as_json:
        rows = [table.astype(object).where(table.notna(), None).to_dict(orient="records") for table in filled]
        print(json.dumps(rows[0] if len(rows) == 1 else rows))
        return
    for table in filled:
        _out.print(_drawn(_on_its_side(table) if len(table) < len(table.columns) / 2 else table, title))


def _on_its_side(table: "pd.DataFrame") -> "pd.DataFrame":
    """One column a row, named after the first column's values."""
    name = table.columns[0]
    return table.set_index(name).T.rename_axis(None, axis=1).rename_axis(name).reset_index()


def say(sentence: str) -> None:
    """Tell the user something, beside the output."""
    _err.print(escape(sentence), highlight=False)


def complain(sentence: str) -> None:
    """Tell the user what went wrong, if there still is a terminal to tell it on."""
    with suppress(OSError):
        _err.print(f"[bold red]mri-noise:[/] {escape(sentence)}", highlight=False, soft_wrap=True)


def on_terminal() -> bool:
    """Tell whether there is anyone to show progress to."""
    return _err.is_terminal


def follow(results: Iterable["Result"], *, quiet: bool = False) -> Iterator["Result"]:
    """Pass on the complete results; meanwhile show rate and remaining time, if there is a terminal to show them on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err, transient=True, disable=quiet or not _err.is_terminal) as progress:
        task = progress.add_task("reconstructing", total=None, rate="")
        for result in results:
            estimate = result.estimate
            if estimate is not None and not estimate.only_first_look:
                seconds = result.provenance.seconds
                progress.update(
                    task,
                    description=f"{result.provenance.label}, {result.experiment.variance.kind}",
                    completed=estimate.n_samples,
                    total=estimate.n_total,
                    rate=f"{estimate.n_evaluations / seconds:.1f} evaluations/s" if seconds else "",
                )
            if result.complete:
                yield result


def count(items: Iterable[T], total: int) -> Iterator[T]:
    """Pass on items; meanwhile show how many there were, if there is a terminal to show it on."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        yield from progress.track(items, total=total)


def _plain(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table with its row names, if it has any, as a column."""
    return table if table.index.dtype.kind == "i" else table.rename_axis("quantity").reset_index()


def _drawn(table: "pd.DataFrame", title: str | None) -> Table:
    drawn = Table(
        title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for name in table.columns:
        numbers = all(isinstance(value, float | int) for value in table[name])
        first = name == table.columns[0]
        drawn.add_column(escape(str(name)), justify="right" if numbers else "left", no_wrap=first, overflow="fold")
    for row in table.itertuples(index=False):
        drawn.add_row(*(_cell(value) for value in row))
    return drawn


def _cell(value: object) -> str:
    if isinstance(value, float):
        return (
            str(int(value))
            if value.is_integer() and abs(value) < 1e9
            else ("-" if math.isnan(value) else f"{value:.3g}")
        )
    return escape(str(value))
