"""What a message says of its file, which sets give way, what is different for channels that sign: all of it pure."""

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import exceptions, frame, spec

from channels.mq import amqp10
from channels.mq.envelope import UNNAMED, Content, read_letter
from channels.mq.frames import UNREADABLE, without_headers
from config.messages import MessageProfile
from gateway.message_profiles import as_user, found_at_the_door, in_words_of_channel
from gateway.parties import Sender, SignatureProfile
from schemas.codes import Code, Finding
from schemas.filename import FileName, is_safe, parse
from spool.gather import is_complete_without_start
from spool.submissions import State, Submission
from spool.waiting import Incomplete, WaitingLimits, gives_way

_CONTENT = Content(4, "ab" * 32, 10)
_NAME = "FI.DIMN.123456.20261121.00001.R.1.1"
_SUBMISSION = Submission(
    "T", 1, "mq", "123456", "bank0001", "IN", _NAME, "DIMN.123456.20261121.00001.R", "", State.RECEIVED, 0
)
_PROFILES = (MessageProfile(name="isabel", users=("bank0001",)),)


def test_name_and_signature_are_as_sent() -> None:
    """The signature is what the FS file would hold."""
    letter = read_letter({"FileName": _NAME, "Signature": "c2ln"}, _CONTENT)

    assert (_NAME, b"c2ln", ()) == (letter.name, letter.signature, letter.findings)
    assert f"FS{_NAME[2:]}" == letter.signature_name


@given(st.text(max_size=200) | st.integers() | st.binary() | st.none() | st.dictionaries(st.text(), st.text()))
def test_whatever_the_name_is_the_file_has_a_safe_one_that_is_no_other_name(name: Any) -> None:
    """So no odd name becomes the name of somebody's good file, and each has its finding."""
    letter = read_letter({"FileName": name}, _CONTENT)

    assert is_safe(letter.name)
    assert len(letter.name) <= 90
    assert letter.name == name or (letter.findings and not isinstance(parse(letter.name), FileName))


@given(st.dictionaries(st.sampled_from(["FileName", "Signature", "Hash", amqp10.HEADER]), st.binary() | st.text()))
def test_reading_headers_never_fails(headers: dict[str, Any]) -> None:
    """Also not what a client of AMQP 1.0 made of them."""
    read_letter(headers, _CONTENT, hashed=True)


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({UNREADABLE: True}, _CONTENT, Code.CHANNEL_TECHNICAL),
        ({}, _CONTENT, Code.FI_STRUCTURE),
        ({"FileName": f"GO{_NAME[2:-2]}"}, _CONTENT, Code.PREFIX_INVALID),
        ({"FileName": _NAME, "Signature": 7}, _CONTENT, Code.SIGNATURE_INVALID),
        ({"FileName": _NAME}, replace(_CONTENT, size=11), Code.FILE_TOO_LARGE),
        ({"FileName": _NAME, "Hash": "00"}, _CONTENT, Code.HASH_INVALID),
    ],
)
def test_what_is_wrong_has_its_code(headers: dict[str, Any], content: Content, code: Code) -> None:
    """The sender is answered with it."""
    letter = read_letter(headers, content, hashed=True)

    assert [code] == [finding.code for finding in letter.findings]
    assert letter.name in {headers.get("FileName"), UNNAMED}


def test_of_other_channels_headers_that_cannot_be_read_name_no_file() -> None:
    """156 is a word of channels that sign for their users."""
    letter = read_letter({UNREADABLE: True}, _CONTENT)

    assert [Code.FI_STRUCTURE] == [finding.code for finding in letter.findings]


