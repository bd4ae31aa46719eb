"""What every section of the settings is made of."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A table of the settings: no key of another name, no value of another type, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def as_path(value: object) -> object:
    """A string that is not empty as a path."""
    return Path(value).expanduser() if isinstance(value, str) and value else value


def as_tuple(value: object) -> object:
    """A list as a tuple, which nobody changes."""
    return tuple(value) if isinstance(value, list) else value
