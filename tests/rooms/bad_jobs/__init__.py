"""Files with something wrong in them: what is wrong in words, the file, and everything said about it.

``J`` stands before a single job: its fields follow, indented by four, from line 3 on.
"""

from __future__ import annotations

J = "jobs:\n  a:\n"

NAME_RULE = "a name has 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with -"

Case = tuple[str, str | bytes, list[str]]

NOT_YAML: list[Case] = [
    ("an empty file", "", ["jobs.yaml: the file is empty (write at least: jobs: {})"]),
    ("only a comment", "# nothing yet\n", ["jobs.yaml: the file is empty (write at least: jobs: {})"]),
    (
        "a list at the top",
        "- a\n",
        ["jobs.yaml:1:1: the file must be a mapping with the key jobs (write at least: jobs: {})"],
    ),
    (
        "a word at the top",
        "jobs\n",
        ["jobs.yaml:1:1: the file must be a mapping with the key jobs (write at least: jobs: {})"],
    ),
    ("a tab as indentation", "jobs:\n\ta: {}\n", ["jobs.yaml:2:1: a tab cannot indent (indent with spaces)"]),
    (
        "a NUL byte",
        b"jobs:\n  a: {command: l\x00s}\n",
        [
            "jobs.yaml:2:17: a NUL byte is not allowed (the file may be damaged or only half written; remove it)"
        ],
    ),
    (
        "a control character",
        b"jobs:\n  a: {command: l\x07s}\n",
        [
            "jobs.yaml:2:17: the control character U+0007 is not allowed "
            "(the file may be damaged or only half written; remove it)"
        ],
    ),
    (
        "Latin-1",
        "jobs:\n  a: {command: löschen}\n".encode("latin-1"),
        ["jobs.yaml:2:17: the byte 0xf6 is not UTF-8 (save the file as UTF-8)"],
    ),
    ("UTF-16", "jobs: {}\n".encode("utf-16"), ["jobs.yaml:1:1: the file is UTF-16 (save it as UTF-8)"]),
    (
        "an open quote",
        'jobs:\n  a: {command: "ls}\n',
        ["jobs.yaml:2:16: a quote or bracket opened here is never closed (close it)"],
    ),
    (
        "an open bracket",
        "jobs:\n  a: {command: ls\n  b: {command: ls}\n",
        [
            "jobs.yaml:2:6: the list or mapping opened here is not closed properly "
            "(put a comma between its parts and close the bracket)"
        ],
    ),
    (
        "a cron text beginning with a star",
        J + "    cron: */5 * * * *\n    command: ls\n",
        ['jobs.yaml:3:12: a text cannot begin with * unquoted (quote it: "*/5 * * * *")'],
    ),
    (
        "an unquoted macro",
        J + "    cron: @daily\n    command: ls\n",
        ['jobs.yaml:3:11: a text cannot begin with @ unquoted (quote it: "@...")'],
    ),
    (
        "a colon inside a command",
        J + "    command: echo status: fine\n",
        [
            "jobs.yaml:3:25: a second ': ' on one line, or a line indented too far "
            "(indent it like its neighbours, or quote the text that holds ': ')"
        ],
    ),
    (
        "a backslash in double quotes",
        J + '    command: "grep \\d file"\n',
        ["jobs.yaml:3:20: in double quotes a backslash begins an escape (use 'single quotes')"],
    ),
    (
        "a field indented too little",
        "jobs:\n  a:\n    command: ls\n   cron: x\n",
        [
            "jobs.yaml:4:4: this line does not fit the indentation of the block around it "
            "(indent it like its neighbours, with spaces; check that quotes and brackets are closed)"
        ],
    ),
    (
        "two documents",
        "jobs: {}\n---\njobs: {}\n",
        [
            "jobs.yaml:2:1: a second document begins here "
            "(keep one document per file and name the other one under include:)"
        ],
    ),
    (
        "an alias nobody defined",
        "jobs:\n  a: *base\n",
        ['jobs.yaml:2:6: undefined alias (quote a text that begins with *: "*/5 * * * *")'],
    ),
    (
        "a template",
        "jobs: {{ jobs }}\n",
        [
            "jobs.yaml:1:8: a key must be plain text, not a mapping "
            "(quote the text if it begins with {; a template must be rendered first)"
        ],
    ),
]

