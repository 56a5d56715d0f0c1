"""The one open registry: which kinds of reconstruction, mask, noise source, coil maps, method and format there are.

The package's own kinds are listed by name, so that none is imported before it is asked for. Those of other
distributions come from Python's entry points, in the groups ``mri_noise.reconstructions``, ``mri_noise.undersampling``,
``mri_noise.noise``, ``mri_noise.coils``, ``mri_noise.methods`` and ``mri_noise.formats``; the name of an entry point is
the kind. An instance is accepted wherever a kind is.
"""

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract
from types import new_class
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from mri_noise.settings import Origin, Settings

Group = Literal["reconstructions", "undersampling", "noise", "coils", "methods", "formats"]

_OWN: Mapping[Group, Mapping[str, str]] = {
    "reconstructions": {
        "zero-filled": "mri_noise.recon.linear:ZeroFilled",
        "cg-sense": "mri_noise.recon.linear:CGSense",
        "unet": "mri_noise.recon.networks.unet:UNetSettings",
        "unrolled": "mri_noise.recon.networks.unrolled:UnrolledSettings",
        "modl": "mri_noise.recon.networks.modl:MoDLSettings",
        "varnet": "mri_noise.recon.networks.varnet:VarNetSettings",
        "varnet-image": "mri_noise.recon.networks.varnet_image:ImageVarNetSettings",
        "meddlr-unet": "mri_noise.recon.networks.meddlr_unet:MeddlrUNetSettings",
        "shipped": "mri_noise.recon.weights.shipped:Shipped",
        "checkpoint": "mri_noise.recon.weights.checkpoint:Checkpoint",
        "python": "mri_noise.recon.python:PythonReconstruction",
    },
    "undersampling": {
        "as-acquired": "mri_noise.acquisition.masks:AsAcquired",
        "equispaced": "mri_noise.acquisition.masks:Equispaced",
        "random-lines": "mri_noise.acquisition.masks:RandomLines",
        "poisson-disc": "mri_noise.acquisition.masks:PoissonDisc",
        "random-2d": "mri_noise.acquisition.masks:Random2D",
    },
    "noise": {
        "measured": "mri_noise.acquisition.noise_sources:MeasuredNoise",
        "prescan": "mri_noise.acquisition.noise_sources:NoiseFromPrescan",
        "corners": "mri_noise.acquisition.noise_sources:NoiseFromCorners",
        "edge": "mri_noise.acquisition.noise_sources:NoiseFromEdge",
        "level": "mri_noise.acquisition.noise_sources:NoiseLevel",
        "file": "mri_noise.acquisition.noise_sources:NoiseFromFile",
    },
    "coils": {
        "file": "mri_noise.acquisition.coils:MapsFromFile",
        "espirit": "mri_noise.acquisition.coils:Espirit",
        "low-resolution": "mri_noise.acquisition.coils:LowResolution",
    },
    "methods": {
        "lattice": "mri_noise.variance.lattice.magnitude:LatticeProbing",
        "lattice-complex": "mri_noise.variance.lattice.complex_lattice:ComplexLatticeProbing",
        "sketch": "mri_noise.variance.sampling.sketch:Sketch",
        "monte-carlo": "mri_noise.variance.sampling.monte_carlo:MonteCarlo",
        "exact": "mri_noise.variance.sampling.exact:Exact",
    },
    "formats": {
        "fastmri": "mri_noise.io.fastmri:FASTMRI",
        "ismrmrd": "mri_noise.io.ismrmrd.reader:ISMRMRD",
        "bart": "mri_noise.io.bart:BART",
    },
}

_LOG = logging.getLogger(__name__)


def kinds(group: Group) -> tuple[str, ...]:
    """Name every kind of a group: the package's own, then those of other distributions, by name."""
    own = _OWN[group]
    return (*own, *sorted({each.name for each in _entry_points(group)} - own.keys()))


