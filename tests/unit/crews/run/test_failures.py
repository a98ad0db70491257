"""Why a run failed, as a sentence for people."""

import pytest

from bot.core.runs.run import RunError

RUN = "0b54a1f2-4d0f-5f0e-9d8f-0d3a6a1b2c3d"


class MuteError(Exception):
    def __str__(self) -> str:
        raise LookupError("no words")


class OddError(Exception):
    def __str__(self) -> str:  # as other people's classes may do
        return 42  # type: ignore[return-value]  # noqa: PLE0307


def of_run(raised: Exception, of_model: Exception | None) -> RunError:
    from crews.run import failures

    return failures.of_run(RUN, raised, of_model)


@pytest.mark.parametrize("error", [MuteError(), OddError()])
def test_an_exception_of_the_crew_that_fails_to_say_anything_is_the_crews_failure(error: Exception) -> None:
    failed = of_run(error, None)
    assert failed.code == "internal"
    assert failed.message.startswith(f"Something in the crew went wrong ({type(error).__name__}).")


@pytest.mark.parametrize("error", [MuteError(), OddError()])
def test_one_that_caused_it_or_that_a_model_call_failed_with_hides_nothing(error: Exception) -> None:
    raised = RuntimeError("it went wrong")
    raised.__cause__ = error
    assert of_run(raised, None).message.startswith("Something in the crew went wrong (RuntimeError).")
    assert of_run(raised, error).code == "model_error"


def test_a_key_that_a_models_library_misses_is_named_and_nothing_else_of_what_it_says() -> None:
    refused = ValueError("ANTHROPIC_API_KEY is required for 'the prompt'")
    assert of_run(refused, refused).message == (
        "The model's provider needs its key: set ANTHROPIC_API_KEY for the workers."
    )
    wrapped = RuntimeError("it went wrong")
    wrapped.__cause__ = refused
    assert "set ANTHROPIC_API_KEY" in of_run(wrapped, refused).message
    other = ValueError("the prompt")
    assert of_run(other, other).message == "The model failed (ValueError)."


def test_a_package_that_a_model_needs_is_named_and_nothing_else_of_what_is_said() -> None:
    refused = ImportError('Anthropic native provider not available, to install: uv add "crewai[anthropic]"')
    wrapped = RuntimeError("it went wrong")
    wrapped.__cause__ = refused
    for error in (refused, wrapped):
        failed = of_run(error, None)
        assert failed.code == "model_error"
        assert failed.message == (
            "A model of the crew needs a package: install crewai[anthropic] for the workers."
        )
    assert of_run(ValueError("crewai[anthropic]"), None).code == "internal"
