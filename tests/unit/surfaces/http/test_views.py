"""Models of requests and responses."""

from tests.new_interpreter import output_of

SCRIPT = """
import bot.surfaces.http.api
from bot.surfaces.http.bodies import Request
from bot.surfaces.http.views import HealthView, View

def all_of(kind):
    return [each for sub in kind.__subclasses__() for each in (sub, *all_of(sub))]

models = [*all_of(View), *all_of(Request)]
print(len(models) > 40, [each.__name__ for each in models if each.__pydantic_complete__])
HealthView(timestamp="now")
print([each.__name__ for each in models if each.__pydantic_complete__])
"""


def test_a_model_is_built_when_it_is_used() -> None:
    """A server that people use from chat builds none of the API's models: they take 2 MB."""
    assert output_of(SCRIPT) == "True []\n['HealthView']\n"
