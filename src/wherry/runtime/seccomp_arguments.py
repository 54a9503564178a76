"""Comparisons of system call arguments as classic BPF.

A classic program sees an argument as two 32-bit words. Plain comparisons of one argument, even
many of them, cut the line of its values into pieces with one answer each; a tree over the upper
word and one over the lower word find the piece. Masked comparisons and rules on several arguments
are tested one after the other.
"""

from itertools import groupby
from typing import NamedTuple

from wherry.linux import bpf
from wherry.linux.bpf import Assembler, Label
from wherry.runtime.seccomp_profile import Condition, Rule

_WORD = 0xFFFFFFFF

Pieces = list[tuple[int, Label]]
"""First value and where to go, ascending from 0."""


class Choice(NamedTuple):
    """Rules to try in turn, then `default`; `wide` compares 64 bits, else only the low 32."""

    rules: tuple[Rule, ...]
    default: int
    wide: bool


def choose(assembler: Assembler, choice: Choice) -> Label:
    """Code that answers by the arguments."""
    label = assembler.answer(choice.default)
    groups = [list(rules) for _, rules in groupby(choice.rules, key=_plain_argument)]
    for rules in reversed(groups):
        if _plain_argument(rules[0]) is not None:
            label = _first_of(assembler, rules, label, choice.wide)
            continue
        for rule in reversed(rules):
            label = _all_of(assembler, rule, label, choice.wide)
    return label


def holds(condition: Condition, value: int, wide: bool = True) -> bool:
    """Whether a comparison holds for an argument's value: the meaning of the operators."""
    limit = (1 << 64) - 1 if wide else _WORD
    value, wanted = value & limit, condition.value & limit
    match condition.operator:
        case "EQ":
            return value == wanted
        case "NE":
            return value != wanted
        case "LT":
            return value < wanted
        case "LE":
            return value <= wanted
        case "GT":
            return value > wanted
        case "GE":
            return value >= wanted
        case _:
            return value & condition.mask & limit == wanted


def _plain_argument(rule: Rule) -> int | None:
    """The argument, if the rule compares just one and without a mask."""
    if len(rule.conditions) != 1 or rule.conditions[0].operator == "MASKED_EQ":
        return None
    return rule.conditions[0].argument


def _first_of(assembler: Assembler, rules: list[Rule], otherwise: Label, wide: bool) -> Label:
    """Rules with one plain condition each, all on the same argument."""
    ways = [(rule.conditions[0], assembler.answer(rule.action)) for rule in rules]
    return _compare(assembler, ways, otherwise, wide)


def _all_of(assembler: Assembler, rule: Rule, otherwise: Label, wide: bool) -> Label:
    label = assembler.answer(rule.action)
    for condition in reversed(rule.conditions):
        if condition.operator == "MASKED_EQ":
            label = _compare_masked(assembler, condition, label, otherwise, wide)
        else:
            label = _compare(assembler, [(condition, label)], otherwise, wide)
    return label


def _compare_masked(
    assembler: Assembler, condition: Condition, yes: Label, no: Label, wide: bool
) -> Label:
    offset = bpf.ARGUMENTS + 8 * condition.argument
    label = yes
    for shift in (0, 32) if wide else (0,):
        mask, value = condition.mask >> shift & _WORD, condition.value >> shift & _WORD
        if mask:
            test = assembler.if_equal(value, label, no)
            label = assembler.load(offset + shift // 8, assembler.mask(mask, test))
    return label


def _compare(
    assembler: Assembler, ways: list[tuple[Condition, Label]], otherwise: Label, wide: bool
) -> Label:
    limit = (1 << 64) - 1 if wide else _WORD
    starts = {0}
    for condition, _ in ways:
        value = condition.value & limit
        starts |= {value, value + 1} if value < limit else {value}

    def where(value: int) -> Label:
        return next((label for test, label in ways if holds(test, value, wide)), otherwise)

    pieces = _merged([(start, where(start)) for start in sorted(starts)])
    offset = bpf.ARGUMENTS + 8 * ways[0][0].argument
    if not wide:
        return _by_word(assembler, offset, pieces)
    return _by_word(assembler, offset + 4, _by_high_word(assembler, offset, pieces))


def _by_high_word(assembler: Assembler, offset: int, pieces: Pieces) -> Pieces:
    """Pieces of the upper word; where the lower word decides within one, code that looks at it."""
    highs: Pieces = []
    current = pieces[0][1]
    for high in sorted({start >> 32 for start, _ in pieces}):
        inside = [(start & _WORD, label) for start, label in pieces if start >> 32 == high]
        if inside[0][0] != 0:
            inside.insert(0, (0, current))
        current = inside[-1][1]
        if highs and highs[-1][0] == high:
            highs.pop()
        highs.append((high, _by_word(assembler, offset, inside)))
        if high < _WORD:
            highs.append((high + 1, current))
    return _merged(highs)


def _by_word(assembler: Assembler, offset: int, pieces: Pieces) -> Label:
    if len(pieces) == 1:
        return pieces[0][1]
    return assembler.load(offset, bpf.select(assembler, pieces))


def _merged(pieces: Pieces) -> Pieces:
    merged = pieces[:1]
    for piece in pieces[1:]:
        if piece[1] != merged[-1][1]:
            merged.append(piece)
    return merged
