"""A secret that a job prints is never stored, in whatever form and however it arrives."""

from __future__ import annotations

import base64
import itertools
import json
import os
import stat
import sys
import time
import urllib.parse
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.handling import launch, transcript
from jarvis.handling.lean import output, veil
from tests.rooms import launch_house
from tests.rooms.launch_house import House, until

CANARY = "canary-7f3a91c5-sings"
KEY = (
    "-----BEGIN KEY-----\n" + "\n".join(f"{number:02}kanarienvogel" * 4 for number in range(20)) + "\n--END--"
)
MARK = "[secret]"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with launch_house.house(tmp_path / "runs") as made:
        yield made


def shell(house: House, script: str, **fields: Any) -> int:
    """A script that finds the canary in $S; the run."""
    run = house.start("/bin/sh", "-c", script, **{"env": {"S": CANARY}, "hidden": (CANARY,)} | fields)
    house.result(run)
    return run


def passed(pieces: list[bytes], *values: str) -> bytes:
    one = veil.Veil(veil.Forms(values))
    return b"".join(bytes(one.more(piece)) for piece in pieces) + bytes(one.rest())


def stored(house: House, *words: str) -> list[str]:
    """The files that hold one of the words."""
    files = [path for path in house.runs.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(word.encode() in path.read_bytes() for word in words)]


