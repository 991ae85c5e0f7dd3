"""The county's calendar: workdays, the hours in which people may be prompted, and the next due day of a visit."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar

from handlers.policy import Policy

CHINA = ZoneInfo("Asia/Shanghai")
_WEEKEND = 5
_LONGEST_HOLIDAY = 20


def is_workday(policy: Policy, day: date) -> bool:
    """By the county's own lists, then the national calendar, then the weekday (years not published yet)."""
    if day in policy.workdays:
        return True
    if day in policy.holidays:
        return False
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < _WEEKEND


def workday_from(policy: Policy, day: date) -> date:
    """`day`, or the first workday after it."""
    for _ in range(_LONGEST_HOLIDAY):
        if is_workday(policy, day):
            return day
        day += timedelta(days=1)
    return day


def add_workdays(policy: Policy, day: date, count: int) -> date:
    """`count` workdays after `day`."""
    for _ in range(count):
        day = workday_from(policy, day + timedelta(days=1))
    return day


def at(day: date, hour: time) -> datetime:
    """That hour of the day in China, as an aware datetime."""
    return datetime.combine(day, hour, CHINA)


def local_day(moment: datetime) -> date:
    """The day it is in China."""
    return moment.astimezone(CHINA).date()


def next_midnight(moment: datetime) -> datetime:
    """The beginning of the next day in China."""
    return at(local_day(moment) + timedelta(days=1), time(0))


def in_window(policy: Policy, moment: datetime) -> datetime:
    """`moment`, or when the next sending window opens."""
    local = moment.astimezone(CHINA)
    if local.time() < policy.prompts_from:
        return at(local.date(), policy.prompts_from)
    if local.time() >= policy.prompts_until:
        return at(local.date() + timedelta(days=1), policy.prompts_from)
    return moment


def working_time(policy: Policy, since: datetime, until: datetime, hours: tuple[time, time]) -> timedelta:
    """How much of the time between two moments lies within the working hours of workdays."""
    total, day = timedelta(), local_day(since)
    while day <= local_day(until):
        if is_workday(policy, day):
            begin, end = (at(day, hour) for hour in hours)
            total += max(min(until, end) - max(since, begin), timedelta())
        day += timedelta(days=1)
    return total
