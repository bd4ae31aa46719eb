"""A chain that was carried away: whatever is done to the file is found, and the first misfit named."""

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from gateway import chain_file
from gateway.chain_file import ChainMisfitError, Closing
from signing.own.keys import create_signing_key
from signing.own.sign import Signer
from spool import checkpoints
from spool.chain import BEGINNING, Link, Place, digest_of
from spool.checkpoints import Sealed

Lines = list[bytes]
Change = Callable[[Lines], None]
AT: Final = 1_795_000_000_000_000


def make_signer(folder: Path) -> Signer:
    """A key and certificate as `gateway init` makes them."""
    folder.mkdir()
    create_signing_key(folder / "key", folder / "pem", "Invented Gateway")
    return Signer.open(folder / "key", folder / "pem")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Ours."""
    return make_signer(tmp_path_factory.mktemp("keys") / "own")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Somebody else's."""
    return make_signer(tmp_path_factory.mktemp("keys") / "foreign")


def signed(signer: Signer, data: bytes) -> bytes:
    """A signature over ``data``."""
    return signer.sign(data, datetime.now(UTC)).cms()


def chained(count: int, forged: int = 0) -> list[Link]:
    """So many events, one of which says something else where that is asked for."""
    links, place = list[Link](), Place()
    for number in range(1, count + 1):
        name = "forged" if number == forged else "something.happened"
        link = Link(number, "A", AT + number, name, {"number": number})
        place = Place(number, digest_of(place.digest, link))
        links.append(Link(number, link.ticket, link.at, name, link.facts, None, place.digest))
    return links


def sealed(links: Sequence[Link], signer: Signer) -> list[Sealed | Link]:
    """A checkpoint for every three events, and these behind it."""
    records, previous = list[Sealed | Link](), BEGINNING
    for ordinal, first in enumerate(range(0, len(links), 3), 1):
        made = checkpoints.make(ordinal, previous, links[first : first + 3], AT)
        records += [Sealed(made, signed(signer, made.statement())), *links[first : first + 3]]
        previous = made.digest
    return records


@pytest.fixture(scope="module")
def written(own: Signer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lines, Lines]:
    """The lines of a file of nine events under three checkpoints, with digests alone, and with facts.

    Line 1 is the format; 2, 6 and 10 are checkpoints, each with its three events behind it; 14 is the end.
    """
    folder, records = tmp_path_factory.mktemp("chain"), sealed(chained(9), own)
    for name in ("digests", "facts"):
        chain_file.write(folder / name, records, AT, lambda data: signed(own, data), with_facts=name == "facts")
    digests, facts = (gzip.decompress((folder / name).read_bytes()).splitlines(True) for name in ("digests", "facts"))
    return digests, facts


def verified(folder: Path, lines: Sequence[bytes], own: Signer) -> Closing:
    """What verification says of a file with these lines."""
    path = folder / "chain.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(lines), 1))
    return chain_file.verify(path, {own.certificate})


def refusal(folder: Path, lines: Sequence[bytes], own: Signer) -> str:
    """What it says of a file that does not hold."""
    with pytest.raises(ChainMisfitError) as caught:
        verified(folder, lines, own)
    return str(caught.value)


def test_a_chain_holds_with_the_certificate_alone(written: tuple[Lines, Lines], own: Signer, tmp_path: Path) -> None:
    """With facts or without; and without them nothing of what happened is in the file."""
    digests, facts = written
    for lines in written:
        held = verified(tmp_path, lines, own)
        assert (3, 9, AT) == (held.checkpoints, held.last, held.at)
    assert not [line for line in digests if b"something" in line or b'"A"' in line]
    assert 9 == len([line for line in facts if b"something.happened" in line])


def _say(line: int, old: str, new: str) -> Change:
    def change(lines: Lines) -> None:
        there = lines[line - 1]
        assert old.encode() in there
        lines[line - 1] = there.replace(old.encode(), new.encode(), 1)

    return change


def _digest(line: int, key: str) -> Change:
    """Another digest of the same length."""

    def change(lines: Lines) -> None:
        said = json.loads(lines[line - 1])
        if key == "event":
            said["event"][1] = "ab" * 32
        else:
            said[key] = "ab" * 32
        lines[line - 1] = (json.dumps(said) + "\n").encode()

    return change


def _remove(first: int, last: int = 0) -> Change:
    def change(lines: Lines) -> None:
        del lines[first - 1 : last or first]

    return change


