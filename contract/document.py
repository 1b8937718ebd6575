"""What RunSpec and RunSummary share: strict, frozen, versioned JSON with errors that name the field.

JSON keys are camelCase, as everywhere in Kubernetes; Python names are snake_case.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from contract.errors import ContractError


class Document(BaseModel):
    """A part of a contract document."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
        ser_json_inf_nan="strings",
    )

    max_bytes: ClassVar[int] = 64 * 1024

    def to_json(self) -> str:
        """Compact JSON.

        Raises ContractError when it is larger than the contract allows.
        """
        text = self.model_dump_json(by_alias=True, exclude_none=True)
        size = len(text.encode())
        if size > self.max_bytes:
            raise ContractError(
                f"{type(self).__name__} is {size} bytes; at most {self.max_bytes} are allowed"
            )
        return text

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a document; strict JSON types (a number in quotes is refused).

        Raises ContractError naming each field that is wrong and what is allowed there.
        """
        size = len(text.encode(errors="surrogatepass") if isinstance(text, str) else text)
        if size > cls.max_bytes:
            raise ContractError(f"{cls.__name__} is {size} bytes; at most {cls.max_bytes} are allowed")
        try:
            return cls.model_validate_json(text, strict=True)
        except ValidationError as error:
            raise ContractError(f"{cls.__name__} cannot be read: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    problems = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False)[:10]:
        place = ".".join(str(part) for part in detail["loc"]) or "document"
        problems.append(f"{place}: {detail['msg']}")
    return "; ".join(problems)