class TestForms:
    @pytest.mark.parametrize("value", [CANARY, 'p/w+<ü> "it\'s" 50%&\\', KEY], ids=["plain", "odd", "key"])
    @pytest.mark.parametrize(
        "write",
        [
            pytest.param(lambda text: text, id="as it is"),
            pytest.param(lambda text: base64.b64encode(text.encode()).decode(), id="base64"),
            pytest.param(lambda text: base64.b64encode(text.encode()).decode().rstrip("="), id="no padding"),
            pytest.param(lambda text: base64.urlsafe_b64encode(text.encode()).decode(), id="url-safe base64"),
            pytest.param(
                lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="), id="a token"
            ),
            pytest.param(lambda text: urllib.parse.quote(text, safe=""), id="percent"),
            pytest.param(lambda text: urllib.parse.quote(text), id="a path"),
            pytest.param(lambda text: urllib.parse.quote_plus(text), id="a form"),
            pytest.param(lambda text: json.dumps(text)[1:-1], id="JSON"),
            pytest.param(lambda text: json.dumps(text, ensure_ascii=False)[1:-1], id="JSON in UTF-8"),
            pytest.param(lambda text: json.dumps(text)[1:-1].replace("/", "\\/"), id="JSON of PHP"),
            pytest.param(lambda text: repr(text)[1:-1], id="Python"),
            pytest.param(lambda text: repr(text.encode())[2:-1], id="bytes of Python"),
        ],
    )
    def test_are_all_hidden_as_one(self, value: str, write: Any) -> None:
        assert veil.hide(f"<{write(value)}>", veil.Forms([value])) == f"<{MARK}>"

    @pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
    @pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
    @pytest.mark.parametrize("value", [CANARY, "abcd", "üöä?>~"])
    def test_are_found_inside_longer_base64(self, before: str, value: str, after: str) -> None:
        code = base64.b64encode((before + value + after).encode())
        shown = passed([b"Authorization: Basic " + code], value)
        assert b"Basic" in shown and MARK.encode() in shown
        rest = shown.replace(b"Authorization: Basic ", b"").replace(MARK.encode(), b"")
        assert len(rest) <= -(-len(before) * 8 // 6) + -(-len(after) * 8 // 6) + 3

    @pytest.mark.parametrize("width", [76, 64])
    def test_are_found_in_base64_broken_into_lines(self, width: int) -> None:
        code = base64.b64encode(KEY.encode()).decode()
        lines = [code[at : at + width] for at in range(0, len(code), width)]
        shown = veil.hide("\n".join(lines), veil.Forms([KEY])).split("\n")
        assert shown == [MARK] * len(lines)

    def test_lines_of_a_key_are_secrets_too(self) -> None:
        text = "".join(f"> {line}\r\n" for line in KEY.splitlines())
        assert veil.hide(text, veil.Forms([KEY])) == f"> {MARK}\r\n" * len(KEY.splitlines())

    @pytest.mark.parametrize("value", ["", "1", "abc", "    ", " a b ", "\n\n\n\n\n"])
    def test_of_very_short_values_are_none(self, value: str) -> None:
        assert passed([b"1 abc   a b \n\n\n\n\n\n"], value) == b"1 abc   a b \n\n\n\n\n\n"

    def test_that_overlap_are_hidden_together(self) -> None:
        forms = veil.Forms(["abcdef", "defghi", "cdef"])
        assert veil.hide("xabcdefghiy abcdefabcdef", forms) == f"x{MARK}y {MARK}{MARK}"

    def test_a_text_that_is_no_unicode_is_hidden_in_all_the_same(self) -> None:
        forms = veil.Forms(["ab\udcffcd"])
        assert veil.hide("\udcfe ab\udcffcd", forms) == f"\udcfe {MARK}"
        assert veil.hide("\ud800 ab\udcffcd", forms).startswith("?")


class TestStream:
    TEXT = f"said {CANARY}, {CANARY}{CANARY} and {CANARY[:-1]} {CANARY}"
    SHOWN = f"said {MARK}, {MARK}{MARK} and {CANARY[:-1]} {MARK}"

    @pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 20, 21, 22])
    def test_is_the_same_in_pieces_of_any_size(self, count: int) -> None:
        data = self.TEXT.encode()
        pieces = [data[at : at + count] for at in range(0, len(data), count)]
        assert passed(pieces, CANARY) == self.SHOWN.encode()

    def test_is_the_same_wherever_it_is_cut(self) -> None:
        data = self.TEXT.encode()
        shown = {passed([data[:at], data[at:]], CANARY) for at in range(len(data) + 1)}
        assert shown == {self.SHOWN.encode()}

    @pytest.mark.parametrize("few", [veil.FEW, 0], ids=["one by one", "by their heads"])
    @given(
        values=st.lists(st.text("ab\n", min_size=4, max_size=9), min_size=1, max_size=3),
        text=st.text("ab\n", max_size=60),
        cuts=st.lists(st.integers(0, 60)),
    )
    def test_hides_everything_and_nothing_else_for_any_values_and_cuts(
        self, few: int, values: list[str], text: str, cuts: list[int]
    ) -> None:
        data = text.encode()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(veil, "FEW", few)
            forms = veil.Forms(values)
            one, shown = veil.Veil(forms), b""
            for start, end in itertools.pairwise(
                sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
            ):
                shown += bytes(one.more(data[start:end]))
            shown += bytes(one.rest())
        covered = bytearray(len(data))
        marks, reach = 0, 0
        for at, form in sorted(
            (at, form) for at in range(len(data)) for form in forms.all if data.startswith(form, at)
        ):
            covered[at : at + len(form)] = b"\1" * len(form)
            marks += at >= reach
            reach = max(reach, at + len(form))
        assert shown.replace(MARK.encode(), b"") == bytes(
            byte for byte, hidden in zip(data, covered, strict=True) if not hidden
        )
        assert shown.count(MARK.encode()) == marks

    def test_holds_back_only_what_may_be_the_beginning_of_a_secret(self) -> None:
        one = veil.Veil(veil.Forms([CANARY]))
        assert bytes(one.more(b"a line\n")) == b"a line\n"
        assert bytes(one.more(b"prompt> can")) == b"prompt> "
        assert bytes(one.more(b"not\n")) == b"cannot\n"
        assert bytes(one.more(CANARY[:-1].encode())) == b""
        assert bytes(one.rest()) == CANARY[:-1].encode()

    def test_that_repeats_itself_for_ever_is_not_kept_in_memory(self) -> None:
        one = veil.Veil(veil.Forms(["aaaa"]))
        shown = b"".join(bytes(one.more(b"a" * 1_000)) for _ in range(20)) + bytes(one.rest())
        assert shown == MARK.encode()
        assert not one._held


