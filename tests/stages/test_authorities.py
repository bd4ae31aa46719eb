"""The folder of accepted authorities: what it may hold, how it changes, and who sees that when."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from config.errors import ConfigurationError
from signing.evidence import TrustUnavailable
from signing.trust import authorities, revocation_files
from signing.trust.authorities import Authorities
from signing.trust.terms import Terms
from tests import signers
from tests.authority import Pki, now


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority on P-256."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of authorities."""
    path = tmp_path / "authorities"
    path.mkdir()
    return path


def faults(change: Callable[[], object]) -> tuple[str, ...]:
    """The faults for which a change is refused."""
    with pytest.raises(ConfigurationError) as caught:
        change()
    return caught.value.faults


def files(folder: Path) -> set[str]:
    """The names of everything in a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_an_empty_folder_is_a_list_that_accepts_nobody(folder: Path) -> None:
    """A fresh site accepts nobody, and that is no fault."""
    assert authorities.load(folder) == Authorities()
    assert authorities.current(folder) == Authorities()


def test_a_missing_folder_is_a_fault_at_start_and_unknown_later(folder: Path) -> None:
    """At start the operator is told; later, signatures wait."""
    folder.rmdir()
    assert faults(lambda: authorities.load(folder)) == (f"{folder}: there is no such folder",)
    with pytest.raises(TrustUnavailable):
        authorities.current(folder)


def test_what_was_added_is_loaded(pki: Pki, folder: Path) -> None:
    """Adding and loading are inverse, whatever the encoding of the files was."""
    der = folder.parent / "issuing.cer"
    der.write_bytes(x509.load_pem_x509_certificate(pki.issuing.read_bytes()).public_bytes(Encoding.DER))
    pem = folder.parent / "root.crl.pem"
    pem.write_bytes(x509.load_der_x509_crl(pki.crls[0].read_bytes()).public_bytes(Encoding.PEM))
    added = authorities.add(folder, "test", der, [pki.root], [pem, pki.crls[1]])
    [loaded] = authorities.load(folder)
    assert (loaded.name, loaded.certificate, loaded.chain) == (added.name, added.certificate, added.chain)
    assert set(loaded.crls) == set(added.crls) == {path.read_bytes() for path in pki.crls}
    assert authorities.load(folder).find("test") == loaded
    assert authorities.load(folder).find("other") is None


def test_an_authority_says_what_a_list_shows(pki: Pki, folder: Path) -> None:
    """Subject, expiry and until when all of its revocation lists count."""
    pki.install(folder, "test")
    [loaded] = authorities.load(folder)
    certificate = x509.load_pem_x509_certificate(pki.issuing.read_bytes())
    updates = [x509.load_der_x509_crl(path.read_bytes()).next_update_utc for path in pki.crls]
    assert "CN=Test Issuing,C=BE" == loaded.subject
    assert loaded.not_after == certificate.not_valid_after_utc
    assert loaded.fresh_until == min(date for date in updates if date)


def test_an_authority_without_lists_has_none_to_go_stale(pki: Pki, folder: Path) -> None:
    """Lists may come later; until then there is nothing to go stale."""
    assert authorities.add(folder, "test", pki.issuing, [pki.root], []).fresh_until is None


def test_the_chain_is_put_in_order_and_strangers_are_left_out(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """A bundle in any order, with more than is needed, gives the one line up to the root."""
    stranger = Pki.create(tmp_path / "stranger")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(stranger.root.read_bytes() + pki.issuing.read_bytes() + pki.root.read_bytes())
    added = authorities.add(folder, "test", pki.issuing, [bundle], pki.crls)
    assert added.chain == (x509.load_pem_x509_certificate(pki.root.read_bytes()).public_bytes(Encoding.DER),)
    assert added.root == added.chain[0]


@pytest.mark.parametrize("name", ["", "A", "a_b", "../x", ".x", "-x", "a" * 65, "a/b", "a\n"])
def test_a_name_that_is_no_name_is_refused(name: str, pki: Pki, folder: Path) -> None:
    """Names are folders and arguments: letters, digits and hyphens."""
    for change in (
        lambda: authorities.add(folder, name, pki.issuing, [pki.root], []),
        lambda: authorities.remove(folder, name),
        lambda: authorities.replace_crls(folder, name, []),
    ):
        assert len(faults(change)) == 1
    assert files(folder) == set()


def test_a_taken_name_is_refused(pki: Pki, folder: Path) -> None:
    """An authority is never silently replaced."""
    pki.install(folder, "test")
    again = faults(lambda: authorities.add(folder, "test", pki.issuing, [pki.root], []))
    assert again == ("test: there is an authority of that name",)


def test_an_absent_name_is_refused(folder: Path) -> None:
    """What isn't there can't be removed or renewed."""
    for change in (lambda: authorities.remove(folder, "x"), lambda: authorities.replace_crls(folder, "x", [])):
        assert faults(change) == ("x: there is no authority of that name",)


def test_every_fault_of_the_certificates_is_told_at_once(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """A missing file, junk and a signer's certificate: three lines."""
    junk, leaf = tmp_path / "junk.pem", pki.issue("Leaf").certificate
    junk.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert faults(lambda: authorities.add(folder, "test", tmp_path / "gone", [junk, leaf], [])) == (
        f"{tmp_path / 'gone'}: No such file or directory",
        f"{junk}: this is no certificate",
        f"{leaf}: this is not the certificate of an authority",
    )
    assert files(folder) == set()


