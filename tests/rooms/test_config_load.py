"""Does a good jobs.yaml come to what it says: jobs, defaults, includes, variables, secrets, warnings?"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.config import jobs as judging
from jarvis.core import fields, job, parts
from jarvis.core.config import Slots
from jarvis.errors import ConfigError, Unsafe
from tests.rooms import config_files
from tests.rooms.config_files import again, problems, read, said, write

EXAMPLE = """\
defaults: {timezone: Europe/Paris, env: {LANG: C}, retry: {times: 5}}
jobs:
  backup:
    cron: "30 2 * * *"
    command: restic backup ~/Documents
    env: {RESTIC_PASSWORD: !secret env:PASSWORD}
    timeout: 2h
    retry: {wait: 1m}
  certificate-blog: {every: 12h, run: certificate, with: {host: blog.example.org, warn: 21d}}
  by-hand: {command: [ls, -l], timezone: UTC, env: {LANG: de_DE.UTF-8}}
"""


def test_the_example_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE, {"PASSWORD": "hush"})
    backup, certificate, by_hand = config.jobs.values()
    assert list(config.jobs) == ["backup", "certificate-blog", "by-hand"]
    assert backup.with_ == {"command": "restic backup ~/Documents"}
    assert backup.timeout == timedelta(hours=2)
    assert backup.spec.env == {"LANG": "C", "RESTIC_PASSWORD": fields.SecretRef(secret="env:PASSWORD")}
    assert certificate.with_ == {"host": "blog.example.org", "warn": "21d"}
    assert certificate.timeout == job.HANDLER_TIMEOUT
    assert by_hand.when == ()
    assert by_hand.spec.env == {"LANG": "de_DE.UTF-8"}
    assert [one.timezone for one in config.jobs.values()] == ["Europe/Paris", "Europe/Paris", "UTC"]
    assert config.warnings == ()
    assert dict(config.lines) == {
        "backup": (str(tmp_path / "jobs.yaml"), 3),
        "certificate-blog": (str(tmp_path / "jobs.yaml"), 9),
        "by-hand": (str(tmp_path / "jobs.yaml"), 10),
    }


def test_fingerprints_are_those_of_the_jobs(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE)
    assert dict(config.fingerprints) == {name: one.fingerprint() for name, one in config.jobs.items()}


def test_a_job_survives_being_stored(tmp_path: Path) -> None:
    for name, one in read(tmp_path, EXAMPLE).jobs.items():
        assert job.load(name, one.dump(), python=one.run == "certificate") == one


class TestDefaults:
    def test_mappings_are_merged_entry_by_entry_and_other_fields_replaced(self, tmp_path: Path) -> None:
        text = """\
defaults:
  env: {A: one, B: one}
  retry: {times: 5, wait: 1m}
  output: {cap: 1MB, keep: 1d}
  stop: {signal: INT, after: 5s}
  process: {nice: 5, umask: "077"}
  tags: [all]
  condition: {on_ac: true}
jobs:
  a:
    command: ls
    env: {B: two}
    retry: {times: 1}
    output: {keep: 2d}
    stop: {after: 1s}
    process: {nice: 7}
    tags: [mine]
    condition: {network: true}
"""
        spec = read(tmp_path, text).jobs["a"].spec
        assert spec.env == {"A": "one", "B": "two"}
        assert spec.retry == parts.Retry(times=1, wait=timedelta(minutes=1))
        assert spec.output == parts.Output(cap="1MB", keep=timedelta(days=2))
        assert spec.stop == parts.Stop(signal="INT", after=timedelta(seconds=1))
        assert spec.process == parts.Process(nice=7, umask="077")
        assert spec.tags == ["mine"]
        assert spec.condition == job.Condition(network=True)

    def test_a_default_holds_for_every_kind_of_job(self, tmp_path: Path) -> None:
        text = "defaults: {timeout: 1h, retry: {times: 1}}\njobs: {a: {command: ls}, b: {run: certificate}}\n"
        for one in read(tmp_path, text).jobs.values():
            assert one.timeout == timedelta(hours=1)
            assert one.retry is not None and one.retry.times == 1

    def test_a_job_says_none_to_a_default(self, tmp_path: Path) -> None:
        text = "defaults: {timeout: 1h, retry: {times: 1}}\njobs: {a: {command: ls, timeout: none, retry: none}}\n"
        one = read(tmp_path, text).jobs["a"]
        assert (one.timeout, one.retry) == (None, None)

    def test_null_takes_a_default_away(self, tmp_path: Path) -> None:
        text = "defaults: {timeout: 1h}\njobs: {a: {run: certificate, timeout: null}}\n"
        assert read(tmp_path, text).jobs["a"].timeout == job.HANDLER_TIMEOUT

    def test_defaults_that_cannot_apply_to_a_job_are_not_applied_to_it(self, tmp_path: Path) -> None:
        text = """\