def _swap(one: int, other: int) -> Change:
    def change(lines: Lines) -> None:
        lines[one - 1], lines[other - 1] = lines[other - 1], lines[one - 1]

    return change


def _insert(line: int, content: bytes | int) -> Change:
    """Put a line before the one with this number: some bytes, or a copy of another line."""
    return lambda lines: lines.insert(line - 1, lines[content - 1] if isinstance(content, int) else content)


def _forge_next(lines: Lines) -> None:
    """One more event, which fits the digest of the last."""
    last = json.loads(lines[12])["event"]
    link = Link(10, None, 0, "", {}, "ab" * 32)
    event = {"event": [10, digest_of(last[1], link)], "content": link.content}
    lines.insert(13, (json.dumps(event) + "\n").encode())


_NO_LINE: Final = "is not written as it must be"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_digest(8, "event"), "event 5 was changed, or is not where it was written"),
        (_digest(8, "content"), "event 5 was changed, or is not where it was written"),
        (_say(8, "[5,", "[55,"), "event 6 stands behind event 55"),
        (_say(9, "[6,", "[66,"), "events 4 to 6 are not those that checkpoint 2 has sealed"),
        (_remove(8), "event 6 does not follow event 4: one between is missing"),
        (_remove(13), "events up to 9 are missing, which checkpoint 3 has sealed"),
        (_swap(8, 9), "event 6 does not follow event 4: one between is missing"),
        (_insert(9, 8), "event 5 stands behind event 5"),
        (_insert(14, 13), "line 14 has event 9 where checkpoint 4 or the end has to be"),
        (_forge_next, "line 14 has event 10 where checkpoint 4 or the end has to be"),
        (_remove(6), "line 6 has event 4 where checkpoint 2 or the end has to be"),
        (_remove(6, 9), "line 6 has checkpoint 3 where checkpoint 2 or the end has to be"),
        (_swap(6, 10), "line 6 has checkpoint 3 where checkpoint 2 or the end has to be"),
        (_remove(10, 13), "checkpoint 3 is missing: there are 3"),
        (_remove(2, 13), "checkpoint 1 is missing: there are 3"),
        (_say(6, r"\"at\":1", r"\"at\":2"), "checkpoint 2: The file is not the one that was signed."),
        (_say(2, '"checkpoint":', '"checkpoint": '), "something was changed that no event's digest covers"),
        (_remove(14), "it is cut off behind line 13"),
        (_remove(1), "this is no chain of events"),
        (_insert(15, b"\n"), "something stands behind line 14, the last"),
        (_say(14, r"\"last\":9", r"\"last\":8"), "the last line: The file is not the one that was signed."),
        (_insert(3, b"more\n"), f"line 3 {_NO_LINE}"),
        (_insert(3, b"[]\n"), f"line 3 {_NO_LINE}"),
        (_insert(3, b"[" * 100_000 + b"\n"), f"line 3 {_NO_LINE}"),
        (_insert(3, b"0" * 2_000_000 + b"\n"), "line 3 is too long"),
        (_say(3, "[1,", "[true,"), f"line 3 {_NO_LINE}"),
        (_say(3, '"content"', '"contents"'), f"line 3 {_NO_LINE}"),
        (_say(14, '"signature":"', '"signature":"?'), f"line 14 {_NO_LINE}"),
    ],
)
def test_the_first_thing_that_does_not_fit_is_named(
    written: tuple[Lines, Lines], own: Signer, tmp_path: Path, change: Change, words: str
) -> None:
    """An event or a checkpoint by its number, what is neither by its line."""
    lines = list(written[0])
    change(lines)
    assert words in refusal(tmp_path, lines, own)


@pytest.mark.parametrize(
    "change",
    [
        _say(8, "something.happened", "nothing.happened"),
        _say(8, '"A"', '"B"'),
        _say(8, str(AT + 5), str(AT + 6)),
        _say(8, '{"number":5}', '{"number":6}'),
        _say(8, '{"number":5}', '{"number":NaN}'),
    ],
)
def test_facts_are_covered_by_digests(
    written: tuple[Lines, Lines], own: Signer, tmp_path: Path, change: Change
) -> None:
    """Every one of them: name, ticket, time and what was said."""
    lines = list(written[1])
    change(lines)
    assert refusal(tmp_path, lines, own) in {
        "event 5 was changed, or is not where it was written",
        f"line 8 {_NO_LINE}",
    }


