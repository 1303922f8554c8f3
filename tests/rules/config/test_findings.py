"""What is wrong in a `.tagboat.yaml`: each row is a file and everything that is said of it, by line."""

# ruff: noqa: E501  # a row is a line, however much is said
from __future__ import annotations

import time

import pytest

from rules.config import ConfigError, layer, load
from rules.config.tree import read


def said(text: str | bytes) -> list[str]:
    """What is said of a file; nothing where it loads."""
    try:
        load(text.encode() if isinstance(text, str) else text)
    except ConfigError as error:
        return [str(finding).removeprefix(".tagboat.yaml") for finding in error.findings]
    return []


TOP = "base_branches, commits, dashboard_issue, files, freeze, loop, pull_requests, rules, version"

KEYS = [
    ("rulez: []", [":1: rulez: unknown key (did you mean 'rules'?)"]),
    ("rules:\n  - {polic: semver}", [":2: rules[0].polic: unknown key (did you mean 'policy'?)"]),
    ("rules: [{max-step: minor}]", [":1: rules[0].max-step: unknown key (did you mean 'max_step'?)"]),
    ("rules: [{maxStep: minor}]", [":1: rules[0].maxStep: unknown key (did you mean 'max_step'?)"]),
    (
        "rules: [{policy: auto, automerge: {metod: squash}}]",
        [":1: rules[0].automerge.metod: unknown key (did you mean 'method'?)"],
    ),
    (
        "rules: [{automerge: {min_release_age_days: 3}}]",
        [":1: rules[0].automerge.min_release_age_days: unknown key (did you mean 'min_release_age'?)"],
    ),
    ("loop: {zzz: 1}", [":1: loop.zzz: unknown key (known here: max)"]),
    ("{'a\\nb': 1, '': 2}".replace("'", '"'), [f":1: ['{key}']: unknown key (known here: {TOP})" for key in ("a\\nb", "")]),
    # right by its name, but at the wrong place
    ("automerge: true", [":1: automerge: unknown key (it belongs under rules[])"]),
    ("policy: semver", [":1: policy: unknown key (it belongs under rules[])"]),
    ("rules: [{images: [web], policy: auto}]", [":1: rules[0].images: unknown key (it belongs under rules[].match)"]),
    ("rules: [{match: {policy: auto}}]", [":1: rules[0].match.policy: unknown key (it belongs under rules[])"]),
    ("marker: none", [":1: marker: unknown key (it belongs under commits)"]),
    ("commits: {freeze: []}", [":1: commits.freeze: unknown key (it belongs to the top of the file)"]),
    # a rule that says nothing
    ("rules: [{match: {paths: ['**']}}]", [":1: rules[0]: the rule says nothing but what it matches"]),
    ("rules: [{}]", [":1: rules[0]: the rule says nothing but what it matches"]),
]

