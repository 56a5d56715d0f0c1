"""A user's own network, made by a function of a module that Python can import."""

import re
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from mri_noise.choices import TrustCode, Untrusted
from mri_noise.recon.reconstruction import NetworkSettings

_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def _of_the_form(target: str) -> str:
    if not _TARGET.fullmatch(target):
        raise ValueError(f"a target should be of the form package.module:make, got '{target}'")
    return target


class PythonReconstruction(NetworkSettings):
    """A network or any other reconstruction of the user's own: what a function returns.

    It runs the user's code. On the command line, in the form and in Python that is the wish of who writes it there. In
    a file it is somebody else's, and nothing of it is imported before somebody agrees.
    """

    title: ClassVar[str] = "own Python …"
    hidden: ClassVar[frozenset[str]] = frozenset({"trust_code"})

    kind: Literal["python"] = "python"
    target: Annotated[str, AfterValidator(_of_the_form)] = Field(
        description="package.module:make, a function without arguments that returns the network, or any callable "
        "(kspace, encoding) -> image"
    )
    trust_code: TrustCode = Field(True, validate_default=True, description="Whether somebody agreed to run it")

    def __call__(self) -> Any:
        """Import the module, and return what its function does.

        Raises
        ------
        Untrusted
            A ValueError: if the settings come from a file, and nobody agreed.
        ValueError
            If there is no such module or function, or it fails, or returns nothing that can be called.
        """
        if not self.trust_code:
            raise Untrusted(self.target)
        module, _, path = self.target.partition(":")
        try:
            made = import_module(module)
            for name in path.split("."):
                made = getattr(made, name)
            network = made()  # type: ignore[operator]
        except Exception as error:  # whatever the user's code raises
            raise ValueError(
                f"cannot make the reconstruction '{self.target}': {type(error).__name__}: {error}"
            ) from error
        if not callable(network):
            raise ValueError(
                f"'{self.target}' should return a network or another callable (kspace, encoding) -> image, "
                f"it returned {type(network).__name__}"
            )
        return network

    @property
    def label(self) -> str:
        return self.target.partition(":")[2]

    @property
    def code(self) -> str | None:
        return None if self.trust_code else self.target
