"""The channels that jobs.yaml names: do they exist, can their URLs be some, which secrets do they need?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jarvis.alerts import schemes
from tests.rooms.config_files import problems, read

JOB = "jobs: {a: {every: 1h, command: 'true'%s}}\nalerts:\n  channels: {phone: 'ntfy://x', desk: {macos: true}}\n%s"


@pytest.mark.parametrize(("job", "alerts", "said"), [
    (", deliver: {to: fone}", "", "jobs.yaml:1:54: a: deliver.to: no channel 'fone' (did you mean phone?)"),
    (", deliver: {to: [desk, fone]}", "",
     "jobs.yaml:1:61: a: deliver.to: no channel 'fone' (did you mean phone?)"),
    (", alert: {to: zzz}", "", "jobs.yaml:1:52: a: alert.to: no channel 'zzz' (there are phone, desk)"),
    ("", "  to: dsk", "jobs.yaml:4:7: alerts.to: no channel 'dsk' (did you mean desk?)"),
    ("", "  to: [phone, dsk]", "jobs.yaml:4:15: alerts.to: no channel 'dsk' (did you mean desk?)"),
    ("", "  escalate: {to: fone}",
     "jobs.yaml:4:18: alerts.escalate.to: no channel 'fone' (did you mean phone?)"),
], ids=["deliver", "one of several", "alert", "alerts", "one of alerts", "escalate"])  # fmt: skip
def test_a_channel_that_is_not_there_is_told_with_its_line_and_the_nearest_name(
    tmp_path: Path, job: str, alerts: str, said: str
) -> None:
    assert problems(tmp_path, JOB % (job, alerts)) == [said]


def test_without_any_channel_it_is_said_where_to_name_one(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "jobs: {a: {every: 1h, command: 'true', deliver: {to: phone}}}")
    assert found.endswith("a: deliver.to: no channel 'phone' (name it under alerts: {channels: …})")


def test_channels_with_other_mistakes_bring_no_second_ones(tmp_path: Path) -> None:
    text = "jobs: {a: {every: 1h, command: 'true', deliver: {to: phone}}}\nalerts: {channels: {phone: 5}}"
    assert len(problems(tmp_path, text)) == 1


def test_a_default_delivery_is_checked_for_every_job(tmp_path: Path) -> None:
    text = "defaults: {deliver: {to: phone}}\njobs: {a: {every: 1h, command: 'true'}}\n"
    (found,) = problems(tmp_path, text)
    assert found.startswith("jobs.yaml:2:8: a: deliver.to: no channel 'phone'")


@pytest.mark.parametrize(("channel", "said"), [
    ("hello", "x: this is no URL (write for example mailto://user:password@example.org)"),
    ("{url: hello}", "x: this is no URL (write for example mailto://user:password@example.org)"),
    ("'json://a, json://b'", "x: these are several URLs (make a channel of each)"),
    ("{macos: true, command: x}",
     "alerts.channels.x: a channel has exactly one of url, macos, imessage, telegram, command, journal; "
     "not macos and command"),
    ("{severity: high}",
     "alerts.channels.x: a channel has exactly one of url, macos, imessage, telegram, command, journal; "
     "this one has none"),
    ("{macos: false}", "alerts.channels.x.macos: write macos: true, or leave the channel out"),
    ("{telegram: {token: abc}}", "alerts.channels.x.telegram.chat is missing"),
    ("{macos: true, timeout: 99ms}", "alerts.channels.x.timeout: between 100ms and 5m"),
    ("{macos: true, timeout: 5m1s}", "alerts.channels.x.timeout: between 100ms and 5m"),
])  # fmt: skip
def test_a_channel_that_cannot_work_is_one_sentence(tmp_path: Path, channel: str, said: str) -> None:
    (found,) = problems(tmp_path, f"jobs: {{}}\nalerts: {{channels: {{x: {channel}}}}}")
    assert found.partition(": ")[2] == said


@pytest.mark.parametrize("channel", [
    "ntfy://example", "!secret env:URL", "{url: !secret env:URL}", "{macos: true, timeout: 100ms}",
    "{macos: true, timeout: 5m}", "{telegram: {token: !secret env:T, chat: -100123}}", "{command: [wall]}",
    "{journal: ~/alerts.jsonl, rate: 0s}", "{imessage: me@example.org}", "{imessage: !secret env:ME}",
])  # fmt: skip
def test_a_channel_that_can_work_is_taken(tmp_path: Path, channel: str) -> None:
    assert problems(tmp_path, f"jobs: {{}}\nalerts: {{channels: {{x: {channel}}}}}") == []


def test_the_password_of_a_url_is_in_no_complaint(tmp_path: Path) -> None:
    text = "jobs: {}\nalerts: {channels: {x: 'json://me:hunter22@a,json://me:hunter22@b'}}"
    assert "hunter22" not in str(problems(tmp_path, text))


def test_a_secret_of_a_channel_that_is_not_set_is_a_doubt(tmp_path: Path) -> None:
    text = "jobs: {}\nalerts:\n  channels:\n    phone: !secret env:PHONE_URL\n"
    (doubt,) = read(tmp_path, text).warnings
    assert (doubt.line, doubt.message) == (4, "the secret env:PHONE_URL is not set")
    assert read(tmp_path, text, {"PHONE_URL": "ntfy://x"}).warnings == ()


@pytest.mark.parametrize(("template", "said"), [
    ("$resutl", "there is no $resutl in a template (did you mean $result?)"),
    ("$${task_nam}", "there is no $task_nam in a template (did you mean $task_name?)"),
    ("$zzz", "there is no $zzz in a template (there are $result, $task_name, $timestamp, $status, $reason, "
             "$duration, $job, $run, $attempt)"),
    ("it costs $ 5", "'$ 5': a $ is followed by a name (write $$ for a dollar sign)"),
    ("100 $", "'$': a $ is followed by a name (write $$ for a dollar sign)"),
])  # fmt: skip
def test_an_unknown_name_in_a_template_is_told_with_the_line_and_a_suggestion(
    tmp_path: Path, template: str, said: str
) -> None:
    text = f"""