KINDS = [
    ("[1, 2]", [":1: has to be a mapping (key: value), not a list"]),
    ("just a text", [":1: has to be a mapping (key: value), not a text"]),
    ("rules: {policy: auto}", [":1: rules: has to be a list, not a mapping"]),
    ("rules: [semver]", [":1: rules[0]: has to be a mapping (key: value), not a text"]),
    ("rules: [~]", [":1: rules[0]: has to be a mapping (key: value), not nothing"]),
    ("rules: [{match: {images: 'web'}, pin: true}]", [":1: rules[0].match.images: has to be a list, not a text (write [web])"]),
    ("rules: [{match: [web], pin: true}]", [":1: rules[0].match: has to be a mapping (key: value), not a list"]),
    ("rules: [{pin: 'true'}]", [":1: rules[0].pin: has to be true or false, not 'true' (take the quotes away)"]),
    ("rules: [{pin: 1}]", [":1: rules[0].pin: has to be true or false, not '1'"]),
    ("rules: [{pin: []}]", [":1: rules[0].pin: has to be true or false, not a list"]),
    ("rules: [{priority: high}]", [":1: rules[0].priority: has to be a whole number, not 'high'"]),
    ("rules: [{priority: '3'}]", [":1: rules[0].priority: has to be a whole number, not '3' (take the quotes away)"]),
    ("rules: [{priority: 1.5}]", [":1: rules[0].priority: has to be a whole number, not '1.5'"]),
    ("rules: [{group: [a]}]", [':1: rules[0].group: has to be a text, not a list (write "[a]")']),
    ("rules: [{group: yes}]", [':1: rules[0].group: yes without quotes is a boolean to YAML, and a text is wanted (write "yes")']),
    ("rules: [{group: '  '}]", [":1: rules[0].group: must not be empty"]),
    ('rules: [{group: "a\\nb"}]', [":1: rules[0].group: has to be one line, without control characters"]),
    ("rules:\n- group: |\n    a\n", [":2: rules[0].group: has to be one line, without control characters (write |- or >- for | or >)"]),
    ("rules: [{policy: latest}]", [":1: rules[0].policy: 'latest' is not allowed: write auto, semver, alphabetical, numerical, newest, digest, follow or none"]),
    ("rules: [{policy: semvr}]", [":1: rules[0].policy: 'semvr' is not allowed: write auto, semver, alphabetical, numerical, newest, digest, follow or none (did you mean 'semver'?)"]),
    ("rules: [{policy: [semver]}]", [":1: rules[0].policy: has to be auto, semver, alphabetical, numerical, newest, digest, follow or none, not a list"]),
    ("rules: [{match: {updates: [path]}, pin: true}]", [":1: rules[0].match.updates[0]: 'path' is not allowed: write major, minor, patch, build, digest or pin (did you mean 'patch'?)"]),
    ("version: 2", [":1: version: '2' is not allowed: write 1"]),
    ("rules: [{platforms: linux}]", [":1: rules[0].platforms: has to be auto, any or a list of platforms, not 'linux'"]),
    ("rules: [{platforms: [linux]}]", [":1: rules[0].platforms: 'linux' is not a platform: write for example linux/amd64 or linux/arm64/v8"]),
    ("rules: [{automerge: maybe}]", [":1: rules[0].automerge: has to be true, false or a mapping, not 'maybe'"]),
    ("rules: [{automerge: [a]}]", [":1: rules[0].automerge: has to be true, false or a mapping, not a list"]),
    ("rules: [{automerge: {max_attempts: 0}}]", [":1: rules[0].automerge.max_attempts: has to be at least 1"]),
    ("rules: [{automerge: {min_approvals: -1}}]", [":1: rules[0].automerge.min_approvals: has to be at least 0"]),
    ("rules: [{automerge: {min_age: 1d, min_release_age: 2d}}]", [":1: rules[0].automerge.min_age: min_age and min_release_age say the same: write one of them"]),
    ("rules: [{follow: {soak: 1h}}]", [":1: rules[0].follow.from: this key is missing"]),
    ("loop: {max: 0}", [":1: loop.max: has to be at least 1"]),
    ("loop: {max: 1000}", [":1: loop.max: has to be at most 100"]),
    ("pull_requests: {limit: -1}", [":1: pull_requests.limit: has to be at least 0"]),
]  # fmt: skip

