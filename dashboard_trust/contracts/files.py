"""Contract files: small ones, of UTF-8 text."""

from __future__ import annotations

from pathlib import Path

from dashboard_trust.errors import ContractError

LARGEST_FILE = 500_000  # bytes; a contract is about a thousand


def read_text(path: str | Path) -> str:
    """Read the text of a contract file.

    Raises:
        ContractError: There is no such file, or it is too large or no text.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise ContractError(f"{path}: there is no such contract file.")
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: cannot be read: {error}.") from error
    if len(content) > LARGEST_FILE:
        raise ContractError(f"{path}: is larger than {LARGEST_FILE:,} bytes; split it.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ContractError(f"{path}, line {line}: is not UTF-8 text.") from error