class TestRun:
    def test_split_at_every_place_between_two_writes_is_hidden(self, house: House) -> None:
        program = (
            "import os, time\n"
            "s = os.environ['S']\n"
            "for at in range(len(s) + 1):\n"
            "    os.write(1, s[:at].encode()); time.sleep(0.01)\n"
            "    os.write(1, s[at:].encode() + b'\\n'); time.sleep(0.003)\n"
        )
        run = house.start(sys.executable, "-c", program, env={"S": CANARY}, hidden=(CANARY,))
        result = house.result(run)
        expected = f"{MARK}\n".encode() * (len(CANARY) + 1)
        assert house.output(run) == expected
        assert result.output_bytes == len(expected)

    @pytest.mark.parametrize("size", [65_536, 1_048_576], ids=["a small read", "a large read"])
    def test_across_the_end_of_a_read_is_hidden(self, house: House, size: int) -> None:
        """Every offset around the end of a full read of the pipe."""
        program = (
            "import os, sys\n"
            f"s, size = os.environ['S'].encode(), {size}\n"
            "for at in range(0, len(s) + 1):\n"
            "    sys.stdout.buffer.write(b'.' * (size - at - 1) + b'\\n' + s + b'\\n')\n"
        )
        run = house.start(sys.executable, "-c", program, env={"S": CANARY}, hidden=(CANARY,), cap=100_000_000)
        house.result(run)
        text = house.file(run, "output").read_bytes()
        assert CANARY.encode() not in text
        assert text.count(MARK.encode()) == len(CANARY) + 1
        assert [len(line) for line in text.split(b"\n")[::2]][:-1] == [
            size - at - 1 for at in range(len(CANARY) + 1)
        ]

    @pytest.mark.parametrize("cap", [1, 7, 100, 1_000, 9_999])
    def test_a_cap_cuts_what_is_hidden_already(self, house: House, cap: int) -> None:
        text = "".join(f"{number} {MARK}\n" for number in range(1_000)).encode()
        script = 'i=0; while [ $i -lt 1000 ]; do echo "$i $S"; i=$((i+1)); done'
        run = shell(house, script, cap=cap)
        head, tail = cap - cap // 2, cap // 2
        kept = text[:head] + (output.gap(len(text) - cap) if tail else b"") + text[len(text) - tail :]
        result = launch_result(house, run)
        assert house.file(run, "output").read_bytes() == kept
        assert (result.output_bytes, result.output_dropped) == (len(text), len(text) - cap)

    def test_positions_count_what_is_stored(self, house: House) -> None:
        run = shell(house, 'echo "$S"; echo after')
        assert transcript.read(house.runs, run, len(MARK) + 1) == (b"after\n", len(MARK) + 7)

    def test_binary_output_is_otherwise_left_as_it_is(self, house: House) -> None:
        everything = bytes(range(256)) * 300
        program = (
            "import os, sys\n"
            "every = bytes(range(256)) * 300\n"
            "sys.stdout.buffer.write(every + os.environb[b'S'] + every)\n"
        )
        run = house.start(sys.executable, "-c", program, env={"S": CANARY}, hidden=(CANARY,))
        house.result(run)
        assert house.output(run) == everything + MARK.encode() + everything

    def test_a_secret_that_is_no_utf8_is_hidden(self, house: House) -> None:
        secret = os.fsdecode(b"\xff\xfe-canary-\x80")
        run = house.start("/bin/sh", "-c", 'printf "%s\\n" "$S"', env={"S": secret}, hidden=(secret,))
        house.result(run)
        assert house.output(run) == f"{MARK}\n".encode()

    def test_errors_and_steps_before_and_after_are_hidden(self, house: House) -> None:
        step = launch.StepRequest(argv=("/bin/sh", "-c", 'echo "step $S"; echo "wrong $S" >&2'))
        run = shell(house, 'echo "out $S"; echo "err $S" >&2', before=(step,), after=(step,))
        said = f"step {MARK}\nwrong {MARK}\n"
        assert house.output(run).decode() == f"{said}out {MARK}\nerr {MARK}\n{said}"

    def test_a_key_is_hidden_as_a_whole_and_line_by_line(self, house: House) -> None:
        run = shell(
            house, 'printf "%s\n" "$S"; printf "%s\n" "$S" | tail -n 3', env={"S": KEY}, hidden=(KEY,)
        )
        assert house.output(run).decode() == f"{MARK}\n" * 4

    def test_a_traceback_of_a_python_handler_shows_none(self, house: House, tmp_path: Path) -> None:
        handler = tmp_path / "spill.py"
        handler.write_text(
            "import base64, sys, threading\n"
            "def run(ctx, *, token: str):\n"
            "    print('printed', token)\n"
            "    print('coded', base64.b64encode(b'user:' + token.encode()).decode(), file=sys.stderr)\n"
            "    thread = threading.Thread(target=lambda: {}[token]); thread.start(); thread.join()\n"
            "    raise RuntimeError(f'cannot log in with {token!r}')\n"
        )
        run = 77
        payload = {
            "handler": "spill",
            "file": str(handler),
            "with": {"token": CANARY},
            "dir": str(house.file(run, "")),
            "run": {
                "id": run,
                "job": "job",
                "fire": "manual:77",
                "scheduled_at": "2026-11-20T10:00:00+00:00",
            },
            "secrets": {"env:TOKEN": CANARY},
        }
        house.start(
            *(sys.executable, "-m", "jarvis.handling.child"),
            run=run,
            cwd=str(Path(launch.__file__).parents[2]),
            payload=json.dumps(payload),
            hidden=(CANARY,),
        )
        assert house.result(run).exit_code == 1
        text = house.output(run).decode()
        assert f"printed {MARK}" in text and f"KeyError: '{MARK}'" in text
        assert f"cannot log in with '{MARK}'" in text
        assert (
            stored(house, CANARY, *(base64.b64encode(CANARY.encode()[at:])[:16].decode() for at in range(3)))
            == []
        )

    def test_the_result_names_none(self, house: House) -> None:
        missing = house.run(f"/nowhere/{CANARY}", hidden=(CANARY,))
        assert missing.error == f"could not start: no such file: /nowhere/{MARK}; check the path and cwd"
        step = launch.StepRequest(argv=("/bin/sh", "-c", f"exit 3 # {CANARY}"))
        assert (house.run("/bin/true", before=(step,), hidden=(CANARY,)).step or "").endswith(
            f"exit 3 # {MARK}"
        )
        run = house.start("/bin/sleep", "60", hidden=(CANARY,))
        house.notice("started", run)
        house.launcher.stop_run(run, f"somebody typed {CANARY}")
        assert house.result(run).cancelled == f"somebody typed {MARK}"

    def test_following_is_not_kept_waiting(self, house: House, tmp_path: Path) -> None:
        """A line that is no beginning of a secret is there while the run goes on, without anything after it."""
        go = tmp_path / "go"
        script = (
            f'echo "first $S"; printf "prompt> can"; while [ ! -e {go} ]; do sleep 0.005; done; echo " be"'
        )
        run = house.start("/bin/sh", "-c", script, env={"S": CANARY}, hidden=(CANARY,))
        until(lambda: house.output(run) == f"first {MARK}\nprompt> ".encode())
        go.touch()
        house.result(run)
        assert house.output(run) == f"first {MARK}\nprompt> can be\n".encode()

    def test_a_great_deal_of_output_is_hidden_in_too(self, house: House) -> None:
        """200 MB in which the secret stands where reads end anyhow."""
        line = ("x" * 9_970 + CANARY).encode()[-9_999:] + b"\n"
        count = 200_000_000 // len(line)
        run = shell(house, f'yes "$(printf %{len(line) - 1 - len(CANARY)}s | tr " " x)$S" | head -n {count}')
        result = launch_result(house, run)
        assert result.output_bytes == count * (len(line) - len(CANARY) + len(MARK))
        assert stored(house, CANARY) == []

    def test_no_file_and_no_command_line_ever_holds_it(self, house: House, tmp_path: Path) -> None:
        go = tmp_path / "go"
        script = (
            'echo "$S"; echo "$S" | base64; cat; seq 20000; echo "$S" >&2; '
            f"while [ ! -e {go} ]; do sleep 0.005; done; echo $S"
        )
        values = (CANARY, KEY)
        run = house.start(
            *("/bin/sh", "-c", script), env={"S": CANARY}, stdin=KEY, hidden=values, cap=20_000, timeout=None
        )
        house.notice("started", run)
        until(lambda: house.file(run, "output.tail").exists())
        words = (CANARY, "kanarienvogel", base64.b64encode(CANARY.encode())[:20].decode())
        assert stored(house, *words) == []
        assert not [pid for word in words for pid in launch_house.running(word)]
        go.touch()
        house.result(run)
        assert stored(house, *words) == []
        assert MARK.encode() in house.output(run)

    def test_a_request_shows_none_and_takes_no_short_ones_along(self, house: House) -> None:
        request = house.request("/bin/true", hidden=(CANARY, "abc"))
        assert CANARY not in repr(request)
        assert json.loads(request.frame(house.runs)[12:])["hidden"] == [CANARY]