TRAPS: list[Case] = [
    (
        "a time of day",
        J + "    command: ls\n    at: 22:30\n",
        ['jobs.yaml:4:9: a: 22:30 unquoted is the number 1350 to some YAML readers (quote it: "22:30")'],
    ),
    (
        "no",
        J + "    command: ls\n    enabled: no\n",
        [
            "jobs.yaml:4:14: a: no unquoted is false to some YAML readers and text to others "
            '(write false, or quote it: "no")'
        ],
    ),
    (
        "Yes",
        J + "    command: Yes\n",
        [
            "jobs.yaml:3:14: a: Yes unquoted is true to some YAML readers and text to others "
            '(write true, or quote it: "Yes")'
        ],
    ),
    (
        "OFF in a list",
        J + "    command: [light, OFF]\n",
        [
            "jobs.yaml:3:22: a: OFF unquoted is false to some YAML readers and text to others "
            '(write false, or quote it: "OFF")'
        ],
    ),
    (
        "a leading zero",
        J + "    command: ls\n    process: {umask: 022}\n",
        [
            "jobs.yaml:4:22: a: 022 unquoted is an octal, a decimal or a text, depending on the YAML reader "
            '(quote it: "022")'
        ],
    ),
    (
        "an underscore",
        J + "    command: ls\n    priority: 1_0\n",
        [
            "jobs.yaml:4:15: a: 1_0 unquoted is a number to some YAML readers and text to others "
            '(write 10, or quote it: "1_0")'
        ],
    ),
    (
        "a date",
        J + "    command: ls\n    at: 2026-12-24\n",
        [
            'jobs.yaml:4:9: a: 2026-12-24 unquoted is a date object to some YAML readers (quote it: "2026-12-24")'
        ],
    ),
    (
        "a moment",
        J + "    command: ls\n    at: 2026-12-24 18:00:00\n",
        [
            "jobs.yaml:4:9: a: 2026-12-24 18:00:00 unquoted is a date object to some YAML readers "
            '(quote it: "2026-12-24 18:00:00")'
        ],
    ),
    (
        "the home folder",
        J + "    command: ls\n    cwd: ~\n",
        ['jobs.yaml:4:10: a: ~ unquoted is null (write null, or quote it: "~")'],
    ),
    (
        "infinity",
        J + "    command: ls\n    retry: {backoff: .inf}\n",
        ['jobs.yaml:4:22: a: .inf unquoted is no number one can count with (quote it: ".inf")'],
    ),
    (
        "an exponent",
        J + "    command: ls\n    priority: 1e1\n",
        [
            "jobs.yaml:4:15: a: 1e1 unquoted is a number to some YAML readers and text to others "
            '(write the number out, or quote it: "1e1")'
        ],
    ),
    (
        "a key that is a switch",
        J + "    command: ls\n    env: {NO: x}\n",
        ['jobs.yaml:4:11: a: NO unquoted is false to some YAML readers and text to others (quote it: "NO")'],
    ),
    (
        "a name that is a number",
        "jobs:\n  7: {command: ls}\n",
        ['jobs.yaml:2:3: the key 7 is a number, not text (quote it: "7")'],
    ),
    (
        "a key without a value",
        J + "    command: ls\n    timeout:\n",
        ["jobs.yaml:4:13: a: 'timeout' has no value (write one, or remove the line)"],
    ),
    (
        "a foreign tag",
        J + '    command: !!python/object/apply:os.system ["id"]\n',
        [
            "jobs.yaml:3:14: a: the tag 'tag:yaml.org,2002:python/object/apply...' is not allowed (only !secret is)",
        ],
    ),
    (
        "a duplicate key",
        J + "    command: ls\n    timeout: 1h\n    timeout: 2h\n",
        ["jobs.yaml:5:5: a: duplicate key 'timeout', first on line 4 (keep one of them)"],
    ),
    (
        "a duplicate job",
        "jobs:\n  a: {command: ls}\n  b: {command: ls}\n  a: {command: ls}\n",
        ["jobs.yaml:4:3: duplicate key 'a', first on line 2 (keep one of them)"],
    ),
    (
        "two times jobs",
        "jobs:\n  a: {command: ls}\njobs:\n  b: {command: ls}\n",
        ["jobs.yaml:3:1: duplicate key 'jobs', first on line 1 (keep one of them)"],
    ),
]

