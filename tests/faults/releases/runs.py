"""The runs of which each release leaves a dump: what they do until they wait, and after the answer.

What is here, and the crews beside it, stays as it is: dumps of earlier releases were made of it.
"""

from dataclasses import dataclass

from bot.core.runs.run import Run
from tests.contract.crews.deployment import Deployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, final, react, say, text_of


@dataclass(frozen=True)
class Kept:
    """A run that waits for people."""

    crew: str
    #: What people say, by the question's beginning.
    answers: dict[str, str]
    result: str
    #: Model calls that are made after that.
    after: int


KEPT = {
    "kept-native": Kept("kept_native", {"Which?": "Tea"}, "Ada chose 'Tea'.", 1),
    "kept-react": Kept("kept_react", {"Go on?": "Approve"}, "Done. Ada approved.", 1),
    "kept-review": Kept("kept_reviewed", {"Please review": "Approve"}, "Draft 1", 0),
    "kept-second": Kept("kept_second", {"Publish?": "Approve"}, "True Ada approved.", 1),
    "kept-both": Kept(
        "kept_native",
        {"First?": "one", "Second?": "two"},
        "Ada answered: one / Ada answered: two",
        1,
    ),
}
"""By the marker of their model's script, which their prompts name."""


def script(model: LoopbackModel) -> None:
    """What the model says in these runs."""
    model.script(
        "kept-native",
        [
            call("stamp", what="one"),
            call("ask_human", question="Which?", options=["Tea", "Coffee"]),
            say("{last}"),
        ],
    )
    model.script(
        "kept-react",
        [
            react("Do it.", "stamp", what="one"),
            react("I should ask.", "ask_human", question="Go on?", kind="approval"),
            final("Done. {last}"),
        ],
    )
    model.script("kept-review", lambda said: say(f"Draft {said.answered + 1}"))
    model.script("kept-second", _collected_and_published)
    model.script("kept-both", _two_questions)


def _collected_and_published(conversation: Conversation) -> Turn:
    prompt = "\n".join(map(text_of, conversation.messages))
    if "Publish this" not in prompt:
        return say("A list of tides")
    if conversation.answered == 0:
        return call("ask_human", question="Publish?", kind="approval")
    return say(f"{'A list of tides' in prompt} {conversation.results[-1]}")


def _two_questions(conversation: Conversation) -> Turn:
    if conversation.answered == 0:
        return call("ask_human", question="First?") & call("ask_human", question="Second?")
    return say(" / ".join(conversation.results))


async def started(deployment: Deployment, mark: str) -> Run:
    """One of these runs, once it waits."""
    kept = KEPT[mark]
    run = await deployment.start(kept.crew, prompt=f"[[{mark}]]")
    await deployment.asked(run, many=len(kept.answers))
    return run
