"""What a handler finds in its context and leaves in it."""

import json
import logging
from datetime import UTC, datetime

import pytest

from jarvis import errors, testing
from jarvis.handling import contract
from jarvis.handling.context import Context, Log, Progress, hide
from jarvis.handling.memory import MEMORY_BYTES, Memory

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class TestMemory:
    def test_says_what_was_set_changed_inside_and_deleted(self):
        memory = Memory({"kept": 1, "list": [1], "gone": "x", "same": {"a": 1}})
        memory["new"] = {"b": 2}
        memory["list"].append(2)
        memory["same"] = {"a": 1}
        del memory["gone"]
        assert memory.changes() == ({"new": {"b": 2}, "list": [1, 2]}, ("gone",))

    def test_does_not_share_its_values_with_what_it_was_given(self):
        given = {"list": [1]}
        Memory(given)["list"].append(2)
        assert given == {"list": [1]}

    def test_is_a_mapping(self):
        memory = Memory({"a": 1})
        assert (dict(memory), len(memory), memory.get("b", 5), "a" in memory, memory.pop("a")) == (
            {"a": 1},
            1,
            5,
            True,
            1,
        )

    @pytest.mark.parametrize(
        "value", [object(), {1, 2}, float("nan"), datetime(2026, 1, 1, tzinfo=UTC), b"x"]
    )
    def test_a_value_that_is_no_json_is_refused_at_once(self, value):
        with pytest.raises(ValueError, match=r"memory\['x'\] cannot be kept"):
            Memory({})["x"] = value

    def test_a_key_that_is_no_text_is_refused(self):
        with pytest.raises(ValueError, match="keys are texts"):
            Memory({})[3] = "x"

    def test_too_much_of_it_fails_the_run_and_keeps_the_old(self, tmp_path):
        path = tmp_path / "greedy.py"
        path.write_text(f"def run(ctx):\n    ctx.memory['x'] = 'a' * {MEMORY_BYTES}\n    return 'done'\n")
        outcome = testing.run_handler(path, testing.context(memory={"x": "old"}))
        assert outcome.status == "error" and "store files instead" in outcome.error
        assert outcome.memory == {} and outcome.forgotten == ()

    def test_what_was_noted_before_a_failure_is_kept(self, tmp_path):
        path = tmp_path / "half.py"
        path.write_text("def run(ctx):\n    ctx.memory['page'] = 3\n    ctx.alert('stuck')\n    1 / 0\n")
        outcome = testing.run_handler(path)
        assert outcome.status == "error"
        assert outcome.memory == {"page": 3} and outcome.alerts[0].text == "stuck"


class TestResolve:
    def test_is_collected_after_the_alerts_and_an_alert_after_it_counts_again(self, tmp_path):
        path = tmp_path / "door.py"
        path.write_text(
            "def run(ctx):\n    ctx.alert('open', key='front')\n    ctx.resolve('front')\n"
            "    ctx.resolve('back')\n    ctx.alert('open again', key='back')\n"
        )
        outcome = testing.run_handler(path)
        assert [alert.key for alert in outcome.alerts] == ["front", "back"]
        assert outcome.resolved == ("front",)
        assert contract.Outcome.load(outcome.dump()) == outcome

    def test_needs_a_key(self):
        with pytest.raises(ValueError, match="needs the key"):
            testing.context().resolve("")

    def test_of_what_could_not_be_said_at_once_waits_for_it(self):
        said = []

        class Live:
            broken = True

            def tell(self, alert):
                if self.broken:
                    raise errors.StoreError("busy")
                said.append(alert.key)

            def resolve(self, key):
                said.append(f"over: {key}")

        live = Live()
        ctx = Context(run=testing.context().run, now=NOW, live=live)
        ctx.alert("open", key="front")
        live.broken = False
        ctx.alert("open", key="back")
        ctx.resolve("front")
        ctx.resolve("back")
        assert said == ["back", "over: back"]
        outcome = ctx._collect(contract.Outcome(status="ok"))
        assert ([alert.key for alert in outcome.alerts], outcome.resolved) == (["front"], ("front",))