NAMES: list[Case] = [
    (
        "a path as a name",
        'jobs:\n  "../a": {command: ls}\n',
        [f"jobs.yaml:2:3: '../a' cannot be a job's name ({NAME_RULE}; try 'a')"],
    ),
    (
        "a space in a name",
        "jobs:\n  my job: {command: ls}\n",
        [f"jobs.yaml:2:3: 'my job' cannot be a job's name ({NAME_RULE}; try 'my-job')"],
    ),
    (
        "an emoji as a name",
        "jobs:\n  🚀: {command: ls}\n",
        [f"jobs.yaml:2:3: '🚀' cannot be a job's name ({NAME_RULE})"],
    ),
    (
        "a name that turns the direction of writing",
        "jobs:\n  a\u202eb: {command: ls}\n",
        [f"jobs.yaml:2:3: 'a\\u202eb' cannot be a job's name ({NAME_RULE}; try 'ab')"],
    ),
    (
        "two dots as a name",
        "jobs:\n  ..: {command: ls}\n",
        [f"jobs.yaml:2:3: '..' cannot be a job's name ({NAME_RULE})"],
    ),
    (
        "a name that looks like an option",
        "jobs:\n  -rf: {command: ls}\n",
        [f"jobs.yaml:2:3: '-rf' cannot be a job's name ({NAME_RULE}; try 'rf')"],
    ),
    (
        "names that differ in case only",
        "jobs:\n  backup: {command: ls}\n  Backup: {command: ls}\n",
        ["jobs.yaml:3:3: 'Backup' and 'backup' (line 2) differ in case only (rename one of them)"],
    ),
]

FILE_KEYS: list[Case] = [
    ("no jobs", "version: 1\n", ["jobs.yaml:1:1: there is no key jobs (write at least: jobs: {})"]),
    (
        "another version",
        "version: 2\njobs: {}\n",
        ["jobs.yaml:1:10: version: this program reads version 1 (write version: 1)"],
    ),
    (
        "a list of jobs",
        "jobs:\n- command: ls\n",
        [
            "jobs.yaml:2:1: jobs: expected a mapping of names to jobs "
            "(write a name and a colon, then its fields indented)"
        ],
    ),
    (
        "a job beside jobs",
        "jobs: {}\nbackup: {command: ls}\n",
        ["jobs.yaml:2:1: no field 'backup' in a file (a job goes under jobs:, indented)"],
    ),
    ("a misspelt key", "job: {}\njobs: {}\n", ["jobs.yaml:1:1: no field 'job' (did you mean 'jobs'?)"]),
    ("an engine", "engine: x\njobs: {}\n", ["jobs.yaml:1:1: engine is not supported by this version"]),
    (
        "PostgreSQL",
        "store: postgresql://host/db\njobs: {}\n",
        [
            "jobs.yaml:1:8: store: PostgreSQL is not supported by this version "
            "(leave store out, or name the path of an SQLite file)"
        ],
    ),
    (
        "another database",
        "store: mysql://host/db\njobs: {}\n",
        ["jobs.yaml:1:8: store: expected the path of an SQLite file, or sqlite:///PATH"],
    ),
    (
        "no slots",
        "slots: {process: 0}\njobs: {}\n",
        ["jobs.yaml:1:18: slots.process: expected at least 1, not the number 0"],
    ),
    ("slots as a number", "slots: 4\njobs: {}\n", ["jobs.yaml:1:8: slots: expected a mapping"]),
    (
        "a heartbeat without a unit",
        "settings: {heartbeat: 30}\njobs: {}\n",
        ["jobs.yaml:1:23: settings.heartbeat: 30 has no unit; write for example 30s or 30m"],
    ),
    (
        "a heartbeat that races",
        "settings: {heartbeat: 10ms}\njobs: {}\n",
        ["jobs.yaml:1:23: settings.heartbeat: at least one second (1s)"],
    ),
    (
        "an unknown setting",
        "settings: {colour: red}\njobs: {}\n",
        [
            "jobs.yaml:1:12: no field 'colour' "
            "(there are: auto_start, handlers, heartbeat, log_json, log_level, nice, state)"
        ],
    ),
    (
        "a schedule for all",
        "defaults: {every: 1h}\njobs: {}\n",
        ["jobs.yaml:1:12: every belongs to a job, not to defaults (move it)"],
    ),
    (
        "an unknown zone for all, said once",
        "defaults: {timezone: Mars/Base}\njobs: {a: {command: ls}, b: {command: ls}}\n",
        [
            "jobs.yaml:1:22: defaults: there is no time zone 'Mars/Base' "
            "(write a name such as Europe/London or UTC)"
        ],
    ),
    (
        "a bad default, said once",
        "defaults: {overlap: maybe}\njobs: {a: {command: ls}, b: {command: ls}}\n",
        ["jobs.yaml:1:21: defaults: overlap: expected skip, queue, replace or allow, not 'maybe'"],
    ),
    (
        "an include that is no path",
        "include: {a: b}\njobs: {}\n",
        ["jobs.yaml:1:10: include: expected a path, or a list of paths"],
    ),
]

