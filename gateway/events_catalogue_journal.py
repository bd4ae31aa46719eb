"""Which events are written into the journal?

They are chained and sealed (docs/evidence.md), never changed, and are what ``gateway show TICKET`` shows.
"""

from typing import Final

from gateway.events_catalogue import Event

_SENDER: Final = "sender signature environments purposes state formats leniencies language quality any_employer"
_VERDICT: Final = "codes forms checks signed_by signatures refused"
_USER: Final = "sender username"

JOURNAL: Final = (
    Event("answer.asked_again", "", "stems", "A person had an answer given again."),
    Event("answer.deleted", "", "file", "The sender has deleted a file of its answer."),
    Event("answer.expired", "", "stem", "The answer was taken out of OUT, as its time was up."),
    Event("answer.fetched", "", "file by", "A file of an answer, or of a message in an e-Box, was read to its end."),
    Event("answer.not_stamped", "", "stem reason", "The answer went out without a timestamp."),
    Event("answer.placed", "", "stem", "The answer is in OUT."),
    Event("answer.published", "", "file", "The broker has the answer."),
    Event("authority.added", "", "name subject crls terms", "An authority is accepted, on these terms."),
    Event("authority.crls_replaced", "", "name crls", "The revocation lists of an authority were replaced."),
    Event("authority.removed", "", "name", "An authority is accepted no more."),
    Event("authority.revocation_stored", "", "name sha256", "Revocation data of an authority were stored by hand."),
    Event("custody.recovered", "", "", "A start has found the submission in custody, and not recorded."),
    Event("custody.taken", "", "name files sha256", "The submission is in custody: how many files, and their SHA-256."),
    Event("declaration.forwarded", "", "form", "The routing queue has confirmed a declaration."),
    Event("declaration.parked", "", "form attempts reason", "A message was refused too often, and waits for a person."),
    Event("declarations.replayed", "", "count reason", "A person has had parked messages sent again."),
    Event("defender.lifted", "", "username source lifted", "A person has lifted locks."),
    Event("defender.locked", "", "username source failures until", "Too many log-ins failed."),
    Event("ebox.deleted", "", "file by", "A file of a message in an e-Box was deleted."),
    Event("ebox.expired", "", "stem", "A message was taken out of an e-Box, as its time was up."),
    Event("ebox.placed", "", "quality stem again", "A message is in an e-Box, or is there again."),
    Event("ebox.removed", "", "stem by", "A message was taken out of an e-Box."),
    Event("expiry.warned", "", "sender what days count keys first_end", "A sender was warned of what ends."),
    Event("hold.placed", "", "actor reason hold", "An operator lets the submission wait."),
    Event("institution.taken", "", "stem channel publisher about forms", "A message of an institution was taken."),
    Event("intake.resumed", "", "", "Submissions are taken in again."),
    Event("intake.stopped", "", "reason", "Nothing is taken in, as evidence cannot be sealed."),
    Event("journal.restored", "", "at event manifest", "The journal was restored from a backup."),
    Event("sender.added", "", _SENDER,
          "A sender was registered."),
    Event("sender.blocked", "", "sender", "A sender was blocked."),
    Event("sender.certificate_added", "", "sender certificate valid_from valid_to by_holder",
          "A certificate was registered."),
    Event("sender.certificate_changed", "", "sender certificate valid_from valid_to by_holder",
          "A registration was changed."),
    Event("sender.certificate_ended", "", "sender certificate valid_to", "A certificate counts no more from then on."),
    Event("sender.changed", "", _SENDER,
          "A sender's registration was changed."),
    Event("sender.key_added", "", "sender username key", "An SSH key was registered with the sender."),
    Event("sender.login_leniencies_changed", "", "sender login_leniencies",
          "What is tolerated of log-ins was changed."),
    Event("sender.sources_changed", "", "sender sources", "The addresses a sender may come from were changed."),
    Event("sender.unblocked", "", "sender", "A sender was unblocked."),
    Event("submission.closed", "", "", "Everything about the submission is done."),
    Event("submission.dropped", "", "actor reason", "An operator has had it refused, as it could not be judged."),
    Event("submission.held", "", "reason attempt hold",
          "There was no verdict, and it waits for another attempt, or for the end of a hold."),
    Event("submission.quarantined", "", "reason attempt", "There was no verdict, and it waits for a person."),
    Event("submission.released", "", "actor reason", "An operator has had it judged again."),
    Event("submission.returned", "", "actor reason", "An operator has had it judged again, out of the quarantine."),
    Event("type.added", "", "purpose root versions sha256", "A type of message was added."),
    Event("type.removed", "", "purpose root", "A type of message was removed."),
    Event("user.authentication_changed", "", f"{_USER} authentication", "What a user has to prove was changed."),
    Event("user.blocked", "", _USER, "A user was blocked."),
    Event("user.key_added", "", f"{_USER} key valid_from valid_to", "An SSH key was registered."),
    Event("user.key_ended", "", f"{_USER} key valid_to", "An SSH key counts no more from then on."),
    Event("user.password_changed", "", _USER, "A user has chosen a password."),
    Event("user.password_expired", "", _USER, "A user has to choose a new password."),
    Event("user.password_given", "", _USER, "A user was given a first password."),
    Event("user.unblocked", "", _USER, "A user was unblocked."),
    Event("verdict.accepted", "", _VERDICT, "The submission was accepted; with what its checks and signatures said."),
    Event("verdict.rejected", "", _VERDICT, "The submission was rejected, with these codes."),
    Event("verdict.repeated", "", "codes forms repeats", "The submission repeats another; it gets that one's answer."),
)  # fmt: skip
"""Every event of the journal, by name."""
