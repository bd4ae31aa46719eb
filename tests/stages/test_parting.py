"""Who may be sent away when the SFTP door closes: by what it does and for how long it has done nothing."""

import pytest

from channels.sftp.parting import Standing, is_long_quiet, is_quiet


@pytest.mark.parametrize(
    ("standing", "at_once", "if_no_set_waits", "late"),
    [
        (Standing(is_inside=True, is_busy=False, quiet_for=0.1), False, False, False),
        (Standing(is_inside=True, is_busy=False, quiet_for=0.5), False, False, True),
        (Standing(is_inside=True, is_busy=False, quiet_for=2.0), False, True, True),
        (Standing(is_inside=True, is_busy=False, quiet_for=8.0), True, True, True),
        (Standing(is_inside=True, is_busy=True, quiet_for=60.0), False, False, False),
        (Standing(is_inside=False, is_busy=False, quiet_for=2.0), False, False, False),
        (Standing(is_inside=False, is_busy=False, quiet_for=8.0), True, False, False),
    ],
)
def test_who_may_be_sent_away(standing: Standing, *, at_once: bool, if_no_set_waits: bool, late: bool) -> None:
    """Who is at work never, who has just asked for something not yet; who is logging in gets as long as a set does."""
    assert is_long_quiet(standing) == at_once
    assert [is_quiet(standing, is_late=is_late) for is_late in (False, True)] == [if_no_set_waits, late]