FIELDS: list[Case] = [
    (
        "a job that is a text",
        "jobs:\n  a: ls\n",
        ["jobs.yaml:2:6: a: a job is a mapping (write its fields below it, indented)"],
    ),
    (
        "neither run nor command",
        J + "    cron: '0 0 * * *'\n",
        ["jobs.yaml:2:3: a: it has neither run nor command (name a handler with run:, or write command:)"],
    ),
    (
        "run and command",
        J + "    run: certificate\n    command: ls\n",
        ["jobs.yaml:4:14: a: it has both run and command (keep one of them)"],
    ),
    (
        "with beside command",
        J + "    command: ls\n    with: {host: x}\n",
        ["jobs.yaml:4:11: a: with belongs to run, not to command (use env: to give a command values)"],
    ),
    (
        "an unknown handler",
        J + "    run: certifcate\n",
        ["jobs.yaml:3:10: a: no handler 'certifcate' (did you mean 'certificate'?)"],
    ),
    (
        "an unknown parameter",
        J + "    run: certificate\n    with:\n      hots: x\n",
        ["jobs.yaml:5:7: a: no parameter 'hots' (did you mean 'host'?)"],
    ),
    (
        "a bad value deep in with",
        J + "    run: certificate\n    with:\n      nested:\n        deep: [1, x]\n",
        ["jobs.yaml:6:19: a: 'nested.deep.1': expected a number, not 'x'"],
    ),
    (
        "a misspelt field",
        J + "    command: ls\n    overlpa: skip\n",
        ["jobs.yaml:4:5: a: no field 'overlpa' (did you mean 'overlap'?)"],
    ),
    (
        "a misspelt command",
        J + "    comand: ls\n",
        ["jobs.yaml:3:5: a: no field 'comand' (did you mean 'command'?)"],
    ),
    (
        "a field in another spelling",
        J + "    command: ls\n    maxInstances: 2\n",
        ["jobs.yaml:4:5: a: no field 'maxInstances' (did you mean 'max_instances'?)"],
    ),
    (
        "the name a programmer knows it by",
        J + "    command: ls\n    in_: process\n",
        ["jobs.yaml:4:5: a: no field 'in_' (did you mean 'in'?)"],
    ),
    (
        "a misspelt inner field",
        J + "    command: ls\n    retry: {tims: 3}\n",
        ["jobs.yaml:4:13: a: no retry field 'tims' (did you mean 'times'?)"],
    ),
    (
        "calendar",
        J + "    command: ls\n    calendar: daily\n",
        ["jobs.yaml:4:5: a: calendar is not supported by this version (write cron:)"],
    ),
    (
        "after_start",
        J + "    command: ls\n    every: {period: 5m, after_start: 1m}\n",
        ["jobs.yaml:4:25: a: after_start is not supported by this version"],
    ),
    (
        "a length without a unit",
        J + "    command: ls\n    timeout: 30\n",
        ["jobs.yaml:4:14: a: timeout: 30 has no unit; write for example 30s or 30m (or write none)"],
    ),
    (
        "a length in words",
        J + "    command: ls\n    every: 2 hours\n",
        [
            "jobs.yaml:4:12: a: every: '2 hours' is not a duration; write for example 90s, 15m, 2h, 1d or 1h30m"
        ],
    ),
    (
        "a timeout of zero",
        J + "    command: ls\n    timeout: 0s\n",
        ["jobs.yaml:4:14: a: timeout of zero (write none for no limit)"],
    ),
    (
        "a period of zero",
        J + "    command: ls\n    every: 0s\n",
        [
            "jobs.yaml:4:12: a: every: every 0s is shorter than a second "
            "(write 1s or more; for work without a pause write a job that loops)"
        ],
    ),
    (
        "a minute that does not exist",
        J + '    command: ls\n    cron: "75 2 * * *"\n',
        ["jobs.yaml:4:11: a: cron: minute '75' is out of range (write * or 0 to 59)"],
    ),
    (
        "a bad entry of schedules",
        J + '    command: ls\n    schedules:\n    - every: 5m\n    - cron: "75 2 * * *"\n',
        ["jobs.yaml:6:13: a: cron: minute '75' is out of range (write * or 0 to 59)"],
    ),
    (
        "two kinds in one schedule",
        J + "    command: ls\n    schedules: [{every: 5m, start: boot}]\n",
        [
            "jobs.yaml:4:17: a: schedules: a schedule has exactly one of cron, every, at, start, watch and on; "
            "not every and start"
        ],
    ),
    (
        "a schedule of nothing",
        J + "    command: ls\n    schedules: [{}]\n",
        [
            "jobs.yaml:4:17: a: schedules: a schedule has exactly one of cron, every, at, start, watch and on; "
            "this one has none"
        ],
    ),
    (
        "an unknown zone",
        J + "    command: ls\n    timezone: Mars/Base\n",
        ["jobs.yaml:4:15: a: there is no time zone 'Mars/Base' (write a name such as Europe/London or UTC)"],
    ),
    (
        "a date without a time",
        J + '    command: ls\n    at: "2026-12-24"\n',
        ["jobs.yaml:4:9: a: at: '2026-12-24' has no time of day; write for example '2026-12-24 00:00'"],
    ),
    (
        "a day that does not exist",
        J + '    command: ls\n    at: "2026-02-30 10:00"\n',
        ["jobs.yaml:4:9: a: at: '2026-02-30 10:00' is not a moment: day is out of range for month"],
    ),
    (
        "a number for a moment",
        J + "    command: ls\n    at: 1766599200\n",
        ["jobs.yaml:4:9: a: at: expected a moment such as '2026-12-24 18:00' in quotes"],
    ),
    (
        "until before from",
        J + '    command: ls\n    every: 1h\n    from: "2027-01-02 00:00"\n    until: "2027-01-01 00:00"\n',
        ["jobs.yaml:6:12: a: until (2027-01-01 00:00:00) is before from (2027-01-02 00:00:00) (swap them)"],
    ),
    (
        "an unknown choice",
        J + "    command: ls\n    catch_up: twice\n",
        [
            "jobs.yaml:4:15: a: catch_up: expected once, all or none, or a mapping such as {run: once, after: sleep}, "
            "not 'twice'"
        ],
    ),
    (
        "a choice in capitals",
        J + "    command: ls\n    overlap: Skip\n",
        [
            "jobs.yaml:4:14: a: overlap: expected skip, queue, replace or allow, not 'Skip' (did you mean skip?)"
        ],
    ),
    (
        "a number for a text",
        J + "    command: ls\n    description: 5\n",
        ['jobs.yaml:4:18: a: description: expected text, not the number 5 (quote it: "5")'],
    ),
    (
        "a number in the environment",
        J + "    command: ls\n    env: {PORT: 8080}\n",
        ["jobs.yaml:4:17: a: env.PORT: expected text, or a !secret, not the number 8080"],
    ),
    (
        "a variable beginning with a digit",
        J + "    command: ls\n    env: {1A: x}\n",
        [
            "jobs.yaml:4:11: a: env: '1A' is no name for a variable (letters, digits and underscores, no digit first)"
        ],
    ),
    (
        "a text for a switch",
        J + '    command: ls\n    enabled: "true"\n',
        ["jobs.yaml:4:14: a: enabled: expected true or false, not 'true' (take the quotes away)"],
    ),
    (
        "a text for a list",
        J + "    command: ls\n    tags: daily\n",
        ["jobs.yaml:4:11: a: tags: expected a list, not 'daily'"],
    ),
    (
        "a number for retries",
        J + "    command: ls\n    retry: 3\n",
        [
            "jobs.yaml:4:12: a: retry: expected a mapping such as {times: 3, wait: 1m}, or none, not the number 3"
        ],
    ),
    (
        "a count below its least",
        J + "    command: ls\n    max_instances: 0\n",
        ["jobs.yaml:4:20: a: max_instances: expected at least 1, not the number 0"],
    ),
    ("an empty command", J + '    command: ""\n', ["jobs.yaml:3:14: a: command is empty"]),
    (
        "an unknown signal",
        J + "    command: ls\n    stop: {signal: SIGTERM}\n",
        [
            "jobs.yaml:4:20: a: stop.signal: expected TERM, INT, HUP, QUIT, USR1, USR2 or KILL, not 'SIGTERM' "
            "(did you mean TERM?)"
        ],
    ),
    (
        "an unknown limit",
        J + "    command: ls\n    process: {limits: {nofiles: 10}}\n",
        [
            "jobs.yaml:4:24: a: limits: a limit is one of as, core, cpu, data, fsize, memlock, nofile, nproc, rss "
            "or stack; "
            "not 'nofiles' (did you mean nofile?)"
        ],
    ),
    (
        "a umask as a number",
        J + "    command: ls\n    process: {umask: 22}\n",
        [
            'jobs.yaml:4:22: a: process.umask: expected three octal digits in quotes, such as "022", not the number 22'
        ],
    ),
    (
        "a user nobody knows",
        J + "    command: ls\n    process: {user: nobody-at-all}\n",
        ["jobs.yaml:4:21: a: there is no user 'nobody-at-all'"],
    ),
    (
        "a size without a unit",
        J + "    command: ls\n    output: {cap: '10'}\n",
        ["jobs.yaml:4:19: a: output.cap: expected a size such as 500kB, 10MB or 1GB, not '10'"],
    ),
    (
        "output to nowhere",
        J + "    command: ls\n    output: {stdout: /tmp/x}\n",
        [
            "jobs.yaml:4:22: a: output.stdout: expected capture, discard, append:PATH or truncate:PATH, not '/tmp/x'"
        ],
    ),
    (
        "an exit code out of range",
        J + "    command: ls\n    success_codes: [0, 300]\n",
        ["jobs.yaml:4:24: a: success_codes: expected at most 255, not the number 300"],
    ),
    (
        "a keychain",
        J + "    command: ls\n    env: {A: !secret keychain:a}\n",
        ["jobs.yaml:4:14: a: !secret keychain: is not supported by this version (use env:NAME or file:PATH)"],
    ),
    (
        "a secret without a reference",
        J + "    command: ls\n    env:\n      A: !secret\n",
        ["jobs.yaml:5:10: a: !secret needs a reference (write !secret env:NAME or !secret file:PATH)"],
    ),
    (
        "a secret as a folder",
        J + "    command: ls\n    cwd: !secret env:A\n",
        ["jobs.yaml:4:10: a: cwd: a !secret cannot stand here (secrets go into env, stdin and with)"],
    ),
    (
        "an unset variable",
        J + "    command: ls\n    cwd: ${NOWHERE}/a\n",
        [
            "jobs.yaml:4:10: a: the environment variable NOWHERE is not set (set it, or write ${NOWHERE:-default})"
        ],
    ),
    (
        "a variable that is none",
        J + "    command: ls\n    cwd: ${A:?no}\n",
        [
            "jobs.yaml:4:10: a: '${' begins no variable (write ${NAME} or ${NAME:-default}; $${ for a plain ${)"
        ],
    ),
]