VALUES = [
    ("rules: [{min_age: 3}]", [":1: rules[0].min_age: 3 has no unit: write 3d for days, 3h for hours, 3m for minutes"]),
    ("rules: [{min_age: soon}]", [":1: rules[0].min_age: 'soon' is not a duration: write for example 3d, 12h, 90m or 1h30m"]),
    ("rules: [{min_age: 99999d}]", [":1: rules[0].min_age: 99999d is longer than ten years"]),
    ("rules: [{tags: '('}]", [":1: rules[0].tags: '(' is not a regular expression of RE2: missing ): ("]),
    (
        "rules: [{tags: 'a(?=b)'}]",
        [":1: rules[0].tags: 'a(?=b)' is not a regular expression of RE2: invalid perl operator: (?= (RE2 has no look-around and no back-references)"],
    ),
    (r"rules: [{tags: '(a)\1'}]", [r":1: rules[0].tags: '(a)\\1' is not a regular expression of RE2: invalid escape sequence: \1 (RE2 has no look-around and no back-references)"]),
    ("files: {include: ['a[']}", [":1: files.include[0]: 'a[': a '[' is never closed"]),
    ("files: {exclude: ['{a']}", [":1: files.exclude[0]: '{a': a '{' is never closed"]),
    ("rules: [{ignore: ['[z-a]']}]", [":1: rules[0].ignore[0]: '[z-a]': the range z-a runs backwards"]),
    ("rules: [{schedule: 'Mon-Fri 8-17'}]", [":1: rules[0].schedule: '8-17' in 'Mon-Fri 8-17' is neither days, times nor a zone; an example is \"Mon-Fri 08:00-17:00 Europe/Zurich\""]),
    ("rules:\n- schedule:\n  - Mon 08:00-09:00\n  - {days: [mon], tz: Mars/Base}", [":4: rules[0].schedule[1].tz: 'Mars/Base' is not a time zone: write an IANA name such as Europe/Zurich or UTC"]),
    ("rules: [{schedule: {day: mon}}]", [":1: rules[0].schedule.day: unknown key 'day': a schedule has days, from, to, tz"]),
    ("rules: [{schedule: []}]", [":1: rules[0].schedule: an empty list would never be open: leave the key out for always"]),
    ("rules: [{automerge: {schedule: Mon 25:00-26:00}}]", [":1: rules[0].automerge.schedule: '25:00' is not a time of day: write 08:00 to 24:00"]),
    ("freeze:\n  - {from: 2026-12-20,\n     to: Christmas}", [":3: freeze[0].to: 'Christmas' is not a date: write 2026-12-20 or 2026-12-20 18:00"]),
    ("freeze: [{from: 2026-02-30}]", [":1: freeze[0].from: '2026-02-30' is not a date: write 2026-12-20 or 2026-12-20 18:00"]),
    ("freeze: [{from: 2027-01-05, to: 2026-12-20}]", [":1: freeze[0].to: the freeze ends (2026-12-20) before it begins (2027-01-05)"]),
    ("freeze: [{except_label: urgent}]", [":1: freeze[0]: a freeze needs `from`, `to` or both"]),
    ("freeze: [{from: 2026-12-20, tz: Nowhere}]", [":1: freeze[0].tz: 'Nowhere' is not a time zone: write an IANA name such as Europe/Zurich or UTC"]),
    ("commits: {title: '{what}'}", [":1: commits.title: {what} is no field of a title: there are {action}, {image}, {old}, {new}, {kind}, {path}, {group}, {count}, {base}"]),
    ("commits: {title: 'a } b'}", [":1: commits.title: a single } stands in it: write }} for the character itself"]),
    ("commits: {title: '{image} [skip ci]'}", [":1: commits.title: '[skip ci]' in a title would skip the checks of the request itself; commits.marker puts it where it is safe"]),
    ("commits: {marker: [ci skip]}", [':1: commits.marker: has to be a text, not a list (write "[ci skip]")']),
    ("commits: {author: {name: me}}", [":1: commits.author.email: this key is missing"]),
    ("base_branches: ['a..b']", [":1: base_branches[0]: 'a..b' is not the name of a branch"]),
    ("base_branches: ['main/']", [":1: base_branches[0]: 'main/' is not the name of a branch"]),
    ("base_branches: ['-x']", [":1: base_branches[0]: '-x' is not the name of a branch"]),
    ("pull_requests: {branch_prefix: 'a b/'}", [":1: pull_requests.branch_prefix: 'a b/' cannot begin the name of a branch (write for example tagboat/)"]),
    (f"pull_requests: {{branch_prefix: {'x' * 101}}}", [f":1: pull_requests.branch_prefix: '{'x' * 59}…' cannot begin the name of a branch (write for example tagboat/)"]),
]  # fmt: skip

