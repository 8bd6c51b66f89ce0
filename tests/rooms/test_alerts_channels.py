"""The channels: what arrives at real receivers, and what is said when it does not."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apprise
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from jarvis.alerts import apprised, desktop, imessage, telegram
from jarvis.alerts.channels import Channels, described, tokens
from jarvis.alerts.message import Message, NotAccepted, retry_after
from jarvis.core.telling import Alerts
from jarvis.errors import NotFound
from tests.rooms import receivers
from tests.rooms.launch_house import until

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MARKUP = '<script>alert(1)</script> <b>bold</b> & "quoted" *stars* [link](http://evil.example) `code` _x_'


def message(body: str = "exit code 1", *, title: str = "backup: failed", **changes: Any) -> Message:
    return Message(title=title, body=body, at=NOW, **{"severity": "high", **changes})


def channels(folder: Path, environ: dict[str, str] | None = None, **named: Any) -> Channels:
    slept: list[float] = []
    made = Channels.of(
        Alerts.model_validate({"channels": named}),
        folder=folder,
        environ={"PATH": os.environ["PATH"], **(environ or {})},
    )
    return Channels(by_name=made.by_name, folder=folder, environ=made.environ, sleep=slept.append)


def refusal(made: Channels, name: str = "phone", what: Message | None = None) -> NotAccepted:
    with pytest.raises(NotAccepted) as error:
        made.send(name, what or message())
    return error.value


# Apprise.


def test_any_apprise_url_takes_a_message_and_the_answer_is_told(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("thanks")
    made = channels(tmp_path, phone=f"json://127.0.0.1:{httpserver.port}/hook")
    assert made.send("phone", message()) == "HTTP 200 OK"
    said = json.loads(httpserver.log[0][0].data)
    assert (said["title"], said["message"], said["type"]) == ("backup: failed", "exit code 1", "failure")


@pytest.mark.parametrize("kind", ["text", "html", "markdown"])
def test_markup_in_a_text_is_harmless_in_every_format(
    tmp_path: Path, httpserver: HTTPServer, kind: str
) -> None:
    httpserver.expect_request("/").respond_with_data("")
    made = channels(tmp_path, phone=f"json://127.0.0.1:{httpserver.port}/?format={kind}")
    made.send("phone", message(MARKUP))
    said = json.loads(httpserver.log[0][0].data)["message"]
    if kind == "text":
        assert said == MARKUP
    elif kind == "html":
        assert "<script>" not in said and "<b>" not in said and "&lt;script&gt;" in said
    else:
        assert "[link](" not in said and "\\*stars\\*" in said


def test_a_mail_arrives_with_its_subject_and_markup_is_escaped_in_its_html(tmp_path: Path) -> None:
    with receivers.mail_server() as box:
        made = channels(tmp_path, plain=box.url(), html=box.url("&format=html"))
        assert made.send("plain", message(MARKUP)) == "accepted"
        assert [(mail["Subject"], mail.get_content_type()) for mail in box.mails] == [
            ("backup: failed", "text/plain")
        ]
        box.mails.clear()
        made.send("html", message(MARKUP))
        kinds = {part.get_content_type(): part for mail in box.mails for part in mail.walk()}
        html = bytes(kinds["text/html"].get_payload(decode=True)).decode()
        assert "&lt;script&gt;" in html and "<script>" not in html


@pytest.mark.parametrize(("status", "permanent"), [
    (400, True), (401, True), (403, True), (404, True), (410, True), (422, True),
    (408, False), (425, False), (429, False), (500, False), (502, False), (503, False), (302, False),
])  # fmt: skip
def test_a_4xx_that_cannot_get_better_is_permanent_and_the_rest_is_not(
    tmp_path: Path, httpserver: HTTPServer, status: int, permanent: bool
) -> None:
    httpserver.expect_request("/").respond_with_data("no", status=status)
    error = refusal(channels(tmp_path, phone=f"json://127.0.0.1:{httpserver.port}/"))
    assert error.permanent is permanent and f"HTTP {status}" in str(error)


def test_retry_after_of_a_429_is_honoured(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=429, headers={"Retry-After": "120"})
    error = refusal(channels(tmp_path, phone=f"json://127.0.0.1:{httpserver.port}/"))
    assert error.wait == timedelta(seconds=120) and not error.permanent


@pytest.mark.parametrize(("value", "seconds"), [
    ("0", 0), ("90", 90), (" 5 ", 5), ("999999", 86_400), ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
    ("Sun, 01 Mar 2026 11:00:00 GMT", 0), ("soon", None), (None, None), ("-3", None),
])  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: int | None) -> None:
    wait = retry_after(value, NOW)
    assert (None if wait is None else wait.total_seconds()) == seconds


def test_a_receiver_that_stalls_ends_at_the_timeout(tmp_path: Path) -> None:
    with receivers.line(receivers.stalls) as line:
        made = channels(tmp_path, phone={"url": f"json://127.0.0.1:{line.port}/", "timeout": "300ms"})
        assert "it did not answer within 0.3 s" in str(refusal(made))


def test_a_connection_that_is_refused_says_so_without_the_url(tmp_path: Path) -> None:
    with receivers.refusing() as port:
        error = refusal(channels(tmp_path, phone=f"json://me:hunter22@127.0.0.1:{port}/tokentoken123456"))
    assert str(error) == "it cannot be reached: Connection refused" and not error.permanent


def test_a_receiver_that_closes_in_the_middle_of_its_answer_has_not_accepted(tmp_path: Path) -> None:
    with receivers.line(receivers.hangs_up) as line:
        error = refusal(channels(tmp_path, phone=f"json://127.0.0.1:{line.port}/"))
        assert "closed the connection in the middle" in str(error) and not error.permanent


@pytest.mark.parametrize(("answer", "permanent"), [
    ("550 5.1.1 no such user here", True), ("451 4.7.1 greylisted, try again later", False),
])  # fmt: skip
def test_what_a_mail_server_answers_is_told_and_5xx_is_permanent(
    tmp_path: Path, answer: str, permanent: bool
) -> None:
    with receivers.mail_server() as box:
        box.answer = answer
        error = refusal(channels(tmp_path, mail=box.url()), "mail")
    assert answer in str(error) and error.permanent is permanent


def test_a_mail_server_that_is_down_is_said(tmp_path: Path) -> None:
    box = receivers.Mailbox()
    with receivers.refusing() as box.port:
        error = refusal(channels(tmp_path, mail=box.url()), "mail")
    assert str(error) == "it cannot be reached: Connection refused" and not error.permanent


def test_a_text_of_a_megabyte_is_cut_to_what_the_service_takes(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("")
    made = channels(tmp_path, phone=f"json://127.0.0.1:{httpserver.port}/")
    made.send("phone", message(MARKUP * 10_000, title="t" * 1_000))
    said = json.loads(httpserver.log[0][0].data)
    assert len(said["message"]) == 32_768 and said["message"].endswith("…")
    assert len(said["title"]) == 250 and said["title"].endswith("…")


@pytest.mark.parametrize("scheme", ["dbus", "gnome", "macosx", "windows"])
@pytest.mark.parametrize(("length", "ends"), [(199, "x"), (200, "x"), (201, "…"), (5_000, "…")])
def test_a_notification_of_any_desktop_is_cut_to_200_characters(scheme: str, length: int, ends: str) -> None:
    anything = apprise.Apprise.instantiate("json://127.0.0.1/")
    _, body = apprised.fitting(f"{scheme}://", anything, message("x" * length))
    assert len(body) == min(length, 200) and body.endswith(ends)
    assert apprised.fitting("json://127.0.0.1/", anything, message("x" * length))[1] == "x" * length


@pytest.mark.parametrize(
    "url",
    [
        "mailto://me:secret@example.org",
        "workflows://example.org/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
        "ntfy://example",
    ],
    ids=lambda url: url.partition(":")[0],
)
def test_mail_teams_and_their_like_are_urls_that_apprise_takes(url: str) -> None:
    assert apprise.Apprise.instantiate(url) is not None


def test_a_channel_waits_ten_seconds_for_its_receiver_and_says_one_message_a_minute(tmp_path: Path) -> None:
    found = channels(tmp_path, phone="ntfy://example").get("phone")
    assert (found.timeout, found.rate) == (timedelta(seconds=10), timedelta(seconds=60))


def test_a_scheme_that_apprise_does_not_know_is_permanent_and_the_url_is_not_shown(tmp_path: Path) -> None:
    error = refusal(channels(tmp_path, phone="nosuch://user:hunter22@example.org"))
    assert error.permanent and "nosuch" in str(error) and "hunter22" not in str(error)


# Secrets.


def test_a_secret_url_is_read_at_the_send_and_never_told(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/bottoken-4711-4711-4711").respond_with_data("", status=404)
    url = f"json://127.0.0.1:{httpserver.port}/bottoken-4711-4711-4711"
    made = channels(tmp_path, {"PHONE_URL": url}, phone={"url": {"$secret": "env:PHONE_URL"}})
    error = refusal(made)
    assert "4711" not in str(error) and "HTTP 404" in str(error)
    assert "4711" not in repr(made.by_name)


def test_a_secret_that_is_not_there_is_no_reason_to_give_up(tmp_path: Path) -> None:
    error = refusal(channels(tmp_path, phone={"url": {"$secret": "env:PHONE_URL"}}))
    assert not error.permanent and str(error).startswith("the secret env:PHONE_URL is not set")


def test_the_secrets_of_one_channel_are_hidden_in_the_texts_on_every_other(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("")
    made = channels(
        tmp_path,
        {"TOKEN": "123456:very-secret-token"},
        phone=f"json://127.0.0.1:{httpserver.port}/",
        bot={"telegram": {"token": {"$secret": "env:TOKEN"}, "chat": "1"}},
        mail="mailto://me:hunter22@example.org",
    )
    made.send("phone", message("bot123456:very-secret-token and hunter22", title="hunter22 was refused"))
    said = json.loads(httpserver.log[0][0].data)
    assert (said["message"], said["title"]) == ("bot[secret] and [secret]", "[secret] was refused")


@pytest.mark.parametrize(("url", "found"), [
    ("mailto://me:hunter22@example.org", {"hunter22"}),
    ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", {"TIiajkdnlazkcOXrIdevi7FQ"}),
    ("json://user:p%40ss@example.org/a", {"p%40ss", "p@ss"}),
    ("ntfy://example", set()),
])  # fmt: skip
def test_what_is_secret_in_a_url(url: str, found: set[str]) -> None:
    assert tokens(url) == found


def test_a_channel_is_described_without_anything_that_opens_it(tmp_path: Path) -> None:
    made = channels(
        tmp_path,
        mail="mailto://me:hunter22@example.org",
        hidden={"url": {"$secret": "env:URL"}},
        bot={"telegram": {"token": "123:abc", "chat": 1}},
        desk={"macos": True},
        say={"command": ["wall", "-n"]},
        file={"journal": "~/alerts.jsonl"},
    )
    assert [described(one) for one in made.by_name.values()] == [
        "mailto://…", "!secret env:URL", "telegram", "macos", "command wall -n", "journal ~/alerts.jsonl",
    ]  # fmt: skip


# Telegram.


def bot(httpserver: HTTPServer, **more: Any) -> dict[str, Any]:
    return {
        "telegram": {"token": "123:abc", "chat": 42, "api": f"http://127.0.0.1:{httpserver.port}"},
        **more,
    }


def test_telegram_gets_the_severity_as_an_emoji_and_the_title_in_bold(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/bot123:abc/sendMessage", method="POST").respond_with_json({"ok": True})
    made = channels(tmp_path, phone=bot(httpserver))
    assert made.send("phone", message("disk <98 %> & full", title="a < b")) == "HTTP 200 OK"
    assert json.loads(httpserver.log[0][0].data) == {
        "chat_id": "42",
        "text": "<b>🟠 a &lt; b</b>\ndisk &lt;98 %&gt; &amp; full",
        "parse_mode": "HTML",
        "disable_web_page_preview": True,
    }


@pytest.mark.parametrize(("severity", "sign"), [
    ("critical", "🔴"), ("high", "🟠"), ("medium", "🟡"), ("low", "🔵"), ("info", "⚪"),
])  # fmt: skip
def test_every_severity_has_its_emoji(severity: str, sign: str) -> None:
    assert telegram.text(message(severity=severity)).startswith(f"<b>{sign} ")


def test_a_recovery_is_a_check_mark() -> None:
    assert telegram.text(message(kind="recovery", severity="critical")).startswith("<b>✅ ")


def test_telegram_is_tried_three_times_after_one_and_two_seconds(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/bot123:abc/sendMessage").respond_with_data("", status=502)
    made = channels(tmp_path, phone=bot(httpserver))
    assert "HTTP 502" in str(refusal(made))
    assert len(httpserver.log) == 3
    assert made.sleep.__self__ == [1, 2]  # type: ignore[attr-defined]


def test_telegram_is_not_asked_again_after_a_4xx(tmp_path: Path, httpserver: HTTPServer) -> None:
    answer = {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    httpserver.expect_request("/bot123:abc/sendMessage").respond_with_json(answer, status=403)
    error = refusal(channels(tmp_path, phone=bot(httpserver)))
    assert len(httpserver.log) == 1 and error.permanent
    assert "bot was blocked by the user" in str(error)


def test_telegram_says_how_long_to_wait_after_too_many_messages(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    answer = {"ok": False, "error_code": 429, "description": "Too Many", "parameters": {"retry_after": 33}}
    httpserver.expect_request("/bot123:abc/sendMessage").respond_with_json(answer, status=429)
    error = refusal(channels(tmp_path, phone=bot(httpserver)))
    assert len(httpserver.log) == 1 and error.wait == timedelta(seconds=33) and not error.permanent


def test_telegram_that_succeeds_at_the_third_try_has_accepted(tmp_path: Path, httpserver: HTTPServer) -> None:
    path = "/bot123:abc/sendMessage"
    httpserver.expect_ordered_request(path).respond_with_data("", status=500)
    httpserver.expect_ordered_request(path).respond_with_data("", status=500)
    httpserver.expect_ordered_request(path).respond_with_json({"ok": True})
    assert channels(tmp_path, phone=bot(httpserver)).send("phone", message()) == "HTTP 200 OK"


def test_telegram_that_is_not_there_says_so_without_its_token(tmp_path: Path) -> None:
    with receivers.refusing() as port:
        bot = {"token": "123:abcdefgh", "chat": 1, "api": f"http://127.0.0.1:{port}"}
        error = refusal(channels(tmp_path, phone={"telegram": bot}))
    assert str(error) == "it cannot be reached: Connection refused"


@pytest.mark.parametrize("length", [4_000, 4_060, 4_096, 100_000])
def test_a_text_for_telegram_has_4096_characters_at_most_and_no_half_references(length: int) -> None:
    said = telegram.text(message("&" * length, title="t" * 500))
    assert len(said) <= 4_096
    assert said.endswith(("&amp;", "…"))
    assert said.replace("&amp;", "").count("&") == 0


# The desktop of a Mac.


def fake_osascript(folder: Path, code: int = 0) -> Path:
    program = folder / "osascript"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"json.dump(sys.argv[1:], open({str(folder / 'argv')!r}, 'w'))\n"
        f"sys.stderr.write('execution error: not allowed') if {code} else None\nsys.exit({code})\n"
    )
    program.chmod(0o755)
    return program


def test_a_notification_is_shown_by_a_fixed_script_and_the_text_is_its_argument() -> None:
    evil = message('" & (do shell script "rm -rf /") & "', title='x" with title "y')
    argv = desktop.argv(evil)
    script = [word for flag, word in zip(argv[1:-5:2], argv[2:-4:2], strict=True) if flag == "-e"]
    assert script == list(desktop.SCRIPT)
    assert argv[-4:] == ["--", '🟠 x" with title "y', '" & (do shell script "rm -rf /") & "', "Basso"]


def test_the_whole_command_line_of_a_notification() -> None:
    assert desktop.argv(message(severity="critical")) == [
        "osascript",
        "-e", "on run argv",
        "-e", "set theTitle to item 1 of argv",
        "-e", "set theText to item 2 of argv",
        "-e", "set theSound to item 3 of argv",
        "-e", 'if theSound is "" then',
        "-e", "display notification theText with title theTitle",
        "-e", "else",
        "-e", "display notification theText with title theTitle sound name theSound",
        "-e", "end if",
        "-e", "end run",
        "--", "🔴 backup: failed", "exit code 1", "Sosumi",
    ]  # fmt: skip


@pytest.mark.parametrize(("severity", "sound"), [
    ("critical", "Sosumi"), ("high", "Basso"), ("medium", "Ping"), ("low", "Pop"), ("info", ""),
])  # fmt: skip
def test_the_sound_of_a_notification_follows_the_severity(severity: str, sound: str) -> None:
    assert desktop.argv(message(severity=severity))[-1] == sound


@pytest.mark.parametrize(("length", "ends"), [(199, "x"), (200, "x"), (201, "…"), (5_000, "…")])
def test_the_body_of_a_notification_is_cut_to_200_characters_with_an_ellipsis(length: int, ends: str) -> None:
    shown = desktop.argv(message("x" * length))[-2]
    assert len(shown) == min(length, 200) and shown.endswith(ends)


def test_a_notification_reaches_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_osascript(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert channels(tmp_path, desk={"macos": True}).send("desk", message(MARKUP)) == "osascript took it"
    assert json.loads((tmp_path / "argv").read_text())[-2] == MARKUP


def test_a_notification_that_is_not_allowed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_osascript(tmp_path, 1)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    error = refusal(channels(tmp_path, desk={"macos": True}), "desk")
    assert str(error) == "osascript ended with exit code 1: execution error: not allowed"


def test_an_imessage_is_sent_by_a_fixed_script_to_its_recipient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_osascript(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    made = channels(tmp_path, {"ME": "+44 7700 900123"}, me={"imessage": {"$secret": "env:ME"}})
    assert made.send("me", message('" & (do shell script "rm -rf /") & "')) == "osascript took it"
    assert json.loads((tmp_path / "argv").read_text()) == [
        "-e", "on run argv",
        "-e", "set theRecipient to item 1 of argv",
        "-e", "set theText to item 2 of argv",
        "-e", 'tell application "Messages"',
        "-e", "set theAccount to 1st account whose service type is iMessage",
        "-e", "send theText to participant theRecipient of theAccount",
        "-e", "end tell",
        "-e", "end run",
        "--", "+44 7700 900123", '🟠 backup: failed\n" & (do shell script "rm -rf /") & "',
    ]  # fmt: skip
    assert described(made.by_name["me"]) == "imessage"


@pytest.mark.parametrize(("length", "ends"), [(3_482, "x"), (3_483, "x"), (3_484, "…"), (100_000, "…")])
def test_an_imessage_has_3500_characters_at_most(length: int, ends: str) -> None:
    said = imessage.argv(message("x" * length), "me@example.org")[-1]
    assert len(said) == min(length + 17, 3_500) and said.endswith(ends)


def test_an_imessage_that_messages_refuses_says_why_without_the_recipient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_osascript(tmp_path, 1)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    error = refusal(channels(tmp_path, {"ME": "not allowed"}, me={"imessage": {"$secret": "env:ME"}}), "me")
    assert str(error) == "osascript ended with exit code 1: execution error: [secret]" and not error.permanent


def test_without_osascript_this_is_no_mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal(channels(tmp_path, desk={"macos": True}), "desk")
    assert error.permanent and "no Mac" in str(error)


# A command.


def test_a_command_gets_the_message_as_json_and_in_its_environment(tmp_path: Path) -> None:
    names = " ".join(f'"$JARVIS_ALERT_{name}"' for name in ("SEVERITY", "TITLE", "BODY"))
    command = f'cat > said.json; printf "%s|%s|%s" {names} > env'
    made = channels(tmp_path, say={"command": command})
    assert made.send("say", message(MARKUP, ids=(7,))) == "exit code 0"
    assert json.loads((tmp_path / "said.json").read_text()) == {
        "channel": "say", "kind": "alert", "severity": "high", "title": "backup: failed", "body": MARKUP,
        "at": "2026-03-01T12:00:00Z", "ids": [7], "count": 1, "run": None,
    }  # fmt: skip
    assert (tmp_path / "env").read_text() == f"high|backup: failed|{MARKUP}"


def test_a_command_as_a_list_runs_without_a_shell(tmp_path: Path) -> None:
    made = channels(tmp_path, say={"command": ["sh", "-c", 'echo "$1"', "-", "$HOME; rm -rf /"]})
    assert made.send("say", message()) == "exit code 0: $HOME; rm -rf /"


def test_a_command_that_fails_has_not_accepted_and_its_words_are_told(tmp_path: Path) -> None:
    made = channels(tmp_path, say={"command": "echo no paper; exit 3"})
    assert str(refusal(made, "say")) == "it ended with exit code 3: no paper"


def test_a_command_that_is_not_there_is_permanent(tmp_path: Path) -> None:
    error = refusal(channels(tmp_path, say={"command": ["no-such-program"]}), "say")
    assert error.permanent and "there is no program no-such-program" in str(error)


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    command, pid = "sleep 60 & echo $! > draft; mv draft child; sleep 60", tmp_path / "child"
    for seconds in (0.5, 5, 20):  # where it had not come to its children yet, it is given longer
        made = channels(tmp_path, say={"command": command, "timeout": f"{round(seconds * 1000)}ms"})
        assert f"did not end within {seconds:g} s and was killed" in str(refusal(made, "say"))
        if pid.exists():
            break
    until(lambda: not alive(int(pid.read_text())))


def alive(pid: int) -> bool:
    """A process that has ended and that nobody asked about yet is not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_command_that_reads_nothing_and_leaves_something_behind_has_accepted(tmp_path: Path) -> None:
    made = channels(tmp_path, say={"command": "sleep 30 & exit 0"})
    began = time.monotonic()
    assert made.send("say", message("x" * 1_000_000)) == "exit code 0"
    assert time.monotonic() - began < 25, "what it left goes on for half a minute"