TOGETHER: list[Case] = [
    (
        "a program in a thread",
        J + "    command: ls\n    in: thread\n",
        [
            "jobs.yaml:4:9: a: only Python handlers can run in a thread; this is a program (take in: thread away)"
        ],
    ),
    (
        "a handler that is a program in a thread",
        J + "    run: command\n    with: {command: ls}\n    in: thread\n",
        [
            "jobs.yaml:5:9: a: only Python handlers can run in a thread; this is a program (take in: thread away)"
        ],
    ),
    (
        "process fields in a thread",
        J + "    run: certificate\n    in: thread\n    cwd: /tmp\n    detach: true\n",
        [
            "jobs.yaml:5:10: a: cwd needs a process of its own, but this job runs in: thread (keep one of them)",
            "jobs.yaml:6:13: a: detach needs a process of its own, but this job runs in: thread (keep one of them)",
        ],
    ),
    (
        "an output file in a thread",
        J + "    run: certificate\n    in: thread\n    output: {stdout: discard}\n",
        ["jobs.yaml:5:22: a: output.stdout needs a process, but this job runs in: thread (keep one of them)"],
    ),
    (
        "stdin for a Python handler",
        J + "    run: certificate\n    stdin: x\n",
        ["jobs.yaml:4:12: a: stdin is for programs; this is a Python handler (use with: to give it values)"],
    ),
    (
        "a shell for a list of words",
        J + "    command: [ls]\n    process: {shell: /bin/bash}\n",
        ["jobs.yaml:4:22: a: process.shell has no meaning for a command written as a list (take it away)"],
    ),
    (
        "a lock for several",
        J + "    command: ls\n    lock: disk\n    max_instances: 2\n",
        [
            "jobs.yaml:4:11: a: a lock is held by one run at a time, but the job allows several at once "
            "(keep one of them)"
        ],
    ),
    (
        "catching up nothing after sleep",
        J + "    command: ls\n    catch_up: {run: none, after: sleep}\n",
        ["jobs.yaml:4:34: a: run: none catches up nothing, so after has no meaning (write catch_up: none)"],
    ),
    (
        "replacing what is caught up",
        J + "    command: ls\n    catch_up: all\n    overlap: replace\n",
        [
            "jobs.yaml:5:14: a: catch_up: all with overlap: replace would end each run by the next (use overlap: queue)"
        ],
    ),
    (
        "a condition that asks nothing",
        J + "    command: ls\n    condition: {}\n",
        ["jobs.yaml:4:16: a: the condition asks nothing (take it away, or write for example on_ac: true)"],
    ),
]

