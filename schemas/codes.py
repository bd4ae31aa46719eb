"""Which codes does the channel answer with, and what does each of them say?

Source: annex 30 of the structured messages, the codes that concern names, directories, sets, signatures,
schemas and rights of a file. The codes of single zones of a declaration (090 to 093 and the like) are not here:
they belong to the notification, not to the acknowledgement.

A refusal is a value, the `Finding`; nothing here raises.
"""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """One reason for refusing a file: the name says it, the value is the three digits, ``meaning`` a sentence."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> "Code":
        """A member from its digits and its sentence; ``Code("125")`` finds one by the digits alone."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # The name of a file.
    PREFIX_INVALID = "129", "The prefix of the file name is wrong."
    GO_STRUCTURE = "107", "The name of the GO file does not have the structure of such a name."
    FI_STRUCTURE = "131", "The name of the FI file does not have the structure of such a name."
    FS_STRUCTURE = "132", "The name of the FS file does not have the structure of such a name."
    DATE_LENGTH = "109", "The date in the file name does not have 8 positions."
    DATE_INVALID = "110", "The date in the file name is not a day of the calendar."
    DATE_FUTURE = "111", "The date in the file name lies in the future."
    DATE_TOO_OLD = "126", "The date in the file name is too old."
    SEQUENCE_LENGTH = "112", "The sequence in the file name does not have 5 positions."
    SEQUENCE_NOT_NUMERIC = "113", "The sequence in the file name is not numeric; an older rule that 367 replaces."
    SEQUENCE_ZERO = "127", "The sequence in the file name is zero."
    SEQUENCE_CHARACTER = "367", "The sequence in the file name has a character other than 0-9 and A-Z."
    ENVIRONMENT_INVALID = "117", "The environment in the file name is not R, T or S."
    PARTS_LENGTH = "114", "The number of parts in the file name does not have exactly 1 position."
    PARTS_NOT_NUMERIC = "115", "The number of parts in the file name is not numeric."
    PARTS_ZERO = "116", "The number of parts in the file name is zero."
    PARTS_ABOVE_MAXIMUM = "128", "The number of parts in the file name is above the maximum."
    FI_NUMBERING = "123", "The parts of the FI file are wrongly numbered."
    FS_NUMBERING = "124", "The parts of the FS file are wrongly numbered."

    # Where the file was put, and the set it belongs to.
    SENDER_NOT_OWNER = "108", "The sender in the file name is not the owner of the directory."
    PRODUCTION_ELSEWHERE = "118", "A file of the production environment was put outside IN."
    TEST_ELSEWHERE = "119", "A file of the test environment was put outside INTEST."
    SIMULATION_ELSEWHERE = "257", "A file of the simulation environment was put outside INTEST-S."
    FI_COUNT = "120", "The number of FI files is not the announced number of parts."
    FS_COUNT = "122", "The number of FS files is not the announced number of parts."
    FS_UNEXPECTED = "121", "An FS file was supplied although the channel does not use one."
    GO_MISSING = "130", "The GO file of the set never arrived."
    ALREADY_SENT = "133", "A file of this name was already sent."
    CANCELLED = "277", "The transfer point cancelled the file."
    CHANNEL_SIGNATURE = "038", "The signature of the channel is invalid."
    USER_NOT_FOR_PRODUCTION = "039", "The user of the channel is not allowed to send real files."
    MAILBOX_INVALID = "140", "The mailbox is not the one of the sender."
    HASH_INVALID = "141", "The hash of the file is not the one that the channel gave."
    DUPLICATE = "143", "The channel has delivered this file before."
    CHANNEL_TECHNICAL = "156", "There was a technical problem with the file on its channel."
    REMAINS_DELETED = "430", "The files that caused a problem in the first sending were deleted."

    # The signature.
    SIGNATURE_INVALID = "125", "The signature is invalid."
    CERTIFICATE_NOT_OWNERS = "153", "The certificate is not the one of its owner."

    # Who may send what, for whom.
    SENDER_NOT_AUTHORISED = "103", "The sender is not authorised."
    EMPLOYER_NOT_ALLOWED = "101", "The sender is not authorised for this employer number."
    PURPOSE_NOT_ALLOWED = "154", "The sender is not authorised for this purpose."
    ACCESS_MODE_NOT_ALLOWED = "168", "The sender is not authorised for this access mode."
    CHANNEL_MISMATCH = "249", "The channel is not the one of the directory."
    AUTHORISATION_MISSING = "427", "There is no authorisation."
    MANDATE_MISSING = "155", "The sender has no mandate, or no longer has one."
    PROXY_UNKNOWN = "230", "The proxy is unknown."

    # The content, from its size to its schema.
    NO_DATA = "134", "The file has no data."
    NO_DECLARATION_FILE = "142", "No declaration file is attached."
    NO_DECLARATION = "157", "The file has no declaration."
    TOO_MANY_DECLARATIONS = "172", "The file has too many declarations for its size."
    FILE_TOO_LARGE = "184", "The file is too large."
    SET_TOO_LARGE = "509", "FI and FS together are too large after compression."
    ZIP_INVALID = "280", "The ZIP file is invalid."
    ZIP_NOT_ONE_FILE = "281", "The ZIP file does not hold exactly one file."
    ENCODING_UNSUPPORTED = "138", "The character encoding of the file is not supported."
    XML_SYNTAX = "102", "The XML of the file is not well-formed."
    ROOT_UNKNOWN = "089", "The root element is unknown."
    NAMESPACE_WRONG = "139", "The default namespace is missing or wrong."
    SCHEMA_NOT_NAMED = "136", "The file names no schema."
    SCHEMA_STANDARD_UNKNOWN = "137", "The file names its schema by an unknown standard."
    SCHEMA_UNKNOWN = "088", "The schema that the file names is unknown."
    SCHEMA_MISMATCH = "135", "The schema that the file names does not fit the type of the form."
    FORM_TYPE_MISMATCH = "158", "The type of the form is not the one of the file name."
    NOT_A_FORM = "205", "The root element holds a block that is not a Form."
    MORE_THAN_ONE_FORM = "246", "The file has more than one form where one is allowed."
    TOO_MANY_FORMS = "275", "The file has too many forms."
    FORM_INVALID = "255", "A form is invalid against its schema."
    FILE_INVALID = "312", "The file is invalid against its schema."


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a file is refused.

    ``detail`` has words for the sender: where and which rule, never what the declaration says.
    """

    code: Code
    detail: str = ""

    @property
    def error_id(self) -> str:
        """The code as the acknowledgement carries it, such as ``ACRF-125``."""
        return f"ACRF-{self.code}"
