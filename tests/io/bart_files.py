"""Writes BART arrays."""

from pathlib import Path

import numpy as np


def write_bart(stem: Path, array: np.ndarray) -> Path:
    sizes = [*array.shape, *[1] * (16 - array.ndim)]
    Path(f"{stem}.hdr").write_text(f"# Dimensions\n{' '.join(map(str, sizes))} \n# Command\nphantom -k x\n")
    Path(f"{stem}.cfl").write_bytes(array.astype("<c8").tobytes(order="F"))
    return stem