ON: list[Case] = [
    (
        "following a job there is not",
        "jobs:\n  backup: {command: ls}\n  a:\n    command: ls\n    on: {job: bakcup}\n",
        ["jobs.yaml:5:15: a: on: no job 'bakcup' (did you mean 'backup'?)"],
    ),
    (
        "following itself",
        J + "    command: ls\n    schedules: [{on: {job: a}}]\n",
        [
            "jobs.yaml:4:28: a: on: a job cannot follow its own runs "
            "(write every: for a period, service: for one that runs all the time)"
        ],
    ),
    (
        "a chain that comes back",
        "jobs:\n  b: {command: ls, on: {job: a}}\n  c: {command: ls, on: {job: b}}\n"
        "  a: {command: ls, on: {job: c, status: failed}}\n",
        [
            "jobs.yaml:4:30: a: on: this chain comes back to its beginning and would never end: "
            "a -> b -> c -> a (take one of its links away)"
        ],
    ),
    (
        "an event without a type",
        J + "    command: ls\n    on: {event: github}\n",
        [
            "jobs.yaml:4:17: a: on: event: 'github' fits no event; an event is named source/type "
            "(write source/type, such as 'github/*')"
        ],
    ),
    (
        "an operator there is not",
        J + "    command: ls\n    on: {event: x/y, where: {size: {over: 3}}}\n",
        [
            "jobs.yaml:4:43: a: on: where: size: no operator 'over' (there are not, exists, above, below; "
            "dots lead inside a field: write where: {a.b: 1})"
        ],
    ),
    (
        "a status of an event",
        J + "    command: ls\n    on: {event: x/y, status: failed}\n",
        ["jobs.yaml:4:9: a: on: status is about a job's run; on: event has none"],
    ),
    (
        "an event and a job",
        J + "    command: ls\n    on: {event: x/y, job: b}\n",
        [
            "jobs.yaml:4:9: a: on: it has exactly one of event and job; write event: 'github/push', or job: backup"
        ],
    ),
]

