"""The codes of the channel: `schemas.codes`."""

import pytest

from schemas.codes import Code, Finding

# fmt: off
OF_THE_CHANNEL = [
    38, 39, 88, 89, 101, 102, 103, *range(107, 144), 153, 154, 155, 156, 157, 158, 168, 172, 184, 205, 230, 246, 249,
    255, 257, 275, 277, 280, 281, 312, 367, 427, 430, 509,
]
# fmt: on


def test_the_codes_are_those_of_annex_30_that_concern_the_channel() -> None:
    """No code is missing and none is invented."""
    assert sorted(Code) == [f"{number:03}" for number in OF_THE_CHANNEL]


@pytest.mark.parametrize("code", Code)
def test_a_code_means_one_sentence(code: Code) -> None:
    """The meaning begins with a capital, ends with its only full stop, and the digits find the code again."""
    assert code.meaning[0].isupper()
    assert code.meaning.endswith(".")
    assert 1 == code.meaning.count(".")
    assert Code(str(code)) is code


def test_no_two_codes_mean_the_same() -> None:
    """A sender who reads a meaning knows the code."""
    assert len({code.meaning for code in Code}) == len(Code)


def test_a_finding_names_its_code_as_the_acknowledgement_does() -> None:
    """``ACRF-`` and the three digits."""
    assert "ACRF-125" == Finding(Code.SIGNATURE_INVALID).error_id
