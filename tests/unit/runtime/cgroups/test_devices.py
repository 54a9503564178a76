"""Device rules: v1's lines, and v2's program against a plain reading of the rules."""

from hypothesis import example, given
from hypothesis import strategies as st

from wherry.runtime.cgroups.devices import device_program, effective, list_lines
from wherry.runtime.resources import DeviceRule
from wherry.testing.bpf import run_device_program

NOTHING_ALLOWED = (DeviceRule(False),)
MKNOD, READ, WRITE = 1, 2, 4
BLOCK, CHARACTER = 1, 2


def allowed(rules: tuple[DeviceRule, ...], kind: str, access: str, major: int, minor: int) -> bool:
    """For each kind of access the last rule that fits decides."""
    for letter in access:
        granted = True
        for rule in effective(rules):
            fits = rule.type in ("a", kind) and letter in rule.access
            fits = fits and rule.major in (None, major) and rule.minor in (None, minor)
            granted = rule.allow if fits else granted
        if not granted:
            return False
    return True


def test_no_rules_no_lines() -> None:
    assert list_lines(()) == []
    assert effective(()) == ()


def test_deny_all_then_allow() -> None:
    lines = list_lines((DeviceRule(False), DeviceRule(True, "c", 1, 11, "r")))
    assert lines[:2] == [("devices.deny", "a"), ("devices.allow", "c 1:11 r")]
    assert ("devices.allow", "c 1:3 rwm") in lines
    assert ("devices.allow", "c 136:* rwm") in lines
    assert ("devices.allow", "b *:* m") in lines


def test_a_rule_for_everything_makes_those_before_it_void() -> None:
    lines = list_lines((DeviceRule(True, "c", 1, 11), DeviceRule(False)))
    assert lines[0] == ("devices.deny", "a")
    assert ("devices.allow", "c 1:11 rwm") not in lines


def test_type_a_with_numbers_is_written_for_both_kinds() -> None:
    lines = list_lines((DeviceRule(False), DeviceRule(True, "a", 7, None, "rw")))
    assert lines[1:3] == [("devices.allow", "c 7:* rw"), ("devices.allow", "b 7:* rw")]


RULE = st.builds(
    DeviceRule,
    st.booleans(),
    st.sampled_from("abc"),
    st.sampled_from([None, 1, 5, 7, 0x7FFFFFFF]),
    st.sampled_from([None, 0, 3, 11]),
    st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"]),
)


@given(st.lists(RULE, max_size=6))
@example([DeviceRule(False), DeviceRule(True, "c", 1, 11, "r")])
@example([DeviceRule(True), DeviceRule(False, "b", None, None, "w")])
def test_the_program_answers_as_the_rules_say(rules: list[DeviceRule]) -> None:
    program = device_program(tuple(rules))
    for kind, letter in ((BLOCK, "b"), (CHARACTER, "c")):
        for mask in range(1, 8):
            access = "".join(name for name, bit in zip("mrw", (1, 2, 4), strict=True) if mask & bit)
            for major in (1, 5, 7, 200, 0x7FFFFFFF):
                for minor in (0, 3, 11, 99):
                    wanted = allowed(tuple(rules), letter, access, major, minor)
                    assert run_device_program(program, kind, mask, major, minor) == wanted


def test_no_code_behind_a_total_rule() -> None:
    """The verifier refuses instructions that can never run."""
    program = device_program(NOTHING_ALLOWED)
    assert program[-16:] == bytes.fromhex("b400000000000000" + "9500000000000000")
    before_last = program[-32:-16]
    assert before_last[8] != 0x95 or before_last[:1] == b"\xb4"
