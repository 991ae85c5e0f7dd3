"""One day's digest of a whole county by the bot's own code, beside a plain join of all visits, and a full recount.

The recount reads every row of every table and knows nothing of the bot's queries, only of what each figure means.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from time import perf_counter

from click import echo
from sqlalchemy import Connection, bindparam, text

from handlers import figures
from handlers.figures import Figure
from handlers.turn import Turn
from handlers.workdays import at, local_day
from storage import areas, tables
from storage.areas import AreaLevel
from storage.database import Utc, connect
from storage.figures import Span
from tests.bench import years
from tests.bench.county import POLICY
from tests.bench.figures import Findings
from tests.bench.filled import county_on, quickly
from tests.bench.scale import Scale
from tests.bench.targets import Bench, Name

LONGEST = 60.0
"""Seconds after which no further round is begun; the first only warms the caches."""
_JOIN = text("""
    SELECT c.area_id, count(*), sum(CASE WHEN v.kind = 'seen' THEN 1 ELSE 0 END),
           sum(CASE WHEN v.kind = 'phone' THEN 1 ELSE 0 END)
    FROM visit v JOIN "case" c ON c.child_id = v.child_id GROUP BY c.area_id""")
_REPORTS = text("""
    SELECT area_id,
      sum(CASE WHEN opened_at >= :yesterday AND stage <> 'set_aside' THEN 1 ELSE 0 END) AS new_reports,
      sum(CASE WHEN opened_at >= :yesterday AND stage <> 'set_aside' AND urgency = 'immediate_danger' THEN 1 ELSE 0 END)
        AS immediate_danger,
      sum(CASE WHEN stage IN ('draft', 'filed', 'accepted') AND police_receipt_at IS NULL THEN 1 ELSE 0 END)
        AS without_police_receipt
    FROM report GROUP BY area_id""")
_TASKS = text("""
    SELECT task.area_id,
      sum(CASE WHEN task.kind = 'alarm' AND state = 'open' AND opened_at < :unclaimed THEN 1 ELSE 0 END)
        AS unclaimed_alarms,
      sum(CASE WHEN task.kind = 'visit' AND state <> 'cancelled' AND due_at >= :week AND due_at < :midnight
        THEN 1 ELSE 0 END) AS visits_due,
      sum(CASE WHEN task.kind = 'visit' AND state <> 'cancelled' AND due_at >= :week AND due_at < :midnight
        AND visit.kind = 'seen' THEN 1 ELSE 0 END) AS visits_done,
      sum(CASE WHEN task.kind = 'visit' AND state = 'open' AND due_at < :midnight THEN 1 ELSE 0 END) AS visits_overdue,
      sum(CASE WHEN task.kind IN ('visit', 'alarm') AND state = 'open' AND due_at < :midnight THEN 1 ELSE 0 END)
        AS tasks_overdue
    FROM task LEFT JOIN visit ON visit.task_id = task.id GROUP BY task.area_id""")
_CHILDREN = text("""
    SELECT child.area_id, count(*) AS children_on_file,
      sum(CASE WHEN level = 'red' AND child.id NOT IN (
        SELECT child_id FROM visit WHERE kind = 'seen' AND happened_on >= :seen_since) THEN 1 ELSE 0 END)
        AS red_without_contact,
      sum(CASE WHEN reached.child_id IS NULL OR last_contact_on IS NULL
        OR last_contact_on < CASE level WHEN 'red' THEN :red WHEN 'yellow' THEN :yellow WHEN 'blue' THEN :blue
           ELSE :green END THEN 1 ELSE 0 END) AS unattended_rate
    FROM child LEFT JOIN (SELECT DISTINCT pairing.child_id FROM pairing
        JOIN person ON person.id = pairing.person_id AND person.left_at IS NULL
        JOIN contact ON contact.person_id = person.id AND contact.unreachable_since IS NULL) reached
      ON reached.child_id = child.id
    WHERE off_file_at IS NULL GROUP BY child.area_id""")
Counted = dict[str, Counter[str]]
"""Figure → how many in each township."""


def measure(bench: Bench, scale: Scale) -> Findings:
    """Milliseconds of the digest and of the join, and figures that differ from the recount."""
    found = Findings()
    now = at(local_day(datetime.now().astimezone()), POLICY.digest_at) + timedelta(minutes=1)
    for bot in scale.bots:
        with county_on(bench, bot) as (url, staff):
            with quickly(url, *years.ROWS) as connection:
                years.fill(connection, staff, scale.cases, scale.visits, now - timedelta(hours=3))
            _compare(bot, url, scale, now, found)
    return found


def _compare(bot: Name, url: str, scale: Scale, now: datetime, found: Findings) -> None:
    engine = connect(url, read_only=True)
    digests, joins = list[float](), list[float]()
    with engine.connect() as connection:
        began = perf_counter()
        while len(digests) < 2 or (len(digests) <= scale.rounds and perf_counter() - began < LONGEST):
            begun = perf_counter()
            counted, span = made(connection, now)
            between = perf_counter()
            connection.execute(_JOIN).all()
            digests.append((between - begun) * 1000)
            joins.append((perf_counter() - between) * 1000)
        differing = differences(connection, counted, span)
    engine.dispose()
    note = f"{scale.cases:,} cases, {scale.visits:,} visits, {int(scale.cases * years.ON_FILE):,} children on file"
    found.ratio(f"{bot}.digest.ms.join", "ms", digests[1:], joins[1:], note)
    found.plain(f"{bot}.digest.differences", "figures that differ from the recount", len(differing))
    found.wrong += [f"{bot}: the digest's {one}" for one in differing]
    echo(f"  {bot}: digest {digests[-1]:,.1f} ms, join {joins[-1]:,.0f} ms")


def made(connection: Connection, now: datetime) -> tuple[Mapping[str, Figure], Span]:
    """The county's figures of this morning, as the bot counts them, and what it looked at."""
    turn = Turn(connection, now, POLICY)
    county = areas.county(turn.session)
    assert county is not None
    span = figures.span(turn, county, at(local_day(now), POLICY.digest_at))
    counted = figures.count(turn, span)
    turn.abandon()
    return counted, span