jobs:
  a:
    every: 1h
    command: "true"
    deliver:
      to: phone
      subject: "{template}"
alerts: {{channels: {{phone: "ntfy://x"}}}}
"""
    assert problems(tmp_path, text) == [f"jobs.yaml:8:16: a: deliver.subject: {said}"]


def test_a_template_may_have_dollar_signs_and_braces(tmp_path: Path) -> None:
    deliver = "{to: phone, subject: '$$5 $${task_name}s', body: '$result $reason $duration {0} %s'}"
    assert problems(tmp_path, JOB % (f", deliver: {deliver}", "")) == []


SCHEMES = """
    alerts:
      channels:
        phone: ntfys://topic
        desk: {url: "nfty://topic", severity: high}
        odd: "zzqx://somebody:sesame@there"
        half: "mailto://nobody"
        site: https://example.org/hook
        hidden: {url: !secret "env:PHONE_URL"}
        file: {journal: told.jsonl}
    jobs: {a: {every: 1h, command: "true"}}
"""


def test_urls_that_apprise_does_not_understand_are_doubted_with_their_line_and_the_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONE_URL", "zzqx://x")
    config = read(tmp_path, SCHEMES)
    before = set(sys.modules)
    first, second, third = schemes.doubts(config)
    assert not any(name.startswith("apprise") for name in set(sys.modules) - before), "it stays out of here"
    assert str(first).endswith(
        "jobs.yaml:5:9: channel desk: no such Apprise scheme 'nfty://' (did you mean ntfy://?)"
    )
    assert "jobs.yaml:6:9: channel odd: no such Apprise scheme 'zzqx://'" in str(second)
    assert "sesame" not in str(second)
    assert "jobs.yaml:7:9: channel half: Apprise does not understand this mailto:// URL" in str(third)


def test_apprise_is_not_asked_where_no_channel_has_a_url(tmp_path: Path) -> None:
    def ask(_urls: object) -> None:
        raise AssertionError

    config = read(
        tmp_path, "alerts: {channels: {file: {journal: x}}}\njobs: {a: {every: 1h, command: 'true'}}\n"
    )
    assert schemes.doubts(config, ask) == ()


def test_where_apprise_cannot_be_asked_nothing_is_doubted_and_the_log_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = read(tmp_path, SCHEMES.replace("!secret", "").replace('"env:PHONE_URL"', "ntfy://x"))
    for program in ("/no/such/python", "/bin/false"):
        monkeypatch.setattr(schemes.sys, "executable", program)
        assert schemes.doubts(config) == ()
    assert caplog.text.count("Apprise could not be asked") == 2
