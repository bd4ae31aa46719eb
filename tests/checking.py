"""Files as a sender has them before sending, and what ``gateway check`` answers about them."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from gateway.cli import gateway
from schemas.codes import Code
from tests import signers
from tests.authority import Credential
from tests.stages.dimona import FORM as SHIPPED_FORM
from tests.stages.dimona import SAMPLES
from tests.stages.dimona import VALID as SHIPPED

TODAY = datetime.now(UTC)
DAY = f"{TODAY:%Y%m%d}"
STEM = f"DIMN.123456.{DAY}.00001.R"


def made_today(document: bytes) -> bytes:
    """The document with forms that were made on the day of the test, as those of a sender are."""
    return re.sub(rb"(<FormCreationDate>)[0-9-]{10}", rb"\g<1>" + f"{TODAY:%Y-%m-%d}".encode(), document)


VALID = made_today(SHIPPED)
INVALID = made_today((SAMPLES / "invalid_missing_person.xml").read_bytes())
FORM = made_today(SHIPPED_FORM.encode()).decode()


@dataclass(frozen=True, slots=True)
class Checked:
    """What the command answered: its exit status, and its report on each file by name."""

    status: int
    output: str
    errors: str

    @property
    def reports(self) -> dict[str, dict[str, Any]]:
        """The reports by the name of the file."""
        listed = map(json.loads, self.output.splitlines())
        return {Path(report["file"]).name: report for report in listed}

    @property
    def only(self) -> dict[str, Any]:
        """The report, when there is one."""
        (report,) = self.reports.values()
        return report

    @property
    def rules(self) -> list[str]:
        """What was found about the only file."""
        return [finding["rule"] for finding in self.only["findings"]]

    @property
    def codes(self) -> list[str]:
        """The codes of the channel that were found in the only file."""
        return [finding["code"] for finding in self.only["findings"] if finding["code"] in set(Code)]


def run_check(*words: str | Path, **environment: str) -> Checked:
    """What the command answers to these words, as it prints for people unless they say otherwise."""
    result = CliRunner(env=environment).invoke(gateway, ["check", *map(str, words)], catch_exceptions=False)
    return Checked(result.exit_code, result.stdout, result.stderr)


def checked(*words: str | Path) -> Checked:
    """What the command answers to these words, as it prints for programs, in English."""
    return run_check("--json", "--language", "en", *words)


def lay(folder: Path, stem: str = STEM, data: bytes = VALID, **others: bytes) -> Path:
    """A set in a folder; ``others`` are its other files by their prefix."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"FI.{stem}.1.1").write_bytes(data)
    for prefix, content in others.items():
        (folder / f"{prefix}.{stem}.1{'' if prefix == 'GO' else '.1'}").write_bytes(content)
    return folder


def lay_signed(folder: Path, signer: Credential, stem: str = STEM, data: bytes = VALID) -> Path:
    """A set that a sender could upload as it is."""
    signature = signers.one_line(signers.cms(lay(folder, stem, data) / f"FI.{stem}.1.1", signer))
    return lay(folder, stem, data, FS=signature, GO=b"")
