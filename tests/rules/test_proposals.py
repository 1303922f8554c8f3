"""Updates to proposals: streams and groups, lockstep, edits that cannot be proven, and groups that are split."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.automerge import Automerge
from rules.config.values import Commits, Config, Landing, Limits, PullRequests, Rule
from rules.formats.base import Unread
from rules.proposals import Proposal, Stream, Wishes, fingerprint, propose, split
from rules.schedules import read
from rules.streams import apart_from, check_group, group_of
from rules.updates import Stay, Trouble, Update, unread
from tests.rules.small_world import DIGEST, OTHER, World, rule, update

LANDS = Landing(Automerge())
WEB, API = "docker.io/acme/web", "docker.io/acme/api"


def world(*rules: Rule, **more: Any) -> World:
    files = {
        "envs/dev/api.yaml": "image: acme/api:2.0.0\n",
        "envs/dev/web.yaml": "image: acme/web:1.4.1\n",
        "envs/prod/web.yaml": "image: acme/web:1.4.1\nimage: acme/web:1.4.1\n",
    }
    tags = {"acme/web": ["1.4.1", "1.4.2"], "acme/api": ["2.0.0", "2.1.0"]}
    return replace(World(files, tags, Config(rules=tuple(rules))), **more)


def streams(wishes: Wishes) -> dict[tuple[str, str, str | None], list[str]]:
    """Each proposal's stream, with the files that it changes."""
    return {(p.stream.subject, p.stream.landing, p.stream.major): [file.path for file in p.files] for p in wishes.proposals}


DEV = rule(paths=["envs/dev/**"], automerge=LANDS)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (  # one image everywhere is one request
            [],
            {(API, "person", None): ["envs/dev/api.yaml"], (WEB, "person", None): ["envs/dev/web.yaml", "envs/prod/web.yaml"]},
        ),
        (  # dev by rule and prod by a person are two
            [DEV],
            {
                (API, "rule", None): ["envs/dev/api.yaml"],
                (WEB, "person", None): ["envs/prod/web.yaml"],
                (WEB, "rule", None): ["envs/dev/web.yaml"],
            },
        ),
        (  # a rule that lands patches only: the minor waits for a person
            [rule(kinds=["patch"], automerge=LANDS)],
            {(API, "person", None): ["envs/dev/api.yaml"], (WEB, "rule", None): ["envs/dev/web.yaml", "envs/prod/web.yaml"]},
        ),
        (  # by name
            [rule(group="platform")],
            {("group:platform", "person", None): ["envs/dev/api.yaml", "envs/dev/web.yaml", "envs/prod/web.yaml"]},
        ),
        (  # by path
            [rule(group="path:envs/*")],
            {
                ("group:envs/dev", "person", None): ["envs/dev/api.yaml", "envs/dev/web.yaml"],
                ("group:envs/prod", "person", None): ["envs/prod/web.yaml"],
            },
        ),
        (  # a group lands in two ways as well
            [rule(group="platform"), DEV],
            {
                ("group:platform", "person", None): ["envs/prod/web.yaml"],
                ("group:platform", "rule", None): ["envs/dev/api.yaml", "envs/dev/web.yaml"],
            },
        ),
        (  # straight to the branch
            [rule(images=["acme/web"], paths=["envs/dev/**"], delivery="push"), rule(images=["acme/api"], policy="none")],
            {(WEB, "person", None): ["envs/prod/web.yaml"], (WEB, "push", None): ["envs/dev/web.yaml"]},
        ),
    ],
)
def test_what_shares_a_request(rules: list[Rule], expected: dict[tuple[str, str, str | None], list[str]]) -> None:
    assert streams(world(*rules).wishes()) == expected


def test_a_major_is_a_request_of_its_own_and_keeps_its_name_from_tag_to_tag() -> None:
    here = world()
    here.tags = {"acme/web": ["1.4.2", "2.0.0"], "acme/api": ["3.0.0"]}
    assert set(streams(here.wishes())) == {(WEB, "person", None), (WEB, "person", "2"), (API, "person", "3")}
    before = {proposal.branch for proposal in here.wishes().proposals}
    here.tags["acme/web"] = ["1.4.3", "2.0.1"]
    after = here.wishes().proposals
    assert {proposal.branch for proposal in after} == before
    assert {str(u.target) for p in after for u in p.updates if p.stream.major == "2"} == {"2.0.1"}


