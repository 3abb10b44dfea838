"""The text that warns before points or gift value expire."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SMS = 1
ZH, EN = 1, 2

EXPIRING_ZH = (
    "尊敬的{{ salutation }}，您的"
    "{% if bonus_expiring_minor %}储值赠金{{ bonus_expiring_minor|money(currency) }}"
    "{% else %}积分{{ points_expiring|number }}{% endif %}"
    "将于{{ expires_at|day }}到期，到期后自动失效。"
    "住宿、餐饮、水疗结账时均可使用，期待再次为您服务。"
)
EXPIRING_EN = (
    "Dear {{ salutation }}, "
    "{% if bonus_expiring_minor %}{{ bonus_expiring_minor|money(currency) }} of your gift value "
    "{% else %}{{ points_expiring|number }} of your points {% endif %}"
    "will expire after {{ expires_at|day }}. "
    "You may use {% if bonus_expiring_minor %}it{% else %}them{% endif %} for any stay, meal or "
    "spa visit until then. We look forward to seeing you again."
)
VARIABLES = ("currency", "points_expiring", "bonus_expiring_minor", "expires_at")

TEMPLATES = (
    ("POINTS_EXPIRING", SMS, ZH, "", EXPIRING_ZH, VARIABLES),
    ("POINTS_EXPIRING", SMS, EN, "", EXPIRING_EN, VARIABLES),
)
INSERT = sa.text(
    "INSERT INTO templates (code, channel, language, version, subject, body, variables, created_at)"
    " VALUES (:code, :channel, :language, 1, :subject, :body, :variables, '2020-01-01Z')"
)


def upgrade() -> None:
    """Insert version 1 of each text, made long before any message is queued."""
    for code, channel, language, subject, body, variables in TEMPLATES:
        values = {
            "code": code,
            "channel": channel,
            "language": language,
            "subject": subject,
            "body": body,
            "variables": ["salutation", *variables],
        }
        op.get_bind().execute(INSERT, values)
