"""The watchdog's mails by TLS and STARTTLS: what is sent, and the one line an operator reads where it is not safe."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.program import Program
from tests.support.certificates import server_context
from tests.support.smtp import MailServer, mail_server

TO = ["first@county.example", "second@county.example"]
SENT = (0, ["mail 1\tsent", "mail 2\tsent"])
PASSWORD = "mail-secret"


@dataclass
class Watch:
    """`tongban watch --test` with two people who have a mail address."""

    folder: Path

    async def __call__(self, port: int, security: str, trusted: Path | None = None) -> tuple[int, list[str]]:
        """Run it; the exit code, and what it printed."""
        config, log = self.folder / "config.toml", self.folder / "watch.log"
        people = "".join(f'[[watchdog.people]]\nname = "{one[:5]}"\nmail = "{one}"\n' for one in TO)
        config.write_text(
            f'[wechat]\napp_id = "wx1"\napp_secret = "s"\ntoken = "t"\nencoding_aes_key = "{"a" * 43}"\n'
            '[web]\npublic_origin = "https://tongban.example.org"\n'
            f'[database]\nurl = "sqlite:///{self.folder / "none.db"}"\n'
            f'[watchdog]\nstate = "{self.folder / "watch.json"}"\n{people}'
            f'[watchdog.mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "{security}"\n'
            f'user = "tongban"\npassword = "{PASSWORD}"\nsender = "bot@county.example"\n',
            encoding="utf-8",
        )
        log.unlink(missing_ok=True)
        environ = {"SSL_CERT_FILE": str(trusted)} if trusted else {}
        program = Program(["--config", str(config), "watch", "--test"], environ, log)
        await program.wait()
        assert program.returncode is not None
        said = log.read_text(encoding="utf-8")
        assert [secret for secret in (*TO, PASSWORD, "Traceback") if secret in said] == []
        return program.returncode, [line for line in said.splitlines() if line.startswith("mail ")]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """In a folder of its own."""
    return Watch(tmp_path)


def nothing_came(mails: MailServer) -> bool:
    """Whether neither a mail nor a password reached the server."""
    return mails.came == [] and mails.logins == []


def failed(why: str) -> tuple[int, list[str]]:
    """Nobody was told, each for this reason."""
    return 1, [f"mail {number}\tfailed\t{why}" for number in (1, 2)]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_mail_goes_out_encrypted_where_the_certificate_is_trusted(
    watch: Watch, tmp_path: Path, security: str
) -> None:
    context, trusted = server_context(tmp_path, "mail")
    async with mail_server(**{security: context}) as mails:
        assert await watch(mails.port, security, trusted) == SENT
        assert [to for to, _ in mails.came] == TO
        assert mails.logins == [f"\0tongban\0{PASSWORD}"] * 2
        assert "试发" in mails.came[0][1].get_content()


@pytest.mark.parametrize(
    ("security", "address", "why"),
    [
        ("tls", "127.0.0.1", "self-signed certificate"),
        ("starttls", "127.0.0.2", "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
)
async def test_a_certificate_that_is_not_trusted_or_another_s_is_refused_before_the_password(
    watch: Watch, tmp_path: Path, security: str, address: str, why: str
) -> None:
    context, own = server_context(tmp_path, "mail", address=address)
    async with mail_server(**{security: context}) as mails:
        said = await watch(mails.port, security, own if address == "127.0.0.2" else None)
        assert said == failed(f"the mail server's certificate is not accepted: {why}")
        assert nothing_came(mails)


async def test_a_server_that_offers_no_starttls_gets_nothing(watch: Watch) -> None:
    async with mail_server() as mails:
        why = "the mail server offers no STARTTLS, or no login: look at port and security"
        assert await watch(mails.port, "starttls") == failed(why)
        assert nothing_came(mails)


async def test_the_wrong_port_and_a_server_that_is_not_there_are_said_in_one_line(watch: Watch) -> None:
    async with mail_server() as mails:
        said = await watch(mails.port, "tls")
        assert said == failed("the mail server does not speak TLS here: look at port and security")
        assert nothing_came(mails)
    assert await watch(mails.port, "tls") == failed("the mail server does not answer")
