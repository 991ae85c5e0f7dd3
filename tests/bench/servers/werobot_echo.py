"""WeRoBot as its documentation says: `robot.run()`, which takes waitress. SESSIONS=1 leaves its default store on."""

import os

import werobot

from tests.bench import account

robot = werobot.WeRoBot(token=account.TOKEN, app_id=account.APP_ID, encoding_aes_key=account.AES_KEY)
if os.environ.get("SESSIONS") != "1":
    robot.config["SESSION_STORAGE"] = False


@robot.text  # type: ignore[untyped-decorator]  # WeRoBot ships no types
def echo(message: "werobot.messages.TextMessage") -> str:
    """Say the same."""
    return str(message.content)


if __name__ == "__main__":
    robot.run(server="auto", host="127.0.0.1", port=account.port())