# A file.


def test_a_journal_gets_one_line_of_json_for_each_message_and_is_the_owners_alone(tmp_path: Path) -> None:
    made = channels(tmp_path, file={"journal": "logs/alerts.jsonl"})
    for number in range(3):
        made.send("file", message(f"{number}\nsecond line"))
    path = tmp_path / "logs" / "alerts.jsonl"
    assert [json.loads(line)["body"] for line in path.read_text().splitlines()] == [
        f"{number}\nsecond line" for number in range(3)
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_of_several_writers_never_mix(tmp_path: Path) -> None:
    made = channels(tmp_path, file={"journal": "alerts.jsonl"})

    def write(letter: str) -> None:
        for _ in range(20):
            made.send("file", message(letter * 50_000))

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert len(lines) == 80 and all(len(set(json.loads(line)["body"])) == 1 for line in lines)


def test_a_journal_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    error = refusal(channels(tmp_path, file={"journal": "folder"}), "file")
    assert "folder cannot be written: Is a directory" in str(error) and not error.permanent


# All of them.


def test_an_unknown_channel_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no channel 'fone' \(did you mean 'phone'\?\)"):
        channels(tmp_path, phone="ntfy://example").send("fone", message())


def test_messages_go_directly_without_a_ledger_and_one_that_stalls_holds_up_no_other(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("")
    with receivers.line(receivers.drips) as line:
        made = channels(
            tmp_path,
            slow={"url": f"json://127.0.0.1:{line.port}/", "timeout": "2s"},
            phone=f"json://127.0.0.1:{httpserver.port}/",
            file={"journal": "alerts.jsonl", "timeout": "2s"},
            broken={"command": "exit 1", "timeout": "2s"},
        )
        said = made.directly(["slow", "file", "broken", "unknown"], message())
        assert said == {
            "slow": "it did not answer in time",
            "file": None,
            "broken": "it ended with exit code 1",
        }
    assert made.directly(["phone"], message()) == {"phone": None}
    assert made.directly([], message()) == {}


def test_a_receiver_that_redirects_is_followed(tmp_path: Path, httpserver: HTTPServer) -> None:
    moved = Response(status=307, headers={"Location": httpserver.url_for("/there")})
    httpserver.expect_request("/here").respond_with_response(moved)
    httpserver.expect_request("/there").respond_with_data("")
    made = channels(tmp_path, phone=f"json://127.0.0.1:{httpserver.port}/here")
    assert made.send("phone", message()) == "HTTP 200 OK"
