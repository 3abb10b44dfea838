"""The texts that tell of stored value paid out, top-ups taken back and points given away."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SMS = 1
ZH, EN = 1, 2

LEFT_ZH = (
    "当前储值余额{{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %}，赠金余额{{ bonus_balance_minor|money(currency) }}{% endif %}。"
    "如非本人操作，请立即联系我们。"
)
LEFT_EN = (
    "Your balance is {{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %} plus {{ bonus_balance_minor|money(currency) }} gift{% endif %}. "
    "Not you? Please call us at once."
)
WITHDRAWAL_ZH = (
    "尊敬的{{ salutation }}，您的储值已退款{{ paid_out_minor|money(currency) }}"
    "{% if gift_deducted_minor %}，已扣除已使用的赠金{{ gift_deducted_minor|money(currency) }}"
    "{% endif %}"
    "{% if bonus_taken_back_minor %}，收回赠金{{ bonus_taken_back_minor|money(currency) }}"
    "{% endif %}。" + LEFT_ZH
)
WITHDRAWAL_EN = (
    "Dear {{ salutation }}, {{ paid_out_minor|money(currency) }} of your stored value was paid out"
    "{% if gift_deducted_minor %}, after {{ gift_deducted_minor|money(currency) }} for gift value "
    "used before{% endif %}"
    "{% if bonus_taken_back_minor %}, and {{ bonus_taken_back_minor|money(currency) }} gift value "
    "was taken back{% endif %}. " + LEFT_EN
)
TOP_UP_REFUND_ZH = (
    "尊敬的{{ salutation }}，您的储值充值已撤销，"
    "{{ cash_refunded_minor|money(currency) }}按原支付方式退回"
    "{% if bonus_taken_back_minor %}，收回赠金{{ bonus_taken_back_minor|money(currency) }}"
    "{% endif %}。" + LEFT_ZH
)
TOP_UP_REFUND_EN = (
    "Dear {{ salutation }}, your top-up of {{ cash_refunded_minor|money(currency) }} was undone "
    "and goes back the way it was paid"
    "{% if bonus_taken_back_minor %}; {{ bonus_taken_back_minor|money(currency) }} gift value was "
    "taken back{% endif %}. " + LEFT_EN
)
POINTS_GIVEN_ZH = (
    "尊敬的{{ salutation }}，您已向家庭成员转赠积分{{ points_given|number }}。"
    "积分余额{{ points_balance|number }}。如非本人操作，请立即联系我们。"
)
POINTS_GIVEN_EN = (
    "Dear {{ salutation }}, you passed {{ points_given|number }} points on to a family member. "
    "Balance: {{ points_balance|number }} points. Not you? Please call us at once."
)
LEFT = ("currency", "bonus_taken_back_minor", "cash_balance_minor", "bonus_balance_minor")
WITHDRAWAL = ("paid_out_minor", "gift_deducted_minor", *LEFT)
TOP_UP_REFUND = ("cash_refunded_minor", *LEFT)
POINTS_GIVEN = ("points_given", "points_balance")

TEMPLATES = (
    ("WITHDRAWAL", SMS, ZH, "", WITHDRAWAL_ZH, WITHDRAWAL),
    ("WITHDRAWAL", SMS, EN, "", WITHDRAWAL_EN, WITHDRAWAL),
    ("TOP_UP_REFUND", SMS, ZH, "", TOP_UP_REFUND_ZH, TOP_UP_REFUND),
    ("TOP_UP_REFUND", SMS, EN, "", TOP_UP_REFUND_EN, TOP_UP_REFUND),
    ("POINTS_GIVEN", SMS, ZH, "", POINTS_GIVEN_ZH, POINTS_GIVEN),
    ("POINTS_GIVEN", SMS, EN, "", POINTS_GIVEN_EN, POINTS_GIVEN),
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
