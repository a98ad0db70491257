"""Which tests stay in one process of `pytest -n`, and in which order.

Of xdist's own ways `--dist loadgroup` is the one for that, but it writes the group into a test's id, which
pytest doesn't allow any more.
"""

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ON_SHARED_SLACK = (
    "console_slack|slack_(mentions|presses|replies|restarts|served|start|status|strangers|transport)"
)
TOGETHER = {
    "crews": r"tests/contract/crews/",
    "workers": r"tests/faults/test_(doubts|flows|releases|resuming|retries)\.py",
    "processes": r"tests/faults/test_(?!embedded|interruptible)",
    "storms": r"tests/faults/chaos/",
    "terminal": r"tests/scenario/terminal/",
    "slack": rf"tests/scenario/test_({ON_SHARED_SLACK})\.py",
}
"""By name of what is started once: the files whose tests share it. The first that fits counts."""


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one file, or of files that share something, run one after the other in one process."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = nodeid.partition("::")[0]
        return next((name for name, files in TOGETHER.items() if re.match(files, file)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """For `pytest -n`, whatever `--dist` says. As they are collected: at the end come the small ones."""
    config.option.loadscopereorder = False
    return Together(config, log)
