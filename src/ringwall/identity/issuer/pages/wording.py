"""What pages say, in sentences."""


def told(message: str, hint: str = "") -> str:
    """Return a refusal and its hint as sentences."""
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in (message, hint) if part)
