"""The official account that every server here plays, and where it listens; needs no packages."""

import base64
import os

APP_ID = "wx1234567890abcdef"
APP_SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "benchtoken2026"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ORIGINAL_ID = "gh_benchaccount1"
KEY = base64.b64decode(AES_KEY + "=")
PATH = "/wechat"


def port() -> int:
    """The port that the runner gave this server."""
    return int(os.environ["PORT"])
