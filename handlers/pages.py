"""Every page: method and address → function. Served by `bot.pages`, shown from `messages/pages/`."""

from datetime import date

from handlers import case_forms, case_page, digest, subscription_page, task_page, visit_page
from handlers.page import Answer, Fields, Page, Route
from handlers.turn import Refused, Turn

_CASE, _VISIT = "/m/case/{report:[0-9]{1,15}}", "/m/visit/{task:[0-9]{1,15}}"


def digest_page(turn: Turn, path: Fields, form: Fields) -> Answer:  # noqa: ARG001 - nothing is asked for
    """The digest of one morning, with the definition and the list of each number."""
    try:
        day = date.fromisoformat(path["day"])
    except ValueError:
        raise Refused("digest/no_such_day") from None
    return Page("digest", digest.digest_page(turn, day))


PAGES = (
    Route("GET", _CASE, case_page.case),
    Route("GET", "/m/media/{media:[0-9]{1,15}}", case_page.original),
    Route("POST", f"{_CASE}/callback", case_page.callback),
    Route("POST", f"{_CASE}/claim", case_forms.claim, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/situation", case_forms.situation, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/step", case_forms.step, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/assign", case_forms.assign, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/level", case_forms.level, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/message", case_forms.message, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/gist", case_forms.gist, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/receipt", case_forms.receipt, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/aside", case_forms.set_aside, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/close", case_forms.close, twice="/m/case/{report}"),
    Route("POST", f"{_CASE}/approve", case_forms.approve, twice="/m/case/{report}"),
    Route("GET", "/m/tasks", task_page.my_tasks),
    Route("GET", subscription_page.PATH, subscription_page.notices),
    Route("GET", _VISIT, visit_page.form),
    Route("POST", _VISIT, visit_page.file, twice="/m/tasks"),
    Route("GET", "/m/digest/{day:[0-9-]{10}}", digest_page),
)
