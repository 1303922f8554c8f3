"""The table of CI systems, landing methods and forges, written out by hand from the facts, and held against the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules import ci, loop_table
from rules.ci.examples import EXAMPLES, IMAGE, PATHS, REPOSITORY, Example
from rules.ci.landings import WAYS, Way, exists
from rules.ci.situation import Marking, Refusal, Situation
from rules.ci.world import World
from rules.loop_table import FORGES, Cell, cell
from rules.loops import mark

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ci-loops.md"

# By landing method: squash, merge, rebase, fast-forward, auto-merge, queue, push.
# T a token that the CI reads, on the landing commit; S `skip-ci:`, on the branch commit too; N nothing is needed; R refused;
# D Tagboat lands directly instead; ? a lower letter: not confirmed; - not applicable.
EXPECTED = {
    ("GitHub Actions", "github"): "TTR-DRT",
    ("GitHub Actions", "gitlab"): "-------",
    ("GitHub Actions, `paths-ignore`", "github"): "NNN-NNN",
    ("GitHub Actions, `paths-ignore`", "gitlab"): "-------",
    ("GitLab CI", "github"): "-------",
    ("GitLab CI", "gitlab"): "TTRRdRT",
    ("GitLab CI, a rule on `skip-ci`", "github"): "-------",
    ("GitLab CI, a rule on `skip-ci`", "gitlab"): "SSSSdSS",
    ("Jenkins, GitLab plugin", "github"): "RRR-RRR",
    ("Jenkins, GitLab plugin", "gitlab"): "TTRRdRT",
    ("Jenkins, SCM Skip", "github"): "TRR-DRT",
    ("Jenkins, SCM Skip", "gitlab"): "TRRRdRT",
    ("Jenkins, `changelog` on `skip-ci`", "github"): "SSS-DRS",
    ("Jenkins, `changelog` on `skip-ci`", "gitlab"): "SSSSdSS",
    ("Jenkins, nothing of these", "github"): "RRR-RRR",
    ("Jenkins, nothing of these", "gitlab"): "RRRRrRR",
    ("Argo Events, oldest commit", "github"): "SSS-DRS",
    ("Argo Events, oldest commit", "gitlab"): "SSSSdSS",
    ("Argo Events, newest commit", "github"): "SSS-DRS",
    ("Argo Events, newest commit", "gitlab"): "-------",
    ("Argo Events, no filter on messages", "github"): "RRR-RRR",
    ("Argo Events, no filter on messages", "gitlab"): "RRRRrRR",
    ("Tekton Triggers, CEL on `skip-ci`", "github"): "SSS-DRS",
    ("Tekton Triggers, CEL on `skip-ci`", "gitlab"): "SSSSdSS",
    ("Pipelines-as-Code", "github"): "TTR-DRT",
    ("Pipelines-as-Code", "gitlab"): "TTRRdRT",
    ("CircleCI", "github"): "TTR-DRT",
    ("CircleCI", "gitlab"): "TTRRdRT",
    ("Azure Pipelines", "github"): "rrR-RRr",
    ("Azure Pipelines", "gitlab"): "-------",
    ("Drone", "github"): "TTR-DRT",
    ("Drone", "gitlab"): "TTRRdRT",
    ("Woodpecker", "github"): "TTR-DRT",
    ("Woodpecker", "gitlab"): "TTRRdRT",
    ("Buildkite", "github"): "TTR-DRT",
    ("Buildkite", "gitlab"): "TTRRdRT",
    ("Travis CI", "github"): "TTR-DRT",
    ("Travis CI", "gitlab"): "TTRRdRT",
    ("Bitbucket Pipelines", "github"): "-------",
    ("Bitbucket Pipelines", "gitlab"): "-------",
}
TOKENS = {"Jenkins, GitLab plugin": "[ci-skip]", "Jenkins, SCM Skip": "[ci skip]", "Drone": "[CI SKIP]"}
ROWS = [(example, forge) for example in EXAMPLES for forge in FORGES]


def _letter(one: Cell) -> str:
    if one.status == "not applicable":
        return "-"
    starts = {
        "marks with": "S" if "branch commit" in one.does else "T",
        "lands unmarked": "N",
        "refuses": "R",
        "lands directly": "D",
    }
    letter = next(letter for start, letter in starts.items() if one.does.startswith(start))
    return letter.lower() if one.status == "unknown" else letter


@pytest.mark.parametrize(("example", "forge"), ROWS, ids=lambda one: one if isinstance(one, str) else one.title)
def test_what_is_done(example: Example, forge) -> None:
    assert "".join(_letter(cell(example, forge, way)) for way in WAYS) == EXPECTED[example.title, forge]


def test_there_are_at_least_twelve_systems_and_every_cell_is_counted() -> None:
    assert len(ci.SYSTEMS) >= 12
    assert {example.system for example in EXAMPLES} == set(ci.SYSTEMS)
    letters = "".join(EXPECTED.values())
    assert loop_table.counts() == {
        "decided": sum(letter.isupper() for letter in letters),
        "unknown": sum(letter.islower() for letter in letters),
        "not applicable": letters.count("-"),
    }


@pytest.mark.parametrize(
    "one",
    [one for one in loop_table.cells() if one.status != "not applicable"],
    ids=lambda one: f"{one.title} {one.forge} {one.way}",
)
def test_every_cell_has_a_source_and_a_reason(one: Cell) -> None:
    assert one.source
    assert one.reason
    assert _letter(one) != "T" or f"`{TOKENS.get(one.title, '[skip ci]')}`" in one.does


@pytest.mark.parametrize(("example", "forge"), ROWS, ids=lambda one: one if isinstance(one, str) else one.title)
def test_no_loop_and_no_hanging_check_without_a_refusal(example: Example, forge) -> None:
    """Played through once more, with what was decided: an answer that lands must not start the build, nor keep a check away."""
    if forge not in ci.SYSTEMS[example.system].FORGES:
        return
    situation = Situation(forge, example.definitions, REPOSITORY, images=(IMAGE,), paths=PATHS)
    world = World.of(situation)
    for way in (way for way in WAYS if exists(forge, way)):
        unmarked = world.play(situation, way, Marking(None, ""))
        answer = mark(situation, way)
        if isinstance(answer, Refusal):
            assert any(one.loop for one in unmarked.landing), f"{way} is refused for nothing"
            assert answer.fix
            continue
        played = world.play(situation, way, answer)
        assert not any(one.loop for one in played.landing), way
        assert not played.hangs(unmarked), way


@pytest.mark.parametrize(("example", "forge"), ROWS, ids=lambda one: one if isinstance(one, str) else one.title)
def test_without_a_marker_there_is_a_loop_so_the_table_is_not_about_nothing(example: Example, forge) -> None:
    if forge not in ci.SYSTEMS[example.system].FORGES or "paths-ignore" in example.title or example.only not in (None, forge):
        return
    situation = Situation(forge, example.definitions, REPOSITORY, images=(IMAGE,), paths=PATHS)
    trial = World.of(situation).play(situation, "squash", Marking(None, ""))
    assert any(one.loop for one in trial.landing)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.title)
@pytest.mark.parametrize("way", WAYS)
def test_a_deploy_repository_gets_no_marker(example: Example, way: Way) -> None:
    """The image comes from elsewhere: nothing is built here, so nothing is silenced."""
    for forge in FORGES:
        situation = Situation(forge, example.definitions, "acme/gitops", images=("docker.io/library/nginx",), paths=PATHS)
        answer = mark(situation, way)
        if exists(forge, way):
            assert isinstance(answer, Marking)
            assert answer.token is None


def test_the_page_says_what_the_code_does() -> None:
    page = PAGE.read_text()
    for name, text in loop_table.PARTS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        assert page.partition(begin)[2].partition(end)[0].strip() == text().strip(), f"write docs/ci-loops.md anew: {name}"
