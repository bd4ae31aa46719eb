"""The command ``gateway``: what an operator types.

Exit status: 0 done, 1 refused or temporarily impossible, 2 wrong usage or configuration.
"""

from collections.abc import Mapping
from typing import Final

import click

from config.errors import ConfigurationError, TemporaryError
from gateway.cli.lazy import LazyGroup

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "init": ("gateway.cli.site:init", "Make a site: settings, keys, folders, journal."),
    "serve": ("gateway.cli.site:serve", "Run the gateway until SIGTERM or Ctrl-C."),
    "check-config": ("gateway.cli.site:check_config", "Say what `serve` would refuse to start with."),
    "reload": (
        "gateway.cli.reload:reload_",
        "Take over changed settings without a stop; --dry-run says what would change.",
    ),
    "health": ("gateway.cli.health:health", "Say whether the gateway lives and is ready, and what isn't."),
    "doctor": ("gateway.cli.doctor:doctor", "Say on one page how the gateway is, and what is to be done."),
    "logs": ("gateway.cli.logs:logs", "Show the log, filtered: of a ticket, a sender, an event; and follow it."),
    "sender": (
        "gateway.cli.senders:sender",
        "Register, list and block senders, their channels and certificates.",
    ),
    "user": ("gateway.cli.users:user", "Register, list, block and unblock technical users, their keys and passwords."),
    "party": ("gateway.cli.party:party", "Register enterprises and who acts for them: roles, accounts."),
    "mandate": ("gateway.cli.mandates:mandate", "Give, end and list mandates of providers."),
    "routing": ("gateway.cli.routing:routing", "Choose to whom, and by what, goes what comes back about an employer."),
    "defender": ("gateway.cli.defender:defender", "List and lift locks after failed log-ins."),
    "authority": ("gateway.cli.authorities:authority", "Add, compare, list and remove accepted authorities."),
    "schemas": ("gateway.cli.schemas:schemas", "List, check, add, compare and remove types of message."),
    "signing": ("gateway.cli.signing:signing", "Show the gateway's own keys."),
    "check": ("gateway.cli.check:check", "Judge files as a gateway would, off line."),
    "submissions": ("gateway.cli.submissions:submissions", "List submissions, newest first."),
    "show": ("gateway.cli.show:show", "Show the timeline of a ticket."),
    "why": ("gateway.cli.why:why", "Say why a ticket stands where it stands."),
    "answer": ("gateway.cli.answers:answer", "Give an answer again."),
    "ebox": ("gateway.cli.ebox:ebox", "List, read and remove messages of an e-Box."),
    "migrate": ("gateway.cli.journal:migrate", "Bring the journal up to this version; `gateway serve` does so itself."),
    "journal": ("gateway.cli.journal:journal", "Move the journal to another database."),
    "reconcile": ("gateway.cli.reconcile:reconcile", "Compare what was promised with what was done, ticket by ticket."),
    "backup": ("gateway.cli.backup:backup", "Copy journal, custody, answers and evidence while the gateway runs."),
    "restore": ("gateway.cli.restore:restore", "Verify a backup, and put it into an empty site."),
    "evidence": ("gateway.cli.evidence:evidence", "Export the proof of a ticket, and verify proofs off line."),
    "purge": ("gateway.cli.purge:purge", "Take away what is kept no longer, or say what would go."),
    "legal-hold": ("gateway.cli.legal_hold:legal_hold", "Keep what a purge would take away."),
    "report": ("gateway.cli.report:report", "Compare the answers of a day with what is promised."),
    "hold": ("gateway.cli.hold:hold", "Let a submission, a sender or a type wait."),
    "holds": ("gateway.cli.hold:holds_", "List what is held by an operator's word."),
    "release": ("gateway.cli.hold:release", "Have held submissions judged at once."),
    "quarantine": ("gateway.cli.quarantine:quarantine", "List, return and drop what could not be judged."),
    "maintenance": ("gateway.cli.maintenance:maintenance", "Close the intake for a time, and say so beforehand."),
    "token": ("gateway.cli.tokens:token", "Give, list and revoke tokens of the interface for programs."),
    "mq": ("gateway.cli.mq:mq", "Make, or look at, the exchanges, queues and policies at the broker."),
    "disclosures": ("gateway.cli.disclosures:disclosures", "List who exchanged data about a person."),
    "route": ("gateway.cli.routes:route", "Explain where declarations go, and why."),
    "replay": ("gateway.cli.replay:replay", "List messages that nobody took, and send them again."),
    "send-again": ("gateway.cli.send_again:send_again", "Send again what a broker has confirmed and lost."),
    "queue": ("gateway.cli.queue:queue", "List and take what is on the embedded queue."),
}
"""Where each command is, and what it is for."""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="batch-gateway")
def gateway() -> None:
    """Take in, judge, acknowledge and forward batch declarations.

    A first site, to try things out:

    \b
      gateway init mysite && cd mysite
      gateway authority add staff --certificate ca.pem --crl ca.crl
      gateway sender add 123456 --user payroll01 --ssh-key id.pub --certificate cert.pem --any-employer
      gateway serve

    Commands read ./gateway.toml, or /etc/batch-gateway/gateway.toml, or the file that --config names.
    """  # noqa: D301 - click wants the character itself, which keeps the lines as they are


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; answers the exit status."""
    try:
        status = gateway.main(arguments, standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as fault:
        fault.show()
        return fault.exit_code
    except click.Abort:
        return 1
    except ConfigurationError as fault:
        for line in fault.faults:
            click.echo(f"gateway: {line}", err=True)
        return 2
    except (TemporaryError, OSError) as fault:
        click.echo(f"gateway: {fault}", err=True)
        return 1
    return status if isinstance(status, int) else 0
