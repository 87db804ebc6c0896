"""`ganzoo check-plugin` as a command, with the memory that it takes; all plugins by the script."""

from __future__ import annotations

from scripts import check_plugins


def test_the_command_passes_a_plugin_of_this_repository() -> None:
    found = check_plugins.check("ganzoo-emoji")
    assert found.code == 0, found.said
    assert "conforms" in found.said
    assert found.megabytes > 50 and found.seconds > 0
    assert found.problem(memory=100_000) == ""
    assert "more than 1" in found.problem(memory=1)


def test_what_fails_is_said() -> None:
    found = check_plugins.check("ganzoo-no-such")
    assert found.code == 2
    assert "no plugin 'ganzoo-no-such'" in found.problem(memory=100_000)


def test_plugins_that_bring_something_are_known() -> None:
    names = check_plugins.plugins()
    assert {"ganzoo-gan", "ganzoo-stylegan"} <= set(names)
    assert "ganzoo-browser" not in names
