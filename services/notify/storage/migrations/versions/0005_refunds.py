"""The texts that tell of a refund, apart for a whole one and for a part, with the amount."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

SMS = 1
ZH, EN = 1, 2

BACK_ZH = (
    "{% if money_refunded_minor %}，其中{{ money_refunded_minor|money(currency) }}按原支付方式退回"
    "{% endif %}"
    "{% if points_restored %}，退回积分{{ points_restored|number }}{% endif %}"
    "{% if cash_restored_minor %}，退回储值{{ cash_restored_minor|money(currency) }}{% endif %}"
    "{% if bonus_restored_minor %}，退回赠金{{ bonus_restored_minor|money(currency) }}{% endif %}"
    "{% if points_taken_back %}，收回所得积分{{ points_taken_back|number }}{% endif %}。"
)
BALANCE_ZH = (
    "积分余额{{ points_balance|number }}，储值余额{{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %}，赠金余额{{ bonus_balance_minor|money(currency) }}{% endif %}。"
)
BACK_EN = (
    "{% if money_refunded_minor %}, {{ money_refunded_minor|money(currency) }} as you paid"
    "{% endif %}"
    "{% if points_restored %}, {{ points_restored|number }} points returned{% endif %}"
    "{% if cash_restored_minor %}, {{ cash_restored_minor|money(currency) }} to stored value"
    "{% endif %}"
    "{% if bonus_restored_minor %}, {{ bonus_restored_minor|money(currency) }} to gift value"
    "{% endif %}"
    "{% if points_taken_back %}, {{ points_taken_back|number }} earned points withdrawn{% endif %}"
    ". "
)
BALANCE_EN = (
    "Balance: {{ points_balance|number }} points, {{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %} plus {{ bonus_balance_minor|money(currency) }} gift{% endif %}."
)
WHOLE_ZH = (
    "尊敬的{{ salutation }}，您的消费已全部退款"
    "{% if refunded_minor %}，本次退款{{ refunded_minor|money(currency) }}{% endif %}"
    + BACK_ZH + BALANCE_ZH
)  # fmt: skip
WHOLE_EN = (
    "Dear {{ salutation }}, your purchase is refunded in full"
    "{% if refunded_minor %}: {{ refunded_minor|money(currency) }}{% endif %}"
    + BACK_EN
    + BALANCE_EN
)
PART_ZH = (
    "尊敬的{{ salutation }}，您的消费已部分退款，本次退款{{ refunded_minor|money(currency) }}"
    + BACK_ZH + "该笔消费余下{{ left_minor|money(currency) }}未退。" + BALANCE_ZH
)  # fmt: skip
PART_EN = (
    "Dear {{ salutation }}, part of your purchase is refunded: {{ refunded_minor|money(currency) }}"
    + BACK_EN + "{{ left_minor|money(currency) }} of it stands. " + BALANCE_EN
)  # fmt: skip

RESTORED = ("points_restored", "cash_restored_minor", "bonus_restored_minor", "points_taken_back")
BALANCES = ("points_balance", "cash_balance_minor", "bonus_balance_minor")
WHOLE = ("currency", "refunded_minor", "money_refunded_minor", *RESTORED, *BALANCES)
PART = (*WHOLE, "left_minor")

TEMPLATES = (
    ("REFUND_WHOLE", SMS, ZH, "", WHOLE_ZH, WHOLE),
    ("REFUND_WHOLE", SMS, EN, "", WHOLE_EN, WHOLE),
    ("REFUND_PART", SMS, ZH, "", PART_ZH, PART),
    ("REFUND_PART", SMS, EN, "", PART_EN, PART),
)
INSERT = sa.text(
    "INSERT INTO templates (code, channel, language, version, subject, body, variables, created_at)"
    " VALUES (:code, :channel, :language, 1, :subject, :body, :variables, '2020-01-01Z')"
)
# A house that had worded REFUND itself keeps its words for whole refunds, as the newest version.
# REFUND stays: what was queued before, or by a release before this one, is rendered by it.
KEEP_OWN_WORDS = sa.text("""
INSERT INTO templates (code, channel, language, version, subject, body, variables, created_at)
SELECT DISTINCT ON (channel, language) 'REFUND_WHOLE', channel, language, 2, subject, body,
       variables, '2020-01-02Z'
FROM templates WHERE code = 'REFUND' AND version > 1
ORDER BY channel, language, version DESC
""")


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
    op.get_bind().execute(KEEP_OWN_WORDS)
