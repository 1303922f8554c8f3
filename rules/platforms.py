"""Platforms in one spelling, so that they can be compared.

    linux/arm64/v8, linux/aarch64      linux/arm64
    linux/arm, linux/armhf             linux/arm/v7
    linux/x86_64, linux/amd64/v1       linux/amd64

Builders write the same platform in several ways, and an image that says `arm64/v8` serves where `arm64` is wanted. The rules
are those by which containerd normalises a platform.
"""

from __future__ import annotations

_MACHINES = {"x86_64": "amd64", "x86-64": "amd64", "i386": "386", "aarch64": "arm64", "armhf": "arm", "armel": "arm"}
_VARIANTS = {("arm64", "v8"): "", ("amd64", "v1"): "", ("arm", ""): "v7"}


def platform(system: str, machine: str, variant: str = "") -> str:
    """`os/architecture` or `os/architecture/variant` in the one spelling."""
    system, machine, variant = system.lower(), machine.lower(), variant.lower()
    if machine == "armel":
        variant = variant or "v6"
    machine = _MACHINES.get(machine, machine)
    if machine in ("arm", "arm64") and variant.isdecimal():
        variant = f"v{variant}"
    variant = _VARIANTS.get((machine, variant), variant)
    return f"{system}/{machine}/{variant}" if variant else f"{system}/{machine}"


def normal(text: str) -> str:
    """The one spelling of a platform that a person wrote. Text that names no architecture stays as it is."""
    parts = text.strip().split("/")
    return platform(*parts) if len(parts) in (2, 3) else text
