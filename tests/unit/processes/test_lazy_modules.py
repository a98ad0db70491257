"""Modules that are loaded when something of them is used."""

from tests.new_interpreter import output_of

SERVER = """
import sys
from bot.processes import lazy_modules, unused_libraries
lazy_modules.install()
with unused_libraries.blocked_imports():
    import bot.app, bot.delivery, bot.surfaces.slack.delivery, bot.surfaces.slack.surface
named = [name for name in lazy_modules.MODULES if name in sys.modules]
loaded = [name for name in named if type(sys.modules[name]) is type(sys)]
"""
STAND_IN = """
import sys, typing
from bot.processes import lazy_modules
lazy_modules.install()
from urllib.request import Request, urlopen
import urllib.request
def loaded():
    return "HTTPHandler" in vars(urllib.request)
"""


def test_a_server_names_them_all_and_loads_none() -> None:
    said = output_of(
        f"{SERVER}\n"
        "print(sorted(lazy_modules.MODULES - set(named)), loaded)\n"
        "print({'sqlite3', 'http.server'} & set(sys.modules))  # what they would bring along"
    )
    assert said == "[] []\nset()\n"


def test_what_only_some_servers_need_is_loaded_when_it_is_needed() -> None:
    """Where people's data is by default, and the media types, for which Python reads the machine's files."""
    said = output_of(f"{SERVER}\nimport mimetypes\nprint('platformdirs' in sys.modules, mimetypes.inited)")
    assert said == "False False\n"


def test_what_a_server_uses_of_libraries_is_as_it_was() -> None:
    """Bolt, redis-py and aiohttp offer what they offered."""
    said = output_of(
        f"{SERVER}\n"
        "import slack_bolt, slack_sdk, redis, aiohttp\n"
        "from aiohttp import web\n"
        "print(slack_bolt.App.event.__name__)\n"
        "print(slack_sdk.WebClient(token='x').token, redis.cluster.PRIMARY)\n"
        "print(callable(aiohttp.TraceConfig().freeze))\n"
        "print(isinstance(web.FileResponse('/nowhere'), web.StreamResponse))"
    )
    assert said == "event\nx primary\nTrue\nTrue\n"


def test_naming_and_asking_for_types_loads_nothing() -> None:
    said = output_of(
        f"{STAND_IN}\n"
        "def f(a: typing.Optional[Request], b: 'Request | None') -> typing.Callable[..., Request]: ...\n"
        "print(isinstance(3, Request), isinstance(3, (int, Request)), issubclass(int, Request), loaded())"
    )
    assert said == "False True False False\n"


def test_a_stand_in_does_what_the_class_does() -> None:
    said = output_of(
        f"{STAND_IN}\n"
        "request = Request('http://example.com/a')\n"
        "print(request.host, isinstance(request, Request), loaded())\n"
        "print(isinstance(request, urllib.request.Request), type(request) is urllib.request.Request)"
    )
    assert said == "example.com True True\nTrue True\n"


def test_a_subclass_has_the_class_itself_as_its_base() -> None:
    said = output_of(
        f"{STAND_IN}\n"
        "class Mine(Request): pass\n"
        "print(Mine('http://example.com/a').host, issubclass(Mine, Request), Mine.__mro__[1])"
    )
    assert said == "example.com True <class 'urllib.request.Request'>\n"


def test_attributes_unions_and_functions_are_those_of_the_module() -> None:
    said = output_of(
        f"{STAND_IN}\n"
        "print(Request.__name__, urlopen.__name__, loaded())\n"
        "print(Request.get_method.__qualname__, loaded(), urlopen.__defaults__ is None)"
    )
    assert said == "Request urlopen False\nRequest.get_method True False\n"
    said = output_of(f"{STAND_IN}\nprint((Request | None), (None | Request))")
    assert said == "urllib.request.Request | None None | urllib.request.Request\n"


def test_exceptions_are_never_stand_ins() -> None:
    """`except` takes classes alone."""
    said = output_of(
        f"{STAND_IN}\nfrom urllib.request import HTTPError\nprint(issubclass(HTTPError, Exception), loaded())"
    )
    assert said == "True True\n"


def test_a_name_that_is_not_there_is_an_error_when_it_is_used() -> None:
    said = output_of(
        f"{STAND_IN}\n"
        "from urllib.request import Nothing\n"
        "try:\n    Nothing()\n"
        "except AttributeError as error:\n    print(error)"
    )
    assert said == "module 'urllib.request' has no attribute 'Nothing'\n"


def test_what_is_loaded_already_stays() -> None:
    said = output_of(
        "import urllib.request as before\n"
        f"{STAND_IN}\n"
        "print(urllib.request is before, isinstance(Request, type))"
    )
    assert said == "True True\n"