def load(group: Group, kind: str) -> Any:
    """Import what a kind names.

    Raises
    ------
    UnknownKind
        A ValueError: if there is none of that name.
    ValueError
        If two distributions bring it, or its distribution cannot be imported.
    """
    if kind in _OWN[group]:
        module, _, name = _OWN[group][kind].partition(":")
        return getattr(import_module(module), name)
    found = [each for each in _entry_points(group) if each.name == kind]
    if not found:
        raise UnknownKind(f"there is no kind '{kind}' of {group}; expected one of: {', '.join(kinds(group))}")
    if len(found) > 1:
        named = " and ".join(f"'{distribution_of(each)}'" for each in found)
        raise ValueError(f"the kind '{kind}' of {group} comes from {named}; uninstall one of them")
    try:
        return found[0].load()
    except Exception as error:  # whatever the code of others raises
        raise ValueError(
            f"the kind '{kind}' of {group} cannot be loaded from '{distribution_of(found[0])}' "
            f"({type(error).__name__}: {error}); update or uninstall it"
        ) from error


def distribution_of(entry: EntryPoint) -> str:
    """Name and version of the distribution that an entry point comes from."""
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def loaded(group: Group) -> Iterator[Any]:
    """Import every kind of a group; what cannot be imported is left out, and logged."""
    for kind in kinds(group):
        try:
            yield load(group, kind)
        except ValueError as error:
            _LOG.warning("%s", error)


class Untrusted(ValueError):
    """Code of the user's that a file names, and that nobody agreed to run."""

    def __init__(self, *targets: str) -> None:
        named = " and ".join(f"'{target}'" for target in targets)
        super().__init__(
            f"the file names Python code to run, {named}; it runs after a yes: --trust-code, or Run in the window"
        )
        self.targets = targets


class UnknownKind(ValueError):
    """A kind that neither the package nor an installed distribution has."""


def _entry_points(group: Group) -> list[EntryPoint]:
    return list(entry_points(group=f"mri_noise.{group}"))


def _unless_a_file_says_so(trusted: bool, info: Any) -> bool:
    return trusted and not (info.context or Origin()).is_file


TrustCode = Annotated[bool, AfterValidator(_unless_a_file_says_so)]
"""Whether somebody agreed to run code that settings name: never what a file says."""


class Choosable(Settings):
    """A choice that is open: an abstract class of it stands for every kind of its group, a final one for one kind.

    A field that is typed by an abstract class takes an instance, or a mapping whose ``kind`` is looked up. Classes of
    other distributions derive from the same abstract class and are named by an entry point.
    """

    group: ClassVar[Group]
    """Where its kinds are looked up."""
    thing: ClassVar[str]
    """What a choice of the group is, in a sentence."""
    title: ClassVar[str] = ""
    """What the kind is called on screen; its ``kind`` with spaces where that is empty."""
    offered: ClassVar[bool] = True
    """Whether a menu offers the kind before a value is one of it."""

    kind: str

    @abstractmethod
    def __call__(self, *_: Any, **__: Any) -> Any:
        """Do what was chosen; the abstract class of each group says with what, and what comes of it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate final classes as pydantic does, abstract ones by the kind that a value names."""
        if not isabstract(cls):
            return handler(source)
        return core_schema.with_info_plain_validator_function(cls._chosen)

    @classmethod
    def _chosen(cls, value: Any, info: Any) -> "Choosable":
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping) or "kind" not in value:
            raise PydanticCustomError("union_tag_not_found", "expected a mapping with a 'kind'")
        kind, origin = str(value["kind"]), info.context or Origin()
        try:
            found = load(cls.group, kind)
        except UnknownKind:
            if origin.keeps_absent:
                return _absent(cls).model_validate(value)
            found = None
        if found is None or not issubclass(found, cls):
            raise PydanticCustomError("union_tag_invalid", "unknown kind '{tag}'", {"tag": kind})
        try:
            return cast("Choosable", found.model_validate(value, context=origin))
        except ValidationError as error:
            raise _inside(kind, error) from None

    @classmethod
    def alternatives(cls: type["C"]) -> list[type["C"]]:
        """The final classes that a value may be of: every kind that is installed."""
        if not isabstract(cls):
            return [cls]
        return [each for each in loaded(cls.group) if issubclass(each, cls)]

    @classmethod
    def kind_of_class(cls) -> str:
        """The value of ``kind`` by which files and command lines name the class."""
        return str(cls.model_fields["kind"].default)

    @classmethod
    def title_of_class(cls) -> str:
        """What the kind is called on screen."""
        return cls.title or cls.kind_of_class().replace("-", " ")

    @classmethod
    def presets(cls: type["C"]) -> Mapping[str, "C"]:
        """Ready values that a menu offers by these titles."""
        return {}

    @property
    def label(self) -> str:
        """What this choice is called in a sentence and in the name of a layer."""
        return self.title_of_class()

    @property
    def short_name(self) -> str:
        """What this choice is called in a table of the command line."""
        return self.kind_of_class()

    @property
    def code(self) -> str | None:
        """The user's own code that this choice runs and that nobody has agreed to yet, as ``module:name``."""
        return None


