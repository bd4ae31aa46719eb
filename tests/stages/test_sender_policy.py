"""How may this sender sign, and does its set have FS files?"""

from dataclasses import replace

import pytest

from gateway.parties import Sender, SignatureProfile
from gateway.signature_rules import sender_policy, signature_files, type_formats
from schemas.catalogue import MessageType, load
from signing.evidence import Format
from signing.policy import Leniency, Policy
from spool.gather import SignatureFiles

_SENDER = Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True)
_ANY: frozenset[Format] = frozenset()
_SITE = Policy(formats=frozenset({Format.CMS, Format.XML}))


@pytest.mark.parametrize(
    ("held_to", "expected"),
    [
        (set(), {Format.CMS, Format.XML}),
        ({Format.CMS}, {Format.CMS}),
        ({Format.CMS, Format.XADES}, {Format.CMS}),
        ({Format.XADES}, set()),
    ],
)
def test_a_sender_can_be_held_to_fewer_formats_and_never_to_more(held_to: set[Format], expected: set[Format]) -> None:
    """What the site does not accept no sender may use; a sender held to nothing may use all the site accepts."""
    assert expected == sender_policy(_SITE, replace(_SENDER, formats=frozenset(held_to)), _ANY).formats


def test_a_type_of_message_takes_fewer_formats_too() -> None:
    """What it does not take no sender may use for it, nor what the sender is held from."""
    held_to_cms = replace(_SENDER, formats=frozenset({Format.CMS}))
    xml = frozenset({Format.XML, Format.XADES})

    assert {Format.XML} == sender_policy(_SITE, _SENDER, xml).formats
    assert frozenset() == sender_policy(_SITE, held_to_cms, xml).formats


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([], set()),
        ([set()], set()),
        ([{"cms"}], {Format.CMS}),
        ([{"cms"}, {"xml"}], {Format.CMS, Format.XML}),
        ([{"cms"}, set()], set()),
    ],
)
def test_what_one_type_of_a_purpose_takes_is_taken(named: list[set[str]], expected: set[Format]) -> None:
    """One that names no format takes them all, and then so does the purpose."""
    types = [
        MessageType("DIMN", {}, "Dimona", frozenset(), {}, {}, signature_formats=frozenset(item)) for item in named
    ]

    assert expected == type_formats(types)


def test_what_is_tolerated_of_one_sender_comes_on_top_of_what_is_tolerated_of_all() -> None:
    """And changes nothing else."""
    lenient = replace(_SENDER, leniencies=frozenset({Leniency.SHA1}))

    assert replace(_SITE, leniencies=frozenset({Leniency.TEXT_MODE, Leniency.SHA1})) == sender_policy(
        _SITE, lenient, _ANY
    )
    assert sender_policy(_SITE, _SENDER, _ANY) == _SITE


@pytest.mark.parametrize(
    ("profile", "inbox", "expected"),
    [
        (SignatureProfile.DETACHED, "IN", SignatureFiles.REQUIRED),
        (SignatureProfile.DETACHED, "INTEST", SignatureFiles.REQUIRED),
        (SignatureProfile.DETACHED, "INTEST-S", SignatureFiles.OPTIONAL),
        (SignatureProfile.ENVELOPED, "IN", SignatureFiles.NONE),
        (SignatureProfile.CHANNEL, "IN", SignatureFiles.NONE),
        (SignatureProfile.CHANNEL, "INTEST-S", SignatureFiles.NONE),
    ],
)
def test_only_a_sender_who_signs_beside_the_data_has_fs_files(
    profile: SignatureProfile, inbox: str, expected: SignatureFiles
) -> None:
    """In simulation they may be left out; by the other profiles there are none anywhere."""
    assert expected is signature_files(profile, inbox)


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        ((True,), SignatureFiles.REQUIRED),
        ((True, True), SignatureFiles.REQUIRED),
        ((False,), SignatureFiles.OPTIONAL),
        ((True, False), SignatureFiles.OPTIONAL),
        ((), SignatureFiles.REQUIRED),
    ],
)
def test_a_type_that_needs_no_signature_makes_fs_files_optional(
    required: tuple[bool, ...], expected: SignatureFiles
) -> None:
    """Which type of its purpose a file is stands in its content, so one of them is enough; none known is no excuse."""
    [kind] = load().of_purpose("DIMN")
    kinds = [replace(kind, signature_required=each) for each in required]

    assert expected is signature_files(_SENDER.signature, "IN", kinds)


def test_a_sender_who_signs_otherwise_has_no_fs_files_of_any_type() -> None:
    """What the type needs changes nothing in how its sender signs."""
    [kind] = load().of_purpose("DIMN")
    kinds = [replace(kind, signature_required=False)]

    assert SignatureFiles.NONE is signature_files(SignatureProfile.ENVELOPED, "IN", kinds)
