"""A Microsoft Teams that lives on 127.0.0.1: the Bot Connector, its tokens and keys, and people who use it.

A peer over a socket: it patches nobody, and the bot under test may be another process.

    async with LoopbackTeams() as teams:   # TEAMS_APP_ID=.app_id, TEAMS_APP_PASSWORD=.app_password,
        teams.connect(url)                 # TEAMS_TENANT_ID=.tenant.id, TEAMS_TOKEN_ISSUER=.token_issuer,
                                           # TEAMS_OPENID_METADATA_URL=.openid_metadata_url,
                                           # TEAMS_OUTBOUND_TOKEN=.outbound_token
        ada = teams.person("Ada")          # guest=True, tenant=
        general = teams.channel()          # everybody is in it
        said = await ada.say(general, "start demo", mention=True)      # thread=, others=[bob]
        said.status, said.body, said.activity
        asked = await teams.wait_for(lambda: next(m for m in teams.messages(general) if m.labels))
        await ada.press(asked, "Approve")  # Action.Execute, Action.Submit and task/fetch; old_client=True
        view = await ada.refreshed(asked)  # her own view: view.body["value"] is the card
        await ada.press_on([view.body["value"]], "Approve", of=asked)
        await ada.submit(general, dialog, {"Topic": "tides"}, of=asked)  # dialog: the card of a dialog
        await ada.say(ada.chat, "help")    # the personal chat; teams.group_chat(ada, bob)
        await teams.redeliver(said)        # also ada.edit, remove, install, answer_file_consent, invoke

Cards are checked against the schema of Adaptive Cards 1.5 and Teams' limits of size: what is wrong is refused
as Teams does it. Looking: `teams.messages(where, thread=id)`, `.message`, `.calls`, `.called(operation)`,
`.receipts`, `.uploads`. A message has `.words`, `.labels`, `.actions`, `.cards`, `.refresh`, `.text`.

Bad days: `fail(operation, status, applied=)`, `rate_limit(operation, retry_after=, status=412)`,
`lose_answer(operation)`, `delay`, `heal`, `outage()`, `close(conversation)`, `keys.rotate()`. Tokens:
`token(**claims)`, `keys.token(claims, header=, key=)`, `send_raw(body, headers)`.
"""

from tests.loopback.slack.wire import Body
from tests.loopback.teams.connector import BOT_TOKEN, Call
from tests.loopback.teams.keys import ISSUER, Keys, SigningKey
from tests.loopback.teams.people import Person, Receipt
from tests.loopback.teams.server import APP_ID, APP_PASSWORD, TENANT, LoopbackTeams
from tests.loopback.teams.state import ConnectorError, Conversation, Message, User

__all__ = [
    "APP_ID",
    "APP_PASSWORD",
    "BOT_TOKEN",
    "ISSUER",
    "TENANT",
    "Body",
    "Call",
    "ConnectorError",
    "Conversation",
    "Keys",
    "LoopbackTeams",
    "Message",
    "Person",
    "Receipt",
    "SigningKey",
    "User",
]
