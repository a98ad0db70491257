"""The client of Crewdeck's API: start runs, follow them, answer what they ask (docs/client.md).

    async with Client("http://127.0.0.1:3000") as client:
        started = await client.start("demo", {"topic": "tide mills"})
        async for event in client.follow(started.run_id):
            ...

`SyncClient` has the same methods for programs without an event loop. Both need httpx, httpx-sse and pydantic,
and know nothing of the server but its API.
"""

from __future__ import annotations

from crewdeck.client.api import Client
from crewdeck.client.errors import ApiError, ClientError, FieldError, Unreachable
from crewdeck.client.events import (
    Event,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputReminded,
    HumanInputRequired,
    RunCancelled,
    RunChanged,
    RunCompleted,
    RunFailed,
    RunStarted,
    SnapshotComplete,
    StreamReset,
    TaskCompleted,
    TaskStarted,
)
from crewdeck.client.records import (
    Change,
    Executed,
    Opened,
    Person,
    Record,
    RecordedPolicy,
    RecordedResponse,
    Version,
)
from crewdeck.client.sync import SyncClient
from crewdeck.client.values import (
    Actor,
    Answer,
    Crew,
    Identity,
    InputField,
    LinkCode,
    Option,
    Outcome,
    Policy,
    Progress,
    Question,
    ReasonFlags,
    Response,
    Run,
    RunError,
    RunPage,
    RunSummary,
    Started,
    ToolCall,
    Viewer,
    WaitingFor,
)

__all__ = [
    "Actor",
    "Answer",
    "ApiError",
    "Change",
    "Client",
    "ClientError",
    "Crew",
    "Event",
    "Executed",
    "FieldError",
    "HumanInputCompleted",
    "HumanInputRecorded",
    "HumanInputReminded",
    "HumanInputRequired",
    "Identity",
    "InputField",
    "LinkCode",
    "Opened",
    "Option",
    "Outcome",
    "Person",
    "Policy",
    "Progress",
    "Question",
    "ReasonFlags",
    "Record",
    "RecordedPolicy",
    "RecordedResponse",
    "Response",
    "Run",
    "RunCancelled",
    "RunChanged",
    "RunCompleted",
    "RunError",
    "RunFailed",
    "RunPage",
    "RunStarted",
    "RunSummary",
    "SnapshotComplete",
    "Started",
    "StreamReset",
    "SyncClient",
    "TaskCompleted",
    "TaskStarted",
    "ToolCall",
    "Unreachable",
    "Version",
    "Viewer",
    "WaitingFor",
]
