"""The image and the compose file: everything that they name exists, and nothing is taken on trust."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.processes.worker_environment import secret_names
from bot.settings import ClientSettings, Settings

REPOSITORY = Path(__file__).parents[2]
PASSWORD = re.compile(r"\$\{REDIS_PASSWORD:\?[^}]+\}")

Instruction = tuple[str, str]


def stages() -> list[list[Instruction]]:
    """The Dockerfile's stages, each a list of (INSTRUCTION, arguments)."""
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#")).replace("\\\n", " ")
    found: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, arguments = line.split(maxsplit=1)
        if name == "FROM":
            found.append([])
        found[-1].append((name, arguments.strip()))
    return found


def final(name: str) -> list[str]:
    return [arguments for instruction, arguments in stages()[-1] if instruction == name]


def every(name: str) -> list[str]:
    return [arguments for stage in stages() for instruction, arguments in stage if instruction == name]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for arguments in final("ENV") for pair in shlex.split(arguments))


def copied_from_the_checkout() -> list[str]:
    arguments = [shlex.split(line) for line in every("COPY") if not line.startswith("--from=")]
    return [source for words in arguments for source in words[:-1]]


def test_everything_copied_into_the_image_exists_and_is_not_ignored() -> None:
    sources = copied_from_the_checkout()
    let_in = [
        line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    assert len(sources) > 5
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert source in let_in
    assert set(let_in) == set(sources)


def test_stages_copy_only_from_stages_that_exist() -> None:
    names = re.findall(r" AS (\w+)", " ".join(every("FROM")))
    copied = [re.findall(r"^--from=(\S+)", line) for line in every("COPY")]
    assert {name for found in copied for name in found} == set(names)


def test_what_the_image_builds_from_is_in_it() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "pyproject.toml"}
    assert needed <= set(copied_from_the_checkout())


def test_images_are_pinned_to_a_version_and_its_digest() -> None:
    images = [line.split()[0] for line in every("FROM")]
    images += [service["image"] for name, service in services().items() if name == "redis"]
    for image in images:
        assert re.search(r":\d[^@]*@sha256:[0-9a-f]{64}$", image), image
    assert len({line.split()[0] for line in every("FROM")}) == 1


def test_the_image_runs_a_python_that_the_package_allows() -> None:
    versions = {re.findall(r"python:(\d\.\d+)-slim", line)[0] for line in every("FROM")}
    assert len(versions) == 1
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {versions.pop()}" in project["classifiers"]


def test_whatever_the_image_installs_is_locked_or_local() -> None:
    installs = [
        part for line in every("RUN") for part in line.split("&&") if re.search(r"\b(install|wheel) --", part)
    ]
    pip = [part for part in installs if "pip" in part.split()]
    assert len(pip) == 4
    for part in pip:
        assert "--no-index" in part or ("--require-hashes" in part and "--only-binary :all:" in part), part


def test_the_last_stage_installs_nothing_and_has_no_pip() -> None:
    commands = " ".join(final("RUN"))
    assert "pip uninstall" in commands
    assert not re.search(r"pip install|apt|curl|wget", commands)
    assert "--without-pip" in " ".join(every("RUN"))


def test_the_image_runs_as_an_ordinary_user_who_owns_the_data() -> None:
    (user,) = final("USER")
    assert user not in ("root", "0")
    made = " ".join(final("RUN"))
    assert re.search(rf"useradd .*\b{user}\b", made)
    data = image_environment()["CREWDECK_DATA_DIR"]
    assert f"--owner={user} --mode=0700 {data}" in made
    assert final("VOLUME") == [data]
    last = [name for name, _ in stages()[-1]]
    assert "RUN" not in last[last.index("USER") :]


def test_the_image_listens_where_docker_can_reach_it() -> None:
    environment = image_environment()
    assert environment["HOST"] == "0.0.0.0"  # noqa: S104  (inside a container)
    assert final("EXPOSE") == [environment["PORT"]]


def test_the_standard_library_is_compiled_in_the_image() -> None:
    """The official images come without its bytecode, and `USER` may not write it."""
    [line] = [each for each in final("RUN") if "compileall" in each]
    options, where = line.split(" -m compileall ")[1].split(' "$(')
    assert set(options.split()) <= {"-q", "-j", "0"}
    command = shlex.split(where.removesuffix(')"'))
    assert command[0] == "python"
    said = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=True)
    assert (Path(said.stdout.strip()) / "asyncio" / "base_events.py").is_file()


def test_no_secret_is_in_the_image() -> None:
    assert not re.search(r"TOKEN|SECRET|API_KEY", (REPOSITORY / "Dockerfile").read_text())


