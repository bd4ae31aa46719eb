"""What a worker remembers from set to set changes no answer: of a start tag, of a type, of a signer."""

import base64
import random
from dataclasses import replace
from pathlib import Path

import pytest

from schemas import prolog
from schemas.identifiers import Kind
from schemas.inspection import Inspection
from schemas.prolog import HEAD_BYTES, Opening, read_opening
from schemas.splitting import Form
from signing.evidence import Evidence, Fault, Reason, TrustUnavailable
from signing.policy import Policy
from signing.trust import authorities
from signing.verify import verify_detached
from tests import signers
from tests.authority import Pki, now
from tests.stages.dimona import DAY, FORM, ROOT, VALID, dimona, document

HEADS = (
    VALID,
    document(FORM),
    b"\xef\xbb\xbf" + document(FORM),
    document(FORM, declaration='<?xml version="1.0" encoding="ISO-8859-1"?>'),
    document(FORM, declaration="<?xml version='1.0' encoding='UTF-16'?>"),
    document(FORM, declaration='<?xml version="1.0" encoding="US-ASCII"?>'),
    document(FORM, declaration='<?xml version="1.0" encoding="US-ASCII"?>').replace(b"</", b"\xe9</", 1),
    document(FORM, declaration="<!-- a comment --><?an instruction?>\n"),
    document(FORM, declaration="<!DOCTYPE Dimona>"),
    document(FORM, root=ROOT + "<!DOCTYPE Dimona>"),
    document(FORM, root=ROOT.replace(">", ' a="1" a="2">')),
    document(FORM, root=ROOT.replace(">", ' a="<">')),
    document(FORM, root=ROOT.replace("xmlns:xsi", "xmlns:other")),
    document(FORM, root=ROOT + "</Form>"),
    document(root=ROOT.replace(">", "/>")),
    b"<" + b"a" * HEAD_BYTES,
    b"<a\0>",
    b"<1>",
    b"",
)


def the_long_way(head: bytes, monkeypatch: pytest.MonkeyPatch) -> object:
    """What an opening says when nothing is remembered of one."""
    with monkeypatch.context() as patch:
        patch.setattr(prolog, "_read_once", lambda _: None)
        return read_opening(head)


def test_a_start_tag_says_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands behind it, and whatever is wrong with it."""
    for whole in HEADS:
        head = whole[:HEAD_BYTES]
        assert [the_long_way(head, monkeypatch)] * 3 == [read_opening(head) for _ in range(3)]


def test_a_spoilt_opening_says_what_it_would_say_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that were changed at random mean the same with and without those that came before them."""
    chance = random.Random(5)
    for _ in range(3000):
        head = bytearray(chance.choice(HEADS[:8])[: chance.choice((200, 600, HEAD_BYTES))])
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(min(250, len(head)))
            head[place : place + chance.randrange(3)] = chance.choice(
                (b"", b"<", b">", b"'", b"/", b"?", b"!", b"\xe9", b"a")
            )
        assert the_long_way(bytes(head), monkeypatch) == read_opening(bytes(head)), bytes(head)


def test_no_more_start_tags_are_remembered_than_fit() -> None:
    """Those of strangers don't add up."""
    for number in range(1000):
        assert isinstance(read_opening(document(FORM, root=f"<Root{number}>")), Opening)

    remembered = prolog._read_once.cache_info()
    assert remembered.maxsize is not None
    assert remembered.currsize <= remembered.maxsize <= 64


def test_types_that_differ_in_anything_are_looked_at_differently() -> None:
    """Also where only what is not counted for finding them differs, such as which elements hold numbers."""
    form = Form(1, 0, FORM.encode(), plain=True)
    shipped = dimona()
    without = replace(shipped, identifiers={})
    other = replace(shipped, identifiers={"NatureCode": Kind.INSS})

    found = [Inspection(kind, "UTF-8", DAY).inspect(form).persons for kind in (shipped, without, other, shipped)]

    assert hash(shipped) == hash(without) == hash(other)
    assert found[0] == found[3]
    assert found[0]
    assert () == found[1]


def test_a_change_among_the_authorities_counts_for_the_next_signature(tmp_path: Path) -> None:
    """A signer who was good is not asked about again, until a list is missing or revokes, or the issuer goes."""
    pki = Pki.create(tmp_path / "pki")
    folder, data = tmp_path / "authorities", tmp_path / "FI.DIMN.123456.20261121.00001.R.1.1"
    pki.install(folder, "test")
    data.write_bytes(VALID)
    signer = pki.issue("An Invented Signer")
    signature = base64.b64encode(signers.cms(data, signer))

    def verify() -> Evidence | Fault:
        return verify_detached(data, signature, authorities=authorities.current(folder), at=now(), policy=Policy())

    first, second = verify(), verify()
    assert isinstance(first, Evidence)
    assert first == second
    authorities.replace_crls(folder, "test", [])
    with pytest.raises(TrustUnavailable):
        verify()
    pki.revoke(signer)
    authorities.replace_crls(folder, "test", pki.crls)
    revoked = verify()
    authorities.remove(folder, "test")
    nobody = verify()
    assert [Reason.REVOKED, Reason.NOT_ACCEPTED] == [
        each.reason for each in (revoked, nobody) if isinstance(each, Fault)
    ]
