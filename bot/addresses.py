"""Which addresses are this very machine, and which text is an origin."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(address: str) -> bool:
    """Whether an origin ("http://127.0.0.1:80") or a bare host names this very machine."""
    try:
        host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(value: str) -> str:
    """`value` as scheme://host[:port] without a slash at its end; ValueError when it is anything else."""
    try:
        parts = urlsplit(value)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or value.rstrip("/") != f"{parts.scheme}://{parts.netloc}" or parts.username is not None:
        raise ValueError("it should be an origin like https://example.org, without a path")
    return value.rstrip("/")
