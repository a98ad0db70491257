"""Lets go of most of CrewAI's catalogue of the apps of its platform: 11 MB of each worker.

CrewAI's agents name a type of the module that reads it. Only CrewAI's command line, which adds apps to
projects, asks what tools each app has.
"""

from __future__ import annotations


def drop_tools() -> None:
    """Call before crewai is imported: it reads what is left, and takes up the memory."""
    from crewai_core.platform_catalog import PLATFORM_CATALOG

    for application in PLATFORM_CATALOG["applications"]:
        application["tools"] = []
