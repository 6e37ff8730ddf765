import subprocess

import pytest

from asteroid_bimodal.utils.git import checkout_commit


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one commit of code and of results."""
    for variable in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "checkout"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "code.py").write_text("x = 1\n")
    (folder / "results.md").write_text("1 dB\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_the_commit(checkout):
    assert checkout_commit(checkout / "package") == git(checkout, "rev-parse", "--short", "HEAD")


@pytest.mark.parametrize("name", ["package/code.py", "package/new.py", "conf.yml", "egs/run.sh"])
def test_changed_code_is_told(checkout, name):
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("x = 2\n")
    head = git(checkout, "rev-parse", "--short", "HEAD")
    assert checkout_commit(checkout / "package") == f"{head}-dirty"


def test_changed_results_make_no_difference(checkout):
    (checkout / "results.md").write_text("2 dB\n")
    (checkout / "results.svg").write_text("<svg/>")
    assert checkout_commit(checkout / "package") == git(checkout, "rev-parse", "--short", "HEAD")


def test_a_package_installed_inside_a_foreign_checkout(checkout):
    (checkout / ".gitignore").write_text(".venv/\n")
    installed = checkout / ".venv" / "site-packages" / "package"
    installed.mkdir(parents=True)
    (installed / "code.py").write_text("x = 1\n")
    assert checkout_commit(installed) is None


def test_no_checkout_no_commits_no_git(tmp_path, checkout, monkeypatch):
    assert checkout_commit(tmp_path) is None
    assert checkout_commit(tmp_path / "nowhere") is None
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    git(fresh, "init", "--quiet")
    (fresh / "code.py").touch()
    git(fresh, "add", ".")
    assert checkout_commit(fresh) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checkout_commit(checkout) is None