def test_a_chain_must_lead_to_a_root(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """Without the root, or with another of the same name, there is no anchor."""
    for chain in ([], [Pki.create(tmp_path / "stranger").root]):
        [fault] = faults(lambda chain=chain: authorities.add(folder, "test", pki.issuing, chain, []))  # type: ignore[misc]
        assert fault == f"{pki.issuing}: the chain does not lead to a self-signed root"


def test_an_authority_with_a_short_key_is_refused(folder: Path, tmp_path: Path) -> None:
    """Whoever can forge an authority's signature needs no signer's key."""
    weak = Pki.create(tmp_path / "weak", key="rsa-1024")
    assert len(faults(lambda: authorities.add(folder, "test", weak.issuing, [weak.root], []))) == 2


def test_every_fault_of_the_lists_is_told_at_once(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """Junk, another authority's list and a missing file: three lines, and nothing is written."""
    junk, foreign = tmp_path / "junk.crl", Pki.create(tmp_path / "stranger").crls[0]
    junk.write_bytes(b"junk")
    crls = [junk, foreign, tmp_path / "gone"]
    assert faults(lambda: authorities.add(folder, "test", pki.issuing, [pki.root], crls)) == (
        f"{junk}: this is no revocation list",
        f"{foreign}: the list is not signed by an authority of this entry",
        f"{tmp_path / 'gone'}: No such file or directory",
    )
    assert files(folder) == set()


def test_a_list_signed_with_sha_1_is_refused(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """Lists must be signed with more than SHA-1 too."""
    (tmp_path / "index.txt").touch()
    (tmp_path / "ca.conf").write_text(f"[ca]\ndefault_ca=x\n[x]\ndatabase={tmp_path}/index.txt\n")
    crl = tmp_path / "sha1.crl"
    identity = ("-cert", pki.root, "-keyfile", pki.root_credential.key, "-md", "sha1", "-crldays", "9")
    crl.write_bytes(signers.openssl("ca", "-gencrl", "-config", tmp_path / "ca.conf", *identity))
    added = faults(lambda: authorities.add(folder, "test", pki.issuing, [pki.root], [crl]))
    assert added == (f"{crl}: the list is signed with sha1",)


def test_new_lists_take_the_place_of_the_old(pki: Pki, folder: Path) -> None:
    """After a replacement exactly the new lists are there, seen at the next look."""
    pki.install(folder, "test")
    [before] = authorities.current(folder)
    pki.revoke(pki.issue("Revoked"))
    authorities.replace_crls(folder, "test", pki.crls)
    [after] = authorities.current(folder)
    assert set(before.crls) != set(after.crls) == {path.read_bytes() for path in pki.crls}


def test_a_bad_list_leaves_the_old_ones(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """A replacement is checked before anything is touched."""
    pki.install(folder, "test")
    before = files(folder)
    junk = tmp_path / "junk.crl"
    junk.write_bytes(b"junk")
    assert len(faults(lambda: authorities.replace_crls(folder, "test", [junk]))) == 1
    assert files(folder) == before


def test_a_removed_authority_is_gone_at_the_next_look(pki: Pki, folder: Path) -> None:
    """Nothing of it is left."""
    pki.install(folder, "test")
    assert len(authorities.current(folder).entries) == 1
    authorities.remove(folder, "test")
    assert authorities.current(folder) == Authorities()
    assert files(folder) == set()


def test_an_unchanged_folder_is_read_once(pki: Pki, folder: Path) -> None:
    """Asking again gives the very same object."""
    pki.install(folder, "test")
    assert authorities.current(folder) is authorities.current(folder)


def test_a_broken_list_harms_only_its_authority(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """A list that another program spoilt is left out by a running gateway, and a fault at start."""
    pki.install(folder, "ours")
    Pki.create(tmp_path / "other").install(folder, "theirs")
    broken = next((folder / "theirs" / "crls").iterdir())
    broken.write_bytes(b"cut off")
    seen = {entry.name: len(entry.crls) for entry in authorities.current(folder)}
    assert seen == {"ours": 2, "theirs": 1}
    assert faults(lambda: authorities.load(folder)) == (f"{broken}: this is no revocation list",)


def test_a_broken_certificate_makes_signatures_wait(pki: Pki, folder: Path) -> None:
    """A list of authorities that can't be read whole refuses nobody: it is our own trouble."""
    pki.install(folder, "test")
    (folder / "test" / "authority.pem").write_text("junk")
    with pytest.raises(TrustUnavailable):
        authorities.current(folder)


def test_every_fault_of_the_folder_is_told_at_once(pki: Pki, folder: Path) -> None:
    """A wrong name and an empty entry beside a good one: both are told."""
    pki.install(folder, "good")
    (folder / "Wrong Name").mkdir()
    (folder / "empty").mkdir()
    assert faults(lambda: authorities.load(folder)) == (
        "'Wrong Name': a name has lower-case letters, digits and hyphens, at most 64",
        f"{folder / 'empty' / 'authority.pem'}: No such file or directory",
    )


def test_what_a_crash_left_behind_is_not_seen(pki: Pki, folder: Path) -> None:
    """Entries are prepared under a name with a dot, which is never read."""
    pki.install(folder, "test")
    (folder / ".half.1234").mkdir()
    (folder / "test" / "crls" / ".half.crl").write_bytes(b"half")
    assert [entry.name for entry in authorities.load(folder)] == ["test"]


def test_lists_count_no_longer_than_the_terms_allow(pki: Pki, folder: Path) -> None:
    """A list that says it is good for a week is stale after a day, where its authority is trusted for a day."""
    terms = Terms(revocation_max_age_hours=24)
    added = authorities.add(folder, "test", pki.issuing, [pki.root], pki.crls, terms)
    made = [x509.load_der_x509_crl(path.read_bytes()).last_update_utc for path in pki.crls]
    assert added.fresh_until == min(made) + timedelta(days=1)


def test_an_old_list_that_was_left_there_makes_nothing_stale(folder: Path, tmp_path: Path) -> None:
    """Of two lists of one issuer and scope the newest says until when they count."""
    pki = Pki.create(tmp_path / "pki")
    pki.write_crls(this_update=now() - timedelta(days=9), next_update=now() - timedelta(days=2))
    old = [path.read_bytes() for path in pki.crls]
    pki.write_crls()
    pki.install(folder, "test")
    for number, content in enumerate(old):
        (folder / "test" / "crls" / f"old-{number}.crl").write_bytes(content)
    [entry] = authorities.current(folder)
    assert 4 == len(entry.crls)
    assert entry.fresh_until is not None
    assert entry.fresh_until > now()


def test_a_list_written_over_behind_a_link_is_seen(folder: Path, tmp_path: Path) -> None:
    """Another program may keep an entry elsewhere, and write over its lists where they lie."""
    pki = Pki.create(tmp_path / "pki")
    pki.install(tmp_path / "elsewhere", "test")
    (folder / "test").symlink_to(tmp_path / "elsewhere" / "test")
    before = set(authorities.current(folder).entries[0].crls)
    pki.write_crls(this_update=now() - timedelta(minutes=1))
    lists = {x509.load_der_x509_crl(path.read_bytes()).issuer: path.read_bytes() for path in pki.crls}
    for path in (tmp_path / "elsewhere" / "test" / "crls").iterdir():
        path.write_bytes(lists[x509.load_der_x509_crl(path.read_bytes()).issuer])
    after = set(authorities.current(folder).entries[0].crls)
    assert after == set(lists.values())
    assert after.isdisjoint(before)


def test_a_name_that_leads_nowhere_is_no_reason_to_wait(pki: Pki, folder: Path) -> None:
    """So it looks when another program has just taken away what was listed."""
    pki.install(folder, "test")
    (folder / "test" / "crls" / "gone.crl").symlink_to("nowhere.crl")
    assert 2 == len(authorities.current(folder).entries[0].crls)


def test_what_is_replaced_while_the_folder_is_read_is_not_missed(
    pki: Pki, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists that were found are gone when they are read: there are others by then, and those count."""
    pki.install(folder, "test")
    moved: list[Path] = []

    def replaced_meanwhile(
        paths: Sequence[Path], check: Callable[[bytes], bytes]
    ) -> tuple[tuple[bytes, ...], list[str]]:
        if not moved:
            moved.extend(path.rename(path.with_name(f"new-{path.name}")) for path in paths)
        return revocation_files.read_files(paths, check)

    monkeypatch.setattr("signing.trust.authority.read_files", replaced_meanwhile)
    assert 2 == len(authorities.current(folder).entries[0].crls)
    assert 2 == len(moved)


def test_a_folder_that_never_holds_still_makes_signatures_wait(
    pki: Pki, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than being judged by half of it."""
    pki.install(folder, "test")

    def always_moving(paths: Sequence[Path], check: Callable[[bytes], bytes]) -> tuple[tuple[bytes, ...], list[str]]:
        for path in paths:
            path.rename(path.with_name(f"x{path.name}"))
        return revocation_files.read_files(paths, check)

    monkeypatch.setattr("signing.trust.authority.read_files", always_moving)
    with pytest.raises(TrustUnavailable):
        authorities.current(folder)


def test_a_lack_of_memory_is_no_fault_of_a_list(pki: Pki, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker fails once; it doesn't go on without the list until something changes."""

    def out_of_memory(_: bytes) -> None:
        raise MemoryError

    pki.install(folder, "test")
    with monkeypatch.context() as patch:
        patch.setattr(revocation_files, "read_list", out_of_memory)
        with pytest.raises(MemoryError):
            authorities.current(folder)
    assert 2 == len(authorities.current(folder).entries[0].crls)