def test_a_proposal_is_whole() -> None:
    here = world(
        rule(labels=("images",), reviewers=("ann",), priority=1),
        rule(paths=["envs/prod/**"], labels=("prod", "images"), priority=5, schedule=read("Mon-Fri")),
        rule(images=["acme/web"], automerge=Landing(Automerge(method="merge", min_approvals=1))),
    )
    (found,) = (one for one in here.wishes().proposals if one.stream.subject == WEB)
    assert found.branch == "tagboat/web-" + found.stream.mark
    assert found.stream.landing.startswith("rule-")
    assert found.automerge
    assert (found.automerge.method, found.priority) == ("merge", 5)
    assert (found.labels, found.reviewers) == (("images", "prod"), ("ann",))
    assert [str(schedule) for schedule in found.schedules] == ["Mon-Fri"]
    assert [(file.path, file.mode, file.data) for file in found.files] == [
        ("envs/dev/web.yaml", "100644", b"image: acme/web:1.4.2\n"),
        ("envs/prod/web.yaml", "100644", b"image: acme/web:1.4.2\nimage: acme/web:1.4.2\n"),
    ]


def test_rules_that_land_alike_have_one_stream_and_others_have_their_own() -> None:
    def landing(**keys: Any) -> str:
        here = world(rule(automerge=Landing(Automerge(**keys))))
        return next(one.stream.landing for one in here.wishes().proposals if one.stream.subject == WEB)

    assert landing() == "rule"
    assert landing(method="merge") == landing(method="merge") != landing(method="rebase")


@pytest.mark.parametrize(
    ("group", "path", "expected"),
    [
        (None, "a.yaml", None),
        ("platform", "a.yaml", "platform"),
        ("path:envs/*", "envs/dev/api/app.yaml", "envs/dev"),
        ("path:envs/*/", "envs/dev/app.yaml", "envs/dev"),
        ("path:envs/*", "envs/app.yaml", None),  # the folder has to be there
        ("path:envs/*", "charts/app.yaml", None),
        ("path:**/prod", "a/b/prod/c/app.yaml", "a/b/prod"),
        ("path:[", "a/app.yaml", "path:["),
    ],
)
def test_groups_by_path(group: str | None, path: str, expected: str | None) -> None:
    assert group_of(group, path) == expected


def test_a_group_of_folders_that_cannot_be_read_is_told() -> None:
    check_group("platform")
    check_group("path:envs/*")
    with pytest.raises(ValueError, match="never closed"):
        check_group("path:[")


# -- lockstep

LOCKED = rule(group="platform", lockstep=True)


def locked(web_tags: list[str] | None, api_tags: list[str] | None, *rules: Rule, **files: str) -> Wishes:
    standing = {"web.yaml": "image: acme/web:1.4.1\n", "api.yaml": "image: acme/api:1.4.1\n"}
    here = World(standing | {f"{name}.yaml": text for name, text in files.items()}, {"acme/web": web_tags, "acme/api": api_tags})
    here.config = Config(rules=(LOCKED, *rules))
    return here.wishes()


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        (locked(["1.4.2"], ["1.4.2"]), None),
        (locked(["1.4.2"], ["v1.4.2"]), None),  # versions are compared, not spellings
        (locked(["1.4.2"], ["1.4.1"], api="image: acme/api:1.4.2\n"), None),  # one is there already
        (locked(["1.4.2"], ["1.4.1"], rule(images=["acme/api"], policy="none")), None),  # told to be left alone: no member
        (locked(["1.4.2"], ["1.4.3"]), "would go to 1.4.2, and docker.io/acme/api to 1.4.3"),
        (locked(["1.4.2"], ["1.4.1"]), "acme/api stays at 1.4.1, and the others would go to 1.4.2"),
        (locked(["1.4.2"], None), "acme/api in api.yaml could not be looked at (the registry is down)"),
        (locked(["1.4.2"], ["1.4.2"], api="image: acme/api:1.4.1 # odd\n"), "api.yaml cannot be changed (it is odd)"),
        (locked(["2.0.0"], ["1.4.1"]), "acme/api stays at 1.4.1, and the others would go to 2.0.0"),
    ],
)
def test_all_members_go_to_the_same_version_or_none_does(wishes: Wishes, reason: str | None) -> None:
    if reason is None:
        assert len(wishes.proposals) == 1
        assert wishes.withheld == ()
    else:
        assert wishes.proposals == ()
        assert reason in wishes.withheld[0].reason
        assert wishes.withheld[0].stream.subject == "group:platform"


def test_in_the_stream_of_the_major_the_members_without_one_count_as_staying() -> None:
    wishes = locked(["1.4.2", "2.0.0"], ["1.4.2"])
    assert [p.stream.major for p in wishes.proposals] == [None]
    assert [w.stream.major for w in wishes.withheld] == ["major"]
    both = locked(["1.4.2", "2.0.0"], ["1.4.2", "2.0.0"])
    assert [p.stream.major for p in both.proposals] == [None, "major"]


