"""Every table, so that the metadata is whole wherever it is needed."""

from storage import (
    absences,
    areas,
    audit,
    cases,
    children,
    contacts,
    county,
    handovers,
    inbox,
    lifecycle,
    media,
    optins,
    outbox,
    people,
    recordings,
    renditions,
    reporters,
    reports,
    sessions,
    shown_numbers,
    silences,
    tasks,
    visits,
)
from storage.database import Base

METADATA = Base.metadata
MODULES = (
    absences, areas, audit, cases, children, contacts, county, handovers, inbox, lifecycle, media, optins, outbox,
    people, recordings, renditions, reporters, reports, sessions, shown_numbers, silences, tasks,
    visits,
)  # fmt: skip
"""One module a topic; named here so that nothing is imported for its side effect alone."""
