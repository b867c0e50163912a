"""URLs survive the command lines, and a store that is not there is one line and status 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from configs import UserError, to_plain
from configs.storage.arguments import use_given_storage
from configs.storage.config import storage_in_use
from pipeline import __main__ as pipeline
from pipeline.engine import run_config
from tests import forked
from trainer import __main__ as trainer

if TYPE_CHECKING:
    from tests.object_store import Server

URL = "s3://bucket/run"


@pytest.mark.parametrize(
    "line",
    ["run c.yaml URL", "plan c.yaml URL", "decide URL", "pack URL", "add URL c.yaml", "remove URL --ids f", "report URL",
     "report x --train URL", "inspect URL", "inspect x --out URL", "export URL out"],
)  # fmt: skip
def test_every_command_of_the_pipeline_takes_them(line: str) -> None:
    arguments = pipeline._parser().parse_args(line.replace("URL", URL).split())
    assert URL in [str(value) for value in vars(arguments).values()]


def test_the_trainer_takes_them() -> None:
    fit = trainer._parser().parse_args(["fit", "c.yaml", "out", "--data", URL])
    encode = trainer._parser().parse_args(["encode", "c.yaml", URL, "out"])
    assert str(fit.data) == str(encode.dataset) == URL


@pytest.mark.parametrize("line", ["fit c.yaml URL --data d", "encode c.yaml d URL", "vae c.yaml URL", "evaluate c URL"])
def test_where_only_a_disk_will_do_they_are_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        trainer._parser().parse_args(line.replace("URL", URL).split())
    assert "argument OUT: 's3://bucket/run': expected a local path, found a URL" in capsys.readouterr().err


def test_a_job_of_ray_takes_urls_and_no_relative_paths(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    assert run_config.run_folder(bucket / "run").path == bucket / "run"
    with pytest.raises(UserError, match="throw-away copy"):
        run_config.run_folder(Path("run"))


def test_settings_come_from_a_file_of_their_own_or_a_config(bucket: Path, object_store: Server, tmp_path: Path) -> None:
    given = object_store.config(retry_s=7.0)
    for name, tree in (("alone", to_plain(given)), ("config", {"sources": [], "storage": to_plain(given)})):
        (tmp_path / name).write_text(json.dumps(tree))
        use_given_storage(tmp_path / name)
        assert storage_in_use() == given
    (tmp_path / "wrong").write_text("endpiont: http://x")
    with pytest.raises(UserError, match=r"--storage .*wrong: unknown field 'endpiont'; did you mean endpoint"):
        use_given_storage(tmp_path / "wrong")


@pytest.mark.parametrize("command", ["decide", "pack"])
def test_settings_that_would_come_too_late_are_refused(command: str) -> None:
    with pytest.raises(
        UserError, match=r"--set 'storage\.region=x': how this command reaches the store stands in a file"
    ):
        pipeline.main([command, URL, "--set", "storage.region=x"])


def test_what_is_not_there_is_one_line(object_store: Server, tmp_path: Path) -> None:
    (tmp_path / "storage.yaml").write_text(json.dumps(to_plain(object_store.config())))
    for command, lines in (
        (["inspect", "s3://no-such-bucket/x"], "error: dataset s3://no-such-bucket/x"),
        (
            ["inspect", "hf://b/x"],
            "argument DATASET: 'hf://b/x': expected a local path, or a URL that begins with s3://",
        ),
    ):
        more = ["--storage", str(tmp_path / "storage.yaml")]
        done = forked.run(["pipeline", *command, *more])
        assert done.returncode == 2
        assert lines in done.stderr
        assert "Traceback" not in done.stderr