def test_members_that_land_differently_are_landed_by_a_person_together() -> None:
    wishes = locked(["1.4.2"], ["1.4.2"], rule(images=["acme/web"], automerge=LANDS))
    assert [p.stream.landing for p in wishes.proposals] == ["person"]
    assert wishes.proposals[0].automerge is None


def test_one_member_on_hold_holds_all() -> None:
    here = World({"web.yaml": "image: acme/web:1.4.1\n", "api.yaml": "image: acme/api:1.4.1\n"}, {})
    here.tags, here.config = {"acme/web": ["1.4.2"], "acme/api": ["1.4.2"]}, Config(rules=(LOCKED,))
    outcomes = [
        Stay(one.occurrence, "on hold", one.choice, one) if isinstance(one, Update) and "api" in one.occurrence.image else one
        for one in here.outcomes()
    ]
    wishes = propose(outcomes, here.ground())
    assert wishes.proposals == ()
    assert [(w.stream.subject, w.reason) for w in wishes.withheld] == [("group:platform", "on hold")]


# -- what cannot be done


def test_an_edit_that_cannot_be_proven_is_trouble_and_the_rest_goes_on() -> None:
    here = world()
    here.files["envs/prod/web.yaml"] = "image: acme/web:1.4.1\nimage: acme/web:1.4.1 # odd\n"
    wishes = here.wishes()
    (found,) = (one for one in wishes.proposals if one.stream.subject == WEB)
    assert [file.data for file in found.files][1] == b"image: acme/web:1.4.2\nimage: acme/web:1.4.1 # odd\n"
    assert [(u.occurrence.file, u.occurrence.line) for u in found.updates] == [
        ("envs/dev/web.yaml", 1),
        ("envs/prod/web.yaml", 1),
    ]
    assert wishes.troubles == (Trouble("envs/prod/web.yaml", 2, "acme/web", "it is odd", base="main"),)


def test_a_stream_of_which_nothing_can_be_done_has_no_proposal() -> None:
    here = world()
    here.files = {"a.yaml": "image: acme/web:1.4.1 # odd\n"}
    wishes = here.wishes()
    assert (wishes.proposals, wishes.withheld, len(wishes.troubles)) == ((), (), 1)
    here.files = {"a.yaml": "image: acme/web:1.4.1\n"}
    missing = propose(here.outcomes(), replace(here.ground(), files={}))
    assert [trouble.reason for trouble in missing.troubles] == ["its file could not be read"]


def test_files_that_could_not_be_read_are_trouble_for_all_that_is_in_them() -> None:
    (found,) = unread([Unread("a.yaml", 3, "does not parse")])
    wishes = propose([found], world().ground())
    assert wishes.troubles == (Trouble("a.yaml", 3, "", "does not parse", base="main"),)
    assert wishes.troubles[0].covers("main", "a.yaml", "anything")


def test_what_is_held_back_is_left_out_and_a_stream_of_which_all_is_held_waits() -> None:
    here = world()

    def hold(file: str) -> Wishes:
        outcomes = [
            Stay(one.occurrence, "a person went back", one.choice, one)
            if isinstance(one, Update) and one.occurrence.file.startswith(file)
            else one
            for one in here.outcomes()
        ]
        return propose(outcomes, here.ground())

    part = hold("envs/prod")
    (found,) = (one for one in part.proposals if one.stream.subject == WEB)
    assert [file.path for file in found.files] == ["envs/dev/web.yaml"]
    assert [stay.reason for stay in found.left_out] == ["a person went back"] * 2
    everything = hold("envs/")
    assert everything.proposals == ()
    assert {(one.stream.subject, one.reason) for one in everything.withheld} == {
        (WEB, "a person went back"),
        (API, "a person went back"),
    }


# -- a red group


def grouped() -> tuple[World, Proposal]:
    here = world(rule(group="platform"))
    (proposal,) = here.wishes().proposals
    return here, proposal


def test_a_red_member_is_taken_out_so_that_the_rest_can_land() -> None:
    here, whole = grouped()
    (good, red), troubles = split(whole, ["acme/api"], here.ground())
    assert troubles == []
    assert (good.branch, red.stream.subject) == (whole.branch, f"group:platform+{API}")
    assert red.branch.startswith("tagboat/api-")
    assert good.fingerprint != whole.fingerprint
    assert [file.path for file in good.files] == ["envs/dev/web.yaml", "envs/prod/web.yaml"]
    assert [file.path for file in red.files] == ["envs/dev/api.yaml"]
    # and the next passes keep them apart
    again = propose(here.outcomes(), here.ground(frozenset({apart_from("group:platform", "acme/api")})))
    assert {one.branch: one.fingerprint for one in again.proposals} == {one.branch: one.fingerprint for one in (good, red)}
    assert {one.stream.group for one in again.proposals} == {"platform"}


