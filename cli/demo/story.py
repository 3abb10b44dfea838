"""How the day is shown: headings, receipts, refusals and money, in one manner."""

from huitouke.gateway.v1 import checkout_pb2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.amounts import yuan
from cli.clients import Refused


class Story:
    """Tells what happens, and remembers what went otherwise than it must."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.faults: list[str] = []

    def scene(self, title: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{escape(title)}", align="left")

    def say(self, text: str) -> None:
        self.console.print(f"  {text}", highlight=False)

    def say_in_one_line(self, text: str) -> None:
        """Say it; what goes beyond the screen is cut off."""
        self.console.print(
            f"  {text}", highlight=False, no_wrap=True, overflow="ellipsis", crop=True
        )

    def refusal(self, refused: Refused) -> None:
        self.say(f"[yellow]refused[/] [bold]{refused.reason}[/]: {escape(refused.message)}")

    def expect(self, holds: bool, what: str) -> None:
        """Note a fault unless it holds; the day goes on, and ends with a failure."""
        if not holds:
            self.faults.append(what)
            self.say(f"[bold red]✗ {escape(what)}[/]")

    def balances(self, balances: checkout_pb2.MemberBalances) -> None:
        self.say(
            f"balance: {balances.points:,} points, "
            f"{yuan(balances.cash_minor)} + {yuan(balances.bonus_minor)} gift stored value"
        )

    def receipt(self, receipt: checkout_pb2.Receipt) -> None:
        """The receipt as a till would print it."""
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(justify="right")
        table.add_row("price", yuan(receipt.gross_minor))
        for coupon in receipt.coupons:
            table.add_row(f"coupon {coupon.campaign_code}", f"-{yuan(coupon.amount_minor)}")
        if receipt.points_redeemed:
            table.add_row(
                f"{receipt.points_redeemed:,} points", f"-{yuan(receipt.points_value_minor)}"
            )
        if paid := receipt.cash_paid_minor + receipt.bonus_paid_minor:
            gift = f" (of which gift {yuan(receipt.bonus_paid_minor)})"
            table.add_row(f"stored value{gift}", f"-{yuan(paid)}")
        table.add_row("[bold]to pay", f"[bold]{yuan(receipt.to_pay_minor)}")
        table.add_row("points earned", f"+{receipt.points_earned:,}")
        self.console.print(table)
        self.balances(receipt.balances)