defaults:
  in: thread
  cwd: /tmp
  env: {A: b}
  success_codes: [0, 1]
  process: {shell: /bin/bash, nice: 5}
  output: {stdout: discard, cap: 1MB}
jobs:
  program: {command: ls}
  thread: {run: certificate}
  python: {run: certificate, in: process}
"""
        jobs = read(tmp_path, text).jobs
        program, thread, python = (jobs[name].spec for name in ("program", "thread", "python"))
        assert (program.in_, program.cwd, program.success_codes) == ("process", "/tmp", [0, 1])
        assert (thread.in_, thread.cwd, thread.env, thread.process) == ("thread", None, {}, parts.Process())
        assert thread.output == parts.Output(cap="1MB")
        assert (python.cwd, python.success_codes, python.process) == ("/tmp", [0], parts.Process(nice=5))


class TestHandlers:
    def test_a_handler_that_is_broken_keeps_its_job_and_schedule(self, tmp_path: Path) -> None:
        config = read(
            tmp_path, 'jobs: {a: {run: torn, cron: "0 1 * * *", with: {any: thing}}, b: {command: ls}}'
        )
        assert dict(config.broken) == {"a": "handlers/torn.py:3: invalid syntax"}
        assert config.jobs["a"].when[0].cron == "0 1 * * *"

    def test_a_program_handler_has_no_timeout_and_no_retries_of_its_own(self, tmp_path: Path) -> None:
        one = read(tmp_path, "jobs: {a: {run: command, with: {command: ls}}}").jobs["a"]
        assert (one.run, one.with_, one.timeout, one.retry) == ("command", {"command": "ls"}, None, None)

    def test_a_reference_to_a_secret_reaches_the_handlers_check_as_a_reference(self, tmp_path: Path) -> None:
        config = read(tmp_path, "jobs: {a: {run: certificate, with: {token: !secret env:T}}}", {"T": "hush"})
        assert config.jobs["a"].with_ == {"token": {"$secret": "env:T"}}


class TestVariables:
    def test_every_text_but_commands_is_expanded(self, tmp_path: Path) -> None:
        text = """\
jobs:
  command: {command: "echo ${HOME} $${X}", cwd: "${WHERE}/sub", tags: ["${A:-none}", "$${A}"]}
  b:
    command: [echo, "${HOME}"]
    condition: {exec: "test -e ${X}", path_exists: "${WHERE}"}
    before: [{command: "echo ${X}"}]
