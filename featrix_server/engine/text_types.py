"""What kind of column a set of texts is: formats first, then repetition, then meaning."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from featrix_server.engine.columns.category import MAX_CATEGORIES
from featrix_server.engine.columns.email import EMAIL
from featrix_server.engine.columns.json_document import parse_document
from featrix_server.engine.columns.lists import DELIMITERS, split_list
from featrix_server.engine.columns.timestamp import is_day_first, parse_timestamp
from featrix_server.engine.columns.url import URL
from featrix_server.engine.columns.values import parse_number

LOOKED_AT = 2_000  # distinct texts that formats are tried on
MOST = 0.95  # share that makes a format the column's
UNIQUE = 0.95  # share of distinct values from which texts may be mere identifiers

_CODE = re.compile(r"0\d+|[-+]?\d{19,}", re.ASCII)
_WORD = re.compile(r"(?<![\w])[^\W\d_]{3,}(?![\w])")
_WEB = re.compile(
    r"[a-z][a-z0-9+.-]*://|www\.|[\w.-]+\.(com|org|net|edu|gov|io|info|co)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Found:
    """A type with its reason and options; type None for texts without meaning."""

    type: str | None
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    unparseable: int = 0  # values of a number column that are no numbers


@dataclass(frozen=True)
class Texts:
    """The distinct texts of a column with their counts, and a seeded sample of them."""

    values: list[str]
    counts: np.ndarray
    sample: list[str]

    @classmethod
    def of(cls, values: list[str], counts: np.ndarray, seed: int) -> Texts:
        """Draw the sample."""
        if len(values) <= LOOKED_AT:
            return cls(values, counts, values)
        chosen = np.random.default_rng(seed).choice(len(values), LOOKED_AT, replace=False)
        return cls(values, counts, [values[index] for index in np.sort(chosen)])

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return int(self.counts.sum())


def find_type(texts: Texts) -> Found:
    """Decide what kind of column texts make."""
    for rule in (_numbers, _timestamps, _addresses, _documents, _lists, _categories, _identifiers):
        if found := rule(texts):
            return found
    distinct = f"{len(texts.values):,} distinct texts in {texts.present:,} values"
    return Found("free_string", f"{distinct} that share words or spelling")


def _share(texts: Sequence[str], test: Any) -> float:
    return sum(1 for text in texts if test(text)) / len(texts)


def _numbers(texts: Texts) -> Found | None:
    if _share(texts.sample, lambda text: not math.isnan(parse_number(text))) < 0.05:
        return None
    numeric = np.array([not math.isnan(parse_number(text)) for text in texts.values])
    if any(_CODE.fullmatch(text) for text in texts.values):
        return None  # digits with leading zeros, or too many of them, are codes
    others = int(texts.counts[~numeric].sum())
    share = 1 - others / texts.present
    if share >= 0.99:
        unit = "stored as text" if not others else f"but for {others:,} values"
        return Found("scalar", f"numbers, {unit}", unparseable=others)
    if share >= 0.1 and numeric.sum() > 20:
        return Found("mixed", f"{share:.0%} of the values are numbers, the others texts")
    return None


def _timestamps(texts: Texts) -> Found | None:
    day_first = is_day_first(texts.sample)
    share = _share(texts.sample, lambda text: parse_timestamp(text, day_first=day_first))
    if share < MOST:
        return None
    order = ", day before month" if day_first else ""
    return Found("timestamp", f"{share:.0%} are dates or times{order}", {"day_first": day_first})


def _addresses(texts: Texts) -> Found | None:
    if (share := _share(texts.sample, EMAIL.fullmatch)) >= MOST:
        return Found("email", f"{share:.0%} are e-mail addresses")
    share = _share(texts.sample, lambda text: URL.fullmatch(text) and _WEB.match(text))
    return Found("url", f"{share:.0%} are web addresses") if share >= MOST else None


def _documents(texts: Texts) -> Found | None:
    documents = [parse_document(text) for text in texts.sample]
    lists = sum(
        isinstance(one, list) and not any(isinstance(item, dict | list) for item in one)
        for one in documents
    )
    if lists >= MOST * len(documents):
        return Found("list", "JSON arrays of plain values", {"delimiter": ","})
    share = sum(one is not None for one in documents) / len(documents)
    return Found("json", f"{share:.0%} are JSON documents") if share >= MOST else None


def _lists(texts: Texts) -> Found | None:
    """Find lists: short tokens that come again in other rows, in varying numbers."""
    for delimiter in DELIMITERS:
        holding = [text for text in texts.sample if delimiter in text]
        if len(holding) < max(5, 0.3 * len(texts.sample)):
            continue
        split = [split_list(text, delimiter) for text in texts.sample]
        sizes = {len(tokens) for tokens in split}
        tokens = Counter(token for row in split for token in row)
        total = sum(tokens.values())
        words = sum(count * len(token.split()) for token, count in tokens.items()) / max(total, 1)
        if len(sizes) > 1 and len(tokens) <= 0.4 * total and words <= 3:
            reason = f"{len(holding) / len(split):.0%} hold several values set apart by"
            return Found("list", f"{reason} {delimiter!r}", {"delimiter": delimiter})
    return None


def _categories(texts: Texts) -> Found | None:
    distinct, present = len(texts.values), texts.present
    several = f"{distinct:,} distinct values in {present:,}"
    length = sum(map(len, texts.sample)) / len(texts.sample)
    if distinct <= MAX_CATEGORIES and (distinct <= 0.5 * present) and length <= 100:
        return Found("set", f"{several}: categories")
    frequent = np.sort(texts.counts)[::-1][:MAX_CATEGORIES].sum()
    if distinct <= 0.1 * present and frequent >= 0.8 * present and length <= 50:
        share = f"the {MAX_CATEGORIES} most frequent cover {frequent / present:.0%}"
        return Found("set", f"{several}, {share}: categories")
    return None


def _identifiers(texts: Texts) -> Found | None:
    share = len(texts.values) / texts.present
    if share <= UNIQUE or _recurring_words(texts.sample) >= 0.2 or _spelt(texts.sample):
        return None
    return Found(
        None,
        f"{share:.0%} of the values are unique and share neither words nor spelling: "
        "identifiers say nothing about other rows",
    )


def _recurring_words(texts: Sequence[str]) -> float:
    """Return the share of texts with a word that some, but not most, of the others hold."""
    words = [set(_WORD.findall(text.lower())) for text in texts]
    rows = Counter(word for row in words for word in row)
    telling = {word for word, count in rows.items() if 2 <= count <= 0.5 * len(texts)}
    return sum(1 for row in words if row & telling) / len(texts)


def _spelt(texts: Sequence[str]) -> bool:
    """Tell words from random letters by what a letter says about the next, in bits.

    The mutual information of neighbouring letters, less its bias in small samples (Miller
    1955), is near 0 for random letters and above half a bit in any language.
    """
    low, high = min(texts), max(texts)  # what these two begin with all do
    differs = (place for place, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
    prefix = next(differs, len(low))
    rest = [text[prefix:].lower() for text in texts]
    letters = sum(character.isalpha() for text in rest for character in text)
    if letters < 0.7 * sum(map(len, rest)):
        return False
    pairs = Counter(
        (a, b) for text in rest for a, b in pairwise(text) if a.isalpha() and b.isalpha()
    )
    total = sum(pairs.values())
    if total < 500:
        return False
    first, second = Counter[str](), Counter[str]()
    for (a, b), count in pairs.items():
        first[a] += count
        second[b] += count
    bits = sum(
        count / total * math.log2(count * total / (first[a] * second[b]))
        for (a, b), count in pairs.items()
    )
    bias = (len(first) - 1) * (len(second) - 1) / (2 * total * math.log(2))
    return bits - bias > 0.25


def format_share(type: str, texts: Texts) -> float:
    """Return the share of the sample that a type's format accepts; 1 for types that take all."""
    day_first = is_day_first(texts.sample)
    tests: dict[str, Any] = {
        "scalar": lambda text: not math.isnan(parse_number(text)),
        "timestamp": lambda text: parse_timestamp(text, day_first=day_first),
        "email": EMAIL.fullmatch,
        "url": URL.fullmatch,
        "json": lambda text: parse_document(text) is not None,
    }
    return _share(texts.sample, tests[type]) if type in tests and texts.sample else 1.0
