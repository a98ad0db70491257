"""A Slack that lives on 127.0.0.1: the Web API, signed requests, Socket Mode, and people who use it.

A peer over a socket: it patches nobody, and the app under test may be another process.

    async with LoopbackSlack() as slack:             # SLACK_API_URL=slack.api_url; .bot_token, .app_token
        slack.connect_http(url, signing_secret)      # or slack.use_socket_mode() (how it starts) and
        await slack.wait_for(lambda: slack.sockets.open)
        ada = slack.person("U0ADA", name="Ada")      # guest=, single_channel_guest=, team="T0OTHER", bot=
        done = await ada.command("/crew", 'start demo topic="tide mills"', channel="C0GENERAL")
        done.status, done.body, done.elapsed, done.private       # private: what only Ada was shown since
        question = await slack.wait_for(lambda: next(m for m in slack.messages() if "Approve" in m.labels))
        await ada.press(question, "Approve")         # by label or action_id; a stale snapshot presses too
        await ada.select(question, "an option")
        await ada.reply("C0GENERAL", question.thread_ts, "words")            # broadcast=True, **extra
        await ada.submit(slack.view("U0ADA"), {"Topic": "tides"})            # by label, block_id, action_id
        await ada.mention("C0GENERAL", "help")       # its app_mention; .twin is the message event
        await ada.open_home()                        # also say, upload, edit, delete, join, close
        await ada.redeliver(done, retry_num=1)

Looking: `slack.messages(channel)`, `thread(channel, ts)`, `message(channel, ts)`, `ephemerals(user)`,
`view(user)`, `home(user)`, `files()`, `calls`, `called(method, **arguments)`, `deliveries`,
`response_posts(delivery)`. Snapshots have `.words` (all visible text), `.labels` (what can be pressed or
chosen), `.text`, `.blocks`, `.ts`, `.thread_ts`, `.body`. In `wait_for` an error of looking up (LookupError,
StopIteration) means "not yet".

Bad days: `fail(method, times=2, status=500)`, `fail(method, error="is_archived")`,
`rate_limit(method, retry_after=1, times=3)`, `lose_answer(method)` (takes effect, connection breaks),
`delay(method, seconds)`, `heal()`, `async with outage():` (connection refused), `enforce(SLACK_BUDGETS)`,
`archive(channel)`, `remove_app(channel)`, `revoke_tokens()`, `uninstall()`, `sockets.refresh()`,
`sockets.drop()`, `with unheard(event):` (not subscribed), `tell_of(message)` (its event, late). Method `"*"`
stands for all.

Signatures: `slack.sign(body, at=...)` gives headers for `slack.send_raw(body, headers)`, and
`slack.url_verification()` does what entering a request URL does.
"""

from tests.loopback.slack.calls import Call
from tests.loopback.slack.delivery import SUBSCRIPTIONS, Delivery
from tests.loopback.slack.faults import SLACK_BUDGETS, Budget
from tests.loopback.slack.people import GENERAL, Person
from tests.loopback.slack.server import SCOPES, LoopbackSlack
from tests.loopback.slack.shown import Message, View
from tests.loopback.slack.transport import sign
from tests.loopback.slack.values import NotSubmittedError
from tests.loopback.slack.wire import SlackError, typed

__all__ = [
    "GENERAL",
    "SCOPES",
    "SLACK_BUDGETS",
    "SUBSCRIPTIONS",
    "Budget",
    "Call",
    "Delivery",
    "LoopbackSlack",
    "Message",
    "NotSubmittedError",
    "Person",
    "SlackError",
    "View",
    "sign",
    "typed",
]
