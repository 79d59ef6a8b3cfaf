"""What research knows of a company. The models are also what an HTTP provider's answer must fit."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RESULT_CAP", "Company", "CompanySearch", "NewsNote", "RevenueBand"]

RESULT_CAP = 20
"""Companies in one answer."""

RevenueBand: TypeAlias = Literal["unknown", "under 1M", "1M-10M", "10M-50M", "50M-250M", "over 250M"]
"""Yearly revenue in US dollars."""

Short: TypeAlias = Annotated[str, Field(max_length=200)]

# Strict: a provider that sends "80" for 80 has changed, and silence about it would become wrong mail.
_STRICT = ConfigDict(frozen=True, extra="ignore", strict=True)


class NewsNote(BaseModel):
    """One recent piece of news; `text` was written by outsiders."""

    model_config = _STRICT

    published: date
    title: Short
    text: Annotated[str, Field(max_length=2000)]


class Company(BaseModel):
    """Firmographics of one company; `employees` is None where nobody knows."""

    model_config = _STRICT

    name: Annotated[str, Field(min_length=1, max_length=200)]
    domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,253}$")]
    industry: Short
    employees: Annotated[int, Field(ge=0, le=10_000_000)] | None
    revenue_band: RevenueBand
    location: Short
    technologies: Annotated[tuple[Short, ...], Field(max_length=50)] = ()
    news: Annotated[tuple[NewsNote, ...], Field(max_length=20)] = ()
    source: Short


class CompanySearch(BaseModel):
    """The companies found, best match first; `message` says in words what came of the search."""

    companies: tuple[Company, ...]
    message: str