class TestFile:
    @pytest.mark.parametrize("fields", [{}, {"nice": 1}], ids=["spawned", "forked"])
    @pytest.mark.parametrize(
        ("kind", "before"), [("append", "old\n"), ("truncate", "")], ids=["appended", "truncated"]
    )
    def test_gets_none(
        self, house: House, tmp_path: Path, kind: Any, before: str, fields: dict[str, Any]
    ) -> None:
        log = tmp_path / "log"
        log.write_text("old\n")
        stream = launch.Stream(kind=kind, path="log")
        step = launch.StepRequest(argv=("/bin/sh", "-c", 'echo "step $S"'))
        wish = {"before": (step,), "after": (step,), "cwd": str(tmp_path)} | fields
        run = shell(house, 'echo "out $S"; echo "err $S" >&2', stdout=stream, stderr=stream, **wish)
        assert log.read_text() == f"{before}step {MARK}\nout {MARK}\nerr {MARK}\nstep {MARK}\n"
        assert launch_result(house, run).output_problem is None
        assert stored(house, CANARY) == []

    @pytest.mark.parametrize("fields", [{}, {"nice": 1}], ids=["spawned", "forked"])
    def test_that_cannot_be_opened_is_told_as_ever(self, house: House, tmp_path: Path, fields: Any) -> None:
        stream = launch.Stream(kind="append", path=str(tmp_path / "no" / "log"))
        said = {
            house.run("/bin/true", stdout=stream, **fields, **more).error
            for more in ({}, {"hidden": (CANARY,)})
        }
        assert said == {
            f"could not start: cannot open {tmp_path}/no/log for stdout: no such file or directory"
        }

    def test_has_the_umask_of_the_job(self, house: House, tmp_path: Path) -> None:
        stream = launch.Stream(kind="append", path=str(tmp_path / "log"))
        shell(house, "echo $S", stdout=stream, umask=0o027)
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640

    @pytest.mark.needs("root")
    def test_is_opened_as_the_user_of_the_job(self, house: House, tmp_path: Path) -> None:
        for folder in (tmp_path, *itertools.takewhile(lambda one: one != Path("/tmp"), tmp_path.parents)):
            folder.chmod(0o755)
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        os.chown(theirs, 1234, 1234)
        stream = launch.Stream(kind="append", path=str(theirs / "log"))
        wish: dict[str, Any] = {"uid": 1234, "gid": 1234, "groups": (1234,), "cwd": "/"}
        run = shell(house, "echo $S; id -u", stdout=stream, **wish)
        assert launch_result(house, run).error is None
        info = (theirs / "log").stat()
        assert (info.st_uid, info.st_gid) == (1234, 1234)
        assert (theirs / "log").read_text() == f"{MARK}\n1234\n"
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        refused = house.run(
            "/bin/true",
            stdout=launch.Stream(kind="append", path=str(closed / "log")),
            hidden=(CANARY,),
            **wish,
        )
        assert refused.error == f"could not start: cannot open {closed}/log for stdout: permission denied"
        # the next run of the same supervisor is root's again
        assert house.sh(f"test $(id -u) = 0 && touch {closed}/mine").exit_code == 0

    def test_of_a_detached_job_is_written_after_its_end(self, house: House, tmp_path: Path) -> None:
        log, go = tmp_path / "log", tmp_path / "go"
        script = f'(printf "%.9s" "$S"; while [ ! -e {go} ]; do sleep 0.005; done;'
        script += ' echo "$S" | tail -c +10; echo "$S") &'
        stream = launch.Stream(kind="append", path=str(log))
        shell(house, script, stdout=stream, stderr=launch.Stream(kind="discard"), detach=True)
        assert log.read_bytes() == b""
        go.touch()
        until(lambda: log.read_text().endswith(f"\n{MARK}\n"))
        assert log.read_text() == f"{MARK}\n{MARK}\n"

    def test_that_takes_no_more_makes_the_job_wait_and_not_its_supervisor(
        self, house: House, tmp_path: Path
    ) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        run = self.start(house, fifo, 'i=0; while [ $i -lt 20000 ]; do echo "$i $S"; i=$((i+1)); done')
        house.notice("started", run)
        os.set_blocking(reader, True)
        with os.fdopen(reader, "rb") as file:
            text = file.read(60_000)
            assert not house.said("ended", run)
            text += file.read()
        assert house.result(run).output_problem is None
        assert text.decode() == "".join(f"{number} {MARK}\n" for number in range(20_000))

    def test_that_is_read_after_the_end_of_the_job_still_gets_all_of_it(
        self, house: House, tmp_path: Path
    ) -> None:
        """Far more than the pipe itself holds; the last bytes could be the beginning of a secret."""
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        run = self.start(house, fifo, f'printf %0150000d 0; printf "${{S}}{CANARY[:7]}"; exit 3')
        pid = house.notice("started", run).pid
        until(lambda: not Path(f"/proc/{pid}").exists())
        os.set_blocking(reader, True)
        text = b""
        while len(text) < 80_000:
            text += os.read(reader, 1_000)
            assert not house.said("ended", run)
        with os.fdopen(reader, "rb") as file:
            text += file.read()
        result = house.result(run)
        assert text.decode() == "0" * 150_000 + MARK + CANARY[:7]
        assert (result.exit_code, result.output_problem) == (3, None)

    def test_that_takes_nothing_any_more_is_given_up_when_the_run_is_cancelled(
        self, house: House, tmp_path: Path
    ) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        run = self.start(house, fifo, "printf %0100000d 0", stop_after=timedelta(seconds=0.1))
        pid = house.notice("started", run).pid
        until(lambda: not Path(f"/proc/{pid}").exists())
        house.launcher.stop_run(run, "enough")
        result = house.result(run)
        assert (result.cancelled, result.timed_out, result.exit_code) == ("enough", False, 0)
        taken = len(os.read(reader, 200_000))
        os.close(reader)
        missing = f"{100_000 - taken:,} bytes were not taken before the run had to end"
        assert result.output_problem == f"not all output is in {fifo}: {missing}"

    def test_that_takes_nothing_any_more_is_given_up_when_the_time_is_over(
        self, house: House, tmp_path: Path
    ) -> None:
        fifo, done = tmp_path / "fifo", tmp_path / "done"
        os.mkfifo(fifo)
        full = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        assert os.write(full, b"x" * 1_000_000) < 1_000_000
        stream = launch.Stream(kind="append", path=str(fifo))
        result = house.overtime(
            *("/bin/sh", "-c", f"printf hello; touch {done}"),
            ready=done.exists,
            stdout=stream,
            hidden=(CANARY,),
            stop_after=timedelta(),
        )
        os.close(full)
        assert (result.timed_out, result.cancelled, result.exit_code) == (True, None, 0)
        missing = "5 bytes were not taken before the run had to end"
        assert result.output_problem == f"not all output is in {fifo}: {missing}"

    def test_that_is_read_a_little_at_a_time_is_not_given_up(self, house: House, tmp_path: Path) -> None:
        """A pipe has no room again until a whole page of it was read: what counts is that somebody reads."""
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        run = self.start(house, fifo, "printf %0066000d 0", stop_after=timedelta())
        pid = house.notice("started", run).pid
        until(lambda: not Path(f"/proc/{pid}").exists())
        house.launcher.stop_run(run, "enough")
        text, end = b"", time.monotonic() + 3.0  # nobody counts as reading after 2
        while time.monotonic() < end:
            text += os.read(reader, 10)
            assert not house.said("ended", run)
            time.sleep(0.05)
        os.set_blocking(reader, True)
        with os.fdopen(reader, "rb") as file:
            text += file.read()
        assert text == b"0" * 66_000
        assert house.result(run).output_problem is None

    @staticmethod
    def start(house: House, fifo: Path, script: str, **fields: Any) -> int:
        stream = launch.Stream(kind="append", path=str(fifo))
        return house.start(
            *("/bin/sh", "-c", script), env={"S": CANARY}, hidden=(CANARY,), stdout=stream, **fields
        )

    @pytest.mark.needs("linux")
    def test_on_a_full_disk_is_told_and_the_job_goes_on(self, house: House) -> None:
        assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
        run = shell(house, "echo $S; exit 4", stdout=launch.Stream(kind="append", path="/dev/full"))
        result = launch_result(house, run)
        assert result.exit_code == 4
        assert result.output_problem == "not all output is in /dev/full: No space left on device"


def launch_result(house: House, run: int) -> launch.Result:
    finding = house.launcher.find(run)
    assert isinstance(finding, launch.Finished)
    return finding.result


@pytest.mark.needs("linux")
def test_without_secrets_a_program_has_the_file_itself(house: House, tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import os, sys; print(os.readlink('/proc/self/fd/1'), file=sys.stderr)"
    run = house.start(sys.executable, "-c", program, stdout=launch.Stream(kind="append", path=str(log)))
    house.result(run)
    assert house.output(run).decode() == f"{log}\n"


def test_a_run_is_hidden_in_for_its_own_secrets_only(house: House) -> None:
    """One supervisor may look after both, the one after the other."""
    assert house.output(shell(house, "echo $S")) == f"{MARK}\n".encode()
    assert house.output(shell(house, "echo $S", hidden=())) == f"{CANARY}\n".encode()
