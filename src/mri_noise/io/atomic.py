"""Files that are written whole or not at all, for readers and writers of formats: see :mod:`mri_noise.atomic`."""

from mri_noise.atomic import Draft, check_writable, replacing, replacing_all
from mri_noise.signals import held as uninterrupted

__all__ = ["Draft", "check_writable", "replacing", "replacing_all", "uninterrupted"]
