"""Run where only four folders may be watched (tests/rooms/test_watching.py says how)."""

from jarvis.running.watch import ears
from tests.rooms.running_house import running


def test_what_cannot_be_heard_is_looked_at(tmp_path):
    for number in range(8):
        (tmp_path / "in" / f"d{number}").mkdir(parents=True)
    text = "jobs: {seen: {watch: {paths: in, debounce: 100ms, initial: false}, command: 'true'}}"
    with running(tmp_path, text) as house:
        house.until(lambda: "watch:seen (in)" in house.app.troubles.current())
        assert ears.LIMIT in house.app.troubles.current()["watch:seen (in)"].why
        house.until(lambda: house.sql("SELECT count(*) FROM watches") == [(1,)])
        (tmp_path / "in" / "d7" / "a").write_text("x")
        (run,) = house.wait_for("seen", "succeeded")
        assert run.cause["paths"] == [str(tmp_path / "in" / "d7" / "a")]
