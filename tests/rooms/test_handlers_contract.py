"""What becomes of a call: returned, raised, collected."""

import copy
import json
import pickle
import textwrap
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jarvis import Secret, errors, testing
from jarvis.handling import contract, mount
from jarvis.handling.contract import Alert, Outcome

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def handler(tmp_path):
    def write(body: str, name: str = "sample"):
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(body))
        return path

    return write


RETURNED = [
    ("a_text_is_the_result_line", "return ' done \\n'", "done", {}),
    ("nothing_is_fine", "return None", None, {}),
    ("an_empty_text_is_nothing", "return ''", None, {}),
    ("a_mapping_is_numbers", "return {'left': 3, 'ratio': 0.5}", None, {"left": 3.0, "ratio": 0.5}),
    ("a_pair_is_both", "return 'all good', {'n': 2}", "all good", {"n": 2.0}),
    ("unknown_is_absent", "return {'a': None, 'b': float('nan'), 'c': float('inf'), 'd': True}", None, {"d": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "result", "numbers"), [row[1:] for row in RETURNED], ids=[row[0] for row in RETURNED]
)
def test_returning(handler, body, result, numbers):
    outcome = testing.run_handler(handler(f"def run(ctx):\n    {body}\n"))
    assert (outcome.status, outcome.result, dict(outcome.numbers)) == ("ok", result, numbers)


def test_a_coroutine_is_run_to_its_end(handler):
    path = handler("""
        import asyncio
        async def run(ctx):
            await asyncio.sleep(0)
            return "awaited"
    """)
    assert testing.run_handler(path).result == "awaited"


RAISED = [
    ("skip_has_its_reason", "raise Skip('nothing new')", "skipped", "nothing new", None, 0),
    ("skip_without_reason", "raise Skip()", "skipped", "the handler gave no reason", None, 0),
    ("give_up_is_final", "raise GiveUp('wrong password')", "gave_up", None, "wrong password", 3),
    (
        "our_own_errors_are_sentences",
        "raise errors.NotFound('no such thing')",
        "error",
        None,
        "no such thing",
        1,
    ),
    ("leaving_with_zero_is_success", "raise SystemExit", "ok", None, None, 0),
    (
        "leaving_with_a_code_is_failure",
        "raise SystemExit(4)",
        "error",
        None,
        "ended itself with exit code 4",
        1,
    ),
    ("leaving_with_a_text_is_its_error", "raise SystemExit('no disk')", "error", None, "no disk", 1),
]


@pytest.mark.parametrize(("body", "status", "result", "error", "code"), [row[1:] for row in RAISED],
    ids=[row[0] for row in RAISED],
)  # fmt: skip
def test_raising(handler, body, status, result, error, code):
    path = handler(f"from jarvis import GiveUp, Skip, errors\ndef run(ctx):\n    {body}\n")
    outcome = testing.run_handler(path)
    assert (outcome.status, outcome.result, outcome.error, outcome.exit_code) == (status, result, error, code)


def test_an_exception_leaves_a_traceback_that_begins_in_the_handler(handler):
    path = handler("""
        def run(ctx):
            deeper()

        def deeper():
            raise ValueError("the reason")
    """)
    error = testing.run_handler(path).error
    assert error.startswith("Traceback (most recent call last):\n  File ")
    assert "contract.py" not in error
    assert "deeper()" in error and error.endswith("ValueError: the reason")


def test_an_async_traceback_begins_in_the_handler_too(handler):
    error = testing.run_handler(handler("async def run(ctx):\n    raise ValueError('x')\n")).error
    assert "asyncio" not in error and error.endswith("ValueError: x")


def test_a_huge_traceback_is_cut_to_64_kb_and_keeps_both_ends(handler):
    path = handler("def run(ctx):\n    raise ValueError('ä' * 200_000 + 'the end')\n")
    error = testing.run_handler(path).error
    assert len(error.encode()) <= 64 * 1024
    assert error.startswith("Traceback") and error.endswith("the end") and "bytes left out" in error


def test_what_no_store_can_hold_is_spelled_out(handler):
    outcome = testing.run_handler(handler("def run(ctx):\n    return 'a\\udcffb'\n"))
    assert outcome.result == "a\\udcffb"


@pytest.mark.parametrize("said", ["[1]", "object()", "{'a': 'x'}", "('a', 'b')", "b'x'", "1"])
def test_anything_else_returned_fails_with_what_to_return(handler, said):
    outcome = testing.run_handler(handler(f"def run(ctx):\n    return {said}\n"))
    assert outcome.status == "error" and "numbers" in outcome.error


def test_decimals_and_other_reals_are_told_apart():
    assert dict(contract.returned({"a": 2}).numbers) == {"a": 2.0}
    with pytest.raises(TypeError, match="must be numbers"):
        contract.returned({"a": Decimal("1.5")})


def test_ctrl_c_in_a_test_is_not_swallowed(handler):
    with pytest.raises(KeyboardInterrupt):
        testing.run_handler(handler("def run(ctx):\n    raise KeyboardInterrupt\n"))


def test_values_that_do_not_fit_give_up_at_once(handler):
    outcome = testing.run_handler(handler("def run(ctx, *, limit: int): ...\n"), limt=3)
    assert outcome.status == "gave_up"
    assert outcome.error == (
        "handler sample: parameter 'limit' is missing; no parameter 'limt' (did you mean 'limit'?)"
    )


def test_an_outcome_survives_json():
    outcome = Outcome(
        status="error",
        numbers={"n": 1.5},
        error="why",
        alerts=(Alert(text="t", key="k", severity="high", title="x"),),
        memory={"a": [1]},
        forgotten=("b",),
    )
    assert Outcome.load(json.loads(json.dumps(outcome.dump()))) == outcome


@pytest.mark.parametrize("data", [
    {}, {"status": "fine"}, {"status": "ok", "alerts": [{"nope": 1}]}, {"status": "ok", "numbers": 3},
])  # fmt: skip
def test_a_file_that_is_no_outcome_is_a_value_error(data):
    with pytest.raises(ValueError, match="outcome|status"):
        Outcome.load(data)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("warning", "medium"), ("CRITICAL", "critical"), ("error", "high"), ("info", "info")],
)
def test_severities_have_aliases(word, meaning):
    assert contract.severity(word) == meaning


