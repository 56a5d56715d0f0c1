"""The methods that are evaluated: the classical ones, each with its best weight, and trained networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from mri_noise.arrays import Image
from mri_noise.choices import Untrusted, kinds
from mri_noise.evaluation.bart import bart_program, bart_slice
from mri_noise.evaluation.bench import Bench
from mri_noise.evaluation.weights import best_weight
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, Shipped

_TIKHONOV, _WAVELET = 1e-2, 5e-3
"""Where the search of a weight starts, and the weight without one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The image of a method.

    Attributes
    ----------
    image : shape (rows, columns)
    reconstruction
        The choice that made it, whose noise can be mapped; None if another program made it.
    weight
        Weight of its regularisation, if that was a choice.
    seconds
        Time of one reconstruction [s].
    """

    image: Image
    reconstruction: Reconstruction | None
    weight: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Fixed:
    """A reconstruction without anything to tune; the gains of trained networks are counted from the classical ones."""

    name: str
    reconstruction: Reconstruction
    classical: bool = False

    def __call__(self, bench: Bench) -> Attempt:
        """Reconstruct."""
        image, seconds = _timed(lambda: bench.image(self.reconstruction))
        return Attempt(image, self.reconstruction, None, seconds)


@dataclass(frozen=True, slots=True)
class TunedSense:
    """CG-SENSE with the Tikhonov weight of the highest PSNR of each case: an upper bound of what it can reach."""

    tune: bool = True
    name: str = "CG-SENSE"
    classical: bool = True

    def __call__(self, bench: Bench) -> Attempt:
        """Search the weight and reconstruct."""
        weight = _weight(self.tune, bench, lambda weight: bench.image(CGSense(tikhonov=weight)), _TIKHONOV)
        choice = CGSense(tikhonov=weight)
        image, seconds = _timed(lambda: bench.image(choice))
        return Attempt(image, choice, weight, seconds)


@dataclass(frozen=True, slots=True)
class BartWavelet:
    """Compressed sensing by BART with the wavelet weight of the highest PSNR of each case: an upper bound too.

    It gets the same k-space, mask and coil maps as every other method.
    """

    program: str
    tune: bool = True
    name: str = "BART l1-wavelet"
    classical: bool = True

    def __call__(self, bench: Bench) -> Attempt:
        """Search the weight and reconstruct."""
        with bart_slice(self.program, bench.prepared.kspace, bench.prepared.encoding) as data:
            weight = _weight(self.tune, bench, data.wavelet, _WAVELET)
            image, seconds = _timed(lambda: data.wavelet(weight))
        return Attempt(image, None, weight, seconds)


Method = Fixed | TunedSense | BartWavelet
"""A named way from a case to its image; ValueError, in one sentence, if it fails."""


def all_methods(models: Sequence[str], *, tune: bool, trust_code: bool = False) -> tuple[Method, ...]:
    """The classical methods that can run here, and trained networks.

    Raises
    ------
    ValueError
        If a model is neither shipped nor a file nor a kind, or is given twice, or has code that nobody agreed to run.
    """
    bart = bart_program()
    classical: list[Method] = [Fixed("zero-filled", ZeroFilled(), classical=True), TunedSense(tune)]
    wavelet: list[Method] = [] if bart is None else [BartWavelet(bart, tune)]
    methods = (*classical, *wavelet, *(_model(model, trust_code=trust_code) for model in models))
    names = [method.name for method in methods]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"two methods have the name '{twice[0]}'; give each model once, under file names that differ")
    return methods


def _model(text: str, *, trust_code: bool) -> Fixed:
    path = Path(text)
    if text in SHIPPED_NAMES:
        return Fixed(text, Shipped(name=text))
    if path.is_file():
        checkpoint = Checkpoint(path=path, trust_code=trust_code)
        if checkpoint.code is not None:
            raise Untrusted(checkpoint.code)
        return Fixed(path.stem, checkpoint)
    if text in kinds("reconstructions"):
        return Fixed(text, Reconstruction.parse({"kind": text}))
    raise ValueError(
        f"there is neither a shipped model nor a file of weights '{text}'; give a path, or some of "
        f"{', '.join(SHIPPED_NAMES)}"
    )


def _weight(tune: bool, bench: Bench, reconstruct: Callable[[float], Image], start: float) -> float:
    if not tune or bench.reference is None:
        return start

    def score(weight: float) -> float:
        quality = bench.quality(reconstruct(weight))
        return float("-inf") if quality is None else quality.psnr

    return best_weight(score, start)


def _timed(reconstruct: Callable[[], Image]) -> tuple[Image, float]:
    start = perf_counter()
    image = reconstruct()
    return image, perf_counter() - start
