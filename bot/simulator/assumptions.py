"""What the platform's manual leaves open and this stand-in decided; printed when it starts."""

from __future__ import annotations

from bot.simulator.settings import SimulatorSettings


def assumptions(settings: SimulatorSettings) -> list[str]:
    """One English sentence each."""
    pause = (
        "when the patience of the attempt is over"
        if settings.retry_pause is None
        else f"{settings.retry_pause} s later"
    )
    again = "are delivered again" if settings.retry_bad_answers else "are not delivered again"
    return [
        f"A message is delivered {settings.retries} times at most; the next delivery starts {pause}.",
        "Deliveries of one message are signed and sealed anew; MsgId, CreateTime and the text inside stay the same.",
        f"Answers that are not HTTP 200 or not a valid reply show the fault notice and {again}.",
        "A refused or broken connection counts as no answer.",
        "A message opens 5 customer-service messages for 48 h; a click, follow or scan opens 3 more for one minute.",
        "The one-minute allowance is spent first; a new act sets its allowance to the full number.",
        "Tapping a customer-service menu item or a bizmsgmenu link counts as a click.",
        "Characters are counted as Unicode code points, the text limit of 2048 in bytes of UTF-8.",
        "A \\u escape in a request body is shown as it stands; a menu with one is refused with 40033.",
        "Daily counters start again at midnight in China.",
        "A repeated client_msg_id of the same user within ten minutes gets the first msgid and is not shown again.",
        "Only fetching a token is checked against the IP white list.",
        "A template field that the template does not have is refused with 47003.",
        "Menus and sizes follow the current manual: pictures up to 10 MB, voice up to 2 MB and 60 s.",
    ]
