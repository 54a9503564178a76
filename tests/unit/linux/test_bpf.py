"""Classic programs by the assembler, run on a machine that shares no code with it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput
from wherry.linux import bpf
from wherry.linux.bpf import Assembler, select
from wherry.testing.bpf import FilterMachine


def test_equal_pieces_are_shared() -> None:
    assembler = Assembler()
    first, second = assembler.answer(7), assembler.answer(7)
    assert first == second
    test = assembler.if_equal(1, assembler.answer(9), first)
    assert len(assembler.finish(assembler.load(bpf.NUMBER, test))) == 4 * 8


def test_a_branch_to_one_place_is_no_branch() -> None:
    assembler = Assembler()
    answer = assembler.answer(7)
    assert assembler.if_equal(1, answer, answer) == answer
    assert assembler.if_at_least(0, answer, assembler.answer(8)) == answer


@given(
    st.lists(st.tuples(st.integers(1, 0xFFFFFFFF), st.integers(0, 2000)), min_size=0, max_size=700),
    st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=20),
)
def test_a_tree_finds_the_piece_of_every_value(
    cuts: list[tuple[int, int]], values: list[int]
) -> None:
    answers = {0: 1} | dict(cuts)
    pieces = sorted(answers.items())
    assembler = Assembler()
    tree = select(assembler, [(start, assembler.answer(answer)) for start, answer in pieces])
    machine = FilterMachine(assembler.finish(assembler.load(bpf.NUMBER, tree)))
    for value in values + [start for start, _ in pieces[:50]]:
        wanted = [answer for start, answer in pieces if start <= value][-1]
        assert machine.run(value, 0) == wanted


def test_a_long_program_bridges_jumps_of_more_than_255() -> None:
    assembler = Assembler()
    no = assembler.answer(1)
    label = no
    for value in range(1000):
        label = assembler.if_equal(value, assembler.answer(5000 + value), label)
    machine = FilterMachine(assembler.finish(assembler.load(bpf.NUMBER, label)))
    assert [machine.run(value, 0) for value in (0, 500, 999, 1000)] == [5000, 5500, 5999, 1]


def test_too_long_a_program_is_refused() -> None:
    assembler = Assembler()
    label = assembler.answer(1)
    for value in range(3000):
        label = assembler.if_equal(value, assembler.answer(5000 + value), label)
    with pytest.raises(InvalidInput, match="instructions, the kernel takes 4096"):
        assembler.finish(label)


def test_an_ebpf_instruction_has_the_kernels_layout() -> None:
    assert bpf.ebpf(0x61, 2, 1, 4, 0) == struct.pack("=BBhi", 0x61, 0x12, 4, 0)
    assert bpf.ebpf(0x55, 3, offset=-1, value=-2) == b"\x55\x03\xff\xff\xfe\xff\xff\xff"
