"""Answers made from a gold answer, for benches/grading.py: in other looks, rewritten with the same value, and changed.

Each maker takes a gold answer as LaTeX and yields answers, none where its pattern does not occur. What it yields is
right (REWRITINGS) or not (PERTURBATIONS) by construction; fractions and decimals are computed exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction

Maker = Callable[[str], Iterator[str]]

INTEGER = re.compile(r"-?\d+")
DECIMAL = re.compile(r"-?\d*\.\d+")
FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}")
MIXED = re.compile(r"(-?)(\d+) *\\[dt]?frac\{(\d+)\}\{(\d+)\}")
DOLLARS = re.compile(r"(?<!\\)\$")
GROUPED = re.compile(r"\d(,|\{,\}|,\\!) ?\d{3}(?!\d)")
FOREIGN = (
    r"\\(text|mathrm|begin|in|cup|cap|le|ge|leq|geq" r"|ne|neq|infty|angle|approx|mid|equiv|quad|overline|mathbf|left)"
)
"""Commands that no plain expression has."""
CONSTANT = {"\\frac", "\\dfrac", "\\tfrac", "\\sqrt", "\\pi", "\\cdot", "\\times"}
"""Commands that make no variable."""
WORDS = r"[=<>,;:$%&]|[a-zA-Z]{4}|\b(dx|or|and|cm|km|mm)\b|\de-?\d"
"""Signs, words and units that no plain expression has, but for the names of commands."""
NAMES = re.compile(r"\\[a-zA-Z]+")
UNITS = {"cm": "m", "m": "km", "inches": "feet", "feet": "miles", "minutes": "hours", "hours": "days"}


def plain(gold: str) -> str:
    """Without dollar signs, and without what only changes the look."""
    return (
        DOLLARS.sub("", gold).replace("\\left", "").replace("\\right", "").replace("\\,", "").replace("\\!", "").strip()
    )


def in_other_looks(gold: str) -> list[str]:
    """The same answer, set in other ways."""
    bare = DOLLARS.sub("", gold)
    looks = [gold, f"\\boxed{{{bare}}}", f"$\\displaystyle {bare}$", f"$${bare}$$", f"\\( {bare} \\)", f" {bare} ."]
    looks.append(re.sub(r"\\[dt]?frac(?![a-z])", r"\\dfrac", gold))
    if bare.startswith("(") and bare.endswith(")") and "\\left" not in bare and "),(" not in bare.replace(" ", ""):
        looks.append(f"\\left{bare[:-1]}\\right)")
    if not GROUPED.search(bare) and not re.search(r"\\text|\\mathrm|\\ |[a-zA-Z]{2}", bare):
        looks.append(bare.replace(",", " , ").replace("+", " + ").replace("=", " = "))
    return list(dict.fromkeys(looks))


# Parts of a formula


def split(text: str, marks: str) -> list[str]:
    """The parts between marks that stand outside all brackets."""
    parts, depth, start = [], 0, 0
    for at, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 and c in marks:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def terms(text: str) -> list[str]:
    """The terms of a sum, each with its sign; none where it is no plain expression."""
    if not is_expression(text) or re.search(
        r"\\(pm|mp|sin|cos|tan|log|ln|sum|int|lim|times|cdot|circ|infty)|[|!%]", text
    ):
        return []
    found, depth, start = [], 0, 0
    for at, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 and c in "+-" and text[start:at].strip():
            found.append(text[start:at].strip())
            start = at
    return [term if term[0] in "+-" else f"+{term}" for term in [*found, text[start:].strip()]]


def is_expression(text: str) -> bool:
    """A number or a formula in variables: no words, units, relations or lists."""
    words = NAMES.sub(" ", text)
    foreign = re.search(FOREIGN, text)
    return bool(text) and not foreign and not re.search(WORDS, words) and balanced(text)


def is_number(text: str) -> bool:
    """An expression without variables."""
    letters = NAMES.sub(lambda match: "" if match[0] in CONSTANT else "x", text)
    return is_expression(text) and not re.search(r"[a-zA-Z_']", letters)


def balanced(text: str) -> bool:
    return all(text.count(a) == text.count(b) for a, b in ("()", "[]", "{}"))


def inside(text: str, opening: str, closing: str) -> list[str] | None:
    """What one pair of brackets around all holds, split at its commas."""
    if not (text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing)):
        return None
    middle = text[len(opening) : -len(closing)]
    return [part.strip() for part in split(middle, ",")] if balanced(middle) and opening not in middle else None


def rational(text: str) -> Fraction | None:
    if INTEGER.fullmatch(text) or DECIMAL.fullmatch(text):
        return Fraction(Decimal(text))
    match = FRACTION.fullmatch(text)
    if match and int(match[3]):
        return Fraction(int(match[2]), int(match[3])) * (-1 if match[1] else 1)
    return None


def terminating(value: Fraction) -> str | None:
    """As a decimal that ends."""
    for places in range(1, 9):
        scaled = value * 10**places
        if scaled.denominator == 1:
            return f"{Decimal(scaled.numerator) / Decimal(10) ** places:f}"
    return None


def by_name(*makers: Maker) -> dict[str, Maker]:
    return {maker.__name__.replace("_", " "): maker for maker in makers}


# Rewritings


def fraction_as_decimal(gold: str) -> Iterator[str]:
    value = rational(plain(gold)) if FRACTION.fullmatch(plain(gold)) else None
    decimal = terminating(value) if value is not None else None
    yield from [decimal] if decimal else []


def fraction_in_line(gold: str) -> Iterator[str]:
    if match := FRACTION.fullmatch(plain(gold)):
        yield f"{match[1]}{match[2]}/{match[3]}"


def fraction_scaled(gold: str) -> Iterator[str]:
    scaled = lambda m: f"{m[1]}\\frac{{{6 * int(m[2])}}}{{{6 * int(m[3])}}}"
    if FRACTION.search(gold) and not MIXED.search(gold):
        yield FRACTION.sub(scaled, gold)


def decimal_with_zeros(gold: str) -> Iterator[str]:
    if DECIMAL.fullmatch(plain(gold)):
        yield f"{plain(gold)}00"


def decimal_as_fraction(gold: str) -> Iterator[str]:
    if DECIMAL.fullmatch(plain(gold)):
        value = Fraction(Decimal(plain(gold)))
        yield f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def integer_as_decimal(gold: str) -> Iterator[str]:
    if INTEGER.fullmatch(plain(gold)):
        yield f"{plain(gold)}.0"


def integer_as_sum(gold: str) -> Iterator[str]:
    if INTEGER.fullmatch(plain(gold)):
        yield f"{int(plain(gold)) - 7}+7"


def sum_reordered(gold: str) -> Iterator[str]:
    parts = terms(plain(gold))
    if len(parts) > 1:
        yield "".join(reversed(parts)).removeprefix("+")


def factors_reordered(gold: str) -> Iterator[str]:
    if match := re.fullmatch(r"(-?)(\d+|\d*\.\d+|[a-z])(\\sqrt\{\d+\}|\\pi|[a-z]|\([^()]*\))", plain(gold)):
        yield f"{match[1]}{match[3]}\\cdot {match[2]}"


def root_scaled(gold: str) -> Iterator[str]:
    if is_expression(plain(gold)) and re.search(r"\\sqrt\{\d+\}", gold):
        yield re.sub(r"\\sqrt\{(\d+)\}", lambda m: f"\\frac{{\\sqrt{{{4 * int(m[1])}}}}}{{2}}", plain(gold))


def root_as_power(gold: str) -> Iterator[str]:
    if is_expression(plain(gold)) and re.search(r"\\sqrt\{\d+\}", gold):
        yield re.sub(r"\\sqrt\{(\d+)\}", r"{\1^{1/2}}", plain(gold))


def x_in_front(gold: str) -> Iterator[str]:
    if is_number(plain(gold)):
        yield f"x = {plain(gold)}"


def thousands_separated(gold: str) -> Iterator[str]:
    if re.fullmatch(r"-?\d{4,}", plain(gold)):
        for mark in (",", "{,}", "\\,"):
            yield f"{int(plain(gold)):,}".replace(",", mark)


def tuple_with_spaces(gold: str) -> Iterator[str]:
    if (items := inside(plain(gold), "(", ")")) and len(items) > 1:
        yield f"( {' ,  '.join(items)} )"


def set_permuted(gold: str) -> Iterator[str]:
    if (items := inside(plain(gold), "\\{", "\\}")) and len(items) > 1 and not re.search(r"[|:]|\\mid|dots", gold):
        yield f"\\{{{', '.join(reversed(items))}\\}}"


def list_permuted(gold: str) -> Iterator[str]:
    items = [part.strip() for part in split(plain(gold), ",")]
    if (
        len(items) > 1
        and all(is_expression(item) or inside(item, "(", ")") for item in items)
        and balanced(gold)
        and not GROUPED.search(gold)
    ):
        yield ", ".join(reversed(items))
        yield " and ".join(items) if len(items) == 2 else f"{', '.join(items[:-1])}, and {items[-1]}"


def interval_as_inequality(gold: str) -> Iterator[str]:
    match = re.fullmatch(r"([(\[])([^,()\[\]]*),([^,()\[\]]*)([)\]])", plain(gold))
    if not match or not ("infty" in gold or {match[1], match[4]} in ({"(", "]"}, {"[", ")"})):
        return
    low, high = match[2].strip(), match[3].strip()
    left = "" if "infty" in low else f"{low} {'<' if match[1] == '(' else chr(92) + 'le'} "
    right = "" if "infty" in high else f" {'<' if match[4] == ')' else chr(92) + 'le'} {high}"
    if left or right:
        yield f"{left}x{right}"
        yield f"x \\in {plain(gold)}"


def percent(gold: str) -> Iterator[str]:
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\\?%", plain(gold)):
        value = Fraction(Decimal(match[1])) / 100
        yield f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        yield f"{match[1]} percent"


def mixed_as_improper(gold: str) -> Iterator[str]:
    if match := MIXED.fullmatch(plain(gold)):
        above = int(match[2]) * int(match[4]) + int(match[3])
        yield f"{match[1]}\\frac{{{above}}}{{{match[4]}}}"


def improper_as_mixed(gold: str) -> Iterator[str]:
    if (match := FRACTION.fullmatch(plain(gold))) and int(match[2]) > int(match[3]) and int(match[2]) % int(match[3]):
        whole, rest = divmod(int(match[2]), int(match[3]))
        yield f"{match[1]}{whole}\\frac{{{rest}}}{{{match[3]}}}"


def scientific_notation(gold: str) -> Iterator[str]:
    if match := re.fullmatch(r"(-?\d+(?:\.\d+)?) ?\\(?:times|cdot) ?10\^\{?(-?\d+)\}?", plain(gold)):
        yield f"{match[1]}e{match[2]}"
    if match := re.fullmatch(r"(-?\d+(?:\.\d+)?)e(-?\d+)", plain(gold)):
        yield f"{match[1]} \\times 10^{{{match[2]}}}"


def degrees(gold: str) -> Iterator[str]:
    if match := re.fullmatch(r"(\d+)\^\{?\\circ\}?", plain(gold)):
        yield f"\\frac{{{match[1]}\\pi}}{{180}}"
        yield f"{match[1]} degrees"


def in_python(gold: str) -> Iterator[str]:
    """As a program writes it."""
    text = plain(gold)
    if not is_expression(text) or not re.search(r"\\(d?frac|sqrt|pi)", text) or MIXED.search(text):
        return
    for _ in range(4):
        text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
        text = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", text)
    text = re.sub(r"(?<=[\d)a-z])\s*(?=sqrt|\\pi|\()", "*", text).replace("sqrt*(", "sqrt(")
    text = re.sub(r"\^\{([^{}]*)\}", r"**(\1)", text).replace("^", "**").replace("\\pi", "pi").replace("\\cdot", "*")
    if "\\" not in text and "{" not in text:
        yield re.sub(r"(?<=[\d)])(?=[a-z])", "*", text)


def without_its_unit(gold: str) -> Iterator[str]:
    if match := re.fullmatch(r"(-?[\d.]+)\s*\\(?:text|mathrm)\{\s*~?[a-z ]+\}", plain(gold)):
        yield match[1]


REWRITINGS: dict[str, Maker] = by_name(  # fmt: skip
    fraction_as_decimal, fraction_in_line, fraction_scaled, decimal_with_zeros, decimal_as_fraction,
    integer_as_decimal, integer_as_sum, sum_reordered, factors_reordered, root_scaled, root_as_power, x_in_front,
    thousands_separated, tuple_with_spaces, set_permuted, list_permuted, interval_as_inequality, percent,
    mixed_as_improper, improper_as_mixed, scientific_notation, degrees, in_python, without_its_unit,
)


# Perturbations


def digit_changed(gold: str) -> Iterator[str]:
    digits = [m for m in re.finditer(r"\d", gold) if not re.match(r"\d*[._]|\\(over|in)", gold[m.start() :])]
    if digits:
        at = digits[-1].start()
        yield f"{gold[:at]}{(int(gold[at]) + 1) % 10}{gold[at + 1 :]}"


def sign_changed(gold: str) -> Iterator[str]:
    text = plain(gold)
    if is_expression(text) and "\\pm" not in text and "\\mp" not in text and rational(text) != 0:
        yield f"-({text})"


def one_more(gold: str) -> Iterator[str]:
    value = rational(plain(gold))
    if value is not None and value.denominator == 1:
        yield str(value + 1)
    elif is_expression(plain(gold)) and "\\pm" not in gold and not re.search(r"circ|%|\\\$", gold):
        yield f"{plain(gold)}+1"


def fraction_inverted(gold: str) -> Iterator[str]:
    match = FRACTION.fullmatch(plain(gold))
    if match and match[2] != match[3] and int(match[2]):
        yield f"{match[1]}\\frac{{{match[3]}}}{{{match[2]}}}"


def exponent_changed(gold: str) -> Iterator[str]:
    if is_expression(plain(gold)) and (match := re.search(r"(?<![\d.]1)\^\{?(\d+)\}?", gold)):
        yield f"{gold[: match.start()]}^{{{int(match[1]) + 1}}}{gold[match.end() :]}"


def variable_renamed(gold: str) -> Iterator[str]:
    text = plain(gold)
    letters = re.findall(r"(?<![a-zA-Z\\])[a-hj-z](?![a-zA-Z])", NAMES.sub(lambda m: "#" * len(m[0]), text))
    if is_expression(text) and letters and not {"e", "w"} & {*letters}:
        hidden = re.split(r"(\\[a-zA-Z]+)", text)
        yield "".join(part if part.startswith("\\") else part.replace(letters[0], "w") for part in hidden)


def bracket_changed(gold: str) -> Iterator[str]:
    text = plain(gold)
    if match := re.fullmatch(r"([(\[])([^,()\[\]]*),([^,()\[\]]*)([)\]])", text):
        if "infty" not in match[2]:
            yield {"(": "[", "[": "("}[match[1]] + text[1:]
        if "infty" not in match[3]:
            yield text[:-1] + {")": "]", "]": ")"}[match[4]]


def element_dropped(gold: str) -> Iterator[str]:
    for opening, closing in (("(", ")"), ("\\{", "\\}")):
        if (items := inside(plain(gold), opening, closing)) and len(items) > 1 and not re.search(r"[|:]|\\mid", gold):
            yield f"{opening}{', '.join(items[:-1])}{closing}"
            return
    items = [part.strip() for part in split(plain(gold), ",")]
    if (
        len(items) > 1
        and all(is_expression(item) for item in items)
        and len({*items}) == len(items)
        and not GROUPED.search(gold)
    ):
        yield ", ".join(items[:-1])


def elements_swapped(gold: str) -> Iterator[str]:
    if (items := inside(plain(gold), "(", ")")) and len(items) > 1 and items[0] != items[1]:
        yield f"({', '.join([items[1], items[0], *items[2:]])})"


def unit_replaced(gold: str) -> Iterator[str]:
    for unit, other in UNITS.items():
        if re.search(rf"\d.*[^a-z]{unit}(?![a-z])", gold):
            yield re.sub(rf"(?<=[^a-z]){unit}(?![a-z])", other, gold)
            return


def point_moved(gold: str) -> Iterator[str]:
    value = rational(plain(gold))
    if value and DECIMAL.fullmatch(plain(gold)):
        yield f"{Decimal(plain(gold)) * 10:f}"


PERTURBATIONS: dict[str, Maker] = by_name(  # fmt: skip
    digit_changed, sign_changed, one_more, fraction_inverted, exponent_changed, variable_renamed, bracket_changed,
    element_dropped, elements_swapped, unit_replaced, point_moved,
)