POLICIES = [
    ("rules: [{policy: semver, range: '>>1'}]", "rules[0].range"),
    ("rules: [{range: 'not a range'}]", "rules[0].range"),
    ("rules: [{tags: '^v', extract: $name}]", "rules[0].extract"),
    ("rules: [{policy: numerical, tags: '^v', extract: '$1'}]", "rules[0].extract"),
    ("rules: [{policy: numerical, tags: '^v(\\d+)', extract: '$1', range: '>>1'}]", ""),
]

YAML = [
    ("a: [", [":1: this is not YAML: did not find expected node content"]),
    ("rules: []\nrules: []", [":2: rules: this key stands twice; the first is on line 1"]),
    ("loop: {max: 3, max: 4}", [":1: loop.max: this key stands twice; the first is on line 1"]),
    ("version: 1\n---\nversion: 1", [":3: a second document (---) begins here; the file is to have one"]),
    ("x: &x {max: 3}\nloop: {<<: *x}", [f":1: x: unknown key (known here: {TOP})", ":2: loop: merge keys are not read: write the keys out"]),
    ("loop: {max: !!python/object:os.system 3}", [":1: loop.max: a value that begins with ! is a tag to YAML, and tags are not read (put it in quotes)"]),
    ("loop: !include other.yaml", [":1: loop: a value that begins with ! is a tag to YAML, and tags are not read (put it in quotes)", ":1: loop: has to be a mapping (key: value), not a text"]),
    ("? [a]\n: b", [":1: a key has to be a word (quote values that begin with { or [)"]),
    ("rules: [{group: *nowhere}]", [":1: this is not YAML: found undefined alias"]),
    (b"rules: [\x00]", [":1: this is not YAML: not text: control characters are not allowed"]),
    (b"version: 1\n# caf\xe9\n", [":2: this is not YAML: not UTF-8 text"]),
    ("version: 1".encode("utf-16"), [": this is not YAML: UTF-16 text is not read: save the file as UTF-8"]),
    (b"#" * (256 * 1024 + 1), [": the file is larger than 256 KiB"]),
    ("rules: " + "[" * 50 + "]" * 50, [":1: the file is nested deeper than 40 levels"]),
    ("a: " + "[" * 200 + "]" * 200, [":1: this is not YAML: nested deeper than 100 levels"]),
    ("a: " + "{a: " * 5000, [":1: this is not YAML: nested deeper than 100 levels"]),
    ("a: &a [*a]", [":1: the file is nested deeper than 40 levels"]),
    (
        "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
        [":1: the file has more than 50000 values, aliases followed"],
    ),
    ("files: {include: [" + "a," * 50000 + "]}", [":1: the file has more than 50000 values, aliases followed"]),
    ("rules: [" + "{pin: true}," * 501 + "]", [":1: rules: has more than 500 items"]),
    ("rules: [{tags: '(?i)\\pL{200}'}]", [r":1: rules[0].tags: '(?i)\\pL{200}' is not a regular expression of RE2: pattern too large - compile failed"]),
]  # fmt: skip