@contextmanager
def web_that_answers(status: int) -> Iterator[int]:
    class Web(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_health(status: int, *, healthy: bool) -> None:
    (check,) = final("HEALTHCHECK")
    program, *arguments = json.loads(check[check.index("CMD ") + 4 :])
    assert program == "python"
    with web_that_answers(status) as port:
        asked = subprocess.run(
            [sys.executable, *arguments], check=False, env={**os.environ, "PORT": str(port)}
        )
    assert (asked.returncode == 0) is healthy


@cache
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def test_compose_runs_one_redis_one_web_and_two_workers() -> None:
    assert set(services()) == {"redis", "web", "worker"}
    assert services()["worker"]["deploy"]["replicas"] == 2
    assert services()["web"]["environment"]["CREWDECK_WORKERS"] == "0"


def test_workers_are_another_user_than_the_web_process_and_get_none_of_its_secrets() -> None:
    worker = services()["worker"]
    (user,) = final("USER")
    assert worker["user"] != user
    assert re.search(rf"useradd .*--create-home {worker['user']}\b", " ".join(final("RUN")))
    needed = {"CREWDECK_REDIS_URL", "CREWDECK_JOURNAL_KEY"}
    withheld = secret_names(Settings, ClientSettings) - needed - {"REDIS_URL", "REDIS_URL".lower()}
    assert "SLACK_BOT_TOKEN" in withheld
    assert {name for name in withheld if worker["environment"].get(name) != ""} == set()


def test_compose_keeps_what_redis_acknowledged() -> None:
    redis = services()["redis"]
    program, *flags = redis["command"]
    settings = dict(zip(flags[::2], flags[1::2], strict=True))
    assert program == "redis-server"
    assert settings["--appendonly"] == "yes"
    assert settings["--appendfsync"] == "always"
    assert settings["--maxmemory-policy"] == "noeviction"
    assert "--maxmemory" in settings
    (volume,) = redis["volumes"]
    assert volume.split(":")[0] in compose()["volumes"]
    assert "ports" not in redis


def test_redis_has_a_password_that_is_written_nowhere() -> None:
    """It comes from the environment, and without it nothing starts."""
    redis = services()["redis"]
    given = redis["command"][redis["command"].index("--requirepass") + 1]
    assert PASSWORD.fullmatch(given)
    assert PASSWORD.fullmatch(redis["environment"]["REDISCLI_AUTH"])


def test_web_and_workers_share_the_store_and_wait_for_it() -> None:
    addresses = {services()[name]["environment"]["CREWDECK_REDIS_URL"] for name in ("web", "worker")}
    (address,) = addresses
    assert PASSWORD.sub("PASSWORD", address) == "redis://:PASSWORD@redis:6379/0"
    for name in ("web", "worker"):
        assert services()[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert services()["redis"]["healthcheck"]["test"][0] == "CMD"


def test_compose_builds_the_dockerfile_and_opens_the_web_to_this_machine_only() -> None:
    web = services()["web"]
    assert (REPOSITORY / web["build"] / "Dockerfile").is_file()
    (port,) = web["ports"]
    assert port == f"127.0.0.1:3000:{web['environment']['PORT']}"
    assert "healthcheck" not in web, "the image's own"
    assert services()["worker"]["healthcheck"] == {"disable": True}


def setting_names() -> set[str]:
    names: set[str] = set()
    for field in (*Settings.model_fields.values(), *ClientSettings.model_fields.values()):
        alias = field.validation_alias
        names |= (
            {alias} if isinstance(alias, str) else {str(choice) for choice in getattr(alias, "choices", ())}
        )
    return names


def test_image_and_compose_set_only_settings_that_exist() -> None:
    given = {*image_environment(), *services()["web"]["environment"], *services()["worker"]["environment"]}
    assert given - {"PATH", "PYTHONUNBUFFERED", "REDIS_PASSWORD"} <= setting_names()


@pytest.fixture(scope="module")
def help_text() -> str:
    asked = subprocess.run(
        [sys.executable, "-m", "bot", "--help"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    return asked.stdout


def commands() -> list[list[str]]:
    (image,) = final("CMD")
    return [json.loads(image), services()["web"]["command"], services()["worker"]["command"]]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_exists(command: list[str], help_text: str) -> None:
    program, subcommand = command
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts[program].partition(":")
    tree = ast.parse((REPOSITORY / (module.replace(".", "/") + ".py")).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert re.search(rf"\b{subcommand}\b", help_text)


def test_the_makefile_runs_a_command_that_exists(help_text: str) -> None:
    (subcommand,) = re.findall(r"\$\(BIN\)/crewdeck (\w+)", (REPOSITORY / "Makefile").read_text())
    assert re.search(rf"\b{subcommand}\b", help_text)
