from crewai.tools import BaseTool


class Timetable(BaseTool):
    name: str = "timetable"
    description: str = "Looks up trains between two places."

    def _run(self, places: str) -> str:
        return f"Trains {places}: 8:12, 10:12, 12:12."
