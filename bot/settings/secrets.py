"""Secrets: `{env: NAME}` or `{file: PATH}` in the file, a `Secret` in the program, never a word of them in what is printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from bot.terminal import UsageError
from rules.config.fields import Table, wrong

_LIMIT = 64 * 1024  # bytes of a file that holds one
_WANTED = "has to be {env: NAME} or {file: PATH}"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_USUAL_NAME = re.compile(r"[A-Z_][A-Z0-9_]*\Z")


class MissingSecret(UsageError):
    """A secret that is needed now could not be had; the message says where it is asked for."""


class Secret:
    """A password, token, key or address that nobody may see. `str` and `repr` are masked; `reveal` gives it away.

    `source` says where it comes from (`env GITHUB_TOKEN`), `missing` why it could not be read: an error only for who needs it.
    """

    __slots__ = ("_value", "missing", "source")

    def __init__(self, value: str | None, source: str = "given", missing: str = "") -> None:
        self._value = value
        self.source = source
        self.missing = missing or ("" if value is not None else f"there is no value ({source})")

    def reveal(self) -> str:
        """The secret itself. Raises MissingSecret."""
        if self._value is None:
            raise MissingSecret(self.missing)
        return self._value

    def __repr__(self) -> str:
        return f"<secret, {self.source}>"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._value, self.source) == (other._value, other.source)

    def __hash__(self) -> int:
        return hash((self._value, self.source))

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")

    def __deepcopy__(self, memo: object) -> Secret:
        return self


class Source(Table):
    """Where a secret comes from: a variable of the environment, or a file."""

    env: str | None = None
    file: Path | None = None

    def __str__(self) -> str:
        if self.env is None:
            return f"file {self.file}"
        # A name that is not in capitals may be the secret itself, written by mistake.
        return f"env {self.env}" if _USUAL_NAME.match(self.env) else "env …"

    def read(self, folder: Path, environ: Mapping[str, str]) -> tuple[str | None, str]:
        """The secret (None where it cannot be had) and why not. A file's last line break is no part of it."""
        if self.env is not None:
            found = environ.get(self.env) or None
            named = self.env if _USUAL_NAME.match(self.env) else "that is named here"
            return found, "" if found else f"the environment variable {named} is not set"
        return _contents(self.path(folder))

    def path(self, folder: Path) -> Path:
        """The file's path; a relative one begins at `folder`."""
        return folder / (self.file or Path()).expanduser()


def source(value: object) -> Source:
    """What a file says of a secret. Nothing of the value is repeated in a message: it may be the secret."""
    if isinstance(value, str):
        raise wrong(f"a secret must not stand in this file: it {_WANTED}", "put it into the environment or a file of its own")
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"env", "file"}:
        raise wrong(f"{_WANTED}, one of the two and nothing else")
    ((key, said),) = value.items()
    if key == "env":
        if not isinstance(said, str) or not _NAME.match(said):
            raise wrong("is not the name of an environment variable", "write for example {env: HARBOR_PASSWORD}", ("env",))
        return Source(env=str(said))
    # An address is the secret itself, at the wrong key.
    if not isinstance(said, str) or not said or "://" in said or any(ord(char) < 32 for char in said):
        raise wrong("is not the path of a file", "write for example {file: key.pem}", ("file",))
    return Source(file=Path(str(said)))


def file_source(value: object) -> Source:
    """The same, where only a file will do."""
    found = source(value)
    if found.file is None:
        raise wrong("has to be {file: PATH}: it is handed on as a file")
    return found


def _contents(path: Path) -> tuple[str | None, str]:
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
        value = data.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        return None, f"{path}: {error.strerror or error}"
    except ValueError:
        return None, f"{path} is not UTF-8 text"
    if len(data) > _LIMIT:
        return None, f"{path} is too large for a secret"
    return (value, "") if value.strip() else (None, f"{path} is empty")


Hidden = Annotated[Source, PlainValidator(source), WithJsonSchema({"title": "`{env: NAME}` or `{file: PATH}`"})]
HiddenFile = Annotated[Source, PlainValidator(file_source), WithJsonSchema({"title": "`{file: PATH}`"})]
