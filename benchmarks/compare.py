"""Compare two recorded results of one benchmark: every number of the second as a ratio to that of the first."""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from record import Rows


def compared(first: Rows, second: Rows) -> pd.DataFrame:
    """Pair the rows of two tables by their words, else by their place; a row for each pair and number."""
    rows = []
    for words, before, after in _pairs(first, second):
        for column, value in before.items():
            other = after.get(column)
            if _is_number(value) and _is_number(other):
                ratio = other / value if value else float("nan")
                rows.append({"row": words, "column": column, "A": value, "B": other, "B / A": ratio})
    return pd.DataFrame(rows, columns=["row", "column", "A", "B", "B / A"])


def unpaired(first: Rows, second: Rows) -> set[str]:
    """Rows that only one of two tables has."""
    return {key for key, _ in _keyed(first)} ^ {key for key, _ in _keyed(second)}


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What beside the code differs between two records, one sentence each."""
    said = [
        f"{key}: {first[part].get(key)} and {second[part].get(key)}"
        for part in ("machine", "versions")
        for key in sorted({*first[part], *second[part]})
        if first[part].get(key) != second[part].get(key)
    ]
    return [
        *said,
        *(f"{name} was measured with uncommitted changes" for name, it in _named(first, second) if it["dirty"]),
    ]


def _named(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [("A", first), ("B", second)]


def _pairs(first: Rows, second: Rows) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    others = dict(_keyed(second))
    return [(key, row, others[key]) for key, row in _keyed(first) if key in others]


def _keyed(rows: Rows) -> list[tuple[str, dict[str, Any]]]:
    """Each row under its words, numbered where these are not its own."""
    seen: dict[str, int] = {}
    keyed = []
    for row in rows:
        words = ", ".join(str(value) for value in row.values() if isinstance(value, str))
        seen[words] = seen.get(words, 0) + 1
        keyed.append((words if seen[words] == 1 else f"{words} ({seen[words]})".strip(), row))
    return keyed


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def main() -> None:
    """Print one table for each that both files have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path, metavar="A.json")
    parser.add_argument("second", type=Path, metavar="B.json")
    arguments = parser.parse_args()
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (arguments.first, arguments.second))
    for name, record in _named(first, second):
        print(f"{name}: commit {record['commit'] or 'unknown'}, {record['date']}")
    for sentence in differences(first, second):
        print(f"  not the same: {sentence}")
    for name in sorted(first["results"].keys() | second["results"].keys()):
        if name not in first["results"] or name not in second["results"]:
            print(f"\n{name}: in one of the files only")
            continue
        table = compared(first["results"][name], second["results"][name])
        print(f"\n{name}")
        print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
        for row in sorted(unpaired(first["results"][name], second["results"][name])):
            print(f"  in one of the files only: {row}")


if __name__ == "__main__":
    main()
