"""The command ``gateway``: what an operator types.

Exit status: 0 done, 1 refused or temporarily impossible, 2 wrong usage or configuration.
"""

import click

from config.errors import ConfigurationError, TemporaryError
from gateway.cli import authorities, queue, senders, signing, site, submissions


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="batch-gateway")
def gateway() -> None:
    """Take in, judge, acknowledge and forward batch declarations.

    A first site, to try things out:

    \b
      gateway init mysite && cd mysite
      gateway authority add staff --certificate ca.pem --crl ca.crl
      gateway sender add 123456 --user payroll01 --ssh-key id.pub --certificate cert.pem
      gateway serve

    Commands read ./gateway.toml, or /etc/batch-gateway/gateway.toml, or the file that --config names.
    """  # noqa: D301 - click wants the character itself, which keeps the lines as they are


for command in (
    site.init,
    site.serve,
    site.check_config,
    senders.sender,
    authorities.authority,
    signing.signing,
    submissions.show,
    submissions.submissions,
    submissions.release,
    queue.queue,
):
    gateway.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; answers the exit status."""
    try:
        gateway.main(arguments, standalone_mode=False)
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
    return 0