@pytest.mark.parametrize("red", [[], ["acme/web", "acme/api"], ["acme/other"]])
def test_what_cannot_be_split_stays_as_it_is(red: list[str]) -> None:
    here, whole = grouped()
    assert split(whole, red, here.ground()) == ([whole], [])


def test_a_lockstep_group_is_never_split() -> None:
    here = World({"web.yaml": "image: acme/web:1.4.1\n", "api.yaml": "image: acme/api:1.4.1\n"}, {})
    here.tags, here.config = {"acme/web": ["1.4.2"], "acme/api": ["1.4.2"]}, Config(rules=(LOCKED,))
    (whole,) = here.wishes().proposals
    assert split(whole, ["acme/api"], here.ground()) == ([whole], [])


# -- what identity means


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (update(), True),
        (replace(update(), kind="minor", policy="semver"), True),
        (update(new="1.4.3"), False),
        (update("image: acme/web:1.4.0"), False),
        (update(file="b.yaml"), False),
        (update("image: acme/api:1.4.1"), False),
        (update(f"image: acme/web:1.4.1@{DIGEST}", f"1.4.2@{OTHER}"), False),
    ],
)
def test_the_fingerprint_changes_exactly_with_what_is_wished(change: Update, same: bool) -> None:
    assert (fingerprint([change]) == fingerprint([update()])) is same
    assert fingerprint([update(), update()]) != fingerprint([update()])


def test_a_branch_is_named_after_its_stream_alone() -> None:
    stream = Stream("main", "ghcr.io/acme/Web_Shop", "rule")
    assert stream.branch("bots/") == f"bots/web-shop-{stream.mark}"
    others = [replace(stream, base="next"), replace(stream, landing="person"), replace(stream, major="2")]
    assert len({one.branch("") for one in (stream, *others)}) == 4
    assert Stream("main", "group:***", "rule").branch("x-").startswith("x-images-")


def test_the_configuration_names_branches_and_titles() -> None:
    here = world()
    here.config = Config(commits=Commits(title="bump {image} ({kind})"), pull_requests=PullRequests(branch_prefix="bots/"))
    found = {one.title for one in here.wishes().proposals}
    assert found == {"bump acme/api (minor)", "bump acme/web (patch)"}
    assert all(one.branch.startswith("bots/") for one in here.wishes().proposals)


def test_the_operator_may_forbid_pushing() -> None:
    here = world(rule(delivery="push"))
    assert all(one.is_push for one in here.wishes().proposals)
    here.config = replace(here.config, limits=Limits(push=False))
    assert not any(one.is_push for one in here.wishes().proposals)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([(), (DEV,), (rule(group="all"),), (DEV, LOCKED)]))
def test_the_order_of_what_was_found_changes_nothing(chance: Random, rules: tuple[Rule, ...]) -> None:
    here = world(*rules)
    outcomes = here.outcomes()
    shuffled = list(outcomes)
    chance.shuffle(shuffled)
    assert propose(shuffled, here.ground()) == propose(outcomes, here.ground())


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(["acme/web", "acme/api", "acme/db"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["1.0.0", "1.4.1", "2.0.0"]), min_size=6, max_size=6),
    st.sampled_from([(), (DEV,), (rule(group="all"), DEV), (rule(group="path:envs/*"),)]),
)
def test_no_place_is_in_two_proposals_for_the_same_major(images: list[str], tags: list[str], rules: tuple[Rule, ...]) -> None:
    files = {f"envs/{'dev' if at % 2 else 'prod'}/{at}.yaml": f"image: {one}:{tags[at]}\n" for at, one in enumerate(images)}
    here = World(files, {one: ["1.4.2", "2.0.0", "3.1.0"] for one in images}, Config(rules=rules))
    proposals = here.wishes().proposals
    moved = [(u.occurrence, p.stream.major is not None) for p in proposals for u in p.updates]
    assert len(moved) == len(set(moved))
    assert len({p.branch for p in proposals}) == len(proposals)
    for proposal in proposals:
        assert len({update.occurrence for update in proposal.updates}) == len(proposal.updates)
        assert {file.path for file in proposal.files} == {update.occurrence.file for update in proposal.updates}