C = "jobs: {}\nalerts:\n"
TIME_OF_DAY = 'a time of day in quotes, from "00:00" to "23:59"'

TELLING: list[Case] = [
    (
        "a misspelt field of alerts",
        C + "  chanels: {}\n",
        ["jobs.yaml:3:3: no field 'chanels' (did you mean 'channels'?)"],
    ),
    (
        "a kind of channel there is not",
        C + "  channels: {phone: {slack: x, severity: high}}\n",
        [
            "jobs.yaml:3:22: no channels.phone field 'slack' "
            "(there are: command, imessage, journal, macos, quiet, rate, severity, telegram, timeout, url)"
        ],
    ),
    (
        "channels as a list",
        C + "  channels: [phone]\n",
        [
            "jobs.yaml:3:13: alerts.channels: expected a mapping, not a list "
            "(write for example channels: {phone: {macos: true}})"
        ],
    ),
    (
        "an hour that does not exist",
        C + '  quiet: {from: "25:00", to: "7:00"}\n',
        [
            f"jobs.yaml:3:17: alerts.quiet.from: expected {TIME_OF_DAY}, not '25:00'",
            f"jobs.yaml:3:30: alerts.quiet.to: expected {TIME_OF_DAY}, not '7:00'",
        ],
    ),
    (
        "quiet hours as a text",
        C + "  quiet: at night\n",
        [
            "jobs.yaml:3:10: alerts.quiet: expected a mapping, not 'at night' "
            '(write for example quiet: {from: "22:00", to: "07:00"})'
        ],
    ),
    (
        "a server of Telegram that is no URL",
        C + "  channels: {phone: {telegram: {token: x, chat: '1', api: localhost}}}\n",
        [
            "jobs.yaml:3:59: alerts.channels.phone.telegram.api: expected a URL that begins with https:// or http://, "
            "not 'localhost'"
        ],
    ),
    (
        "a delivery that is a text",
        J + "    command: ls\n    deliver: phone\n",
        [
            "jobs.yaml:4:14: a: deliver: expected a mapping, not 'phone' (write for example deliver: {to: phone})"
        ],
    ),
    (
        "a delivery to nobody",
        J + "    command: ls\n    deliver: {to: []}\n",
        ["jobs.yaml:4:19: a: deliver.to is empty (name at least one)"],
    ),
    (
        "braces in a template",
        J
        + '    command: ls\n    deliver: {to: phone, body: "${result}"}\nalerts: {channels: {phone: {macos: true}}}\n',
        [
            "jobs.yaml:4:32: a: the environment variable result is not set "
            "(the template's own is written $${result}, or $result)"
        ],
    ),
    (
        "an alert that is a number",
        J + "    command: ls\n    alert: 2\n",
        [
            "jobs.yaml:4:12: a: alert: expected a mapping, not the number 2 (write for example alert: {after: 2})"
        ],
    ),
]

