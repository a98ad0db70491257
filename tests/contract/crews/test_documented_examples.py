"""The Python examples of the documentation: they run as they stand, and do what the pages say of them.

`docs/client.md` is run by `tests/contract/client`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bot.settings import Settings
from crews.crewai_adapter import environment
from crews.definitions.approval import NotApproved

REPOSITORY = Path(__file__).parents[3]
PAGES = sorted([REPOSITORY / "README.md", *REPOSITORY.glob("docs/**/*.md")])
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [(page, text) for page in PAGES for text in EXAMPLE.findall(page.read_text())]
SECRET = "whsec_" + "QUJD" * 8


@pytest.fixture(autouse=True)
def crewai_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.prepare(Settings(data_dir=tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def names_of(text: str, page: str = "an example") -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "documented"}
    exec(compile(text, page, "exec"), names)  # noqa: S102 - our own documentation
    return names


def example(page: str, word: str) -> dict[str, Any]:
    """The names that the one example of this page makes that has this word in it."""
    [text] = [text for at, text in EXAMPLES if at.name == page and word in text]
    return names_of(text, page)


def test_there_are_examples_on_each_page_that_is_about_python() -> None:
    assert {page.name for page, _ in EXAMPLES} >= {"approvals.md", "client.md", "crews.md", "webhooks.md"}


@pytest.mark.parametrize(
    "at", range(len(EXAMPLES)), ids=[f"{page.name}-{n}" for n, (page, _) in enumerate(EXAMPLES)]
)
def test_an_example_runs_as_it_stands(at: int) -> None:
    page, text = EXAMPLES[at]
    names_of(text, page.name)


def test_no_example_uses_a_name_that_it_does_not_have() -> None:
    for page, text in EXAMPLES:
        checked = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,F823,E9", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, (page.name, checked.stdout)


def test_the_crew_is_built_anew_for_each_run() -> None:
    tides = example("crews.md", "def tides")["tides"]
    first, second = (tides({"topic": "tide mills"}) for _ in range(2))
    assert first is not second
    assert first.agents[0] is not second.agents[0]


def test_the_flow_has_the_methods_that_people_see() -> None:
    campaign = example("crews.md", "class Campaign")["campaign"]
    assert {"research", "draft", "publish"} <= set(dir(campaign({"topic": "x"})))


def test_gated_tools_are_not_called_outside_of_a_run() -> None:
    names = example("approvals.md", "requires_approval")
    with pytest.raises(NotApproved):
        names["SendMoney"]().run(recipient="Ada", amount=2000)
    with pytest.raises(NotApproved):
        names["delete_account"].run(name="Ada")


def test_authors_code_asks_in_runs_only() -> None:
    with pytest.raises(RuntimeError, match="needs a run"):
        example("crews.md", "order_something")["order_something"]()


def test_a_delivery_is_verified() -> None:
    received = example("webhooks.md", "standardwebhooks")["received"]
    at, body = datetime.now(UTC), '{"type": "run_completed"}'
    signature = Webhook(SECRET).sign("msg_1", at, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    assert received(SECRET, body.encode(), headers) == {"type": "run_completed"}
    with pytest.raises(WebhookVerificationError):
        received(SECRET, body.replace("completed", "failed").encode(), headers)
