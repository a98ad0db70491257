"""A day in Slack on servers as people run them: what they load late is there when it is used.

The servers of the other tests are forked from a process that has imported everything, as workers are here.
"""

import pytest

from tests.loopback.slack import LoopbackSlack
from tests.scenario.server import ExecutedWebServer
from tests.scenario.slack_deployment import SlackDeployment, Transport, serving
from tests.scenario.test_slack_forms import FIRST, shown


@pytest.mark.parametrize("transport", ["http", "socket"])
async def test_a_day_in_slack(transport: Transport) -> None:
    async with LoopbackSlack() as slack, serving(slack, transport, kind=ExecutedWebServer) as server:
        connected = SlackDeployment(slack, server, transport)
        deployment = connected.in_a_channel()
        ada = deployment.ada

        await deployment.crew("list")
        await deployment.told(ada, "order")

        approval = await deployment.asked("ask tides")
        await ada.press(approval, "Approve")
        await deployment.said("The crew heard: Ada approved", approval)

        question = await deployment.asked("tell tides")
        await ada.reply(deployment.channel, question.thread_ts or "", "They come & go")
        await deployment.said("The crew heard: Ada answered: They come & go", question)

        form = await deployment.asked("order tides")
        await ada.press(form, "open.reply")
        await ada.submit(await shown(deployment, ada.id, 1), FIRST)
        await ada.submit(await shown(deployment, ada.id, 2), {"Note": "soon"})
        await deployment.said('"note": "soon"', form)

        await ada.open_home()
        await slack.wait_for(lambda: "order" in slack.home(ada.id).words)
        assert server.get("/")[0] == 200
        assert not [each for each in server.log if each["level"] == "error"]
