"""All rows."""

from __future__ import annotations

from tests.rules.merging_rows.branch import BRANCH
from tests.rules.merging_rows.ci import CI
from tests.rules.merging_rows.forges import GIT, GITLAB
from tests.rules.merging_rows.people import PEOPLE
from tests.rules.merging_rows.row import Row
from tests.rules.merging_rows.scope import CANNOT_WORK, SCOPE
from tests.rules.merging_rows.time import TIME

VARIANTS: list[Row] = [*SCOPE, *CANNOT_WORK, *PEOPLE, *CI, *BRANCH, *TIME, *GITLAB, *GIT]