class TestAlert:
    def test_is_collected_with_its_key_severity_and_title(self):
        ctx = testing.context()
        ctx.alert("disk full", key="disk", severity="warning", title="Disk")
        (alert,) = ctx._alerts
        assert alert.dump() == {"text": "disk full", "key": "disk", "severity": "medium", "title": "Disk"}

    @pytest.mark.parametrize(("text", "severity"), [("", "low"), ("  ", "low"), ("x", "loud")])
    def test_without_text_or_with_an_unknown_severity_is_an_error_now(self, text, severity):
        with pytest.raises(ValueError):
            testing.context().alert(text, severity=severity)


class TestSecrets:
    def test_an_unknown_one_says_which_there_are(self):
        with pytest.raises(errors.NotFound, match=r"no secret named 'b' \(it has: a\)"):
            testing.context(secrets={"a": "1"}).secret("b")

    @pytest.mark.parametrize(
        ("text", "hidden"),
        [
            ("x abcd y abcd", "x [secret] y [secret]"),
            ("xabcdefx", "x[secret]x"),
            ("YWJjZA== of abcd", "[secret] of [secret]"),
            ("it is 1", "it is 1"),
        ],
        ids=["everywhere", "the_longer_one_as_a_whole", "also_in_base64", "a_single_letter_stays"],
    )
    def test_are_hidden(self, text, hidden):
        assert hide(text, ["abcd", "abcdef", "1", ""]) == hidden


class TestLog:
    def test_says_event_names_with_fields(self, caplog):
        caplog.set_level(logging.INFO)
        log = Log(logging.getLogger("jarvis.handler")).bind(host="a")
        log.info("fetched", pages=3)
        log.warning("%d left", 4)
        log.debug("not shown")
        assert caplog.messages == ["fetched host='a' pages=3", "4 left host='a'"]

    def test_a_percent_sign_in_an_event_or_field_is_only_text(self, caplog):
        Log(logging.getLogger("jarvis.handler")).warning("100% done %s", why="50%")
        assert caplog.messages == ["100% done %s why='50%'"]

    def test_exception_adds_the_traceback(self, caplog):
        try:
            raise ValueError("inside")
        except ValueError:
            Log(logging.getLogger("jarvis.handler")).exception("failed")
        assert "ValueError: inside" in caplog.text


class TestProgress:
    def test_writes_the_first_then_at_most_ten_a_second_and_the_last_at_the_end(self, tmp_path):
        now = [0.0]
        file = tmp_path / "progress"
        progress = Progress(file, clock=lambda: now[0])
        seen = []
        for step in range(100):
            now[0] = step / 100
            progress.say(step, 100, "working")
            seen.append(json.loads(file.read_text())["done"])
        assert len(set(seen)) == 10
        progress.flush()
        assert json.loads(file.read_text()) == {"done": 99, "total": 100, "text": "working"}
        assert [path.name for path in tmp_path.iterdir()] == ["progress"]

    @pytest.mark.parametrize("done", ["3", None, float("inf"), True])
    def test_is_a_number(self, tmp_path, done):
        with pytest.raises(ValueError, match="progress is a number"):
            Progress(tmp_path / "p").say(done, None, "")

    def test_that_cannot_be_written_does_not_fail_the_run(self, tmp_path, caplog):
        Progress(tmp_path / "no" / "p").say(1, 2, "x")
        assert "progress could not be written" in caplog.text


def test_a_context_needs_an_aware_now():
    with pytest.raises(ValueError, match="has no zone"):
        testing.context(now=datetime(2026, 1, 1))  # noqa: DTZ001


def test_what_the_run_was_not_given_says_so():
    ctx = testing.context()
    with pytest.raises(errors.StoreError, match="given no ledger"):
        _ = ctx.events
    with pytest.raises(errors.JarvisError, match="no state directory"):
        _ = ctx.state


def test_the_run_is_shown_and_cannot_be_changed():
    ctx = testing.context(job="backup", attempt=2, now=NOW, params={"full": True})
    assert (ctx.run.job, ctx.run.attempt, ctx.run.scheduled_at, ctx.run.params) == (
        "backup",
        2,
        NOW,
        {"full": True},
    )
    with pytest.raises(AttributeError):
        ctx.run.attempt = 3
