"""The lifeline of a worker, seen from inside of it."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

from bot.processes.worker_process import GRANTED, RETIRE
from tests.waiting import WITHIN

REPOSITORY = Path(__file__).parents[3]
READS = """if True:
    import asyncio, subprocess, sys
    from bot.processes.worker_process import Lifeline

    async def main():
        lifeline = Lifeline(60)
        cat = subprocess.run(["cat"], capture_output=True, text=True)
        try:
            said = input()
        except EOFError:
            said = "nobody"
        print(repr(sys.stdin.read()), repr(cat.stdout), said, await lifeline.may_retire(), flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
"""


def test_code_of_crews_that_reads_standard_input_reads_its_end_and_nothing_of_the_parents() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(WITHIN)
    with (
        subprocess.Popen(
            [sys.executable, "-c", READS],
            cwd=REPOSITORY,
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
        ours,
    ):
        theirs.close()
        assert ours.recv(1) == RETIRE
        ours.send(GRANTED)
        assert process.stdout is not None
        assert process.stdout.readline() == "'' '' nobody True\n"
        ours.close()
        assert process.wait(WITHIN) == -signal.SIGTERM
