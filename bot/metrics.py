"""What a monitor may know: counts, times and ages, never anything about one person. Served under /metrics."""

from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()


class Age:
    """A gauge of the seconds since something happened last in this process; `+Inf` while it never did."""

    def __init__(self, name: str, documentation: str) -> None:
        self._at = float("-inf")
        Gauge(name, documentation, registry=registry).set_function(self.seconds)

    def reset(self) -> None:
        """It happens now."""
        self._at = monotonic()

    def seconds(self) -> float:
        """How long ago it was."""
        return monotonic() - self._at


received = Counter("tongban_pushes_received", "Sound pushes of the platform.", registry=registry)
rejected = Counter("tongban_pushes_rejected", "Pushes that were refused, by reason.", ["reason"], registry=registry)
late = Counter("tongban_pushes_late", "Pushes answered before their turn was done, kept raw.", registry=registry)
slowed = Counter(
    "tongban_pushes_slowed", "Pushes of somebody over the rate, kept raw for a slow turn.", registry=registry
)
unanswered = Counter(
    "tongban_pushes_unanswered",
    "Pushes closed without an answer, to be delivered again.",
    registry=registry,
)
answer_seconds = Histogram(
    "tongban_answer_seconds",
    "From a push's arrival to its answer.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3.5, 4.5),
    registry=registry,
)

turns = Counter(
    "tongban_turns", "Turns that were committed, by kind: message, due or page.", ["kind"], registry=registry
)
turns_failed = Counter("tongban_turns_failed", "Messages whose handler failed and that are kept.", registry=registry)
due_failed = Counter("tongban_due_failed", "Due work that failed and will be tried again.", registry=registry)
due_lag_seconds = Histogram(
    "tongban_due_lag_seconds",
    "How long after its time due work was done.",
    buckets=(1, 5, 15, 60, 300, 900, 3600, 21600, 86400),
    registry=registry,
)
loop_errors = Counter("tongban_loop_errors", "Failed rounds of a background loop.", ["loop"], registry=registry)

sends = Counter("tongban_sends", "Messages sent, by channel and outcome.", ["channel", "state"], registry=registry)
media = Counter("tongban_media", "Originals fetched from the platform, by outcome.", ["outcome"], registry=registry)
renditions = Counter("tongban_renditions", "Renditions of originals, by outcome.", ["outcome"], registry=registry)
calls = Counter(
    "tongban_platform_calls", "Calls of the platform's API, by outcome.", ["call", "outcome"], registry=registry
)

tick_age = Age("tongban_tick_age_seconds", "Since the scheduler's last tick.")
push_age = Age("tongban_push_age_seconds", "Since the platform's last sound push.")
write_age = Age("tongban_write_age_seconds", "Since the last heartbeat that was written.")
token_failing_seconds = Gauge(
    "tongban_token_failing_seconds", "For how long the platform has given no token; 0 when it does.", registry=registry
)
syslog_lost = Counter("tongban_syslog_lost", "Lines that the system's log did not take.", registry=registry)
outbox_waiting = Gauge("tongban_outbox_waiting", "Messages waiting to be sent.", registry=registry)
outbox_oldest_seconds = Gauge("tongban_outbox_oldest_seconds", "Age of the longest-waiting one.", registry=registry)
outbox_overdue_seconds = Gauge(
    "tongban_outbox_overdue_seconds", "How long the message most overdue should have been sent.", registry=registry
)
alarm_oldest_seconds = Gauge(
    "tongban_alarm_oldest_seconds", "Age of the oldest alarm that is not sent yet.", registry=registry
)
due_overdue_seconds = Gauge(
    "tongban_due_overdue_seconds", "How late the due task or kept message is that waits longest.", registry=registry
)
parked = Gauge("tongban_parked", "Messages that an operator must look at.", registry=registry)
copies = Counter("tongban_copies", "Copies on the second path, by outcome.", ["outcome"], registry=registry)
copy_age_seconds = Gauge(
    "tongban_copy_age_seconds", "Age of the last good copy; without one, of this process.", registry=registry
)
drill_failed = Gauge("tongban_drill_failed", "1 when the last restore drill failed.", registry=registry)
drill_age_seconds = Gauge("tongban_drill_age_seconds", "How long ago the last restore drill was.", registry=registry)
drill_age_seconds.set(float("nan"))
paused = Gauge("tongban_paused", "1 while a restored system waits for `tongban release`.", registry=registry)


def render() -> bytes:
    """Everything in Prometheus's text format."""
    return generate_latest(registry)
