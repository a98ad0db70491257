"""The tool of the crew `payments`, which only says that it has sent money."""

from __future__ import annotations

from crewai.tools import BaseTool
from pydantic import BaseModel, Field


class SendMoneyArgs(BaseModel):
    """The arguments of send_money."""

    amount: float = Field(gt=0, description="How much, in euros.")
    recipient: str = Field(min_length=1, description="Who is paid.")
    reference: str = Field(max_length=140, description="What the recipient reads on their statement.")


class SendMoney(BaseTool):
    """Returns what a bank would confirm."""

    name: str = "send_money"
    description: str = "Sends money to a recipient and returns the bank's confirmation."
    args_schema: type[BaseModel] = SendMoneyArgs

    def _run(self, amount: float, recipient: str, reference: str) -> str:
        return f"Sent € {amount:,.2f} to {recipient} (“{reference}”). This is an example: no money was moved."
