"""The Web API's methods that the loopback Slack speaks, by family."""

from tests.loopback.slack.exchange import Entry
from tests.loopback.slack.methods import apps, chat, conversations, files, usergroups, views

METHODS: dict[str, Entry] = {
    **apps.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **usergroups.METHODS,
    **views.METHODS,
}