_NOTHING_FOLLOWED = (
    'policy: policy follow needs the key `follow`, and no rule has it (write for example follow: {from: "envs/dev/**"})'
)
FOLLOWING = [
    ("rules:\n  - policy: follow", [f":2: rules[0].{_NOTHING_FOLLOWED}"]),
    ("rules: [{pin: true}, {policy: follow, follow: ~}]", [f":1: rules[1].{_NOTHING_FOLLOWED}"]),
    (
        "rules:\n  - {policy: follow, match: {paths: [a]}}\n  - {match: {paths: [b]},\n     policy: 'follow'}",
        [f":2: rules[0].{_NOTHING_FOLLOWED}", f":4: rules[1].{_NOTHING_FOLLOWED}"],
    ),
    (
        "rules: [{policy: follow}, {pni: true}, 7]",
        [
            ":1: rules[1].pni: unknown key (did you mean 'pin'?)",
            ":1: rules[2]: has to be a mapping (key: value), not a text",
            f":1: rules[0].{_NOTHING_FOLLOWED}",
        ],
    ),
    # a key that is wrong is there: one fault is said once
    ("rules: [{policy: follow, follow: {soak: 1h}}]", [":1: rules[0].follow.from: this key is missing"]),
]

SEVERAL = [
    (
        "version: 3\nrules:\n  - {match: {paths: [a]}, polcy: semver}\n  - {min_age: 3, tags: '('}\nloop: {max: no}\nfreeze: [{to: x}]",
        [
            ":1: version: '3' is not allowed: write 1",
            ":3: rules[0].polcy: unknown key (did you mean 'policy'?)",
            ":4: rules[1].tags: '(' is not a regular expression of RE2: missing ): (",
            ":4: rules[1].min_age: 3 has no unit: write 3d for days, 3h for hours, 3m for minutes",
            ":5: loop.max: has to be a whole number, not the boolean no",
            ":6: freeze[0].to: 'x' is not a date: write 2026-12-20 or 2026-12-20 18:00",
        ],
    ),
    (
        "freeze: [{to: x}, {from: y}]\nrules: [{match: {}}]",
        [
            ":1: freeze[0].to: 'x' is not a date: write 2026-12-20 or 2026-12-20 18:00",
            ":1: freeze[1].from: 'y' is not a date: write 2026-12-20 or 2026-12-20 18:00",
            ":2: rules[0]: the rule says nothing but what it matches",
        ],
    ),
    # what is wrong in the YAML does not hide the rest
    (
        "loop: {max: 3, max: 4}\nversion: 2",
        [":1: loop.max: this key stands twice; the first is on line 1", ":2: version: '2' is not allowed: write 1"],
    ),
]

FINE = [
    "",
    "# nothing but a comment\n",
    "---\n",
    "{}",
    "rules:\n",
    "rules: []\nfreeze:\nloop:\ncommits:\nfiles:\npull_requests:\nbase_branches:\n",
    "\ufeffversion: 1\r\nrules:\r\n  - pin: true\r\n",
    "version: '1'",
    "version: 1\n---\n",
    "rules: [{range: 1.10}]",
    "rules: [{range: '>=1 <2'}, {policy: none}, {policy: ~}]",
    "rules: [{automerge: no}, {automerge: true}, {automerge: {}}, {automerge: none}, {automerge: ~}]",
    "rules: [{schedule: 'Mon-Fri 08:00-17:00 Europe/Zurich'}, {schedule: [weekends, daily 02:00-04:00]}]",
    "rules: [{schedule: {days: mon-fri, from: 22:00, to: 6:00, tz: UTC}}]",
    "rules: [{labels: [2024, 1.0]}]",
    "rules: [{min_age: 0}, {min_age: 1w}, {min_age: 1d12h}]",
    "freeze: [{from: 2026-12-20, to: 2027-01-05, except_label: urgent}, {to: 2026-12-20 18:00}]",
    "commits: {marker: '[ci skip]', title: '{{x}} {image}', author: {name: Añá, email: a@b.c}, signoff: yes}",
    "rules:\n  - &dev {match: {paths: ['dev/**']}, pin: true}\n  - *dev\n",
    "rules: [{tags: !!str ^v}]",
    "rules: [{policy: follow, follow: {from: dev}}]",
    # another rule may bring the key: before, behind, and for other places as far as anybody can tell
    "rules: [{policy: follow}, {match: {paths: [prod]}, follow: {from: dev}}]",
    "rules: [{match: {paths: [prod]}, follow: {from: dev}}, {policy: follow}]",
]


