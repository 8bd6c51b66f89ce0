"""Of what are the fields of jobs.yaml made? The model they share, texts, secrets and commands."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictStr

NAME = r"^[A-Za-z0-9._-]{1,64}$"


class Model(BaseModel):
    """Unknown fields are errors; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SecretRef(Model):
    """``!secret env:NAME`` or ``!secret file:PATH``: a reference; the value is read at launch, never stored."""

    secret: Annotated[StrictStr, Field(pattern=r"^(env|file):.+$", alias="$secret")]


Text = StrictStr | SecretRef
Env = dict[Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Text]
Word = Annotated[StrictStr, Field(max_length=120_000)]
Argv = Annotated[list[Word], Field(min_length=1)]
Command = Annotated[StrictStr, Field(min_length=1, max_length=120_000)] | Argv
"""A text for the shell or a list of words without one; the kernel takes at most 128 KiB a word."""