"""
        jobs = read(tmp_path, text, {"WHERE": "/data"}).jobs
        assert jobs["command"].with_ == {"command": "echo ${HOME} $${X}"}
        assert jobs["command"].spec.cwd == "/data/sub"
        assert jobs["command"].spec.tags == ["none", "${A}"]
        assert jobs["b"].with_ == {"command": ["echo", "${HOME}"]}
        assert jobs["b"].spec.condition == job.Condition(exec="test -e ${X}", path_exists="/data")

    def test_a_default_takes_the_place_of_an_unset_or_empty_variable(self, tmp_path: Path) -> None:
        text = 'jobs: {a: {command: ls, description: "${A:-x}${B:-y}${C:-}"}}'
        assert read(tmp_path, text, {"A": "", "B": "set"}).jobs["a"].spec.description == "xset"

    def test_an_expanded_text_may_be_a_number_or_a_switch_where_one_is_wanted(self, tmp_path: Path) -> None:
        text = 'jobs: {a: {command: ls, priority: "${P}", enabled: "${E:-false}", retry: {backoff: "${B}"}}}'
        spec = read(tmp_path, text, {"P": "7", "B": "1.5"}).jobs["a"].spec
        assert (spec.priority, spec.enabled) == (7, False)
        assert isinstance(spec.retry, job.Retry) and spec.retry.backoff == 1.5

    def test_an_expanded_number_in_the_defaults_does_not_leak_into_other_jobs(self, tmp_path: Path) -> None:
        text = 'defaults: {process: {nice: "${N}"}}\njobs: {a: {command: ls}, b: {command: ls, process: {nice: 2}}}\n'
        assert problems(tmp_path, text, {"N": "5"}) == []
        jobs = again(tmp_path / "jobs.yaml", {"N": "5"}).jobs
        assert [jobs[name].spec.process.nice for name in "ab"] == [5, 2]

    def test_an_expanded_text_that_does_not_fit_is_an_error(self, tmp_path: Path) -> None:
        text = 'jobs:\n  a:\n    command: ls\n    priority: "${P}"\n'
        (found,) = problems(tmp_path, text, {"P": "high"})
        assert found == "jobs.yaml:4:15: a: priority: expected a whole number, not 'high'"

    def test_bytes_that_are_no_text_are_an_error(self, tmp_path: Path) -> None:
        (found,) = problems(tmp_path, 'jobs: {a: {command: ls, cwd: "${D}"}}', {"D": os.fsdecode(b"/\xff")})
        assert "holds bytes that are no text" in found


class TestInclude:
    def test_files_and_folders_are_read_in_order_relative_to_the_file(self, tmp_path: Path) -> None:
        write(tmp_path, "jobs: {three: {command: ls}}", "more/b.yaml")
        write(tmp_path, "include: sub/c.yaml\njobs: {two: {command: ls}}", "more/a.yaml")
        write(tmp_path, "jobs: {four: {command: ls}}", "more/sub/c.yaml")
        write(tmp_path, "jobs: {never: {}}", "more/.hidden.yaml")
        write(tmp_path, "jobs: {never: {}}", "more/b.yaml~")
        config = read(tmp_path, "include: [more]\njobs: {one: {command: ls}}")
        assert list(config.jobs) == ["one", "two", "four", "three"]
        assert [path.name for path in config.files] == ["jobs.yaml", "a.yaml", "c.yaml", "b.yaml"]
        assert config.folders == (tmp_path / "more",)
        assert config.lines["four"] == (str(tmp_path / "more/sub/c.yaml"), 1)

    def test_the_main_files_defaults_hold_everywhere_a_files_own_only_there(self, tmp_path: Path) -> None:
        write(tmp_path, "defaults: {env: {B: own}}\njobs: {two: {command: ls}}", "two.yaml")
        config = read(tmp_path, "defaults: {env: {A: all}}\ninclude: two.yaml\njobs: {one: {command: ls}}")
        assert config.jobs["one"].spec.env == {"A": "all"}
        assert config.jobs["two"].spec.env == {"A": "all", "B": "own"}

    def test_a_folder_that_holds_the_file_itself_is_fine(self, tmp_path: Path) -> None:
        write(tmp_path, "jobs: {two: {command: ls}}", "two.yaml")
        assert list(read(tmp_path, "include: .\njobs: {one: {command: ls}}").jobs) == ["one", "two"]

    def test_problems_come_file_by_file(self, tmp_path: Path) -> None:
        write(tmp_path, "jobs:\n  b: {comand: ls}\n", "b.yaml")
        write(tmp_path, "slots: {process: 1}\njobs:\n  c: {command: 5}\n", "c.yaml")
        text = "include: [b.yaml, c.yaml]\njobs:\n  a: {command: ls, x: y}\n"
        assert [found.partition(": ")[0] for found in problems(tmp_path, text)] == [
            "jobs.yaml:3:20",
            "b.yaml:2:7",
            "c.yaml:1:1",
            "c.yaml:3:16",
        ]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param(
                None,
                "jobs.yaml:1:10: include: 'b.yaml' cannot be read: No such file or directory",
                id="missing",
            ),
            pytest.param(
                "include: jobs.yaml\n",
                "b.yaml:1:10: include: jobs.yaml includes itself (take one of the two includes away)",
                id="cycle",
            ),
            pytest.param(
                "include: b.yaml\n",
                "b.yaml:1:10: include: b.yaml includes itself (take one of the two includes away)",
                id="itself",
            ),
            pytest.param("", "b.yaml: the file is empty (write at least: jobs: {})", id="empty"),
            pytest.param(
                "jobs:\n\n  a: {command: ls}\n",
                "b.yaml:3:3: the job 'a' is already defined in jobs.yaml:3 (rename one of them)",
                id="the same job",
            ),
            pytest.param(
                "jobs: {A: {command: ls}}\n",
                "b.yaml:1:8: 'A' and 'a' (jobs.yaml:3) differ in case only (rename one of them)",
                id="another case",
            ),
        ],
    )
    def test_an_include_that_cannot_be_is_refused(
        self, tmp_path: Path, text: str | None, expected: str
    ) -> None:
        if text is not None:
            write(tmp_path, text, "b.yaml")
        (found,) = problems(tmp_path, "include: b.yaml\njobs:\n  a: {command: ls}\n")
        assert found.split(" (looked")[0] == expected

    def test_a_file_included_twice_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path, "jobs: {b: {command: ls}}", "b.yaml")
        (found,) = problems(tmp_path, "include: [b.yaml, ./b.yaml]\njobs: {}\n")
        assert (
            found == "jobs.yaml:1:19: include: b.yaml is included twice (take one of the two includes away)"
        )

    def test_five_levels_are_read_and_six_refused(self, tmp_path: Path) -> None:
        for level in range(1, 7):
            write(
                tmp_path, f"include: {level + 1}.yaml\njobs: {{j{level}: {{command: ls}}}}", f"{level}.yaml"
            )
        write(tmp_path, "jobs: {}", "6.yaml")
        (found,) = problems(tmp_path, "include: 1.yaml\njobs: {}")
        assert found == "5.yaml:1:10: include: files nest deeper than 5 levels (name it higher up)"
        write(tmp_path, "jobs: {j5: {command: ls}}", "5.yaml")
        assert list(again(tmp_path / "jobs.yaml").jobs) == ["j1", "j2", "j3", "j4", "j5"]


class TestFiles:
    def test_a_missing_file_is_said_to_be_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="there is no such file"):
            again(tmp_path / "jobs.yaml")

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        with pytest.raises(ConfigError, match="it is not a regular file|it is a folder"):
            again(tmp_path)

    def test_a_pipe_is_refused_without_waiting_for_a_writer(self, tmp_path: Path) -> None:
        write(tmp_path, "x")
        os.mkfifo(tmp_path / "pipe", 0o600)
        with pytest.raises(ConfigError, match="it is not a regular file"):
            again(tmp_path / "pipe")

    def test_a_file_that_others_can_write_is_unsafe(self, tmp_path: Path) -> None:
        path = write(tmp_path, "jobs: {}")
        path.chmod(0o666)
        with pytest.raises(Unsafe) as caught:
            again(path)
        assert said(tmp_path, caught.value) == [
            "jobs.yaml: everybody can write this file and so decide what runs here (run: chmod go-w jobs.yaml)"
        ]

    def test_so_is_an_included_one_and_other_problems_are_said_too(self, tmp_path: Path) -> None:
        write(tmp_path, "jobs: {b: {command: ls}}", "b.yaml").chmod(0o666)
        with pytest.raises(Unsafe) as caught:
            read(tmp_path, "include: b.yaml\njobs: {a: {comand: ls}}\n")
        assert [found[:9] for found in said(tmp_path, caught.value)] == ["jobs.yaml", "b.yaml: e"]

    def test_a_link_is_read_and_its_target_judged(self, tmp_path: Path) -> None:
        target = write(tmp_path, "jobs: {a: {command: ls}}", "real/jobs.yaml")
        link = tmp_path / "jobs.yaml"
        link.symlink_to(target)
        assert list(again(link).jobs) == ["a"]
        target.chmod(0o666)
        with pytest.raises(Unsafe):
            again(link)


class TestTheRest:
    def test_slots_store_and_settings(self, tmp_path: Path) -> None:
        text = "slots: {process: 3}\nstore: data/l.sqlite\nsettings: {heartbeat: 30s, state: ./s, handlers: [h]}\n"
        config = read(tmp_path, text + "jobs: {}\n")
        assert (config.slots.process, config.slots.thread) == (3, Slots().thread)
        assert config.store == str(tmp_path / "data/l.sqlite")
        assert config.settings.heartbeat == timedelta(seconds=30)
        assert config.settings.state == str(tmp_path / "s")
        assert config.settings.handlers == [str(tmp_path / "h")]

    @pytest.mark.parametrize("store", ["sqlite:////var/l.sqlite", "/var/l.sqlite", "SQLite:////var/l.sqlite"])
    def test_a_store_is_a_path_however_it_is_written(self, tmp_path: Path, store: str) -> None:
        assert read(tmp_path, f"store: {store}\njobs: {{}}").store == "/var/l.sqlite"

    def test_the_local_zone_is_tzs(self, tmp_path: Path) -> None:
        config = read(tmp_path, "jobs: {a: {command: ls}}", {"TZ": ":Asia/Tokyo"}, local_zone=None)
        assert config.jobs["a"].timezone == "Asia/Tokyo"
        assert config.warnings == ()

    def test_a_tz_that_names_no_zone_is_reported(self, tmp_path: Path) -> None:
        config = read(tmp_path, "jobs: {a: {command: ls}}", {"TZ": "Mars/Base"}, local_zone=None)
        assert config.jobs["a"].timezone == "UTC"
        assert [str(one) for one in config.warnings] == [
            "environment: TZ=Mars/Base names no time zone (UTC is used)"
        ]

    def test_an_empty_list_of_jobs_is_fine(self, tmp_path: Path) -> None:
        assert dict(read(tmp_path, "jobs:\n").jobs) == {}
        assert dict(read(tmp_path, "jobs: {}\n").jobs) == {}

    def test_the_fingerprint_follows_the_contents_and_the_variables(self, tmp_path: Path) -> None:
        text = 'jobs: {a: {command: ls, cwd: "${D}"}}'
        first = read(tmp_path, text, {"D": "/a"}).fingerprint
        assert read(tmp_path, text, {"D": "/a", "E": "other"}).fingerprint == first
        assert read(tmp_path, text, {"D": "/b"}).fingerprint != first
        assert read(tmp_path, text + "\n", {"D": "/a"}).fingerprint != first


class TestWarnings:
    def warnings(self, folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
        return [str(one).replace(f"{folder}/", "") for one in read(folder, text, environ).warnings]

    def test_a_moment_in_the_past_is_reported(self, tmp_path: Path) -> None:
        text = 'jobs:\n  a:\n    command: ls\n    at: "2026-11-20 11:59"\n  b: {command: ls, at: "2026-11-20 12:01"}\n'
        assert self.warnings(tmp_path, text) == [
            "jobs.yaml:4:5: a: at: 2026-11-20 11:59 UTC is in the past "
            "(it runs only if it was known before that and still due)"
        ]

    def test_the_moment_is_meant_in_the_jobs_zone(self, tmp_path: Path) -> None:
        text = 'jobs: {a: {command: ls, timezone: Asia/Tokyo, schedules: [{at: "2026-11-20 20:59"}]}}'
        assert [one[:27] for one in self.warnings(tmp_path, text)] == ["jobs.yaml:1:60: a: at: 2026"]

    def test_a_job_that_is_over_is_reported(self, tmp_path: Path) -> None:
        (found,) = self.warnings(tmp_path, 'jobs: {a: {command: ls, every: 1h, until: "2026-01-01 00:00"}}')
        assert "until: 2026-01-01 00:00 UTC is in the past" in found

    def test_a_schedule_that_is_seldom_meant_is_reported(self, tmp_path: Path) -> None:
        (found,) = self.warnings(tmp_path, 'jobs: {a: {command: ls, cron: "* 5 * * *"}}')
        assert found.startswith("jobs.yaml:1:31: a: cron: '* 5 * * *' ")

    def test_a_secret_that_is_not_there_is_reported(self, tmp_path: Path) -> None:
        text = "jobs:\n  a:\n    command: ls\n    env: {A: !secret env:GONE, B: !secret file:/nowhere/x}\n"
        assert self.warnings(tmp_path, text) == [
            "jobs.yaml:4:5: a: the secret env:GONE is not set (set the environment variable GONE)",
            "jobs.yaml:4:5: a: the secret file:/nowhere/x cannot be read: No such file or directory "
            "(create the file with mode 0600)",
        ]

    def test_a_secret_that_others_can_read_is_reported_without_its_value(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("hush")
        secret.chmod(0o644)
        (found,) = self.warnings(tmp_path, f"jobs: {{a: {{command: ls, stdin: !secret 'file:{secret}'}}}}")
        assert f"can be read by others (chmod 600 {secret})".replace(f"{tmp_path}/", "") in found
        assert "hush" not in found

    def test_the_secrets_of_the_defaults_count_too(self, tmp_path: Path) -> None:
        text = "defaults: {env: {A: !secret env:GONE}}\njobs: {a: {command: ls}}\n"
        assert ["env:GONE" in one for one in self.warnings(tmp_path, text)] == [True]


class TestRights:
    def found(self, folder: Path, process: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """As another user than root would see it; nobody needs to become one."""
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
        text = f"jobs: {{a: {{command: ls, process: {process}}}}}"
        return [one.split(": ", 2)[2] for one in problems(folder, text)]

    @pytest.mark.parametrize(
        ("process", "expected"),
        [
            ("{user: root}", "running as 'root' needs root (take process.user away, or run jarvis as root)"),
            ("{group: no-such-group}", "there is no group 'no-such-group'"),
            ("{nice: -5}", "process.nice of -5 needs root (0 is the best others may have)"),
            ("{io: realtime}", "process.io: realtime needs root (best-effort:0 is the best others may have)"),
        ],
    )
    def test_only_root_may(
        self, tmp_path: Path, process: str, expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.found(tmp_path, process, monkeypatch) == [expected]

    def test_anybody_may_be_nice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.found(tmp_path, "{nice: 19, io: idle, cpu: batch}", monkeypatch) == []

    def test_a_limit_above_the_hard_one_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("resource.getrlimit", lambda _: (256, 1024))
        assert self.found(tmp_path, "{limits: {nofile: 1024}}", monkeypatch) == []
        (found,) = self.found(tmp_path, "{limits: {nofile: 1025}}", monkeypatch)
        assert found == "process.limits.nofile of 1025 is above this user's hard limit (at most 1024)"


class TestNames:
    BAD: ClassVar = [
        "",
        " ",
        "a b",
        "a/b",
        "..",
        ".",
        "a\0b",
        "a\nb",
        "a\u202eb",
        "ä",
        "🚀",
        "a" * 65,
        "-a",
        "a:b",
        "a\n",
        "%",
    ]
    GOOD: ClassVar = ["a", "A.b-c_9", "9", "a" * 64, ".hidden", "_", "a..b"]

    @pytest.mark.parametrize("name", BAD, ids=ascii)
    def test_bad_names_are_refused(self, name: str) -> None:
        assert judging.name_problem(name)

    @pytest.mark.parametrize("name", GOOD)
    def test_good_names_are_taken(self, name: str) -> None:
        assert judging.name_problem(name) is None

    def test_the_message_about_a_very_long_name_is_short(self, tmp_path: Path) -> None:
        (found,) = problems(tmp_path, f'jobs: {{? "{"n" * 10_000}" : {{command: ls}}}}')
        assert "(10,000 characters)" in found
        assert len(found) < 300

    @given(st.text(max_size=80))
    def test_a_suggested_name_is_a_good_one(self, name: str) -> None:
        bad = judging.name_problem(name)
        if bad and bad[1] and "try '" in bad[1]:
            assert judging.name_problem(bad[1].rpartition("try ")[2].strip("'")) is None


class TestAJobByItself:
    def one(self, name: str, body: dict[str, object]) -> job.Job:
        return judging.one(name, body, handlers=config_files.Known(), zone="Europe/London", uid=0)

    def test_a_good_one_is_made(self) -> None:
        made = self.one("a", {"command": "ls", "every": "5m"})
        assert (made.name, made.timezone, made.when[0].every) == ("a", "Europe/London", timedelta(minutes=5))

    def test_everything_wrong_with_a_bad_one_is_said(self) -> None:
        with pytest.raises(ConfigError) as caught:
            self.one("a b", {"run": "torn", "every": "5", "x": 1})
        assert [problem.message.split(" ")[0] for problem in caught.value.problems] == [
            "'a",
            "every:",
            "no",
            "handlers/torn.py:3:",
        ]


MUTATIONS = [
    "",
    "no",
    "22:30",
    "\t",
    "{",
    "[",
    '"',
    "'",
    ":",
    "- ",
    "*a",
    "&a",
    "!x",
    "<<: ",
    "\0",
    "\ud800",
    "#",
    "\n",
    "${A}",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_a_good_file_with_something_thrown_in_loads_or_is_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(EXAMPLE)))
    cut = data.draw(st.integers(0, 12))
    thrown = data.draw(st.one_of(st.sampled_from(MUTATIONS), st.text(max_size=5)))
    text = (EXAMPLE[:at] + thrown + EXAMPLE[at + cut :]).encode("utf-8", "surrogatepass")
    for one in problems(tmp_path, text):
        assert one.startswith("jobs.yaml") and len(one) < 1000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.binary()))
def test_any_file_loads_or_is_refused(tmp_path: Path, text: str | bytes) -> None:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    assert all(one.startswith("jobs.yaml") for one in problems(tmp_path, data))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELD = st.sampled_from([field.alias or name for name, field in job.JobSpec.model_fields.items()])


@settings(max_examples=300)
@given(st.dictionaries(FIELD, JSON, max_size=6))
def test_any_values_make_a_job_or_sentences(body: dict[str, object]) -> None:
    try:
        made = judging.one("a", body, handlers=config_files.Known(), zone="UTC", uid=0)
    except ConfigError as error:
        assert all(problem.message and "\n" not in problem.message for problem in error.problems)
    else:
        assert job.load("a", made.dump(), python=made.run == "certificate") == made


@pytest.mark.parametrize(
    ("jobs", "step"),
    [
        pytest.param(3, 1, id="3 jobs, every byte"),
        pytest.param(100, 37, id="100 jobs", marks=pytest.mark.slow),
    ],
)
def test_a_half_written_file_is_refused_or_has_fewer_jobs_never_others(
    tmp_path: Path, jobs: int, step: int
) -> None:
    """What loads holds the first jobs, of which only the last may be cut short."""
    text = config_files.many(jobs)
    whole = read(tmp_path, text).fingerprints
    outcomes = set()
    for end in range(0, len(text), step):
        try:
            found = read(tmp_path, text[:end]).fingerprints
        except ConfigError:
            outcomes.add("refused")
            continue
        names = list(found)
        assert names == list(whole)[: len(names)]
        assert all(found[name] == whole[name] for name in names[:-1])
        outcomes.add("fewer" if len(names) < jobs else "all")
    assert outcomes >= {"refused", "fewer"}


FOLLOWING = """\
jobs:
  idle: {command: ls, enabled: false}
  a: {command: ls, on: {job: idle}}
  b: {command: ls, schedules: [{every: 1h}, {on: {job: a, status: [bad, skipped]}}]}
  c: {command: ls, on: {event: "github/*", where: {ref: "refs/*", labels: [bug, {not: ui}]}}}
"""


def test_jobs_may_follow_others_and_one_that_is_not_enabled_is_doubtful(tmp_path: Path) -> None:
    config = read(tmp_path, FOLLOWING)
    assert [str(one).partition(": ")[2] for one in config.warnings] == [
        "a: on: the job 'idle' is not enabled, so that it ends only when it is run by hand"
    ]
    assert [when.on.job for when in config.jobs["b"].when if when.on] == ["a"]


def test_a_job_that_is_wrong_itself_may_be_followed_without_a_second_complaint(tmp_path: Path) -> None:
    found = problems(tmp_path, "jobs:\n  a: {command: ls, evry: 1h}\n  b: {command: ls, on: {job: a}}\n")
    assert len(found) == 1


def test_jobs_of_an_included_file_may_be_followed(tmp_path: Path) -> None:
    write(tmp_path, "jobs:\n  a: {command: ls}\n", "more.yaml")
    config = read(tmp_path, "include: more.yaml\njobs:\n  b: {command: ls, on: {job: a}}\n")
    assert set(config.jobs) == {"a", "b"}