ALL_THE_TIME: list[Case] = [
    (
        "a service with a schedule",
        J + "    command: ls\n    service: {restart: always}\n    every: 5m\n",
        ["jobs.yaml:5:12: a: a service runs all the time; every says when a job is due (keep one of them)"],
    ),
    (
        "a service that is a switch",
        J + "    command: ls\n    service: true\n",
        [
            "jobs.yaml:4:14: a: service: expected a mapping, not true "
            "(write for example service: {restart: always})"
        ],
    ),
    (
        "watching nothing",
        J + '    command: ls\n    watch: {globs: ["*.md"]}\n',
        ["jobs.yaml:4:12: a: watch.paths is missing"],
    ),
    (
        "watching a path alone",
        J + "    command: ls\n    watch: inbox\n",
        [
            "jobs.yaml:4:12: a: watch: expected a mapping, not 'inbox' (write for example watch: {paths: ~/inbox})"
        ],
    ),
    (
        "watching no path",
        J + "    command: ls\n    watch: {paths: []}\n",
        ["jobs.yaml:4:20: a: watch.paths is empty (name at least one)"],
    ),
    (
        "watching what the kernel changes",
        J + "    command: ls\n    watch: {paths: [in, /]}\n",
        [
            "jobs.yaml:4:12: a: watch: / is not a folder of files only: its kernel changes things there all the time, "
            "untold; name the folders that matter"
        ],
    ),
    (
        "a pattern with braces",
        J + "    command: ls\n    watch: {paths: in, globs: ['*.md', '*.{a,b}']}\n",
        ["jobs.yaml:4:40: a: watch.globs: '*.{a,b}': braces are not known here; write a pattern for each"],
    ),
    (
        "an event alone",
        J + "    command: ls\n    on: github/push\n",
        [
            "jobs.yaml:4:9: a: on: expected a mapping, not 'github/push' "
            '(write for example on: {event: "github/push"} or {job: backup})'
        ],
    ),
    (
        "on nothing at all",
        J + "    command: ls\n    on: {}\n",
        [
            "jobs.yaml:4:9: a: on: it has exactly one of event and job; write event: 'github/push', or job: backup"
        ],
    ),
]

TABLE: list[Case] = [
    *NOT_YAML, *TRAPS, *NAMES, *FILE_KEYS, *FIELDS, *TOGETHER, *ON, *TELLING, *ALL_THE_TIME,
]  # fmt: skip