def test_another_story_does_not_fit_the_seals(
    written: tuple[Lines, Lines], own: Signer, foreign: Signer, tmp_path: Path
) -> None:
    """A chain that was made anew holds by itself, under true checkpoints or somebody else's it does not."""
    chain_file.write(tmp_path / "other", sealed(chained(9, forged=5), foreign), AT, lambda data: signed(foreign, data))
    other = gzip.decompress((tmp_path / "other").read_bytes()).splitlines(True)
    mixed = [*written[0][:6], *other[6:9], *written[0][9:]]
    assert "events 4 to 6 are not those that checkpoint 2 has sealed" == refusal(tmp_path, mixed, own)
    assert "checkpoint 1: Somebody else has signed it." == refusal(tmp_path, other, own)
    assert "checkpoint 2: Somebody else has signed it." == refusal(tmp_path, [*written[0][:5], *other[5:]], own)
    assert "the last line: Somebody else has signed it." == refusal(tmp_path, [*written[0][:13], other[13]], own)


def test_two_chains_of_ours_do_not_mix(written: tuple[Lines, Lines], own: Signer, tmp_path: Path) -> None:
    """Our own signature stands under each piece; they are not of one."""
    chain_file.write(tmp_path / "other", sealed(chained(9, forged=2), own), AT, lambda data: signed(own, data))
    other = gzip.decompress((tmp_path / "other").read_bytes()).splitlines(True)
    assert "checkpoint 2 does not follow checkpoint 1" == refusal(tmp_path, [*written[0][:5], *other[5:]], own)
    assert "the last line is of another chain" == refusal(tmp_path, [*written[0][:13], other[13]], own)


def test_a_file_that_was_cut_or_bent_is_no_chain(written: tuple[Lines, Lines], own: Signer, tmp_path: Path) -> None:
    """Wherever it was cut; and what follows a checkpoint that is not ours is not even unpacked."""
    whole = gzip.compress(b"".join(written[0]), 1)
    path = tmp_path / "bent"
    for length in (*range(0, 20, 5), len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ChainMisfitError, match="it is cut off behind line"):
            chain_file.verify(path, {own.certificate})
    path.write_bytes(whole[:-8] + bytes(8))
    with pytest.raises(ChainMisfitError, match="it is damaged behind line 14"):
        chain_file.verify(path, {own.certificate})
    path.write_bytes(gzip.compress(b"".join(written[0][:2]), 1) + b"no gzip")
    with pytest.raises(ChainMisfitError, match="checkpoint 1: Somebody else has signed it"):
        chain_file.verify(path, {b"another"})


def test_no_character_of_the_file_can_be_another(written: tuple[Lines, Lines], own: Signer, tmp_path: Path) -> None:
    """Each is covered by something: here one in a thousand, each time in another line's place."""
    whole = b"".join(written[1])
    for place in range(3, len(whole), 1009):
        bent = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        assert refusal(tmp_path, [bent], own)


def test_facts_that_are_gone_or_too_many_are_left_out(own: Signer, tmp_path: Path) -> None:
    """Their digest stands in their place, and no word that it doesn't cover."""
    links, place = list[Link](), Place()
    for number, facts in enumerate(({}, {"much": "x" * 2_000_000}), 1):
        link = Link(number, "A", AT, "something.happened", facts, "ab" * 32 if number == 1 else None)
        place = Place(number, digest_of(place.digest, link))
        links.append(Link(number, "A", AT, link.name, facts, link.content, place.digest))
    records = sealed(links, own)
    chain_file.write(tmp_path / "chain", records, AT, lambda data: signed(own, data), with_facts=True)

    assert 2 == chain_file.verify(tmp_path / "chain", {own.certificate}).last
    lines = gzip.decompress((tmp_path / "chain").read_bytes()).splitlines()
    assert ["content", "content"] == [list(json.loads(line))[1] for line in lines[2:4]]


def test_nothing_is_written_over_and_nothing_half(own: Signer, tmp_path: Path) -> None:
    """A file that is there stays; one that could not be finished goes."""
    path = tmp_path / "chain"
    path.write_bytes(b"something")
    with pytest.raises(FileExistsError, match="chain exists"):
        chain_file.write(path, [], AT, lambda data: signed(own, data))
    assert b"something" == path.read_bytes()

    def no_key(_: bytes) -> bytes:
        raise OSError(5, "the token is gone")

    with pytest.raises(OSError, match="the token is gone"):
        chain_file.write(tmp_path / "half", sealed(chained(3), own), AT, no_key)
    assert not (tmp_path / "half").exists()