def test_an_unknown_severity_lists_the_known_ones():
    with pytest.raises(ValueError, match="info, low, medium, high, critical"):
        contract.severity("loud")


class TestSecret:
    def test_shows_itself_nowhere(self):
        secret = Secret("hunter2!")
        assert "hunter2" not in f"{secret} {secret!r} {[secret]} {secret.__reduce_ex__}"
        assert secret.reveal() == "hunter2!"

    def test_compares_and_copies_but_is_not_pickled(self):
        secret = Secret("hunter2!")
        assert secret == Secret("hunter2!") != Secret("other")
        assert secret != "hunter2!" and not Secret("")
        assert copy.deepcopy(secret) is secret and len({secret, Secret("hunter2!")}) == 1
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(secret)

    def test_is_filled_from_a_text(self, handler):
        path = handler("""
            from jarvis import Secret
            def run(ctx, *, password: Secret):
                return f"{password} {len(password.reveal())}"
        """)
        assert testing.run_handler(path, password="hunter2!").result == "*** 8"


def test_secrets_of_the_run_are_hidden_in_everything_that_is_stored(handler):
    path = handler("""
        def run(ctx):
            token = ctx.secret("api").reveal()
            ctx.alert(f"{token} is wrong", title=token)
            raise ValueError(f"401 for {token}")
    """)
    outcome = testing.run_handler(path, testing.context(secrets={"api": "s3cr3t-token", "pin": "1"}))
    assert "s3cr3t" not in json.dumps(outcome.dump())
    assert outcome.alerts[0].text == "[secret] is wrong" and outcome.error.endswith("401 for [secret]")


class TestProgram:
    def load(self, handler, body):
        return mount.load(handler(body))

    def test_argv_gets_what_stands_before_the_star_from_the_launcher(self, handler):
        found = self.load(handler, "def argv(shell, path, *, name: str): return [shell, path, name]\n")
        assert found.kind == "program"
        assert contract.program(found, {"name": "x"}, path="/bin", shell="/bin/sh") == [
            "/bin/sh",
            "/bin",
            "x",
        ]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("return 'ls'", "it must return a list of texts"),
            ("return []", "it must return a list of texts"),
            ("return ['ls', 3]", "it must return a list of texts"),
            ("return ['']", "needs a name"),
            ("return ['ls', 'a\\0b']", "NUL"),
            ("raise ValueError('too bad')", "argv() failed: too bad"),
            ("raise KeyError('x')", "argv() failed: KeyError: 'x'"),
        ],
    )
    def test_an_argv_that_is_none_is_a_launch_error(self, handler, body, said):
        found = self.load(handler, f"def argv():\n    {body}\n")
        with pytest.raises(errors.LaunchError) as caught:
            contract.program(found, {})
        assert said in str(caught.value) and "handler sample" in str(caught.value)

    def test_run_handler_refuses_a_program(self, handler):
        with pytest.raises(errors.Refused, match="names a program"):
            testing.run_handler(handler("def argv(): return ['ls']\n"))
