"""The words around a finding in what ``gateway check`` prints for people, and those of its own remarks.

The sentences of codes and rules are `schemas.wording`'s. Remarks: ``{detail}`` is what a remark concerns.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final

from gateway.report import Notice, Remark, Trust
from schemas.wording import Language


class Word(StrEnum):
    """A word or phrase of the report."""

    ACCEPTED = auto()
    REFUSED = auto()
    REFUSED_WITH_SET = auto()
    WARNING = auto()
    VALUE = auto()
    FORMS = auto()
    SIGNED = auto()
    COUNTED = auto()
    MORE = auto()


_Phrases = Mapping[Language, str]

_FR, _NL, _DE, _EN = Language.FR, Language.NL, Language.DE, Language.EN

_WORDS: Final[Mapping[Word, _Phrases]] = {
    Word.ACCEPTED: {_FR: "accepté", _NL: "aanvaard", _DE: "angenommen", _EN: "accepted"},
    Word.REFUSED: {_FR: "refusé", _NL: "geweigerd", _DE: "abgelehnt", _EN: "refused"},
    Word.REFUSED_WITH_SET: {
        _FR: "refusé à cause d'une autre partie de l'envoi",
        _NL: "geweigerd wegens een ander deel van de zending",
        _DE: "abgelehnt wegen eines anderen Teils der Sendung",
        _EN: "refused because of another part of its set",
    },
    Word.WARNING: {_FR: "avertissement", _NL: "waarschuwing", _DE: "Warnung", _EN: "warning"},
    Word.VALUE: {_FR: "valeur :", _NL: "waarde:", _DE: "Wert:", _EN: "value:"},
    Word.FORMS: {
        _FR: "{root}, version {version}, formulaires : {forms}",
        _NL: "{root}, versie {version}, formulieren: {forms}",
        _DE: "{root}, Version {version}, Formulare: {forms}",
        _EN: "{root}, version {version}, forms: {forms}",
    },
    Word.SIGNED: {
        _FR: "signature ({format}) : le certificat {fingerprint} est valable jusqu'au {until} ; {trust}",
        _NL: "handtekening ({format}): certificaat {fingerprint} is geldig tot {until}; {trust}",
        _DE: "Signatur ({format}): Zertifikat {fingerprint} ist gültig bis {until}; {trust}",
        _EN: "signature ({format}): certificate {fingerprint} is valid until {until}; {trust}",
    },
    Word.COUNTED: {
        _FR: "anomalies : {count}",
        _NL: "anomalieën: {count}",
        _DE: "Anomalien: {count}",
        _EN: "anomalies: {count}",
    },
    Word.MORE: {
        _FR: "autres anomalies, non détaillées : {count}",
        _NL: "andere anomalieën, niet in detail vermeld: {count}",
        _DE: "weitere Anomalien, nicht einzeln aufgeführt: {count}",
        _EN: "more anomalies, not told in full: {count}",
    },
}

_TRUST: Final[Mapping[Trust, _Phrases]] = {
    Trust.NOT_ASKED: {
        _FR: "l'autorité qui l'a délivré n'a pas été vérifiée",
        _NL: "wie het uitgaf, werd niet nagegaan",
        _DE: "wer es ausgestellt hat, wurde nicht geprüft",
        _EN: "who issued it was not checked",
    },
    Trust.ACCEPTED: {
        _FR: "délivré par une autorité acceptée",
        _NL: "uitgegeven door een aanvaarde autoriteit",
        _DE: "ausgestellt von einer anerkannten Stelle",
        _EN: "issued by an accepted authority",
    },
    Trust.UNKNOWN: {
        _FR: "on ignore s'il est révoqué",
        _NL: "of het herroepen is, is onbekend",
        _DE: "ob es widerrufen ist, ist unbekannt",
        _EN: "whether it is revoked is unknown",
    },
}

_REMARKS: Final[Mapping[Notice, _Phrases]] = {
    Notice.TYPE_UNKNOWN: {
        _FR: "Le contenu n'a pas été vérifié : le nom n'indique pas le type de message ; donnez-le avec --type.",
        _NL: "De inhoud werd niet nagegaan: de naam noemt het type bericht niet; geef het op met --type.",
        _DE: "Der Inhalt wurde nicht geprüft: Der Name nennt die Art der Nachricht nicht; geben Sie sie mit --type an.",
        _EN: "The content was not checked: the name doesn't say the type of message; give it with --type.",
    },
    Notice.NAME_NOT_CHECKED: {
        _FR: "Le nom du fichier n'a pas été vérifié ; donnez-lui le nom prescrit avant de l'envoyer.",
        _NL: "De bestandsnaam werd niet nagegaan; geef het bestand de voorgeschreven naam voor u het verzendt.",
        _DE: "Der Dateiname wurde nicht geprüft; geben Sie der Datei vor dem Senden den vorgeschriebenen Namen.",
        _EN: "The file name was not checked; give the file the prescribed name before you send it.",
    },
    Notice.NOT_SIGNED: {
        _FR: "Il n'y a pas de fichier {detail} ; il le faut, sauf si vous signez autrement.",
        _NL: "Er is geen bestand {detail}; het is nodig, tenzij u anders ondertekent.",
        _DE: "Es gibt keine Datei {detail}; sie ist nötig, außer wenn Sie anders unterschreiben.",
        _EN: "There is no file {detail}; it is needed unless you sign otherwise.",
    },
    Notice.SIGNER_NOT_VALID: {
        _FR: "Le certificat du signataire n'est pas valable à la date du {detail}.",
        _NL: "Het certificaat van de ondertekenaar is niet geldig op {detail}.",
        _DE: "Das Zertifikat des Unterzeichners ist am {detail} nicht gültig.",
        _EN: "The signer's certificate is not valid on {detail}.",
    },
    Notice.REVOCATION_UNKNOWN: {
        _FR: "On ignore si le certificat du signataire est révoqué : il manque une liste de révocation à jour.",
        _NL: "Of het certificaat van de ondertekenaar herroepen is, is onbekend: een actuele lijst ontbreekt.",
        _DE: "Ob das Zertifikat des Unterzeichners widerrufen ist, ist unbekannt: Eine aktuelle Sperrliste fehlt.",
        _EN: "Whether the signer's certificate is revoked is unknown: there is no fresh revocation list.",
    },
    Notice.SAME_NAME: {
        _FR: "Ce même fichier figure déjà dans le lot ; la passerelle répéterait sa première réponse.",
        _NL: "Hetzelfde bestand zit al in het lot; de gateway zou haar eerste antwoord herhalen.",
        _DE: "Dieselbe Datei ist schon im Los; das Gateway würde seine erste Antwort wiederholen.",
        _EN: "The same file is in the lot already; the gateway would give its first answer again.",
    },
    Notice.SAME_CONTENT: {
        _FR: "Le fichier {detail} a exactement le même contenu ; ses déclarations seraient traitées deux fois.",
        _NL: "Het bestand {detail} heeft precies dezelfde inhoud; de aangiften zouden twee keer verwerkt worden.",
        _DE: "Die Datei {detail} hat genau denselben Inhalt; ihre Meldungen würden zweimal verarbeitet.",
        _EN: "The file {detail} has exactly the same content; its declarations would be processed twice.",
    },
    Notice.NOT_ENOUGH_MEMORY: {
        _FR: "Le fichier n'a pas pu être vérifié : il demande plus de mémoire que permis.",
        _NL: "Het bestand kon niet worden nagegaan: het vraagt meer geheugen dan toegelaten.",
        _DE: "Die Datei konnte nicht geprüft werden: Sie verlangt mehr Speicher als erlaubt.",
        _EN: "The file could not be checked: it asks for more memory than is allowed.",
    },
}


def said(word: Word, language: Language, **facts: object) -> str:
    """A word of the report, with its facts put in."""
    return _WORDS[word][language].format(**facts)


def trust_text(trust: Trust, language: Language) -> str:
    """What is known of the signer's authority."""
    return _TRUST[trust][language]


def remark_text(remark: Remark, language: Language) -> str:
    """What a remark says; one sentence."""
    return _REMARKS[remark.notice][language].format(detail=remark.detail)
