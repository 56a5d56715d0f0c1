"""What is said of the data of a scan beside its facts: its noise, and what was taken otherwise than the file says."""

from collections.abc import Sequence

from mri_noise.acquisition.noise import Noise
from mri_noise.session.layer_data import DATA_UNITS


def noise_note(noise: Noise) -> str:
    """The level of a noise, where it comes from, and how well it is known."""
    known = (
        "taken to be exact"
        if noise.n_samples is None
        else f"{noise.n_samples} samples, a std known to {100 * noise.uncertainty:.2g} %"
    )
    return f"Noise σ {noise.level:.3g} {DATA_UNITS}: {noise.source}; {known}."


def remark_note(remarks: Sequence[str]) -> str:
    """Remarks as sentences; empty if there are none."""
    return " ".join(f"{remark[0].upper()}{remark[1:]}." for remark in remarks)