def differences(connection: Connection, counted: Mapping[str, Figure], span: Span) -> list[str]:
    """A sentence for each figure that a plain recount of everything finds otherwise, in total or in a township."""
    again = recount(connection, span)
    assert set(again) == set(counted)
    return [
        f"{code} is {one.count}, counted again {again[code].total()}"
        for code, one in counted.items()
        if {place: many for place, many in one.places.items() if many} != dict(+again[code])
    ]


def recount(connection: Connection, span: Span) -> Counted:
    """Every figure by township, from every row."""
    names = _townships(connection)
    dates = {code: span.on_time_from[code] for code in ("red", "yellow", "blue", "green")}
    found: Counted = {}
    for query, values in (
        (_REPORTS, {"yesterday": span.moment - timedelta(days=1)}),
        (_TASKS, {
            "unclaimed": span.moment - span.unclaimed_after, "week": span.midnight - timedelta(days=7),
            "midnight": span.midnight,
        }),
        (_CHILDREN, dates | {"seen_since": span.day - timedelta(days=7)}),
    ):  # fmt: skip
        types = [bindparam(name, type_=Utc()) for name, value in values.items() if isinstance(value, datetime)]
        for row in connection.execute(query.bindparams(*types), values).mappings():
            for code, many in row.items():
                if code != "area_id":
                    found.setdefault(code, Counter())[names[row["area_id"]]] += many
    return found


def _townships(connection: Connection) -> dict[int, str]:
    """Area → the name under which the county's digest counts it."""
    table = tables.METADATA.tables["area"]
    rows = {row.id: row for row in connection.execute(table.select())}
    steps = {AreaLevel.COUNTY: 0, AreaLevel.TOWNSHIP: 0, AreaLevel.VILLAGE: 1}
    return {number: rows[row.parent_id].name if steps[row.level] else row.name for number, row in rows.items()}
