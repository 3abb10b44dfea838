"""When a coupon ends."""

from datetime import UTC, datetime, time, timedelta, tzinfo

from services.coupon.domain.campaigns import Conditions


def end_of_coupon(conditions: Conditions, issued_at: datetime, zone: tzinfo) -> datetime:
    """The instant (UTC, exclusive) at which a coupon issued at `issued_at` ends.

    With `valid_days_after_issue` it is the end of that local day in `zone`, counted from the day
    of issue (1: the end of tomorrow), and never after the campaign's `valid_until`. Where clocks
    skip midnight, the day ends at the instant of the skip.
    """
    days = conditions.valid_days_after_issue
    if not days:
        return conditions.valid_until
    first_day_after = issued_at.astimezone(zone).date() + timedelta(days=days + 1)
    midnight = datetime.combine(first_day_after, time(), tzinfo=zone)
    return min(midnight.astimezone(UTC), conditions.valid_until)