def test_headers_that_cannot_be_read_are_left_out_of_the_rest() -> None:
    """User and message id are behind them, and are read."""
    properties = spec.BasicProperties(
        content_type="a/b", content_encoding="utf-8", headers={"x": 1}, message_id="id", user_id="payroll01"
    )
    data = frame.Header(1, 77, properties).marshal()
    broken = data.replace(b"\x01xI\x00\x00\x00\x01", b"\x01x?\x00\x00\x00\x01") if b"\x01xI" in data else data

    length, header = without_headers(broken + b"more")

    assert (len(data), 77, 1) == (length, header.body_size, header.channel_number)
    assert ("id", "payroll01", {UNREADABLE: True}) == (
        header.properties.message_id, header.properties.user_id, header.properties.headers,
    )  # fmt: skip


@pytest.mark.parametrize("data", [frame.Body(1, b"x").marshal(), struct.pack(">BHL", 2, 1, 16) + bytes(17)])
def test_another_frame_that_cannot_be_read_is_an_error(data: bytes) -> None:
    """Only headers of messages are forgiven."""
    with pytest.raises((exceptions.InvalidFrameError, struct.error)):
        without_headers(data)


def test_the_sender_with_most_sets_waiting_gives_way_with_its_oldest() -> None:
    """Others keep theirs, whoever came first."""
    waiting = {n: Incomplete("greedy" if n else "other", float(n), 10) for n in range(5)}

    assert gives_way(waiting, WaitingLimits(4, 5, 100)) is None
    assert 1 == gives_way(waiting, WaitingLimits(3, 9, 100))
    assert 1 == gives_way(waiting, WaitingLimits(9, 4, 100))
    assert 1 == gives_way(waiting, WaitingLimits(9, 9, 40))
    assert 0 == gives_way(waiting | {0: Incomplete("other", 9.0, 1000)}, WaitingLimits(9, 9, 40))
    assert gives_way({}, WaitingLimits(1, 1, 1)) is None


@pytest.mark.parametrize(
    ("tails", "complete"),
    [(["1.1"], True), (["2.1"], False), (["2.1", "2.2"], True), (["2.1", "3.2"], True), (["3.1", "3.2"], False)],
)
def test_a_set_without_go_is_complete_with_its_last_part(tails: list[str], complete: bool) -> None:
    """Parts that disagree wait for nothing."""
    assert complete is is_complete_without_start([f"{_NAME[:-3]}{tail}" for tail in tails])


def test_a_cancel_or_a_name_of_no_set_waits_for_nothing() -> None:
    """Nor does the old form without parts."""
    for name in ("TD.DIMN.123456.20261121.00001.R.3", "FI.WECH.123456.20261121.00001.R", "FI.x", "XX.y"):
        assert is_complete_without_start([name])


def test_a_user_of_a_channel_that_signs_counts_so_by_message_only() -> None:
    """Over SFTP, and to others, nothing changes."""
    sender = Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True)

    assert SignatureProfile.CHANNEL is as_user(sender, _SUBMISSION, _PROFILES).signature
    for other in (replace(_SUBMISSION, channel="sftp"), replace(_SUBMISSION, username="bank0002")):
        assert sender == as_user(sender, other, _PROFILES)


def test_the_codes_of_the_channel_take_the_place_of_the_general_ones() -> None:
    """039 only for real files."""
    general = [Code.SENDER_NOT_OWNER, Code.ALREADY_SENT, Code.SENDER_NOT_AUTHORISED, Code.FS_UNEXPECTED]
    findings = [Finding(code, "words") for code in general]

    def told(submission: Submission) -> list[str]:
        return [str(each.code) for each in in_words_of_channel(findings, submission, _PROFILES)]

    assert ["140", "143", "039", "121"] == told(_SUBMISSION)
    assert ["140", "143", "103", "121"] == told(replace(_SUBMISSION, directory="INTEST"))
    assert list(map(str, general)) == told(replace(_SUBMISSION, username="bank0002"))


def test_what_the_door_found_is_a_finding_again() -> None:
    """As the journal keeps it."""
    assert (Finding(Code.FILE_TOO_LARGE, "words"),) == found_at_the_door(
        replace(_SUBMISSION, findings=(("ACRF-184", "words"),))
    )