C = TypeVar("C", bound=Choosable)


def _inside(kind: str, error: ValidationError) -> ValidationError:
    """The complaints of a kind, at a place that names it."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(each["type"], each["msg"], each.get("ctx")),
            loc=(kind, *each["loc"]),
            input=each["input"],
        )
        for each in error.errors()
    ]
    return ValidationError.from_exception_data(error.title, lines)


class Absent(Choosable):
    """A choice of a saved result whose kind is not installed here: its values are kept, and cannot be used."""

    stands_for: ClassVar[type[Choosable]]

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Refuse: ValueError, which says what is missing."""
        raise ValueError(
            f"the {self.thing} '{self.kind}' is not installed here; install the package that brings it, or choose "
            f"another {self.thing}"
        )

    @property
    def label(self) -> str:
        return f"{self.kind} (not installed)"

    @property
    def short_name(self) -> str:
        return self.kind

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.stands_for, self.model_dump())


@cache
def _absent(base: type[Choosable]) -> type[Absent]:
    """The absent choices of a group."""
    body = {"model_config": ConfigDict(extra="allow"), "__module__": __name__}
    made = cast(type[Absent], new_class(f"Absent{base.__name__}", (Absent, base), exec_body=lambda of: of.update(body)))
    made.stands_for = base
    return made


def _rebuilt(base: type[Choosable], values: dict[str, Any]) -> Absent:
    return _absent(base).model_validate(values)


S = TypeVar("S", bound=Settings)


def choices_in(settings: Settings) -> Iterator[Choosable]:
    """Every open choice in some settings, themselves included."""
    if isinstance(settings, Choosable):
        yield settings
    for inner in settings.parts():
        yield from choices_in(inner)


def code_in(settings: Settings) -> tuple[str, ...]:
    """The user's own code that settings run and that nobody has agreed to yet."""
    return tuple(choice.code for choice in choices_in(settings) if choice.code is not None)


def trusting(settings: S) -> S:
    """Agree to all of it: the same settings, which may run it."""
    update: dict[str, Any] = {
        name: trusting(inner)
        for name in type(settings).model_fields
        if isinstance(inner := getattr(settings, name), Settings)
    }
    if "trust_code" in type(settings).model_fields:
        update["trust_code"] = True
    return settings.model_copy(update=update)


def providers(settings: Settings) -> tuple[tuple[str, str, str], ...]:
    """(kind, distribution, version) of each choice that another distribution brings."""
    found = []
    for choice in choices_in(settings):
        foreign = [] if choice.kind in _OWN[choice.group] else _entry_points(choice.group)
        dists = [each.dist for each in foreign if each.name == choice.kind and each.dist is not None]
        found += [(choice.kind, dist.name, dist.version) for dist in dists]
    return tuple(found)


def absences(settings: Settings, brought: tuple[tuple[str, str, str], ...]) -> str:
    """One sentence about the choices that are not installed here, by what brought them; empty if all are."""
    missing = [choice for choice in choices_in(settings) if isinstance(choice, Absent)]
    if not missing:
        return ""
    names = {kind: f"{name} {version}" for kind, name, version in brought}
    named = [f"the {each.thing} '{each.kind}' of {names.get(each.kind, 'another package')}" for each in missing]
    return (
        f"{' and '.join(named)} {'is' if len(missing) == 1 else 'are'} not installed here: what was saved is shown, "
        "and cannot be computed again"
    )
