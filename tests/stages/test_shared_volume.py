"""What ``gateway doctor`` says of the volume that several hosts share."""

from pathlib import Path

import pytest

from gateway.doctor.finding import Mark
from gateway.doctor.volume import Mount, judged, mount_of

MOUNTS = r"""21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 21 0:40 / /srv/batch\040gateway rw,relatime shared:9 - nfs4 files:/spool rw,vers=4.2,lookupcache=none
41 21 0:41 / /srv rw - tmpfs tmpfs rw,size=1024k
42 21 0:42 / /srv rw master:3 propagate_from:2 - xfs /dev/vdb rw
"""
GOOD = {"vers": "4.2", "hard": "", "lookupcache": "none", "local_lock": "none"}


def test_a_folder_is_on_the_last_mount_that_is_nearest() -> None:
    """Blanks in names, and mounts upon mounts, included."""
    nfs = mount_of(MOUNTS, Path("/srv/batch gateway/spool"))
    upper = mount_of(MOUNTS, Path("/srv/batch"))
    root = mount_of(MOUNTS, Path("/srvice"))

    assert nfs is not None
    assert upper is not None
    assert root is not None
    assert (Path("/srv/batch gateway"), "nfs4", "4.2") == (nfs.point, nfs.type, nfs.options["vers"])
    assert ("xfs", "ext4") == (upper.type, root.type)
    assert mount_of("", Path("/")) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"local_lock": "flock"}, "not seen by other hosts"),
        ({"nolock": ""}, "not seen by other hosts"),
        ({"vers": "3"}, "of a host that is gone stay"),
        ({"lookupcache": "all"}, "may not be seen"),
        ({"soft": ""}, "its server is slow"),
    ],
)
def test_what_is_wrong_with_a_mount_is_said(changes: dict[str, str], words: str) -> None:
    """Each option by itself."""
    [found] = judged(Mount(Path("/srv"), "nfs4", GOOD | changes))

    assert Mark.TROUBLE is found.mark
    assert words in found.words


@pytest.mark.parametrize(
    ("kind", "mark"),
    [("nfs4", Mark.FINE), ("xfs", Mark.FINE), ("fuse.glusterfs", Mark.FINE), ("fuse.sshfs", Mark.UNKNOWN)],
)
def test_what_is_known_of_a_file_system_is_said(kind: str, mark: Mark) -> None:
    """And what is not known is called so."""
    assert [mark] == [found.mark for found in judged(Mount(Path("/srv"), kind, GOOD))]


def test_a_mount_of_nfs_without_options_lacks_one() -> None:
    """By default names that were not there are believed to be not there for a while."""
    assert ["what another host has just written may not be seen"] == [
        found.words for found in judged(Mount(Path("/srv"), "nfs4", {}))
    ]