@pytest.mark.parametrize(("text", "expected"), [*KEYS, *KINDS, *VALUES, *YAML, *FOLLOWING, *SEVERAL])
def test_what_is_wrong(text: str | bytes, expected: list[str]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(("text", "path"), POLICIES)
def test_what_a_policy_objects_to(text: str, path: str) -> None:
    """The words are the policies' own; here it matters that they arrive with their place."""
    found = said("\n" + text)
    assert [line.partition(": ")[2].partition(": ")[0] for line in found] == ([path] if path else [])
    assert all(line.startswith(":2: ") for line in found)


@pytest.mark.parametrize("text", FINE)
def test_what_is_fine(text: str) -> None:
    assert said(text) == []


def test_the_file_is_named_as_the_reader_knows_it() -> None:
    with pytest.raises(ConfigError, match=r"^acme/gitops/\.tagboat\.yaml:1: x: unknown key"):
        load(b"x: 1", file="acme/gitops/.tagboat.yaml")


def test_of_very_many_findings_the_first_are_told() -> None:
    found = said("".join(f"k{number}: 1\n" for number in range(5000)))
    assert len(found) == 101
    assert found[0] == ": 5000 things are wrong; these are the first"
    assert found[1].startswith(":1: k0: unknown key")


# Each is as large as a file may be, and made to take long.
SLOW = {
    "regular expressions": "rules:\n" + "".join(f"- {{tags: '(?i)\\pL{{3}}{number}'}}\n" for number in range(500)),
    "wrong regular expressions": "rules:\n" + "- {tags: '(?i)\\pL{200}'}\n" * 500,
    "globs": "files: {include: [" + ",".join(f"'**/*a{number}*/**/{{b,c}}'" for number in range(9000)) + "]}",
    "unknown keys": "".join(f"k{number}: 1\n" for number in range(20000)),
    "ranges": "rules:\n" + "- {policy: semver, range: '>=1.2.3 <2 || ~3.4 || 5.x - 6'}\n" * 500,
    "schedules": "rules: [" + f"{{schedule: [{','.join(['Mon 08:00-17:00 Europe/Zurich'] * 15)}]}}," * 490 + "]",
    "words": "rules: [{match: {updates: [" + ",".join("patchx" for _ in range(30000)) + "]}}]",
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW.keys())
def test_no_file_takes_long(text: str) -> None:
    start = time.process_time()
    said(text)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("defaults", "text", "noted"),
    [
        (
            "",
            "rules:\n  - follow: {from: dev}",
            [":2: rules[0].follow: no rule says `policy: follow`, so nothing is followed (write it beside)"],
        ),
        ("", "rules: [{follow: {from: dev}}, {policy: follow}]", []),
        ("rules: [{policy: follow}]", "rules: [{follow: {from: dev}}]", []),
        ("rules: [{follow: {from: dev}}]", "rules: [{policy: follow}]", []),
        (
            "",
            "rules: [{policy: auto, follow: {from: dev}}]",
            [":1: rules[0].follow: the policy auto does not read it; it is for follow"],
        ),
    ],
)
def test_what_the_layers_say_together_about_following(defaults: str, text: str, noted: list[str]) -> None:
    found = load(text.encode(), defaults=layer(read(defaults.encode(), "app.yaml")))
    assert [str(note).removeprefix(".tagboat.yaml") for note in found.notes] == noted


def test_the_operators_rules_alone_may_lack_what_a_repository_brings() -> None:
    under = layer(read(b"rules: [{policy: follow}]", "app.yaml"))
    assert load(b"", defaults=under).rules == under.rules
    with pytest.raises(ConfigError, match=r"policy follow needs the key `follow`"):
        load(b"rules: [{policy: follow}]", defaults=under)
