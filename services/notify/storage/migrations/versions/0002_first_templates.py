"""The texts that a new installation begins with; hotels add versions of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SMS, EMAIL = 1, 2
ZH, EN = 1, 2
BALANCES = ("points_balance", "cash_balance_minor", "bonus_balance_minor")

WELCOME_SMS_ZH = (
    "尊敬的{{ salutation }}，欢迎加入回头客会员！住宿、餐饮消费均可累积积分，直接抵扣账单。"
    "期待再次为您服务。"
)
WELCOME_SMS_EN = (
    "Dear {{ salutation }}, welcome to Huitouke! Every stay and meal with us now earns points to "
    "spend on any bill."
)
WELCOME_MAIL_ZH = """\
尊敬的{{ salutation }}：

感谢您加入回头客会员计划。从今天起，您在旗下酒店的住宿、餐厅与水疗消费都将累积积分；积分可直接抵扣账单，储值另有赠金。

出示会员卡或报上手机号码，即可在任何一家酒店使用。每次使用积分或储值后，我们都会以短信告知，如非本人操作请立即与我们联系。

期待再次为您服务。

回头客会员服务中心
"""
WELCOME_MAIL_EN = """\
Dear {{ salutation }},

Thank you for joining Huitouke. From today your stays, meals and spa visits with us earn points, \
which you may spend on any \
bill; topping up stored value brings a gift on top.

Show your card or give your mobile number at any of our hotels. Whenever points or stored \
value are used you hear from us by SMS; if it was not you, please contact us at once.

We look forward to welcoming you back.

Huitouke Guest Services
"""
TOP_UP_ZH = (
    "尊敬的{{ salutation }}，您已成功储值{{ cash_added_minor|money(currency) }}"
    "{% if bonus_added_minor %}，获赠{{ bonus_added_minor|money(currency) }}{% endif %}。"
    "当前储值余额{{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %}，赠金余额{{ bonus_balance_minor|money(currency) }}{% endif %}。"
)
TOP_UP_EN = (
    "Dear {{ salutation }}, {{ cash_added_minor|money(currency) }} was added to your stored value"
    "{% if bonus_added_minor %}, with a gift of {{ bonus_added_minor|money(currency) }}"
    "{% endif %}. "
    "Your balance is {{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %} plus {{ bonus_balance_minor|money(currency) }} gift{% endif %}. "
    "Thank you for your trust."
)
CHECKOUT_ZH = (
    "尊敬的{{ salutation }}，您本次消费{{ bill_minor|money(currency) }}"
    "{% if points_redeemed %}，使用积分{{ points_redeemed|number }}{% endif %}"
    "{% if cash_paid_minor %}，储值支付{{ cash_paid_minor|money(currency) }}{% endif %}"
    "{% if bonus_paid_minor %}，赠金支付{{ bonus_paid_minor|money(currency) }}{% endif %}"
    "{% if points_earned %}，获得积分{{ points_earned|number }}{% endif %}。"
    "积分余额{{ points_balance|number }}，储值余额{{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %}，赠金余额{{ bonus_balance_minor|money(currency) }}{% endif %}。"
    "如非本人操作，请立即联系我们。"
)
CHECKOUT_EN = (
    "Dear {{ salutation }}, your bill of {{ bill_minor|money(currency) }} is settled: "
    "{% if points_redeemed %}{{ points_redeemed|number }} points used, {% endif %}"
    "{% if cash_paid_minor %}{{ cash_paid_minor|money(currency) }} stored value, {% endif %}"
    "{% if bonus_paid_minor %}{{ bonus_paid_minor|money(currency) }} gift value, {% endif %}"
    "{{ points_earned|number }} points earned. Balance: {{ points_balance|number }} points, "
    "{{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %} plus {{ bonus_balance_minor|money(currency) }} gift{% endif %}. "
    "Not you? Please call us at once."
)
REFUND_ZH = (
    "尊敬的{{ salutation }}，您的消费已撤销"
    "{% if points_restored %}，退回积分{{ points_restored|number }}{% endif %}"
    "{% if cash_restored_minor %}，退回储值{{ cash_restored_minor|money(currency) }}{% endif %}"
    "{% if bonus_restored_minor %}，退回赠金{{ bonus_restored_minor|money(currency) }}{% endif %}"
    "{% if points_taken_back %}，收回所得积分{{ points_taken_back|number }}{% endif %}。"
    "积分余额{{ points_balance|number }}，储值余额{{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %}，赠金余额{{ bonus_balance_minor|money(currency) }}{% endif %}。"
)
REFUND_EN = (
    "Dear {{ salutation }}, your purchase was refunded"
    "{% if points_restored %}, {{ points_restored|number }} points returned{% endif %}"
    "{% if cash_restored_minor %}, {{ cash_restored_minor|money(currency) }} to stored value"
    "{% endif %}"
    "{% if bonus_restored_minor %}, {{ bonus_restored_minor|money(currency) }} to gift value"
    "{% endif %}"
    "{% if points_taken_back %}, {{ points_taken_back|number }} earned points withdrawn{% endif %}"
    ". Balance: {{ points_balance|number }} points, {{ cash_balance_minor|money(currency) }}"
    "{% if bonus_balance_minor %} plus {{ bonus_balance_minor|money(currency) }} gift{% endif %}."
)
COUPON_ZH = (
    "尊敬的{{ salutation }}，{{ coupon_name_zh }}已存入您的会员账户，有效期至{{ expires_at|day }}。"
    "结账时出示会员卡即可使用，期待您的光临。"
)
COUPON_EN = (
    'Dear {{ salutation }}, "{{ coupon_name_en }}" is now in your account, valid until '
    "{{ expires_at|day }}. Just show your card when you settle the bill. "
    "We look forward to seeing you."
)

TOP_UP = ("currency", "cash_added_minor", "bonus_added_minor", *BALANCES)
PAID = ("points_redeemed", "cash_paid_minor", "bonus_paid_minor", "points_earned")
CHECKOUT = ("currency", "bill_minor", *PAID, *BALANCES)
RESTORED = ("points_restored", "cash_restored_minor", "bonus_restored_minor", "points_taken_back")
REFUND = ("currency", *RESTORED, *BALANCES)
COUPON = ("coupon_name_zh", "coupon_name_en", "expires_at")

TEMPLATES = (
    ("WELCOME", SMS, ZH, "", WELCOME_SMS_ZH, ()),
    ("WELCOME", SMS, EN, "", WELCOME_SMS_EN, ()),
    ("WELCOME", EMAIL, ZH, "{{ salutation }}，欢迎加入回头客", WELCOME_MAIL_ZH, ()),
    ("WELCOME", EMAIL, EN, "Welcome to Huitouke, {{ salutation }}", WELCOME_MAIL_EN, ()),
    ("TOP_UP", SMS, ZH, "", TOP_UP_ZH, TOP_UP),
    ("TOP_UP", SMS, EN, "", TOP_UP_EN, TOP_UP),
    ("CHECKOUT", SMS, ZH, "", CHECKOUT_ZH, CHECKOUT),
    ("CHECKOUT", SMS, EN, "", CHECKOUT_EN, CHECKOUT),
    ("REFUND", SMS, ZH, "", REFUND_ZH, REFUND),
    ("REFUND", SMS, EN, "", REFUND_EN, REFUND),
    ("COUPON_ISSUED", SMS, ZH, "", COUPON_ZH, COUPON),
    ("COUPON_ISSUED", SMS, EN, "", COUPON_EN, COUPON),
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
