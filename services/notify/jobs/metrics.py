"""What the sender counts."""

from chassis.telemetry.metrics import counter

SUBMITTED = counter(
    "huitouke_notify_submissions_total",
    "Submissions to providers, by channel and by how they ended: Accepted, Refused, InDoubt or "
    "NotSubmitted.",
    ("channel", "outcome"),
)
RECEIPTS = counter(
    "huitouke_notify_receipts_total",
    "Delivery receipts that were kept, by the final state that they tell.",
    ("outcome",),
)
